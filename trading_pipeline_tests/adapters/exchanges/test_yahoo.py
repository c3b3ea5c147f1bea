"""Yahoo Finance as a source: daily and hourly history, and clear words about what it is not."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from trading_pipeline.adapters.exchanges.request_gate import RequestGate
from trading_pipeline.adapters.exchanges.simulated.faults import (
    Fault,
    FaultPlan,
    FaultyExchange,
    cut_off,
    failing,
    hanging,
    html,
    rate_limited,
    text,
    truncated,
)
from trading_pipeline.adapters.exchanges.simulated.market import ReplayMarket
from trading_pipeline.adapters.exchanges.simulated.serving import serve_in_background
from trading_pipeline.adapters.exchanges.simulated.yahoo import yahoo_app
from trading_pipeline.adapters.exchanges.yahoo import YahooCandleSource
from trading_pipeline.core.clock import FrozenClock
from trading_pipeline.core.errors import (
    ConfigError,
    MalformedReplyError,
    RateLimitedError,
    SymbolNotListedError,
    VenueError,
    VenueUnavailableError,
)
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.adapters.exchanges.exchange_cases import BTC, H1, rules
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.contracts.candle_source import CandleSourceCase, CandleSourceContract

D1 = Timeframe("1d")
START = datetime(2022, 6, 1, tzinfo=UTC)
NOW = datetime(2025, 2, 4, 3, 17, 30, tzinfo=UTC)
HOURS = make_candles((NOW - START) // H1.duration + 1, start=START, volatility=0.002)
PATH = "/v8/finance/chart/BTC-USD"


def days() -> pl.DataFrame:
    made = HOURS.group_by_dynamic("open_time", every="1d").agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
    )
    return made.filter(pl.col("open_time") + timedelta(days=1) <= NOW)


@dataclass
class TrialYahoo:
    source: YahooCandleSource
    plan: FaultPlan
    pauses: list[float]

    def read(self, start: datetime, end: datetime, timeframe: Timeframe = H1) -> pl.DataFrame:
        return self.source.candles(BTC, timeframe, start, end)


@pytest.fixture(scope="module")
def shared() -> Iterator[TrialYahoo]:
    plan, pauses = FaultPlan(), []
    app = yahoo_app(ReplayMarket({(BTC, H1): HOURS}, [rules(BTC)], NOW), FrozenClock(NOW))
    gate = RequestGate("yahoo", longest_wait_s=0.0)
    with (
        serve_in_background(FaultyExchange(app, plan)) as url,
        YahooCandleSource(url, gate=gate, timeout_s=0.5, sleep=pauses.append) as source,
    ):
        yield TrialYahoo(source, plan, pauses)


@pytest.fixture
def trial(shared: TrialYahoo) -> TrialYahoo:
    shared.plan.clear()
    shared.pauses.clear()
    return shared


def rewritten(change) -> Fault:
    def rewrite(body: bytes) -> bytes:
        content = json.loads(body)
        change(content["chart"]["result"][0])
        return json.dumps(content).encode()

    return Fault(rewrite=rewrite)


class TestDailyHistory(CandleSourceContract):
    @pytest.fixture
    def case(self, shared: TrialYahoo) -> CandleSourceCase:
        shared.plan.clear()
        return CandleSourceCase(shared.source, BTC, D1, days())


def test_hourly_candles_are_those_of_the_market_and_the_running_one_is_left_out(trial):
    start = NOW.replace(hour=0, minute=0, second=0) - timedelta(days=40)
    expected = HOURS.filter(
        (pl.col("open_time") >= start) & (pl.col("open_time") + timedelta(hours=1) <= NOW)
    )
    assert_frame_equal(trial.read(start, NOW + timedelta(days=3)), expected)
    assert trial.plan.requests[PATH] == 1


@given(first=st.integers(0, 17_000), n_hours=st.integers(0, 500), offset_s=st.integers(-1800, 1800))
@settings(max_examples=15, deadline=None)
def test_any_hourly_range_of_the_last_years_is_exactly_its_candles(
    shared, first, n_hours, offset_s
):
    start = HOURS["open_time"][-1] - timedelta(hours=first, seconds=offset_s)
    end = start + timedelta(hours=n_hours)
    opens = pl.col("open_time")
    closed = opens + timedelta(hours=1) <= NOW
    expected = HOURS.filter((opens >= start) & (opens < end) & closed)
    assert_frame_equal(shared.read(start, end), expected)


def test_hours_before_the_last_730_days_are_refused_with_the_limit(trial):
    with pytest.raises(ConfigError, match="730 days"):
        trial.read(START, START + timedelta(days=30))


@pytest.mark.parametrize("name", ["1m", "5m", "4h"])
def test_other_timeframes_are_refused(trial, name):
    with pytest.raises(ConfigError, match=f"1h and 1d, asked for {name}"):
        trial.read(START, NOW, Timeframe(name))
    assert trial.plan.requests.total() == 0


def test_bars_without_numbers_are_dropped_and_counted():
    candles = HOURS.filter(pl.col("open_time").dt.day() != 2)
    market = ReplayMarket({(BTC, H1): candles}, [rules(BTC)], NOW)
    with (
        serve_in_background(yahoo_app(market, FrozenClock(NOW))) as url,
        YahooCandleSource(url) as source,
    ):
        start = datetime(2025, 2, 1, tzinfo=UTC)
        rows = source.candles(BTC, H1, start, start + timedelta(days=3))
        assert rows["open_time"].dt.day().unique().to_list() == [1, 3]
        assert source.dropped(BTC, H1, start) == {"missing value": 24}


def test_a_stablecoin_is_read_as_the_dollar_and_that_is_said(trial, caplog):
    with caplog.at_level("INFO"):
        source = YahooCandleSource(trial.source._web.base_url)
        for quote in ("USDT", "USDC", "USD"):
            assert (
                source.candles(Symbol("BTC", quote), D1, NOW - timedelta(days=9), NOW).height == 8
            )
    assert "Yahoo has no BTC/USDT: its BTC-USD is read instead" in caplog.text
    assert caplog.text.count("Yahoo has no") == 2


def test_the_price_of_now_is_that_of_the_running_hour(trial):
    # Of an hour that still runs the market knows its open alone.
    assert float(trial.source.quote(BTC)) == HOURS["open"][-1]


@pytest.mark.parametrize("price", [None, 0, -1, "100"])
def test_a_quote_without_a_positive_price_is_refused(trial, price):
    trial.plan.always(
        PATH, rewritten(lambda result: result["meta"].update(regularMarketPrice=price))
    )
    with pytest.raises(MalformedReplyError, match="the price"):
        trial.source.quote(BTC)


GARBAGE = {
    "a web page": html(),
    "half an answer": truncated(),
    "null": text("null"),
    "an empty object": text("{}"),
    "a list": text("[]"),
    "nothing": text(""),
    "no result": text('{"chart": {"result": [null], "error": null}}'),
    "no results": text('{"chart": {"result": [], "error": null}}'),
    "no columns": rewritten(lambda result: result["indicators"].clear()),
    "short columns": rewritten(lambda result: result["timestamp"].pop()),
    "text for numbers": rewritten(
        lambda result: result["indicators"]["quote"][0].update(
            open=["x"] * len(result["timestamp"])
        )
    ),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_refused_and_never_taken_for_candles(trial, kind):
    trial.plan.always(PATH, GARBAGE[kind])
    with pytest.raises(VenueError, match="yahoo") as caught:
        trial.read(NOW - timedelta(days=9), NOW)
    assert isinstance(caught.value, MalformedReplyError)
    assert "without its time" not in caught.value.message


@pytest.mark.parametrize("fault", [failing(), cut_off(), hanging(0.8)])
def test_an_outage_is_tried_again_and_then_told(trial, fault):
    trial.plan.always(PATH, fault)
    with pytest.raises(VenueUnavailableError, match="yahoo"):
        trial.read(NOW - timedelta(days=9), NOW)
    assert trial.plan.requests[PATH] == 3
    assert trial.pauses == [0.25, 0.5]


def test_a_symbol_that_yahoo_lacks_is_not_listed(trial):
    with pytest.raises(SymbolNotListedError, match=r"NOSUCH-USD.*renamed or delisted"):
        trial.source.candles(Symbol("NOSUCH", "USDT"), D1, START, NOW)


def test_a_pause_is_kept(trial):
    gate = RequestGate("yahoo", longest_wait_s=0.0)
    source = YahooCandleSource(trial.source._web.base_url, gate=gate)
    trial.plan.script(PATH, [rate_limited("300")])
    for _ in range(2):
        with pytest.raises(RateLimitedError):
            source.now()
    assert trial.plan.requests[PATH] == 1


def test_an_address_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="base_url"):
        YahooCandleSource("yahoo.com")
