import math
import statistics
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.candles import CANDLE_SCHEMA
from trading_pipeline.core.errors import CandleSchemaError, ConfigError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.features import _barriers
from trading_pipeline.features.labels import (
    LABEL_SCHEMA,
    TripleBarrier,
    triple_barrier_labels,
    unsettled_labels,
)
from trading_pipeline.market_data.gaps import Gap, GapClass
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.real_data import real_file

HOUR = timedelta(hours=1)
START = datetime(2024, 1, 1, tzinfo=UTC)
H1 = Timeframe("1h")
SMALL = TripleBarrier(horizon=2, upper=2.0, lower=2.0, volatility_window=2)

# Closes 100, 101, 100: the two log returns are +-ln(1.01), their sample deviation is
# sqrt(2) ln(1.01) = 0.014072, so the barriers around the third close stand at
# 100 exp(+-0.028144) = 102.854 and 97.225.
WARM_UP = [(100.0, 100.0, 100.0), (101.0, 101.0, 101.0), (100.0, 100.0, 100.0)]


def candles_of(bars: list[tuple[float, float, float]], hours: list[int] | None = None):
    """Candles of (high, low, close) at the given hours, by default one after another."""
    at = hours or list(range(len(bars)))
    rows = [(START + h * HOUR, c, hi, lo, c, 1.0) for h, (hi, lo, c) in zip(at, bars, strict=True)]
    return pl.DataFrame(rows, schema=CANDLE_SCHEMA, orient="row")


def gap(first_hour: int, after_hour: int, kind: GapClass = GapClass.UNEXPLAINED) -> Gap:
    return Gap(START + first_hour * HOUR, START + after_hour * HOUR, after_hour - first_hour, kind)


def third_row(bars, hours=None, gaps=()):
    frame = triple_barrier_labels(candles_of(bars, hours), SMALL, H1, gaps_unexplained=gaps)
    row = frame.row(2, named=True)
    end = row["label_end"]
    return row["label"], None if end is None else (end - START) / HOUR, row["status"]


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        # A bar at hour 3 is closed at hour 4.
        ([(102.9, 100.0, 101.0), (100.0, 100.0, 100.0)], (1, 4.0, "mature")),
        ([(102.8, 100.0, 101.0), (102.9, 100.0, 100.0)], (1, 5.0, "mature")),
        ([(101.0, 97.2, 98.0), (103.0, 98.0, 103.0)], (-1, 4.0, "mature")),
        ([(101.0, 97.3, 98.0), (100.0, 97.2, 97.5)], (-1, 5.0, "mature")),
        ([(102.8, 97.3, 100.0), (102.8, 97.3, 100.0)], (0, 5.0, "mature")),
        ([(102.8, 97.3, 100.0)], (None, None, "immature")),
        ([(103.0, 99.0, 100.0)], (1, 4.0, "mature")),
        ([], (None, None, "immature")),
    ],
)
def test_the_first_barrier_that_is_touched_decides(later, expected):
    assert third_row(WARM_UP + later) == expected


def test_a_bar_that_touches_both_barriers_counts_as_down():
    assert third_row([*WARM_UP, (104.0, 96.0, 103.0)]) == (-1, 4.0, "mature")


def test_a_touch_after_the_horizon_does_not_count():
    quiet = (101.0, 99.0, 100.0)
    assert third_row([*WARM_UP, quiet, quiet, (110.0, 90.0, 100.0)]) == (0, 5.0, "mature")


def test_the_labelled_bar_itself_touches_nothing():
    wild = [*WARM_UP[:2], (120.0, 80.0, 100.0), (101.0, 99.0, 100.0), (101.0, 99.0, 100.0)]
    assert third_row(wild) == (0, 5.0, "mature")


def test_upper_and_lower_barriers_are_set_apart():
    # Upper at 100 exp(0.014072) = 101.417, lower at 100 exp(-3 * 0.014072) = 95.866.
    lopsided = TripleBarrier(horizon=2, upper=1.0, lower=3.0, volatility_window=2)
    for bar, label in (((101.5, 97.0, 99.0), 1), ((101.3, 95.8, 99.0), -1)):
        frame = triple_barrier_labels(candles_of([*WARM_UP, bar]), lopsided, H1)
        assert frame["label"][2] == label


def test_missing_hours_that_are_explained_count_as_time_without_a_touch():
    quiet = (101.0, 99.0, 100.0)
    # Hours 3 and 4 are missing; the horizon of the candle at hour 2 ends at hour 5.
    bars, hours = [*WARM_UP, (110.0, 90.0, 100.0)], [0, 1, 2, 5]
    assert third_row(bars, hours, [gap(3, 5, GapClass.LISTED_HALT)]) == (0, 5.0, "mature")
    assert third_row([*WARM_UP, quiet], [0, 1, 2, 4]) == (0, 5.0, "mature")


@pytest.mark.parametrize(
    ("bars", "hours", "gaps"),
    [
        ([*WARM_UP, (110.0, 90.0, 100.0)], [0, 1, 2, 5], [gap(3, 5)]),
        ([*WARM_UP, (110.0, 90.0, 100.0)], [0, 1, 2, 4], [gap(3, 4)]),
        ([*WARM_UP, (101.0, 99.0, 100.0)], [0, 1, 2, 3], [gap(4, 5)]),
        ([*WARM_UP, (103.0, 99.0, 100.0)], [0, 1, 3, 4], [gap(2, 3)]),
        ([*WARM_UP, (103.0, 99.0, 100.0)], [0, 2, 3, 4], [gap(1, 2)]),
    ],
    ids=["whole path", "first bar", "after the newest candle", "last return", "first return"],
)
def test_a_label_over_an_unexplained_gap_is_dropped(bars, hours, gaps):
    assert third_row(bars, hours, gaps) == (None, None, "dropped")


def test_a_barrier_that_is_touched_before_the_gap_keeps_its_label():
    bars, hours = [*WARM_UP, (103.0, 99.0, 100.0), (100.0, 100.0, 100.0)], [0, 1, 2, 3, 5]
    assert third_row(bars, hours, [gap(4, 5)]) == (1, 4.0, "mature")


def test_a_gap_outside_window_and_horizon_changes_nothing():
    quiet = (101.0, 99.0, 100.0)
    bars, hours = [*WARM_UP, quiet, quiet, quiet], [4, 5, 6, 7, 8, 11]
    frame = triple_barrier_labels(
        candles_of(bars, hours), SMALL, H1, gaps_unexplained=[gap(9, 11), gap(0, 4)]
    )
    assert frame.row(2)[1:] == (0, START + 9 * HOUR, "mature")


def test_the_warm_up_and_a_price_that_stands_still_have_no_barriers():
    frame = triple_barrier_labels(make_candles(30, volatility=0.0), SMALL, H1)
    assert frame["status"].to_list() == ["dropped"] * 30


def test_the_schema_holds_also_without_rows():
    for n in (0, 1, 2, 40):
        frame = triple_barrier_labels(make_candles(n), SMALL, H1)
        assert dict(frame.schema) == LABEL_SCHEMA
        assert frame.height == n


def slow_labels(candles: pl.DataFrame, barrier: TripleBarrier, gaps: list[Gap]):
    """Label by label, hour by hour."""
    bars = {row["open_time"]: row for row in candles.iter_rows(named=True)}
    times = sorted(bars)
    lost = {g.start + k * HOUR for g in gaps if not g.kind.is_explained for k in range(g.n_bars)}
    for i, time in enumerate(times):
        yield time, *slow_label(bars, times, i, barrier, lost)


def slow_label(bars, times, i, barrier, lost):
    if i < barrier.volatility_window:
        return None, None, "dropped"
    seen = times[i - barrier.volatility_window : i + 1]
    closes = [bars[time]["close"] for time in seen]
    sigma = statistics.stdev(math.log(b / a) for a, b in pairwise(closes))
    if sigma == 0 or any(seen[0] < hour < seen[-1] for hour in lost):
        return None, None, "dropped"
    top = closes[-1] * math.exp(barrier.upper * sigma)
    bottom = closes[-1] * math.exp(-barrier.lower * sigma)
    for step in range(1, barrier.horizon + 1):
        hour = times[i] + step * HOUR
        if hour in lost:
            return None, None, "dropped"
        if hour > times[-1]:
            return None, None, "immature"
        if hour in bars and bars[hour]["low"] <= bottom:
            return -1, hour + HOUR, "mature"
        if hour in bars and bars[hour]["high"] >= top:
            return 1, hour + HOUR, "mature"
    return 0, times[i] + (barrier.horizon + 1) * HOUR, "mature"


@st.composite
def broken_markets(draw):
    n = draw(st.integers(1, 120))
    candles = make_candles(n, seed=draw(st.integers(0, 10_000)))
    holes = draw(st.lists(st.tuples(st.integers(1, 120), st.integers(1, 5), st.booleans())))
    gaps, kept, last = [], set(range(n)), 0
    for first, length, is_explained in sorted(holes):
        if first > last + 1 and first + length < n:
            kind = GapClass.LISTED_HALT if is_explained else GapClass.UNEXPLAINED
            gaps.append(gap(first, first + length, kind))
            kept -= set(range(first, first + length))
            last = first + length
    barrier = TripleBarrier(
        draw(st.integers(1, 12)),
        draw(st.floats(0.2, 5.0)),
        draw(st.floats(0.2, 5.0)),
        draw(st.integers(2, 10)),
    )
    return candles[sorted(kept)], barrier, gaps


@given(broken_markets())
@settings(deadline=None, max_examples=150)
def test_labels_equal_a_slow_loop_over_hours(market):
    candles, barrier, gaps = market
    frame = triple_barrier_labels(candles, barrier, H1, gaps_unexplained=gaps)
    assert frame.rows() == list(slow_labels(candles, barrier, gaps))


@given(broken_markets(), st.data())
@settings(deadline=None, max_examples=60)
def test_what_is_mature_never_changes_and_what_is_not_needs_later_candles(market, data):
    candles, barrier, gaps = market
    cut = data.draw(st.integers(1, candles.height))
    now = candles["open_time"][cut - 1] + HOUR
    then = triple_barrier_labels(
        candles[:cut], barrier, H1, gaps_unexplained=[g for g in gaps if g.end <= now]
    )
    later = triple_barrier_labels(candles, barrier, H1, gaps_unexplained=gaps)[:cut]
    is_settled = (then["status"] != "immature").to_numpy()
    assert then.filter(is_settled).equals(later.filter(is_settled))
    revealed = later.filter(~is_settled)["label_end"].drop_nulls()
    assert (revealed > now).all()


def test_a_label_does_not_depend_on_where_the_candles_start():
    candles = make_candles(400)
    barrier = TripleBarrier()
    whole = triple_barrier_labels(candles, barrier, H1)
    part = triple_barrier_labels(candles[100 - barrier.reach_bars :], barrier, H1)
    assert part[barrier.reach_bars :].equals(whole[100:])


def test_a_price_exactly_on_a_barrier_touches_it():
    bottom, top = 100 * math.exp(-0.02), 100 * math.exp(0.02)
    hours, nothing = np.arange(2, dtype=np.int64), np.empty(0, dtype=np.int64)
    sigma, close = np.array([0.01, math.nan]), np.array([100.0, 100.0])
    for high, low, label in ((100.0, bottom, -1), (top, 100.0, 1)):
        labels, ends, statuses = _barriers.touch_barriers.py_func(
            hours, np.array([100.0, high]), np.array([100.0, low]), close, sigma,
            nothing, nothing, 1, 3, 0, 2.0, 2.0,
        )  # fmt: skip
        assert (labels[0], ends[0], statuses[0]) == (label, 2, 0)


def test_kernels_run_as_plain_python():
    close = make_candles(60)["close"].to_numpy()
    compiled = _barriers.one_bar_volatility(close, 5)
    assert np.allclose(_barriers.one_bar_volatility.py_func(close, 5), compiled, equal_nan=True)
    hours = np.arange(60, dtype=np.int64)
    nothing = np.empty(0, dtype=np.int64)
    arguments = (hours, close, close, close, compiled, nothing, nothing, 1, 6, 5, 2.0, 2.0)
    for slow, fast in zip(
        _barriers.touch_barriers.py_func(*arguments),
        _barriers.touch_barriers(*arguments),
        strict=True,
    ):
        assert np.array_equal(slow, fast)


def test_the_volatility_equals_pandas():
    candles = make_candles(200)
    returns = np.log(candles["close"].to_pandas()).diff()
    expected = returns.rolling(24).std().to_numpy()
    computed = _barriers.one_bar_volatility(candles["close"].to_numpy(), 24)
    np.testing.assert_allclose(computed, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"horizon": 0}, "horizon must be at least 1 bar, was 0"),
        ({"upper": 0.0}, "upper must be above 0 and finite, was 0.0"),
        ({"lower": math.inf}, "lower must be above 0 and finite, was inf"),
        ({"upper": math.nan}, "upper must be above 0 and finite, was nan"),
        ({"volatility_window": 1}, "volatility_window must be at least 2 bars, was 1"),
    ],
)
def test_impossible_barriers_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        TripleBarrier(**values)


def test_candles_that_break_their_contract_are_refused():
    with pytest.raises(CandleSchemaError, match="ascending"):
        triple_barrier_labels(make_candles(5).reverse(), SMALL, H1)


def test_settings_survive_a_round_trip():
    barrier = TripleBarrier(12, 1.5, 2.5, 48)
    assert TripleBarrier.from_dict(barrier.to_dict()) == barrier


def test_honest_labels_are_settled_and_forged_ones_are_found():
    candles = make_candles(200)
    labels = triple_barrier_labels(candles, SMALL, H1)
    data_end = candles["open_time"][-1] + HOUR
    assert unsettled_labels(labels, data_end).is_empty()
    early = unsettled_labels(labels, data_end - HOUR)
    assert early.height > 0
    assert (early["label_end"] == data_end).all()
    mature = (pl.col("status") == "mature") & (pl.int_range(pl.len()) == 50)
    for forged in (
        pl.when(mature).then(None).otherwise(pl.col("label")).alias("label"),
        pl.when(mature).then(7).otherwise(pl.col("label")).alias("label"),
        pl.when(mature).then(None).otherwise(pl.col("label_end")).alias("label_end"),
        pl.when(mature).then(pl.col("open_time")).otherwise(pl.col("label_end")).alias("label_end"),
        pl.when(mature).then(pl.lit("dropped")).otherwise(pl.col("status")).alias("status"),
        pl.when(mature).then(pl.lit("odd")).otherwise(pl.col("status")).alias("status"),
    ):
        assert unsettled_labels(labels.with_columns(forged), data_end).height == 1


@pytest.mark.real_data
def test_labels_of_real_bitcoin_equal_the_slow_loop():
    raw = pl.read_ipc(real_file("binance-spot-freqtrade/BTC_USDT-1h.feather"))
    candles = raw.rename({"date": "open_time"}).select(
        pl.col(name).cast(kind) for name, kind in CANDLE_SCHEMA.items()
    )[:4000]
    barrier = TripleBarrier(horizon=24, upper=4.0, lower=4.0)
    frame = triple_barrier_labels(candles, barrier, H1)
    assert frame.rows() == list(slow_labels(candles, barrier, []))
