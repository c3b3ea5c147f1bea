"""The ccxt source against a local exchange: contract, rules, quotes, closed candles."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import ccxt
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from trading_pipeline.adapters.exchanges.ccxt_client import open_exchange
from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource
from trading_pipeline.adapters.exchanges.request_gate import RequestGate
from trading_pipeline.adapters.exchanges.simulated.market import ReplayMarket
from trading_pipeline.adapters.exchanges.simulated.profile import (
    DEMO_NOW,
    DEMO_SYMBOLS,
    demo_listings,
    demo_market,
    simulated_source,
)
from trading_pipeline.adapters.exchanges.simulated.server import exchange_app
from trading_pipeline.core.clock import FrozenClock
from trading_pipeline.core.errors import ConfigError, SymbolNotListedError, VenueError
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.adapters.exchanges.exchange_cases import (
    BTC,
    END,
    H1,
    N_HOURS,
    START,
    app_at,
    trial_exchange,
)
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.contracts.candle_source import CandleSourceCase, CandleSourceContract
from trading_pipeline_tests.real_data import real_file


class TestSimulatedMarketKeepsTheContract(CandleSourceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def case(cls):
        start = datetime(2026, 8, 30, tzinfo=UTC)
        market = demo_market()
        # The server's own table, from before JSON, ccxt and paging.
        truth = market.window(
            DEMO_SYMBOLS[1],
            H1,
            start_ms=round(start.timestamp() * 1000),
            end_ms=None,
            limit=1099,  # 30 August 00:00 to 14 October 18:00, the last hour closed at 19:00:05
            now=DEMO_NOW,
        )
        with simulated_source(market) as source:
            yield CandleSourceCase(source, DEMO_SYMBOLS[1], H1, truth)


class TestReplayWithGapsKeepsTheContract(CandleSourceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def case(cls):
        hour = pl.col("open_time").dt.hour()
        truth = make_candles(N_HOURS, start=START).filter((hour != 3) & (hour != 4))
        with trial_exchange(app_at(truth, FrozenClock(END))) as trial:
            yield CandleSourceCase(trial.source, BTC, H1, truth)


@pytest.fixture(scope="module")
def source():
    with simulated_source() as simulated:
        yield simulated


def test_the_simulated_source_says_that_it_is_one(source):
    assert source.name == "simulated:binance"


def test_the_rules_are_those_of_the_listing(source):
    assert source.instrument(DEMO_SYMBOLS[0]) == demo_listings()[0].instrument
    assert source.instrument(DEMO_SYMBOLS[1]) == demo_listings()[1].instrument
    assert str(source.instrument(DEMO_SYMBOLS[0]).lot_size) == "0.00001"


def test_the_quote_is_the_last_price_as_an_exact_decimal(source):
    newest = demo_market().window(
        DEMO_SYMBOLS[0], Timeframe("5m"), start_ms=None, end_ms=None, limit=1, now=DEMO_NOW
    )
    assert source.quote(DEMO_SYMBOLS[0]) == Decimal(str(newest["close"][0]))


@pytest.mark.parametrize("name", ["5m", "15m", "4h", "1d"])
def test_other_timeframes_agree_with_the_market(source, name):
    timeframe = Timeframe(name)
    start = DEMO_NOW.replace(hour=0, minute=0, second=0) - timedelta(days=30)
    truth = demo_market().window(
        DEMO_SYMBOLS[0],
        timeframe,
        start_ms=round(start.timestamp() * 1000),
        end_ms=None,
        limit=10**6,
        now=DEMO_NOW,
    )
    assert_frame_equal(
        source.candles(DEMO_SYMBOLS[0], timeframe, start, DEMO_NOW + timedelta(days=1)),
        truth.filter(pl.col("open_time") + timeframe.duration <= DEMO_NOW),
    )


def test_an_unlisted_symbol_is_refused_with_near_matches(source):
    for ask in (source.instrument, source.quote):
        with pytest.raises(SymbolNotListedError, match="did you mean BTC/USDT") as caught:
            ask(Symbol("BTCC", "USDT"))
        assert caught.value.facts == {"venue": "binance", "symbol": "BTCC-USDT"}


def test_a_timeframe_that_the_venue_lacks_is_named():
    with (
        trial_exchange() as trial,
        pytest.raises(VenueError, match=r"binance.*Invalid interval"),
    ):
        trial.source.candles(BTC, Timeframe("5m"), START, END)


@pytest.mark.parametrize(("offset_ms", "n_closed"), [(-1, 9), (0, 10), (1, 10)])
def test_a_candle_counts_from_the_millisecond_of_its_close_on(offset_ms, n_closed):
    clock = FrozenClock(START + timedelta(hours=10, milliseconds=offset_ms))
    candles = make_candles(N_HOURS, start=START)
    with trial_exchange(app_at(candles, clock)) as trial:
        assert_frame_equal(trial.read(), candles.head(n_closed))
        assert trial.source.now() == clock.instant


def test_naive_times_are_refused(source):
    with pytest.raises(ConfigError, match="time zone"):
        source.candles(DEMO_SYMBOLS[0], H1, datetime(2026, 1, 1), DEMO_NOW)  # noqa: DTZ001


def test_a_venue_that_ccxt_does_not_know_is_refused_with_near_matches():
    with pytest.raises(ConfigError, match="did you mean binance"):
        CcxtCandleSource("binannce")


@pytest.mark.parametrize("base_url", ["127.0.0.1:80", "ftp://host", "http://", "http://a/?b=c"])
def test_a_base_url_that_is_none_is_refused(base_url):
    with pytest.raises(ConfigError, match="base_url must look like"):
        CcxtCandleSource("binance", base_url)


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf")])
def test_a_timeout_that_is_none_is_refused(timeout_s):
    with pytest.raises(ConfigError, match="timeout_s"):
        CcxtCandleSource("binance", timeout_s=timeout_s)


def test_at_least_one_attempt_is_needed():
    with pytest.raises(ConfigError, match="attempts must be at least 1, was 0"):
        CcxtCandleSource("binance", attempts=0)


def test_the_name_tells_the_venue_and_the_host_but_not_the_port():
    assert CcxtCandleSource("kraken").name == "ccxt:kraken"
    assert CcxtCandleSource("binance", "http://127.0.0.1:8900/").name == "ccxt:binance@127.0.0.1"


def addresses(tree: object) -> list[str]:
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in addresses(value)]
    return [str(tree)]


@pytest.mark.parametrize("venue", ccxt.exchanges)
def test_with_a_base_url_no_address_of_any_venue_leads_elsewhere(venue):
    exchange = open_exchange(venue, "http://127.0.0.1:1", 1.0, RequestGate(venue))
    assert all(url.startswith("http://127.0.0.1:1") for url in addresses(exchange.urls["api"]))


def test_ccxt_never_sends_anything_again_by_itself():
    assert (
        open_exchange("binance", None, 1.0, RequestGate("binance")).options["maxRetriesOnFailure"]
        == 0
    )


@pytest.mark.real_data
def test_real_history_with_its_halts_comes_through_unchanged():
    path = real_file("binance-spot-freqtrade/BTC_USDT-1h.feather")
    history = (
        pl.read_ipc(path)
        .with_columns(pl.col("date").cast(pl.Datetime("us", "UTC")).alias("open_time"))
        .with_columns(pl.col("open", "high", "low", "close", "volume").cast(pl.Float64))
        .select("open_time", "open", "high", "low", "close", "volume")
        .filter(pl.col("open_time").dt.year() == 2018)
    )
    now = datetime(2019, 1, 1, tzinfo=UTC)
    instrument = Instrument(
        BTC, Decimal("0.01"), Decimal("0.000001"), Decimal("0.000001"), Decimal(10)
    )
    market = ReplayMarket({(BTC, H1): history}, [instrument], now)
    with trial_exchange(exchange_app(market, FrozenClock(now))) as trial:
        received = trial.source.candles(BTC, H1, datetime(2018, 1, 1, tzinfo=UTC), now)
    assert_frame_equal(received, history)
    # The halts of 2018 in the list beside the data: 1 + 33 + 10 + 1 + 7 + 3 + 7 hours.
    assert len(received) == 365 * 24 - 62
