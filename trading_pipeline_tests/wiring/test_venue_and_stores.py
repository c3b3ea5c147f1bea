"""Which source, which clock, which folder: decided by the settings in one place."""

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from trading_pipeline import wiring
from trading_pipeline.adapters.clock import SystemClock
from trading_pipeline.adapters.exchanges.files import FileCandleSource
from trading_pipeline.adapters.exchanges.last_close import LastCloseQuotes
from trading_pipeline.adapters.exchanges.simulated.profile import DEMO_NOW
from trading_pipeline.config import Settings, load_settings, write_profile
from trading_pipeline.core.clock import FrozenClock
from trading_pipeline.core.month import Month
from trading_pipeline.wiring import VenueAccess
from trading_pipeline_tests.builders import DEFAULT_START, make_candles
from trading_pipeline_tests.pipelines import BTC, NOW, make_settings, write_candles


def test_the_clock_is_the_market_s():
    frozen = Settings(market={"now": NOW})
    assert VenueAccess(frozen).clock() == FrozenClock(NOW)
    simulated = Settings(market={"venue": "simulated"})
    assert VenueAccess(simulated).clock() == FrozenClock(DEMO_NOW)
    assert isinstance(VenueAccess(Settings()).clock(), SystemClock)


def test_files_end_where_they_end(tmp_path: Path):
    files = write_candles(tmp_path, {BTC: make_candles(30)})
    venue = VenueAccess(Settings(market={"candle_files": files, "symbols": {"BTC-USDT": {}}}))
    assert venue.clock().now() == DEFAULT_START + timedelta(hours=30)
    assert isinstance(venue.source(), FileCandleSource)
    assert venue.source() is venue.source()
    assert venue.label() == "binance, from candle files"


def test_a_frozen_market_hides_what_its_files_hold_after_it(tmp_path: Path):
    files = write_candles(tmp_path, {BTC: make_candles(30)})
    settings = make_settings(tmp_path, files, now=DEFAULT_START + timedelta(hours=10, seconds=5))
    venue = VenueAccess(settings)
    month = Month(2024, 1)
    rows = venue.source().candles(BTC, settings.market.timeframe, month.start, month.end)
    assert rows.height == 10
    quote = wiring.quotes(settings, venue)
    assert isinstance(quote, LastCloseQuotes)
    assert quote.quote(BTC) == Decimal(str(rows["close"][-1]))


def test_the_smallest_order_of_the_settings_counts_where_it_is_larger(tmp_path: Path):
    files = write_candles(tmp_path, {BTC: make_candles(30)})
    for smallest, wanted in ((3, Decimal(5)), (12.5, Decimal("12.5"))):
        symbols = {"BTC-USDT": {"min_order_size": smallest}}
        settings = make_settings(tmp_path, files, market={"symbols": symbols})
        rules = VenueAccess(settings).instruments()
        assert list(rules) == [BTC]
        assert rules[BTC].min_notional == wanted


def test_dropped_rows_are_counted_by_month(tmp_path: Path):
    rows = make_candles(30)
    broken = rows.with_columns(high=rows["low"] - 1).slice(4, 2)
    files = write_candles(tmp_path, {BTC: rows.update(broken, on="open_time")})
    venue = VenueAccess(make_settings(tmp_path, files))
    assert sum(venue.dropped_rows(BTC, Month(2024, 1)).values()) == 2
    assert venue.dropped_rows(BTC, Month(2024, 2)) == {}


def test_simulated_candles_are_labelled_as_such():
    assert "SIMULATED" in VenueAccess(Settings(market={"venue": "simulated"})).label()
    assert VenueAccess(Settings()).label() == "binance"


def test_making_access_opens_nothing(tmp_path: Path):
    gone = Settings(market={"candle_files": (str(tmp_path / "gone.csv"),), "now": NOW})
    VenueAccess(gone).clock()
    VenueAccess(gone).close()


@pytest.mark.usefixtures("plain_environment")
def test_every_profile_has_an_account_and_folders_of_its_own(tmp_path: Path):
    os.environ["TRADING__STORAGE__ROOT"] = str(tmp_path / "data")
    base = load_settings(tmp_path, "none")
    write_profile(tmp_path, "trial", {}, "a trial")
    trial = load_settings(tmp_path, "trial")
    names = [wiring.account(settings).name for settings in (base, trial)]
    assert names == ["paper", "paper.trial"]
    for place in (wiring.warehouse_path, wiring.reports_folder):
        assert place(base).parent == tmp_path / "data"
        assert place(trial).parent == tmp_path / "data" / "trial"
    assert wiring.lake(trial).root == tmp_path / "data" / "trial" / "lake"
    assert wiring.models(trial).root == tmp_path / "data" / "trial" / "models"


@pytest.mark.usefixtures("plain_environment")
def test_a_dry_run_of_the_environment_switches_execution_off(tmp_path: Path):
    os.environ["DRY_RUN"] = "true"
    assert not load_settings(tmp_path, "none").execution.enabled


def test_the_account_opens_once_with_the_balance_of_the_settings(tmp_path: Path):
    settings = make_settings(tmp_path, (), backtest={"initial_balance": 2500})
    with wiring.ledger(settings) as ledger:
        first = wiring.open_account(settings, ledger, NOW)
        later = wiring.open_account(settings, ledger, datetime(2025, 1, 1, tzinfo=UTC))
        assert first == later == wiring.account(settings)
        (opened,) = ledger.accounts()
    assert (opened.currency, opened.initial_cash, opened.opened_at) == ("USDT", Decimal(2500), NOW)


def test_the_kill_switch_is_a_file_of_the_profile(tmp_path: Path):
    settings = make_settings(tmp_path, ())
    assert wiring.kill_switch(settings).is_engaged() is False
    (tmp_path / "KILL_SWITCH").write_text("stop")
    assert wiring.kill_switch(settings).is_engaged() is True
