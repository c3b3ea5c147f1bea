"""What holds for every entry of the catalogue, whatever it computes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.candles import candle_arrays
from trading_pipeline.indicators.catalog import CATALOG, Scale, compute
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.indicators import slow_loops
from trading_pipeline_tests.indicators.market import cut, natural_scale, ticks

SHORT = {
    "macd": {"fast": 3, "slow": 6, "signal": 3},
    "stochastic": {"k_period": 5, "k_smooth": 2, "d_period": 3},
    "obv": {},
}
every_entry = pytest.mark.parametrize("name", list(CATALOG))
finite_entry = pytest.mark.parametrize(
    "name", [n for n, s in CATALOG.items() if not s.is_recursive]
)
recursive_entry = pytest.mark.parametrize("name", [n for n, s in CATALOG.items() if s.is_recursive])
PERIODS = st.integers(2, 12)
some = settings(max_examples=40, deadline=None)


def short(name, period):
    return SHORT.get(name, {"period": period})


def same(left, right):
    return left.tobytes() == right.tobytes()


@every_entry
@some
@given(candles=ticks(), period=PERIODS, share=st.floats(0, 1))
def test_a_value_does_not_depend_on_later_candles(name, candles, period, share):
    arrays, parameters = candles.arrays, short(name, period)
    whole = compute(name, arrays, parameters)
    stop = int(share * len(arrays))
    for output, values in compute(name, cut(arrays, 0, stop), parameters).items():
        assert same(values, whole[output][:stop])


@every_entry
def test_every_prefix_of_a_long_series_gives_the_same_bits(name):
    arrays = candle_arrays(make_candles(2300, seed=3))
    whole = compute(name, arrays)
    # Around the blocks of 1024 bars, the groups of four, and the warm-up.
    for stop in [*range(1, 70), *range(1020, 1090), *range(2040, 2120), 2299]:
        for output, values in compute(name, cut(arrays, 0, stop)).items():
            assert same(values, whole[output][:stop]), (stop, output)


@every_entry
def test_noise_in_the_future_changes_nothing_before_it(name, rng):
    arrays = candle_arrays(make_candles(400, seed=5))
    noisy = {
        column: np.r_[getattr(arrays, column)[:200], rng.uniform(1, 1e6, 200)]
        for column in ("open", "high", "low", "close", "volume")
    }
    for output, values in compute(name, replace(arrays, **noisy)).items():
        assert same(values[:200], compute(name, arrays)[output][:200])


@every_entry
@some
@given(candles=ticks(), period=PERIODS)
def test_exactly_the_declared_warm_up_is_nan(name, candles, period):
    arrays, parameters = candles.arrays, short(name, period)
    warm_up = CATALOG[name].warm_up(CATALOG[name].resolve(parameters))
    for values in compute(name, arrays, parameters).values():
        assert values.shape == (len(arrays),)
        assert np.isnan(values[:warm_up]).all()
        assert np.isfinite(values[warm_up:]).all()


@every_entry
@some
@given(candles=ticks(), period=PERIODS)
def test_kernels_equal_the_slow_loop_over_exact_fractions(name, candles, period):
    arrays, parameters = candles.arrays, short(name, period)
    resolved = CATALOG[name].resolve(parameters)
    expected = getattr(slow_loops, name)(candles.fractions, **resolved)
    scale = natural_scale(CATALOG[name], arrays)
    for slow, values in zip(expected, compute(name, arrays, parameters).values(), strict=True):
        exact = np.array([np.nan if v is None else float(v) for v in slow])
        allowed = 1e-9 * np.maximum(np.abs(exact), scale)
        assert np.array_equal(np.isnan(exact), np.isnan(values))
        assert not np.any(np.abs(values - exact) > allowed)


@every_entry
@some
@given(candles=ticks(), period=PERIODS)
def test_percentages_stay_between_0_and_100(name, candles, period):
    if CATALOG[name].scale is not Scale.PERCENT:
        return
    for values in compute(name, candles.arrays, short(name, period)).values():
        known = values[~np.isnan(values)]
        assert np.all((known >= 0.0) & (known <= 100.0 + 1e-12))


@finite_entry
def test_a_finite_window_gives_the_same_bits_wherever_the_series_starts(name):
    arrays = candle_arrays(make_candles(2600, seed=8))
    spec = CATALOG[name]
    window = spec.window(spec.parameters)
    whole = compute(name, arrays)
    for start in (1, 2, 3, 500, 1024, 1500):
        for output, values in compute(name, cut(arrays, start)).items():
            assert same(values[window - 1 :], whole[output][start + window - 1 :]), start


@finite_entry
def test_a_finite_window_is_not_declared_too_long(name):
    spec = CATALOG[name]
    window = spec.window(spec.parameters)
    arrays = candle_arrays(make_candles(300, seed=9))
    oldest = 200 - window + 1
    changed = {}
    for column in spec.inputs:
        changed[column] = getattr(arrays, column).copy()
        changed[column][oldest] *= 1.5
    before, after = compute(name, arrays), compute(name, replace(arrays, **changed))
    assert any(before[output][200] != after[output][200] for output in before)


@recursive_entry
def test_a_recursive_indicator_forgets_its_start_within_the_declared_memory(name):
    spec = CATALOG[name]
    memory = spec.memory(spec.parameters)
    if memory is None:
        assert name == "obv"
        return
    arrays = candle_arrays(make_candles(memory + 900, seed=11))
    whole, later = compute(name, arrays), compute(name, cut(arrays, 600))
    for output, values in later.items():
        known = whole[output][600 + memory :]
        allowed = 1e-9 * np.maximum(np.abs(known), natural_scale(spec, arrays))
        assert np.all(np.abs(values[memory:] - known) <= allowed)


@finite_entry
def test_a_nan_makes_the_windows_that_hold_it_nan_and_no_other(name):
    spec = CATALOG[name]
    window = spec.window(spec.parameters)
    arrays = candle_arrays(make_candles(300, seed=13))
    clean = compute(name, arrays)
    for column in spec.inputs:
        values = getattr(arrays, column).copy()
        values[100] = np.nan
        for output, line in compute(name, replace(arrays, **{column: values})).items():
            assert np.isnan(line[100])
            assert same(line[:100], clean[output][:100])
            assert same(line[100 + window :], clean[output][100 + window :])


@recursive_entry
def test_a_nan_makes_every_later_value_of_a_recursive_indicator_nan(name):
    arrays = candle_arrays(make_candles(300, seed=13))
    clean = compute(name, arrays)
    for column in CATALOG[name].inputs:
        values = getattr(arrays, column).copy()
        values[100] = np.nan
        for output, line in compute(name, replace(arrays, **{column: values})).items():
            # A true range reads the close of the bar before it, not its own.
            first = 101 if column == "close" and name in ("adx", "atr") else 100
            assert np.isnan(line[first:]).all()
            assert same(line[:first], clean[output][:first])


@every_entry
def test_inputs_are_left_alone_and_may_be_lists_views_or_read_only(name):
    spec = CATALOG[name]
    arrays = candle_arrays(make_candles(120, seed=15))
    inputs = [getattr(arrays, column) for column in spec.inputs]
    copies = [column.copy() for column in inputs]
    strided = [np.repeat(column, 2)[::2] for column in inputs]
    expected = np.array(spec.function(*inputs))
    for given_as in (copies, strided, [column.tolist() for column in inputs]):
        assert same(np.array(spec.function(*given_as)), expected)
    assert all(same(copy, column) for copy, column in zip(copies, inputs, strict=True))


@every_entry
def test_no_bars_and_one_bar_are_answered(name):
    arrays = candle_arrays(make_candles(1))
    for n_bars in (0, 1):
        for values in compute(name, cut(arrays, 0, n_bars)).values():
            assert values.shape == (n_bars,)
            assert np.isnan(values).all() == (name != "obv" or n_bars == 0)


@every_entry
def test_a_flat_market_is_neutral(name):
    arrays = candle_arrays(make_candles(300))
    flat = {column: np.full(300, 0.1) for column in ("open", "high", "low", "close")}
    neutral = {
        Scale.PRICE: 0.0 if name in ("atr", "macd") else 0.1,
        Scale.PERCENT: 0.0 if name == "adx" else 50.0,
        Scale.VOLUME: arrays.volume[0],
    }.get(CATALOG[name].scale, 0.0)
    for values in compute(name, replace(arrays, **flat)).values():
        if name not in ("volume_zscore", "vwap"):
            assert set(values[~np.isnan(values)]) == {neutral}
        elif name == "vwap":
            assert values[~np.isnan(values)] == pytest.approx(0.1, rel=1e-15)
