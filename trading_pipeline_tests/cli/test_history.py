"""``trading data history``: a profile where it needs one, years in minutes, killed and resumed."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from trading_pipeline.adapters.clock import SystemClock
from trading_pipeline.adapters.exchanges.simulated.archive import ArchiveShelf, archive_app
from trading_pipeline.adapters.exchanges.simulated.faults import FaultPlan, FaultyExchange, failing
from trading_pipeline.adapters.exchanges.simulated.market import SimulatedMarket
from trading_pipeline.adapters.exchanges.simulated.profile import demo_listings
from trading_pipeline.adapters.exchanges.simulated.server import exchange_app
from trading_pipeline.adapters.exchanges.simulated.serving import serve_in_background
from trading_pipeline.cli.history_profile import settings_for
from trading_pipeline.config import load_settings
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.adapters.exchanges.exchange_cases import BTC, ETH
from trading_pipeline_tests.cli.desk import Desk, assert_refused, contents, manifests

NEWEST = Month.of(datetime.now(UTC))
OLDEST = NEWEST.shift(-4)
MONTHS = [month.key for month in OLDEST.until(NEWEST)]
ASK = ("data", "history", "--symbol", "BTC/USDT", "--timeframe", "1m")


@dataclass(frozen=True)
class Venue:
    """An exchange and its archive on this machine, with months of 1m candles."""

    variables: dict[str, str]
    archive: FaultPlan
    rest: FaultPlan


@pytest.fixture(scope="module")
def served() -> Iterator[Venue]:
    clock = SystemClock()
    ahead = clock.now() + timedelta(hours=2)
    market = SimulatedMarket(demo_listings(), Timeframe("1m"), OLDEST.start, ahead, seed=5)
    archive, rest = FaultPlan(), FaultPlan()
    shelf = FaultyExchange(archive_app(ArchiveShelf(market, clock)), archive)
    with (
        serve_in_background(shelf) as archive_url,
        serve_in_background(FaultyExchange(exchange_app(market, clock), rest)) as url,
    ):
        variables = {
            "TRADING__MARKET__BASE_URL": url,
            "TRADING__MARKET__ARCHIVE_URL": archive_url,
        }
        yield Venue(variables, archive, rest)


@pytest.fixture
def venue(served: Venue) -> Venue:
    served.archive.clear()
    served.rest.clear()
    return served


@pytest.fixture
def machine(tmp_path: Path, venue: Venue) -> Desk:
    return Desk.furnished(tmp_path, venue.variables)


def monthly_zips(plan: FaultPlan) -> Counter[str]:
    return Counter(
        {
            path.rsplit("-1m-", 1)[1].removesuffix(".zip"): n
            for path, n in plan.requests.items()
            if "/monthly/" in path and path.endswith(".zip")
        }
    )


def profile(machine: Desk, name: str) -> dict[str, object]:
    text = (machine.root / "profiles" / f"{name}.yaml").read_text()
    return yaml.safe_load(text)["market"]


def committed(machine: Desk) -> set[str]:
    found = manifests(machine.lake("binance-1m"), "raw_candles")
    return {path.parent.name.removeprefix("month=") for path in found}


def test_killed_twice_and_resumed_no_file_of_a_committed_month_is_asked_for_again(
    machine: Desk, venue: Venue, tmp_path: Path
):
    asked_again: list[str] = []
    for count in (1, 3):
        before, kept = monthly_zips(venue.archive), committed(machine)
        machine.kill_when(lambda n=count: len(committed(machine)) >= n, *ASK, "--from", OLDEST.key)
        asked_again += sorted(set(monthly_zips(venue.archive) - before) & kept)
    before, kept = monthly_zips(venue.archive), committed(machine)
    done = machine.succeed(*ASK, "--from", f"{OLDEST.key}-01", "--json")
    asked_again += sorted(set(monthly_zips(venue.archive) - before) & kept)
    assert asked_again == []
    assert len(kept) >= 3
    assert sorted(committed(machine)) == MONTHS
    (row,) = done.json["candles"]
    assert (done.json["profile"], row["months"], row["missing_unexplained"]) == (
        "binance-1m",
        len(MONTHS),
        0,
    )
    # An undisturbed run on another machine has the same candles in every month that is over.
    other = Desk.furnished(tmp_path / "other", venue.variables)
    first = other.succeed(*ASK, "--from", OLDEST.key)
    said = " ".join(first.err.split())
    assert f"Profile binance-1m: BTC/USDT, 1m from {OLDEST}. It is the active one now" in said
    assert "profile use none" in said
    ended, undisturbed = (
        {
            name: parts
            for name, parts in contents(desk.lake("binance-1m")).items()
            if "candles/" in name and NEWEST.key not in name
        }
        for desk in (machine, other)
    )
    assert ended == undisturbed
    # Raw, validated and longer candles.
    assert len(ended) == 3 * (len(MONTHS) - 1)
    # What is there is not asked for again.
    asked = monthly_zips(venue.archive)
    other.succeed("data", "history")
    assert monthly_zips(venue.archive) == asked


@pytest.mark.usefixtures("plain_environment")
def test_a_profile_is_written_then_widened_and_becomes_the_active_one(machine: Desk):
    os.environ.update(machine.environment({}))
    plain = load_settings(machine.home)
    recent, earlier = NEWEST.shift(-1), NEWEST.shift(-2)
    first = settings_for(plain, [BTC], Timeframe("1m"), recent)
    usual = {"enabled": True, "min_order_size": 10}
    assert profile(machine, "binance-1m") == {
        "venue": "binance",
        "symbols": {"BTC-USDT": usual},
        "base_timeframe": "1m",
        "history_start": recent.key,
    }
    assert load_settings(machine.home).profile == first.profile == "binance-1m"
    # What the profile holds needs no other.
    assert settings_for(first, [BTC], None, recent) is first
    assert settings_for(first, [], Timeframe("1m"), NEWEST) is first
    wider = settings_for(first, [ETH], None, earlier)
    # From another profile it is found again, and an earlier start is kept.
    again = settings_for(plain, [BTC], Timeframe("1m"), recent)
    assert wider.market == again.market
    assert profile(machine, "binance-1m") == {
        "venue": "binance",
        "symbols": {"BTC-USDT": usual, "ETH-USDT": usual},
        "base_timeframe": "1m",
        "history_start": earlier.key,
    }


@pytest.mark.usefixtures("plain_environment")
def test_a_new_symbol_of_the_same_timeframe_joins_the_others(machine: Desk):
    os.environ.update(machine.environment({}))
    (machine.home / "config.yaml").write_text(
        "market: {symbols: {ETH-USDT: {min_order_size: 25}}, history_start: 2024-05}"
    )
    plain = load_settings(machine.home)
    wider = settings_for(plain, [BTC], None, None)
    assert wider.profile == "binance-1h"
    assert [symbol.key for symbol in wider.market.enabled_symbols] == ["ETH-USDT", "BTC-USDT"]
    assert wider.market.symbols["ETH-USDT"].min_order_size == 25
    assert wider.market.history_start == "2024-05"


def test_a_symbol_that_the_venue_lacks_writes_no_profile(machine: Desk):
    done = machine.run("data", "history", "--symbol", "BTCC/USDT", "--timeframe", "1m")
    assert_refused(done, "SymbolNotListedError", "BTCC/USDT", "BTC/USDT")
    assert not (machine.root / "profiles").exists()


@pytest.mark.usefixtures("plain_environment")
def test_a_delisted_symbol_joins_though_the_venue_lists_it_no_more(machine: Desk):
    os.environ.update(machine.environment({}))
    (machine.home / "config.yaml").write_text(
        "market: {symbols: {BTC-USDT: {}, LUNA-USDT: {enabled: false, delisted: 2022-05-13}}}"
    )
    luna = Symbol("LUNA", "USDT")
    wider = settings_for(load_settings(machine.home), [luna], Timeframe("1m"), Month(2022, 4))
    assert wider.profile == "binance-1m"
    assert wider.market.symbols["LUNA-USDT"].delisted is not None


def test_an_archive_that_is_down_stops_the_month_and_keeps_those_before(
    machine: Desk, venue: Venue
):
    bad = NEWEST.shift(-1)
    path = f"/data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-{bad}.zip.CHECKSUM"
    venue.archive.always(path, failing(503))
    done = machine.run(*ASK, "--from", NEWEST.shift(-2).key, "--to", bad.key)
    assert done.code == 1
    assert "VenueUnavailableError" in done.err
    assert "the archive of binance" in done.err
    assert committed(machine) == {NEWEST.shift(-2).key}


def test_a_profile_of_candle_files_is_not_widened_by_a_venue(desk: Desk):
    desk.with_profile("mine", "market: {candle_files: [gone.csv], base_timeframe: 1h}")
    assert_refused(desk.run(*ASK), "ConfigError", "mine", "candle files")
