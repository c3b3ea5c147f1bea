"""What holds for every entry of the catalogue, whatever it computes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.candles import candle_arrays
from trading_pipeline.indicators.catalog import CATALOG, Scale, compute
from trading_pipeline.indicators.definition import registered
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.indicators.market import cut, natural_scale, ticks
from trading_pipeline_tests.indicators.oracles import short, slow_loop

# A tie or a shape of a few prices feels how the decimals were rounded, whoever computes them.
ROUNDED = ("skew", "kurtosis", "autocorrelation", "psar")
every_entry = pytest.mark.parametrize("name", list(CATALOG))
finite_entry = pytest.mark.parametrize(
    "name", [n for n, s in CATALOG.items() if not s.is_recursive]
)
recursive_entry = pytest.mark.parametrize("name", [n for n, s in CATALOG.items() if s.is_recursive])
PERIODS = st.integers(2, 12)
some = settings(max_examples=15, deadline=None)


def column_of(arrays, name):
    return arrays.open_time if name == "time" else getattr(arrays, name)


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
    for stop in [*range(1, 300, 13), *range(1020, 1200, 17), *range(2040, 2120, 11), 2299]:
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
    columns = candles.rounded if name in ROUNDED else candles.fractions
    expected = slow_loop(name)(columns, **resolved)
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
    arrays = candle_arrays(make_candles(500, seed=9))
    oldest = 200 - window + 1
    changed = {}
    for column in set(spec.inputs) - {"time"}:
        changed[column] = getattr(arrays, column).copy()
        changed[column][oldest] = np.nan
    values = compute(name, replace(arrays, **changed)).values()
    assert any(np.isnan(line[200]) for line in values) or spec.inputs == ("time",)
    assert not any(np.isnan(line[200 + window]) for line in values)


@recursive_entry
def test_a_recursive_indicator_forgets_its_start_within_the_declared_memory(name):
    spec = CATALOG[name]
    memory = spec.memory(spec.parameters)
    if memory is None:
        return
    arrays = candle_arrays(make_candles(memory + 900, seed=11))
    whole, later = compute(name, arrays), compute(name, cut(arrays, 600))
    for output, values in later.items():
        known = whole[output][600 + memory :]
        allowed = 1e-9 * np.maximum(np.abs(known), natural_scale(spec, arrays))
        assert np.all(np.abs(values[memory:] - known) <= allowed)


@every_entry
def test_a_missing_value_makes_values_missing_and_never_wrong(name):
    spec = CATALOG[name]
    reach = spec.window(spec.parameters) if not spec.is_recursive else None
    arrays = candle_arrays(make_candles(300, seed=13))
    clean = compute(name, arrays)
    for column in set(spec.inputs) - {"time"}:
        values = getattr(arrays, column).copy()
        values[168] = np.nan  # where a session starts
        n_missing = 0
        for output, line in compute(name, replace(arrays, **{column: values})).items():
            missing = np.isnan(line) & ~np.isnan(clean[output])
            assert same(line[~missing], clean[output][~missing])
            assert not missing[:168].any()
            assert reach is None or not missing[168 + reach :].any()
            n_missing += missing.sum()
        assert n_missing > 0, column


@every_entry
def test_inputs_are_left_alone_and_may_be_lists_views_or_read_only(name):
    spec = CATALOG[name]
    arrays = candle_arrays(make_candles(120, seed=15))
    inputs = [column_of(arrays, column) for column in spec.inputs]
    copies = [column.copy() for column in inputs]
    strided = [np.repeat(column, 2)[::2] for column in inputs]
    function = registered()[name]
    expected = np.array(function(*inputs))
    for given_as in (copies, strided, [column.tolist() for column in inputs]):
        assert same(np.array(function(*given_as)), expected)
    assert all(same(copy, column) for copy, column in zip(copies, inputs, strict=True))


@every_entry
def test_no_bars_and_one_bar_are_answered(name):
    arrays = candle_arrays(make_candles(1))
    for n_bars in (0, 1):
        for values in compute(name, cut(arrays, 0, n_bars)).values():
            assert values.shape == (n_bars,)
            known = n_bars - CATALOG[name].warm_up(CATALOG[name].parameters)
            assert (~np.isnan(values)).sum() == max(known, 0)


NEUTRAL = {
    "true_range": 0.0, "atr": 0.0, "macd": 0.0, "regression_slope": 0.0,
    "adx": 0.0, "choppiness": 100.0, "percent_rank": 0.0, "aroon": 100.0,
    "williams_r": -50.0, "bollinger_percent_b": 0.5, "vortex": 1.0, "hurst": 0.5,
}  # fmt: skip
ELSEWHERE = ("ichimoku", "session_range", "sessions", "volume_zscore", "supertrend", "doji")


@every_entry
def test_a_flat_market_is_neutral(name):
    arrays = candle_arrays(make_candles(300))
    flat = {column: np.full(300, 0.1) for column in ("open", "high", "low", "close")}
    usual = {Scale.PRICE: 0.1, Scale.PERCENT: 50.0, Scale.VOLUME: arrays.volume[0]}
    neutral = NEUTRAL.get(name, usual.get(CATALOG[name].scale, 0.0))
    if name == "accumulation_distribution":
        neutral = 0.0
    for values in compute(name, replace(arrays, **flat)).values():
        if name not in ELSEWHERE:
            assert values[~np.isnan(values)] == pytest.approx(neutral, rel=1e-14, abs=1e-16)


def test_a_flat_market_has_a_doji_a_cloud_and_a_trend():
    arrays = candle_arrays(make_candles(300))
    flat = {column: np.full(300, 0.1) for column in ("open", "high", "low", "close")}
    last = {
        name: [line[-1] for line in compute(name, replace(arrays, **flat)).values()]
        for name in ("ichimoku", "session_range", "supertrend", "doji")
    }
    assert last["ichimoku"] == [0.1, 0.1, 0.1, 0.1, 0.0]
    assert last["session_range"] == [0.1, 0.1, 0.1, 0.5]
    assert last["supertrend"] == [0.1, 1.0]
    assert last["doji"] == [1.0]
