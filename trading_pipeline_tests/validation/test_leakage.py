import math

import numpy as np
import polars as pl
import pytest

from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.validation.leakage import default_cuts, prefix_replay, same_bits
from trading_pipeline_tests.builders import make_candles

close = pl.col("close")
CANDLES = make_candles(200, seed=3)
CUTS = (40, 77, 150, 199)
LAST_CLOSES = (CANDLES["close"][119], CANDLES["close"][199])


def of(expression: pl.Expr):
    return lambda frame: frame.select("open_time", value=expression)


PLANTED = {
    "global z-score": (close - close.mean()) / close.std(),
    "shift(-1)": close.shift(-1),
    "return of the next bar": close.shift(-1) / close - 1,
    "centred window": close.rolling_mean(5, center=True),
    "backward fill": pl.when(close > close.shift(1)).then(close).fill_null(strategy="backward"),
    "interpolation": pl.when(close > close.shift(1)).then(close).interpolate(),
    "global maximum": close / close.max(),
    "rank": close.rank(),
    "clip at a global quantile": close.clip(upper_bound=close.quantile(0.9)),
    "reversed sum": close.reverse().cum_sum().reverse(),
    "daily mean": close.mean().over(pl.col("open_time").dt.date()),
    "number of rows": close * 0 + pl.len(),
    "average that starts at the end": close.reverse().ewm_mean(span=9).reverse(),
}

HONEST = {
    "z-score of a window": (close - close.rolling_mean(20)) / close.rolling_std(20),
    "shift(1)": close.shift(1),
    "forward fill": pl.when(close > close.shift(1)).then(close).forward_fill(),
    "sum so far": close.cum_sum(),
    "maximum so far": close / close.cum_max(),
    "recursive average": close.ewm_mean(span=9, adjust=False),
    "NaN and null": pl.when(close > 100).then(math.nan),
    "text": close.round(0).cast(pl.String),
}


@pytest.mark.parametrize("name", PLANTED)
def test_every_planted_leak_is_found(name):
    leaks = prefix_replay(of(PLANTED[name]), CANDLES, CUTS)
    assert leaks
    assert {leak.column for leak in leaks} == {"value"}


@pytest.mark.parametrize("name", HONEST)
def test_honest_columns_show_no_leak(name):
    assert prefix_replay(of(HONEST[name]), CANDLES, CUTS) == ()


def test_a_leak_says_where_and_what():
    leaks = prefix_replay(of(close.shift(-1)), CANDLES, [50, 100])
    assert [(leak.cut, leak.n_rows) for leak in leaks] == [(50, 1), (100, 1)]
    assert leaks[0].first == CANDLES["open_time"][49]
    assert (leaks[0].then, leaks[0].later) == ("None", repr(CANDLES["close"][50]))
    assert "value changes in 1 rows when rows after 50 are added" in str(leaks[0])


def test_one_leaking_column_among_honest_ones_is_named():
    leaks = prefix_replay(
        lambda frame: frame.with_columns(bad=close.max(), good=close.cum_max()), CANDLES, [60]
    )
    assert {leak.column for leak in leaks} == {"bad"}


def test_a_difference_in_the_last_bit_is_a_leak():
    nudged = pl.when(pl.len() > 100).then(close * (1 + 2**-52)).otherwise(close)
    assert prefix_replay(of(nudged), CANDLES, [50])[0].n_rows > 0


def test_rows_that_are_chosen_by_the_future_are_a_leak():
    leaks = prefix_replay(
        lambda frame: frame.filter(close < close.last()).select("open_time"), CANDLES, [120]
    )
    assert [leak.column for leak in leaks] == ["open_time"]
    then, later = (set(np.flatnonzero(CANDLES["close"][:120] < last)) for last in LAST_CLOSES)
    assert leaks[0].n_rows == len(then ^ later)
    assert leaks[0].first == CANDLES["open_time"][int(min(then ^ later))]


def test_rows_that_vanish_later_are_a_leak():
    newest_only = of(close)
    leaks = prefix_replay(lambda frame: newest_only(frame).tail(1), CANDLES, [120])
    assert (leaks[0].n_rows, leaks[0].then, leaks[0].later) == (1, "present", "absent")


def test_a_warm_up_that_is_left_out_is_no_leak():
    leaks = prefix_replay(lambda frame: frame.select("open_time", "close")[20:], CANDLES, CUTS)
    assert leaks == ()


def test_answers_that_cannot_be_compared_are_refused():
    with pytest.raises(DataError, match="open_time"):
        prefix_replay(lambda frame: frame.select("close"), CANDLES, [50])
    with pytest.raises(DataError, match="same columns"):
        prefix_replay(
            lambda frame: frame if frame.height < 100 else frame.drop("close"), CANDLES, [50]
        )
    with pytest.raises(DataError, match="ascending and unique"):
        prefix_replay(lambda frame: frame if frame.height < 100 else frame.reverse(), CANDLES, [50])


@pytest.mark.parametrize("cuts", [[], [0], [201], [50, -1]])
def test_cuts_outside_the_frame_are_refused(cuts):
    with pytest.raises(ConfigError, match=r"cuts must lie in 1 \.\. 200"):
        prefix_replay(of(close), CANDLES, cuts)


def test_default_cuts_are_spread_and_end_one_row_early():
    assert default_cuts(9, 4) == (2, 4, 6, 8)
    assert default_cuts(3, 8) == (1, 2)
    with pytest.raises(ConfigError, match="needs 2 rows"):
        default_cuts(1)


def test_bits_tell_zeros_nans_and_nulls_apart():
    left = pl.Series([0.0, math.nan, None, 1.0, None, math.nan])
    right = pl.Series([-0.0, math.nan, None, np.nextafter(1.0, 2.0), 0.0, None])
    assert same_bits(left, right).tolist() == [False, True, True, False, False, False]
    assert same_bits(pl.Series([1, None]), pl.Series([1, 2])).tolist() == [True, False]
