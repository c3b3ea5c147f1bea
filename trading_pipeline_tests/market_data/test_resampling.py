"""Longer candles against a slow loop over Decimals, polars, hand-made bars and the exchange's."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.candles import CANDLE_SCHEMA, candle_arrays, empty_candles
from trading_pipeline.core.errors import CandleSchemaError, ConfigError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data import _resampling as kernels
from trading_pipeline.market_data.gaps import Gap, GapClass, find_gaps
from trading_pipeline.market_data.resampling import (
    RESAMPLED_SCHEMA,
    LeftOut,
    LeftOutReason,
    mixed,
    resample,
)
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.real_data import real_file

MINUTE, HOUR, FOUR, DAY = (Timeframe(name) for name in ("1m", "1h", "4h", "1d"))
START = datetime(2024, 1, 1, tzinfo=UTC)
LATER = datetime(2030, 1, 1, tzinfo=UTC)
_STEPS = (MINUTE.microseconds, Timeframe("15m").microseconds)
TARGETS = [Timeframe(name) for name in ("5m", "15m", "1h", "4h", "1d")]


def at(hour: float) -> datetime:
    return START + timedelta(hours=hour)


def hours(*rows: tuple[float, ...]) -> pl.DataFrame:
    """Return hourly candles from (hour, open, high, low, close, volume)."""
    return pl.DataFrame(
        [(at(hour), *values) for hour, *values in rows], schema=CANDLE_SCHEMA, orient="row"
    )


def slowly(
    candles: pl.DataFrame, target: Timeframe, until: datetime, bad: set[datetime]
) -> list[tuple[object, ...]]:
    """Return the bars by a loop over rows, with Decimal volumes; ``bad`` bars are not made."""
    bars: dict[datetime, list[dict[str, float]]] = {}
    for row in candles.iter_rows(named=True):
        bars.setdefault(target.floor(row["open_time"]), []).append(row)
    return [
        (
            open_time,
            rows[0]["open"],
            max(row["high"] for row in rows),
            min(row["low"] for row in rows),
            rows[-1]["close"],
            float(sum(Decimal(str(row["volume"])) for row in rows)),
            len(rows),
        )
        for open_time, rows in bars.items()
        if open_time + target.duration <= until and open_time not in bad
    ]


def test_a_bar_has_the_first_open_the_extremes_the_last_close_and_all_volume():
    rows = hours(
        (0, 10.0, 12.0, 9.0, 11.0, 0.1),
        (1, 11.0, 15.0, 11.0, 14.0, 0.2),
        (2, 14.0, 14.5, 8.0, 9.5, 0.3),
        (3, 9.5, 10.0, 9.0, 9.25, 0.4),
    )
    found = resample(rows, HOUR, FOUR, closed_until=at(4))
    # 0.1 + 0.2 + 0.3 + 0.4 is 1.0; as floats from left to right too, but 0.1 + 0.2 is not 0.3.
    assert found.candles.rows() == [(START, 10.0, 15.0, 8.0, 9.25, 1.0, 4)]
    assert found.candles.schema == RESAMPLED_SCHEMA
    assert found.left_out == ()
    two = resample(rows[:2], HOUR, Timeframe("2h"), closed_until=at(2)).candles
    assert two["volume"].to_list() == [0.3]


def test_a_bar_that_is_not_closed_by_the_clock_is_left_out():
    rows = make_candles(8)
    almost = at(8) - timedelta(microseconds=1)
    assert resample(rows, HOUR, FOUR, closed_until=at(8)).candles.height == 2
    found = resample(rows, HOUR, FOUR, closed_until=almost)
    assert found.candles.height == 1
    assert found.left_out == (LeftOut(at(4), 4, 0, LeftOutReason.NOT_CLOSED),)
    # Its candles may all be there: the clock decides, not the position in a reply.
    running = resample(rows[:6], HOUR, FOUR, closed_until=at(6))
    assert running.left_out == (LeftOut(at(4), 2, 2, LeftOutReason.NOT_CLOSED),)


def test_a_bar_with_an_unexplained_hole_is_left_out_and_named():
    rows = make_candles(12).filter(pl.col("open_time") != at(5))
    hole = Gap(at(5), at(6), 1, GapClass.UNEXPLAINED)
    for gaps in ([hole], None):
        found = resample(rows, HOUR, FOUR, closed_until=at(12), gaps=gaps)
        assert found.candles["open_time"].to_list() == [at(0), at(8)]
        assert found.left_out == (LeftOut(at(4), 3, 1, LeftOutReason.UNEXPLAINED),)


@pytest.mark.parametrize("kind", [kind for kind in GapClass if kind.is_explained])
def test_an_explained_hole_leaves_a_bar_of_fewer_candles(kind: GapClass):
    rows = make_candles(12).filter(pl.col("open_time") != at(5))
    found = resample(rows, HOUR, FOUR, closed_until=at(12), gaps=[Gap(at(5), at(6), 1, kind)])
    assert found.candles["n_bars"].to_list() == [4, 3, 4]
    assert found.left_out == ()


def test_a_bar_without_any_candle_does_not_exist_and_is_named_only_if_nobody_explains_it():
    rows = make_candles(16).filter(~pl.col("open_time").is_between(at(3), at(8)))
    halted = Gap(at(3), at(9), 6, GapClass.LISTED_HALT)
    found = resample(rows, HOUR, FOUR, closed_until=at(16), gaps=[halted])
    assert found.candles["open_time"].to_list() == [at(0), at(8), at(12)]
    assert found.candles["n_bars"].to_list() == [3, 3, 4]
    assert found.left_out == ()
    lost = Gap(at(3), at(9), 6, GapClass.UNEXPLAINED)
    named = resample(rows, HOUR, FOUR, closed_until=at(16), gaps=[lost]).left_out
    assert [(bar.open_time, bar.n_bars, bar.n_missing) for bar in named] == [
        (at(0), 3, 1), (at(4), 0, 4), (at(8), 3, 1),
    ]  # fmt: skip


def test_a_bar_whose_hole_is_explained_only_in_part_is_left_out():
    rows = make_candles(4).filter(~pl.col("open_time").is_between(at(1), at(2)))
    gaps = [
        Gap(at(1), at(2), 1, GapClass.VENUE_SILENT),
        Gap(at(2), at(3), 1, GapClass.UNEXPLAINED),
    ]
    found = resample(rows, HOUR, FOUR, closed_until=at(4), gaps=gaps)
    assert found.left_out == (LeftOut(START, 2, 1, LeftOutReason.UNEXPLAINED),)


def test_the_bar_of_the_listing_is_made_of_what_there_was():
    rows = make_candles(7, start=at(5))
    gaps = find_gaps(rows["open_time"], HOUR, START, at(12), venue="v", listed=at(5))
    found = resample(rows, HOUR, FOUR, closed_until=at(12), gaps=gaps)
    assert found.candles["n_bars"].to_list() == [3, 4]
    assert found.left_out == ()


def test_no_candles_give_no_bars():
    found = resample(empty_candles(), HOUR, DAY, closed_until=LATER, gaps=[])
    assert found.candles.is_empty()
    assert found.candles.schema == RESAMPLED_SCHEMA
    assert found.left_out == ()


@st.composite
def markets(draw: st.DrawFn) -> tuple[pl.DataFrame, list[Gap]]:
    """Draw minutes with holes, each explained or not, from any minute on."""
    n = draw(st.integers(1, 700))
    start = START + timedelta(minutes=draw(st.integers(0, 1500)))
    rows = make_candles(n, seed=draw(st.integers(0, 99)), start=start, timeframe="1m")
    holes = draw(st.lists(st.tuples(st.integers(0, n), st.integers(1, 90)), max_size=4))
    kinds = (GapClass.UNEXPLAINED, GapClass.LISTED_HALT, GapClass.NO_TRADE)
    for first, length in holes:
        inside = pl.int_range(pl.len()).is_between(first, first + length, closed="left")
        rows = rows.filter(~inside)
    if rows.is_empty():
        return rows, []
    end = rows["open_time"][-1] + MINUTE.duration
    found = find_gaps(rows["open_time"], MINUTE, rows["open_time"][0], end, venue="v")
    return rows, [
        Gap(gap.start, gap.end, gap.n_bars, draw(st.sampled_from(kinds))) for gap in found
    ]


def bad_bars(gaps: list[Gap], target: Timeframe) -> set[datetime]:
    lost = [gap for gap in gaps if not gap.kind.is_explained]
    steps = [gap.start + n * MINUTE.duration for gap in lost for n in range(gap.n_bars)]
    return {target.floor(step) for step in steps}


@settings(deadline=None, max_examples=60)
@given(market=markets(), target=st.sampled_from(TARGETS), seen=st.integers(0, 2000))
def test_bars_are_those_of_a_slow_loop(market, target, seen):
    rows, gaps = market
    until = START + timedelta(minutes=seen)
    rows = rows.filter(pl.col("open_time") + MINUTE.duration <= until)
    found = resample(rows, MINUTE, target, closed_until=until, gaps=gaps)
    assert found.candles.rows() == slowly(rows, target, until, bad_bars(gaps, target))


@settings(deadline=None, max_examples=40)
@given(market=markets(), target=st.sampled_from(TARGETS), cut=st.integers(0, 700))
def test_the_bars_of_a_prefix_are_a_prefix_of_the_bars(market, target, cut):
    rows, gaps = market
    prefix = rows[:cut]
    until = START if prefix.is_empty() else prefix["open_time"][-1] + MINUTE.duration
    known = [gap for gap in gaps if gap.end <= until]
    then = resample(prefix, MINUTE, target, closed_until=until, gaps=known).candles
    now = resample(rows, MINUTE, target, closed_until=LATER, gaps=gaps).candles
    assert then.rows() == now.filter(pl.col("open_time") + target.duration <= until).rows()


@settings(deadline=None, max_examples=40)
@given(market=markets(), target=st.sampled_from(TARGETS), seed=st.integers(0, 999))
def test_any_chunking_gives_the_same(market, target, seed):
    rows, gaps = market
    whole = resample(rows, MINUTE, target, closed_until=LATER, gaps=gaps)
    draws = random.Random(seed)
    parts: list[pl.DataFrame] = []
    for _, bar in rows.group_by_dynamic("open_time", every=target.name):
        joins_last = parts and draws.random() < 0.5
        parts.append(pl.concat([parts.pop(), bar]) if joins_last else bar)
    # As frames of their own, cut between two bars, and as one frame in several pieces of memory.
    each = [resample(part, MINUTE, target, closed_until=LATER, gaps=gaps).candles for part in parts]
    if parts:
        assert pl.concat(each).rows() == whole.candles.rows()
    cut = len(rows) // 2
    pieces = pl.concat([rows[:cut], rows[cut:]], rechunk=False)
    assert resample(pieces, MINUTE, target, closed_until=LATER, gaps=gaps).candles.equals(
        whole.candles
    )


def test_a_bar_of_bars_is_the_bar_of_the_candles():
    rows = make_candles(3 * 1440, timeframe="1m")
    direct = resample(rows, MINUTE, DAY, closed_until=LATER).candles
    quarters = resample(rows, MINUTE, Timeframe("15m"), closed_until=LATER).candles
    stepwise = resample(quarters, Timeframe("15m"), DAY, closed_until=LATER).candles
    assert direct.height == 3
    assert direct.drop("n_bars").equals(stepwise.drop("n_bars"))


_LOTS = st.integers(0, 10**13).map(lambda units: Decimal(units) / 10**8)
_COARSE = st.integers(0, 10**13).map(lambda units: Decimal(units) / 10)


@settings(deadline=None, max_examples=200)
@given(st.lists(_LOTS, min_size=1, max_size=5) | st.lists(_COARSE, min_size=1, max_size=5))
def test_volumes_are_the_float_nearest_to_the_decimal_sum(lots: list[Decimal]):
    # Five candles are a whole bar, fewer a bar with an explained hole: two kernels.
    rows = make_candles(len(lots), timeframe="1m")
    rows = rows.with_columns(volume=pl.Series([float(volume) for volume in lots]))
    end = START + timedelta(minutes=5)
    bars = resample(rows, MINUTE, Timeframe("5m"), closed_until=end, gaps=[]).candles
    assert bars["volume"].to_list() == [float(sum(lots))]


def test_volumes_that_are_no_decimals_are_summed_as_floats_in_their_order():
    thirds = [1 / 3, 1e-17, 2 / 7, 3.0]
    rows = make_candles(4).with_columns(volume=pl.Series(thirds))
    bars = resample(rows, HOUR, FOUR, closed_until=at(4)).candles
    assert bars["volume"].to_list() == [((1 / 3 + 1e-17) + 2 / 7) + 3.0]


def test_the_kernels_do_as_plain_python_what_they_do_compiled():
    rows = make_candles(700, timeframe="1m").filter(pl.int_range(pl.len()) % 97 != 5)
    arrays = candle_arrays(rows)
    values = [getattr(arrays, name) for name in ("open", "high", "low", "close", "volume")]
    made = []
    for function in (kernels.aggregate, kernels.aggregate.py_func):
        times, bars, counts = np.zeros(50, np.int64), np.zeros((5, 50)), np.zeros(50, np.int64)
        n = function(arrays.open_time, *values, *_STEPS, times, bars, counts)
        made.append((n, times.tolist(), bars.tolist(), counts.tolist()))
    assert made[0] == made[1]
    whole, again = np.zeros((5, 7)), np.zeros((5, 7))
    kernels._whole_bars(*(array[6:76] for array in values), 10, whole)
    kernels._whole_bars.py_func(*(array[6:76] for array in values), 10, again)
    assert whole.tolist() == again.tolist()
    assert kernels._volume.py_func(np.array([0.1, 0.2])) == 0.3
    assert kernels._whole_from.py_func(arrays.open_time[6:], 0, *_STEPS) == 0
    assert kernels.first_disorder.py_func(arrays.open_time, _STEPS[0]) == -1
    assert kernels.first_disorder.py_func(arrays.open_time[::-1], _STEPS[0]) == 1


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_bars_equal_polars_group_by_dynamic(target: Timeframe):
    rows = make_candles(20_000, seed=4, timeframe="1m")
    made = resample(rows, MINUTE, target, closed_until=LATER).candles
    oracle = rows.group_by_dynamic("open_time", every=target.name).agg(
        pl.first("open"), pl.max("high"), pl.min("low"), pl.last("close"), pl.sum("volume")
    )[: made.height]
    exact = ["open_time", "open", "high", "low", "close"]
    assert made.select(exact).equals(oracle.select(exact))
    # polars adds floats pairwise, so its sums are off by units in the last place; ours are exact.
    assert (made["volume"] / oracle["volume"] - 1).abs().max() < 1e-14


@pytest.mark.parametrize(
    ("base", "target", "message"),
    [
        ("1h", "1h", "multiple of 1h .2h, 4h, 6h, 8h, 12h, 1d., not 1h"),
        ("4h", "1h", "not 1h"),
        ("4h", "6h", "multiple of 4h .8h, 12h, 1d., not 6h"),
        ("1d", "4h", "there is none"),
    ],
)
def test_only_longer_multiples_can_be_made(base: str, target: str, message: str):
    with pytest.raises(ConfigError, match=message):
        resample(make_candles(4), Timeframe(base), Timeframe(target), closed_until=LATER)


@pytest.mark.parametrize(
    ("order", "row"), [([0, 2, 1, 3], 2), ([0, 1, 1, 3], 2), ([3, 2, 1, 0], 1)]
)
def test_candles_out_of_order_are_refused(order: list[int], row: int):
    rows = make_candles(4)[order]
    with pytest.raises(
        CandleSchemaError, match=f"ascending and on the grid of 1h; row {row} opens"
    ):
        resample(rows, HOUR, FOUR, closed_until=LATER)


@pytest.mark.parametrize("late", [0, 2], ids=["all", "from the third"])
def test_candles_off_the_grid_are_refused(late: int):
    shift = pl.when(pl.int_range(pl.len()) >= late).then(pl.duration(seconds=30)).otherwise(0)
    rows = make_candles(4).with_columns(
        (pl.col("open_time") + shift.cast(pl.Duration("us"))).alias("open_time")
    )
    with pytest.raises(CandleSchemaError, match=f"row {late} opens at 2024-01-01 0{late}:00:30"):
        resample(rows, HOUR, FOUR, closed_until=LATER)


def test_bars_of_several_timeframes_are_one_table_that_says_when_each_is_known():
    rows = make_candles(24)
    made = {t: resample(rows, HOUR, t, closed_until=LATER).candles for t in (DAY, FOUR)}
    table = mixed(made)
    assert table["timeframe"].to_list() == ["4h"] * 6 + ["1d"]
    assert table["close_time"].to_list() == [at(4 * n) for n in range(1, 7)] + [at(24)]
    assert mixed({}).schema == table.schema


def _freqtrade(name: str) -> pl.DataFrame:
    path = real_file(f"binance-spot-freqtrade/{name}.feather")
    frame = pl.read_ipc(path).rename({"date": "open_time"})
    return frame.with_columns(pl.col("open_time").cast(CANDLE_SCHEMA["open_time"]))


@pytest.mark.real_data
def test_hours_made_of_real_5m_candles_are_the_hours_of_the_exchange():
    made = resample(_freqtrade("BTC_USDT-5m"), Timeframe("5m"), HOUR, closed_until=LATER).candles
    both = made.join(_freqtrade("BTC_USDT-1h"), on="open_time", suffix="_exchange")
    # 2024-01-01 00:00 to 2024-04-21 14:00.
    assert both.height == 111 * 24 + 15
    largest = {
        name: (both[name] - both[f"{name}_exchange"]).abs().max()
        for name in ("open", "high", "low", "close", "volume")
    }
    # Volumes included: exact decimal sums need no tolerance.
    assert largest == {"open": 0.0, "high": 0.0, "low": 0.0, "close": 0.0, "volume": 0.0}


@pytest.mark.real_data
@pytest.mark.parametrize("symbol", ["BTC", "ETH", "SOL"])
def test_real_hours_add_up_to_the_days_of_the_5m_candles(symbol: str):
    rows = _freqtrade(f"{symbol}_USDT-5m")
    hours_ = resample(rows, Timeframe("5m"), HOUR, closed_until=LATER).candles
    days = resample(rows, Timeframe("5m"), DAY, closed_until=LATER).candles
    again = resample(hours_, HOUR, DAY, closed_until=LATER).candles
    whole_days = (rows["open_time"][-1] + timedelta(minutes=5) - START).days
    assert days.height == again.height == whole_days
    assert days.drop("n_bars").equals(again.drop("n_bars"))
