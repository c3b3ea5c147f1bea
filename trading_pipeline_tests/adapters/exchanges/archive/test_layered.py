"""A venue and its archive as one source: the same candles, however the range falls."""

import socket
from collections import Counter
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from trading_pipeline.adapters.exchanges.archive import (
    ArchiveHistory,
    ArchiveReader,
    LayeredCandleSource,
)
from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource
from trading_pipeline.adapters.exchanges.simulated.faults import (
    failing,
    rate_limited,
    wrong_checksum,
)
from trading_pipeline.adapters.exchanges.web import WebReader
from trading_pipeline.core.clock import FrozenClock
from trading_pipeline.core.errors import (
    ConfigError,
    MalformedReplyError,
    RateLimitedError,
    SymbolNotListedError,
    VenueUnavailableError,
)
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.adapters.exchanges.archive.archive_cases import (
    DAY,
    DECEMBER,
    FEBRUARY,
    JANUARY,
    M1,
    NOW,
    START,
    TRUTH,
    TrialArchive,
    a_day,
    monthly,
    trial_archive,
    within,
)
from trading_pipeline_tests.adapters.exchanges.exchange_cases import BTC, rules
from trading_pipeline_tests.contracts.candle_source import (
    CandleSourceCase,
    CandleSourceContract,
)

LATE = NOW + timedelta(days=9)


@pytest.fixture(scope="module")
def shared() -> TrialArchive:
    with trial_archive() as trial:
        yield trial


@pytest.fixture
def trial(shared: TrialArchive) -> TrialArchive:
    shared.clear()
    return shared


def zips(trial: TrialArchive) -> Counter[str]:
    """Return how often each ZIP was asked for, by its name."""
    return Counter(
        {
            path.rsplit("/", 1)[1].removesuffix(".zip"): count
            for path, count in trial.plan.requests.items()
            if path.endswith(".zip")
        }
    )


class TestTheContract(CandleSourceContract):
    @pytest.fixture
    def case(self, shared: TrialArchive) -> CandleSourceCase:
        shared.clear()
        start = a_day(31, 1) - timedelta(hours=3)
        return CandleSourceCase(shared.source, BTC, M1, within(start, LATE))


class TestTheContractOfLongerCandles(CandleSourceContract):
    @pytest.fixture
    def case(self, shared: TrialArchive) -> CandleSourceCase:
        shared.clear()
        hours = TRUTH.group_by_dynamic("open_time", every="1h").agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
        )
        closed = hours.filter(pl.col("open_time") + timedelta(hours=1) <= NOW)
        return CandleSourceCase(shared.source, BTC, Timeframe("1h"), closed)


def test_months_come_from_the_monthly_files_days_from_the_daily_ones_the_rest_by_rest(trial):
    assert_frame_equal(trial.read(START, LATE), within(START, LATE))
    found = {m.key: trial.source.provenance(BTC, M1, m).rows for m in (DECEMBER, JANUARY, FEBRUARY)}
    # 4 February has 3 hours and 17 minutes so far; its daily file comes when it is over.
    assert found == {
        "2024-12": {"archive": 31 * 1440},
        "2025-01": {"archive": 31 * 1440},
        "2025-02": {"archive": 3 * 1440, "rest": 197},
    }
    assert zips(trial) == {
        "BTCUSDT-1m-2024-12": 1,
        "BTCUSDT-1m-2025-01": 1,
        "BTCUSDT-1m-2025-02-01": 1,
        "BTCUSDT-1m-2025-02-02": 1,
        "BTCUSDT-1m-2025-02-03": 1,
    }
    assert trial.rest_plan.requests["klines"] <= 2


def test_a_month_that_is_not_published_yet_comes_by_its_days(trial):
    trial.plan.always(monthly(JANUARY).checksum_path, failing(404))
    assert_frame_equal(trial.read(JANUARY.start, JANUARY.end), within(JANUARY.start, JANUARY.end))
    assert trial.source.provenance(BTC, M1, JANUARY).rows == {"archive": 31 * 1440}
    assert len(zips(trial)) == 31
    assert trial.rest_plan.requests["klines"] == 0


def test_a_day_that_the_archive_lacks_comes_by_rest(trial):
    lacking = "/data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2025-02-02.zip"
    trial.plan.always(lacking, failing(404))
    assert_frame_equal(trial.read(FEBRUARY.start, LATE), within(FEBRUARY.start, LATE))
    rows = trial.source.provenance(BTC, M1, FEBRUARY).rows
    assert rows == {"archive": 2 * 1440, "rest": 1440 + 197}


def test_of_long_candles_a_part_of_a_month_is_one_page_and_no_thirty_files(trial):
    hours = trial.read(FEBRUARY.start, LATE, Timeframe("1h"))
    assert hours.height == 3 * 24 + 3
    assert trial.plan.requests.total() == 0
    assert trial.rest_plan.requests["klines"] == 1


def test_an_old_month_that_was_never_published_is_not_asked_for_by_its_days():
    early = TRUTH.filter(pl.col("open_time") >= a_day(20, 12, 2024))
    with trial_archive(early) as trial:
        november = Month(2024, 11)
        assert trial.read(november.start, november.end).is_empty()
        assert trial.plan.requests.total() == 1


@given(
    first=st.integers(-3000, 95_000), length=st.integers(0, 50_000), offset_s=st.integers(-59, 59)
)
@settings(max_examples=12, deadline=None)
def test_any_range_is_exactly_its_candles(shared, first, length, offset_s):
    start = START + timedelta(minutes=first, seconds=offset_s)
    end = start + timedelta(minutes=length)
    assert_frame_equal(shared.read(start, end), within(start, end))


def test_the_venue_s_clock_decides_what_is_closed_and_the_grace_is_kept():
    sharp = START + timedelta(days=2, minutes=30)
    for grace_s, seconds, newest in ((0, 0, 29), (2, 1, 28), (2, 2, 29)):
        with trial_archive(now=sharp + timedelta(seconds=seconds)) as trial:
            rest = CcxtCandleSource("binance", trial.source._rest.base_url, close_grace_s=grace_s)
            with LayeredCandleSource(rest, trial.reader, close_grace_s=grace_s) as source:
                candles = source.candles(BTC, M1, sharp - timedelta(hours=1), LATE)
        assert candles["open_time"][-1].minute == newest


def test_the_clock_is_not_asked_again_for_months_that_were_over_before(trial):
    trial.source.now()
    for month in (DECEMBER, JANUARY):
        trial.read(month.start, month.end)
    assert trial.rest_plan.requests["time"] == 1


# --- What goes wrong ------------------------------------------------------------------------------


def test_an_archive_that_is_down_is_said_to_be_though_rest_answers(trial):
    trial.plan.always(monthly(JANUARY).checksum_path, failing(500))
    with pytest.raises(VenueUnavailableError) as caught:
        trial.read(JANUARY.start, JANUARY.end)
    for words in ("the archive", "HTTP 500", "REST API does answer", "market.archive: false"):
        assert words in caught.value.message
    assert caught.value.facts["symbol"] == "BTC-USDT"


def test_an_archive_that_cannot_be_reached_is_named_with_its_address(trial):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    reader = ArchiveReader(WebReader("the archive", url, attempts=1))
    source = LayeredCandleSource(trial.source._rest, reader)
    with pytest.raises(VenueUnavailableError, match=f"cannot be read at {url}.*REST API does"):
        source.candles(BTC, M1, JANUARY.start, JANUARY.end)


def test_a_venue_that_is_down_is_said_to_be_though_the_archive_answered(trial):
    trial.source.now()
    trial.rest_plan.always("klines", failing())
    with pytest.raises(VenueUnavailableError, match=r"the archive did deliver 4,320 candles"):
        trial.read(FEBRUARY.start, NOW)
    trial.rest_plan.always("time", failing())
    with pytest.raises(VenueUnavailableError, match="binance"):
        trial.read(FEBRUARY.start, LATE)


def test_a_damaged_file_stops_the_month_and_is_not_replaced_in_silence(trial):
    trial.plan.always(monthly(DECEMBER).checksum_path, wrong_checksum())
    with pytest.raises(MalformedReplyError, match=r"SHA-256 must be .*Nothing of this month"):
        trial.read(START, LATE)


def test_a_pause_of_the_archive_is_a_pause():
    with trial_archive() as trial:
        trial.plan.script(monthly(JANUARY).checksum_path, [rate_limited("900")])
        for _ in range(2):
            with pytest.raises(RateLimitedError, match="the archive"):
                trial.read(JANUARY.start, JANUARY.end)
        assert trial.plan.requests.total() == 1


def test_a_delisted_symbol_has_the_candles_of_the_archive():
    with trial_archive(listed_at_rest=False) as trial:
        candles = trial.read(START, JANUARY.end)
        assert_frame_equal(candles, within(START, JANUARY.end))
        assert trial.rest_plan.requests["klines"] == 0
        with pytest.raises(SymbolNotListedError, match="BTC/USDT"):
            trial.source.instrument(BTC)


def test_a_symbol_that_neither_knows_is_not_listed(trial):
    with pytest.raises(SymbolNotListedError, match="NOSUCH/COIN"):
        trial.source.candles(Symbol("NOSUCH", "COIN"), M1, START, LATE)


def test_an_instant_without_a_zone_is_refused(trial):
    with pytest.raises(ConfigError, match="time zone"):
        trial.source.candles(BTC, M1, datetime(2024, 12, 1), LATE)  # noqa: DTZ001 the point of it


def test_rules_quotes_and_name_are_those_of_rest(trial):
    assert trial.source.instrument(BTC) == rules(BTC)
    assert trial.source.quote(BTC) > 0
    assert trial.source.name == trial.source._rest.name
    assert trial.source.fingerprint(BTC, M1) is None


# --- The archive alone, as a second source --------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "files"),
    [
        (a_day(5, 1) + timedelta(hours=3), a_day(5, 1) + timedelta(hours=5), 1),
        (a_day(31, 12, 2024), a_day(2, 1), 2),
        (a_day(3, 1), a_day(20, 1), 1),
        (a_day(2), NOW, 2),
    ],
)
def test_the_archive_alone_has_what_it_published(trial, start, end, files):
    history = ArchiveHistory(trial.reader, FrozenClock(NOW))
    published = within(start, min(end, a_day(4)))
    assert_frame_equal(history.candles(BTC, M1, start, end), published)
    assert sum(zips(trial).values()) == files
    assert trial.rest_plan.requests.total() == 0


def test_gaps_of_one_month_do_not_fetch_its_file_again(trial):
    history = ArchiveHistory(trial.reader, FrozenClock(NOW))
    for hour in range(5):
        start = a_day(3, 1) + timedelta(hours=hour)
        assert history.candles(BTC, M1, start, start + timedelta(minutes=7)).height == 7
    assert sum(zips(trial).values()) == 1


def test_the_archive_alone_says_nothing_of_what_it_does_not_have(trial):
    history = ArchiveHistory(trial.reader, FrozenClock(NOW))
    assert history.candles(Symbol("NOSUCH", "COIN"), M1, START, START + DAY).is_empty()
    assert history.candles(BTC, M1, LATE, LATE + DAY).is_empty()
    assert history.candles(BTC, M1, START, START).is_empty()
