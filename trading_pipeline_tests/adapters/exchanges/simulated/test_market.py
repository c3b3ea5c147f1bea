"""Simulated and replayed markets: one base, one truth, nothing of the future."""

import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from trading_pipeline.adapters.exchanges.simulated.generator import Listing
from trading_pipeline.adapters.exchanges.simulated.market import ReplayMarket, SimulatedMarket
from trading_pipeline.adapters.exchanges.simulated.profile import (
    DEMO_NOW,
    DEMO_START,
    DEMO_SYMBOLS,
    demo_market,
)
from trading_pipeline.core.candles import CANDLE_SCHEMA, conform
from trading_pipeline.core.errors import CandleSchemaError, ConfigError
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.builders import make_candles

BTC, ETH = DEMO_SYMBOLS
START = datetime(2024, 1, 1, tzinfo=UTC)
END = START + timedelta(days=20)
M5, H1, H4, D1 = (Timeframe(name) for name in ("5m", "1h", "4h", "1d"))


def instrument(symbol: Symbol = BTC, tick: str = "0.01", lot: str = "0.001") -> Instrument:
    return Instrument(symbol, Decimal(tick), Decimal(lot), Decimal(lot), Decimal(5))


def simulated(*symbols: Symbol, end: datetime = END, seed: int = 5, base: Timeframe = M5):
    listings = [Listing(instrument(symbol), Decimal(100)) for symbol in symbols or (BTC,)]
    return SimulatedMarket(listings, base, START, end, seed)


def everything(market, symbol: Symbol, timeframe: Timeframe, now: datetime) -> pl.DataFrame:
    return market.window(symbol, timeframe, start_ms=None, end_ms=None, limit=10**7, now=now)


def ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


def folded(rows: list[tuple]) -> tuple:
    """The candle of the candles inside it, by hand: first, max, min, last, sum."""
    _, opens, highs, lows, closes, volumes = zip(*rows, strict=True)
    total = sum(Decimal(str(volume)) for volume in volumes)
    return (opens[0], max(highs), min(lows), closes[-1], float(total))


@pytest.mark.parametrize(("short", "long", "n"), [(M5, H1, 12), (H1, H4, 4), (H4, D1, 6)])
def test_a_long_candle_equals_the_short_ones_inside_it(short, long, n):
    market = simulated()
    shorts = everything(market, BTC, short, END).rows()
    longs = everything(market, BTC, long, END).rows()
    for i, candle in enumerate(longs[:-1]):
        inside = shorts[i * n : (i + 1) * n]
        assert candle[0] == inside[0][0]
        assert candle[1:5] == folded(inside)[:4]
        assert candle[5] == pytest.approx(folded(inside)[4], abs=1e-8)


@given(minutes=st.integers(1, 20 * 24 * 60), seconds=st.integers(0, 59))
@settings(max_examples=40, deadline=None)
def test_what_was_shown_at_an_instant_does_not_depend_on_what_came_later(minutes, seconds):
    now = START + timedelta(minutes=minutes, seconds=seconds)
    then = simulated(end=now)
    later = simulated(end=END + timedelta(days=3))
    for timeframe in (M5, H1, D1):
        assert_frame_equal(
            everything(then, BTC, timeframe, now), everything(later, BTC, timeframe, now)
        )


def test_the_forming_candle_is_made_of_what_was_traded_until_now():
    market = simulated()
    now = START + timedelta(days=2, hours=7, minutes=17)
    forming = everything(market, BTC, H1, now).rows()[-1]
    closed = everything(market, BTC, M5, END).filter(
        pl.col("open_time").is_between(now.replace(minute=0), now, closed="left")
    )
    known = closed.rows()[:3]  # 07:00, 07:05, 07:10; the bar of 07:15 is open itself
    price = closed.rows()[3][1]
    assert forming[0] == now.replace(minute=0)
    assert forming[1:5] == folded([*known, (None, price, price, price, price, 0.0)])[:4]
    assert forming[5] == pytest.approx(sum(row[5] for row in known), abs=1e-8)


@pytest.mark.parametrize(("offset_ms", "n_closed"), [(-1, 23), (0, 24), (1, 24)])
def test_a_candle_is_complete_exactly_at_its_close(offset_ms, n_closed):
    market = simulated()
    now = START + timedelta(days=1, milliseconds=offset_ms)
    complete = everything(market, BTC, H1, END).head(n_closed)
    assert_frame_equal(everything(market, BTC, H1, now).head(n_closed), complete)
    assert len(everything(market, BTC, H1, now)) == n_closed + 1
    whole = everything(market, BTC, H1, END).row(23)
    assert (everything(market, BTC, H1, now).row(23) == whole) == (offset_ms >= 0)


def test_a_market_goes_on_when_its_clock_does():
    market = simulated()
    later = END + timedelta(days=40)
    assert everything(market, BTC, D1, later)["open_time"][-1] == later
    assert_frame_equal(everything(market, BTC, H1, END), everything(simulated(), BTC, H1, END))


def test_other_listings_do_not_change_a_symbol():
    assert_frame_equal(
        everything(simulated(BTC), BTC, H1, END), everything(simulated(ETH, BTC), BTC, H1, END)
    )


def test_candles_keep_the_candle_contract():
    candles = everything(simulated(), BTC, H1, END)
    assert_frame_equal(conform(candles), candles)


def test_the_demo_market_is_the_same_in_every_process():
    program = (
        "import hashlib\n"
        "from trading_pipeline.adapters.exchanges.simulated.profile import *\n"
        "frame = demo_market().window(DEMO_SYMBOLS[0], Timeframe('1h'), start_ms=None,"
        " end_ms=None, limit=10**6, now=DEMO_NOW)\n"
        "raise SystemExit(hashlib.sha256(frame.write_csv().encode()).hexdigest())\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        timeout=60,
    )
    here = everything(demo_market(), BTC, H1, DEMO_NOW)
    assert answer.stderr.strip() == hashlib.sha256(here.write_csv().encode()).hexdigest()


def test_the_demo_market_is_what_its_profile_says():
    market = demo_market()
    for symbol, price in ((BTC, 60_000), (ETH, 2_500)):
        candles = everything(market, symbol, H1, DEMO_NOW)
        assert candles["open_time"][0] == DEMO_START
        assert candles["open"][0] == price
        assert candles["open_time"][-1] == datetime(2026, 10, 14, 19, tzinfo=UTC)
        assert candles["open_time"].diff().drop_nulls().unique().to_list() == [timedelta(hours=1)]
    assert {entry.symbol.key for entry in market.instruments} == {"BTC-USDT", "ETH-USDT"}


def test_windows_are_counted_from_the_start_or_back_from_the_newest():
    market = simulated()
    first = ms(START)
    three = market.window(BTC, H1, start_ms=first, end_ms=None, limit=3, now=END)
    assert three["open_time"].to_list() == [START + timedelta(hours=i) for i in range(3)]
    bounded = market.window(BTC, H1, start_ms=first, end_ms=first + 3_600_000, limit=9, now=END)
    assert len(bounded) == 2
    newest = market.window(BTC, H1, start_ms=None, end_ms=first + 7_200_000, limit=2, now=END)
    assert newest["open_time"].to_list() == [START + timedelta(hours=i) for i in (1, 2)]
    after = market.window(BTC, H1, start_ms=ms(END) + 1, end_ms=None, limit=9, now=END)
    assert after.is_empty()
    assert dict(after.schema) == CANDLE_SCHEMA


def test_a_market_serves_the_timeframes_that_its_base_divides():
    names = [timeframe.name for timeframe in simulated(base=Timeframe("30m")).timeframes(BTC)]
    assert names == ["30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"]
    assert simulated().timeframes(Symbol("NO", "ONE")) == ()


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2024, 1, 1), END),  # noqa: DTZ001
        (END, START),
        (START + timedelta(hours=1), END),
    ],
)
def test_times_that_make_no_market_are_refused(start, end):
    with pytest.raises(ConfigError, match="simulated market"):
        SimulatedMarket([Listing(instrument(), Decimal(1))], M5, start, end, seed=1)


def test_a_symbol_listed_twice_or_not_at_all_is_refused():
    with pytest.raises(ConfigError, match="only once"):
        simulated(BTC, BTC)
    with pytest.raises(ConfigError, match="at least one"):
        SimulatedMarket([], M5, START, END, seed=1)


def test_a_tick_finer_than_the_wire_format_is_refused():
    with pytest.raises(ConfigError, match="at most 8 decimals"):
        SimulatedMarket([Listing(instrument(tick="1E-9"), Decimal(1))], M5, START, END, seed=1)


def replay(candles: pl.DataFrame, timeframe: Timeframe = H1, now: datetime = END) -> ReplayMarket:
    return ReplayMarket({(BTC, timeframe): candles}, [instrument()], now)


def test_a_replay_shows_the_given_candles_gaps_included():
    candles = make_candles(100, start=START).filter(~pl.col("open_time").dt.hour().is_between(5, 7))
    assert_frame_equal(everything(replay(candles), BTC, H1, END), candles)


@given(minutes=st.integers(0, 99 * 60 + 59))
@settings(max_examples=40, deadline=None)
def test_a_replay_shows_of_an_open_candle_only_its_open_price(minutes):
    candles = make_candles(100, start=START)
    now = START + timedelta(minutes=minutes)
    shown = everything(replay(candles), BTC, H1, now)
    n_closed = minutes // 60
    assert_frame_equal(shown.head(n_closed), candles.head(n_closed))
    price = candles["open"][n_closed]
    assert shown.rows()[n_closed:] == [
        (START + timedelta(hours=n_closed), price, price, price, price, 0.0)
    ]


def test_a_replay_makes_longer_candles_of_the_finest_given():
    candles = make_candles(96, start=START)
    four = everything(replay(candles), BTC, H4, END).rows()
    for i, candle in enumerate(four):
        assert candle[1:5] == folded(candles.rows()[4 * i : 4 * i + 4])[:4]
    assert [t.name for t in replay(candles).timeframes(BTC)] == [
        "1h",
        "2h",
        "4h",
        "6h",
        "8h",
        "12h",
        "1d",
    ]


def test_a_long_candle_whose_first_trade_is_still_to_come_is_not_shown():
    candles = make_candles(96, start=START).filter(pl.col("open_time").dt.hour() >= 2)
    shown = everything(replay(candles), BTC, H4, START + timedelta(days=1, minutes=30))
    assert shown["open_time"][-1] == START + timedelta(hours=20)


def test_a_replay_needs_candles_and_instruments_of_the_same_symbols():
    with pytest.raises(ConfigError, match="ETH-USDT"):
        ReplayMarket({(BTC, H1): make_candles(5)}, [instrument(), instrument(ETH)], END)


def test_a_replay_refuses_frames_that_are_no_candles():
    with pytest.raises(CandleSchemaError, match="volume"):
        replay(make_candles(5).drop("volume"))
