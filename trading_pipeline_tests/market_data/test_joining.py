"""A shorter candle sees the newest longer one that had closed: against a loop over every pair."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.resampling import join_closed, resample
from trading_pipeline_tests.builders import make_candles

QUARTER, HOUR, FOUR = (Timeframe(name) for name in ("15m", "1h", "4h"))
START = datetime(2024, 1, 1, tzinfo=UTC)
LATER = datetime(2030, 1, 1, tzinfo=UTC)


def slowly(lower: pl.DataFrame, higher: pl.DataFrame, short: Timeframe, long: Timeframe):
    """Return, for each row, the newest bar that had closed; None without one."""
    seen: list[tuple[datetime, float] | None] = []
    for open_time in lower["open_time"]:
        known_at, newest = open_time + short.duration, None
        for bar_open, close in higher.select("open_time", "close").iter_rows():
            if bar_open + long.duration <= known_at:
                newest = (bar_open, close)
        seen.append(newest)
    return seen


def joined(lower: pl.DataFrame, higher: pl.DataFrame, short: Timeframe, long: Timeframe):
    found = join_closed(lower, higher, short, long)
    assert found.select(lower.columns).equals(lower)
    pairs = zip(found[f"open_time_{long}"], found[f"close_{long}"], strict=True)
    return [None if at is None else (at, close) for at, close in pairs]


def test_a_longer_bar_is_seen_by_the_candle_that_closes_with_it_and_by_none_before():
    lower = make_candles(9)
    higher = resample(lower, HOUR, FOUR, closed_until=LATER).candles
    found = join_closed(lower, higher, HOUR, FOUR)
    first, second = higher["open_time"]
    assert found["open_time_4h"].to_list() == [None] * 3 + [first] * 4 + [second] * 2
    assert set(found.columns) == {*lower.columns, *(f"{name}_4h" for name in higher.columns)}


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 120),
    first=st.integers(0, 15),
    lost=st.sets(st.integers(0, 119), max_size=40),
    lost_bars=st.sets(st.integers(0, 30), max_size=10),
    long=st.sampled_from([HOUR, FOUR]),
)
def test_the_join_is_that_of_a_slow_loop_also_over_gaps_and_missing_bars(
    n, first, lost, lost_bars, long
):
    start = START + first * QUARTER.duration
    whole = make_candles(n, start=start, timeframe=QUARTER)
    bars = resample(whole, QUARTER, long, closed_until=LATER, gaps=[]).candles
    lower = whole.filter(~pl.int_range(pl.len()).is_in(list(lost)))
    higher = bars.filter(~pl.int_range(pl.len()).is_in(list(lost_bars)))
    assert joined(lower, higher, QUARTER, long) == slowly(lower, higher, QUARTER, long)


def test_what_comes_later_changes_no_earlier_row():
    lower = make_candles(100)
    higher = resample(lower, HOUR, FOUR, closed_until=LATER).candles
    whole = join_closed(lower, higher, HOUR, FOUR)
    for n in (1, 4, 5, 50, 99):
        until = START + timedelta(hours=n)
        then = resample(lower[:n], HOUR, FOUR, closed_until=until).candles
        assert join_closed(lower[:n], then, HOUR, FOUR).equals(whole[:n])


def test_no_longer_bars_give_nulls():
    lower = make_candles(3)
    found = join_closed(lower, lower.clear(), HOUR, FOUR)
    assert found["close_4h"].null_count() == 3


def test_a_timeframe_that_is_not_longer_is_refused():
    rows = make_candles(3)
    with pytest.raises(ConfigError, match="must be longer than 1h, was 1h"):
        join_closed(rows, rows, HOUR, HOUR)
