"""Bad input: one clear error, or the documented rule of missing values; never a crash."""

import os
import subprocess
import sys

import numpy as np
import pytest

from trading_pipeline.core.candles import CandleArrays, candle_arrays
from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.indicators.catalog import CATALOG, IndicatorRequest, compute
from trading_pipeline.indicators.definition import registered
from trading_pipeline_tests.builders import make_candles

every_entry = pytest.mark.parametrize("name", list(CATALOG))
ARRAYS = candle_arrays(make_candles(60, seed=2))
COLUMNS = ("open_time", "open", "high", "low", "close", "volume")


def inputs_of(name):
    return [
        ARRAYS.open_time if column == "time" else getattr(ARRAYS, column)
        for column in CATALOG[name].inputs
    ]


@every_entry
def test_parameters_beyond_their_ranges_are_refused(name):
    for key, setting in CATALOG[name].settings.items():
        for value in (setting.low - 1, setting.high + 1, float("nan"), float("inf"), "3", None):
            with pytest.raises(ConfigError, match=f"{key} of {name} must be"):
                compute(name, ARRAYS, {key: value})


@every_entry
def test_fewer_bars_than_the_warm_up_give_missing_values_only(name):
    spec = CATALOG[name]
    longest = {
        key: int(min(setting.high, 5_000)) if isinstance(setting.default, int) else setting.default
        for key, setting in spec.settings.items()
    }
    if name in ("macd", "vwap_anchored", "sessions", "session_range", "vwap_session"):
        longest = spec.parameters | ({"slow": 5_000} if name == "macd" else {})
    warm_up = spec.warm_up(longest)
    for values in compute(name, ARRAYS, longest).values():
        assert np.isnan(values).sum() == min(warm_up, 60)


@every_entry
def test_inputs_that_are_no_equal_series_are_refused(name):
    function, inputs = registered()[name], inputs_of(name)
    with pytest.raises(DataError, match="must be numbers"):
        function(np.array(["x"] * 60), *inputs[1:])
    with pytest.raises(DataError, match="must be numbers"):
        function(inputs[0] * 1j, *inputs[1:])
    with pytest.raises(DataError, match=r"must have the shape \(n_bars,\)"):
        function(inputs[0].reshape(6, 10), *inputs[1:])
    if len(inputs) > 1:
        with pytest.raises(DataError, match="must have one length"):
            function(inputs[0][:-1], *inputs[1:])
    with pytest.raises(ConfigError, match="values were given without a name"):
        function(*inputs[1:])
    with pytest.raises(ConfigError, match="values were given without a name"):
        function(*inputs, *[5] * 9)


@every_entry
def test_integers_single_precision_strides_and_read_only_arrays_are_converted(name):
    function, inputs = registered()[name], inputs_of(name)
    whole = [np.rint(column).astype(np.int64) for column in inputs]
    expected = np.array(function(*whole))
    for given in (
        [column.astype(np.float64) if i or "time" not in CATALOG[name].inputs else column
         for i, column in enumerate(whole)],
        [np.repeat(column, 3)[::3] for column in whole],
        [column[::-1].copy()[::-1] for column in whole],
        [column.tolist() for column in whole],
    ):  # fmt: skip
        assert np.array_equal(np.array(function(*given)), expected, equal_nan=True)
    locked = [column.copy() for column in inputs]
    for column in locked:
        column.flags.writeable = False
    assert np.array_equal(np.array(function(*locked)), np.array(function(*inputs)), equal_nan=True)


@every_entry
def test_an_infinity_changes_nothing_before_it(name):
    clean = compute(name, ARRAYS)
    for column in set(CATALOG[name].inputs) - {"time"}:
        for value in (np.inf, -np.inf):
            columns = {each: getattr(ARRAYS, each) for each in COLUMNS}
            columns[column] = columns[column].copy()
            columns[column][50] = value
            for output, values in compute(name, CandleArrays(**columns)).items():
                assert values[:50].tobytes() == clean[output][:50].tobytes()


# Those that index by numbers of their own; the others loop over slices of equal length.
INDEXED = (
    "autocorrelation", "cci", "entropy", "ichimoku", "kama", "macd", "psar", "rsi_divergence",
    "session_range", "stoch_rsi", "three_black_crows", "vwap_session",
)  # fmt: skip
_EVERY_KERNEL = """
import sys
import numpy as np
from trading_pipeline.indicators.catalog import CATALOG, IndicatorRequest, compute
from trading_pipeline.indicators.stream import IndicatorStream
from trading_pipeline_tests.indicators.oracles import short
from trading_pipeline.core.candles import candle_arrays
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.indicators.market import cut

arrays = candle_arrays(make_candles(1_100, seed=2))
damaged = arrays.close.copy()
damaged[40] = np.nan
damaged[70] = np.inf
hurt = type(arrays)(arrays.open_time, arrays.open, arrays.high, arrays.low, damaged, arrays.volume)
names = sys.argv[1:] or CATALOG
for name in names:
    for n_bars in (0, 1, 2, 3, 20, 77, 1_100):
        for parameters in ({}, short(name, 2)):
            compute(name, cut(hurt, 0, n_bars), parameters)
print(len(names))
"""


def _run(names, **variables):
    ran = subprocess.run(
        [sys.executable, "-c", _EVERY_KERNEL, *names],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )
    assert ran.returncode == 0, ran.stderr[-2_000:]
    return int(ran.stdout)


def test_no_kernel_reads_beyond_its_arrays_as_python():
    """A bad index is an IndexError there."""
    assert _run([], NUMBA_DISABLE_JIT="1") == len(CATALOG)


def test_no_kernel_reads_beyond_its_arrays_under_the_bounds_checks_of_numba(tmp_path):
    # Compiled apart from the usual cache, and without optimisation, which takes longest.
    cache = {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_OPT": "0"}
    assert _run(INDEXED, NUMBA_BOUNDSCHECK="1", **cache) == len(INDEXED)


def test_a_request_is_checked_when_it_is_made():
    with pytest.raises(ConfigError, match="fast must be below slow"):
        IndicatorRequest.of("macd", fast=30)
