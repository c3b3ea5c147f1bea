"""The kernels by themselves: over the edges of blocks, in any cut, and safe to cache on disk."""

import ast
import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core.registry import CPUDispatcher

from trading_pipeline import indicators
from trading_pipeline.indicators import _smoothing, _windows
from trading_pipeline.indicators.definition import registered

PACKAGE = Path(indicators.__file__).parent
MODULES = [
    importlib.import_module(info.name)
    for info in pkgutil.walk_packages(indicators.__path__, f"{indicators.__name__}.")
]


@pytest.mark.parametrize(
    "period", [1, 2, 3, 7, 16, 20, 33, _windows.BLOCK - 1, _windows.BLOCK, _windows.BLOCK + 1, 1500]
)
@pytest.mark.parametrize(
    "n_windows",
    [1, 5, _windows.BLOCK - 1, _windows.BLOCK, _windows.BLOCK + 1, 2 * _windows.BLOCK + 3],
)
def test_windows_are_right_across_the_edges_of_blocks(period, n_windows, rng):
    values = rng.standard_normal(n_windows + period - 1)
    views = np.lib.stride_tricks.sliding_window_view(values, period)
    out, squares = np.empty(n_windows), np.empty(n_windows)
    _windows.window_mean(values, period, out)
    np.testing.assert_allclose(out, views.mean(axis=1), atol=1e-14)
    _windows.window_moments(values, period, out, squares)
    np.testing.assert_allclose(out, views.mean(axis=1), atol=1e-14)
    np.testing.assert_allclose(squares, views.var(axis=1) * period, rtol=1e-12, atol=1e-14)
    _windows.window_highest(values, period, out)
    assert np.array_equal(out, views.max(axis=1))
    _windows.window_lowest(values, period, out)
    assert np.array_equal(out, views.min(axis=1))


@pytest.mark.parametrize("period", [2, 3, 7, 20, 24, 200])
def test_equal_values_have_exactly_their_value_as_mean_and_no_variance(period):
    values = np.full(500, 0.1)
    mean, squares = np.empty(501 - period), np.empty(501 - period)
    _windows.window_moments(values, period, mean, squares)
    assert set(mean) == {0.1}
    assert set(squares) == {0.0}
    out = np.empty(500)
    _smoothing.smooth_from_mean(values, 0, period, 1 - 2 / (period + 1), np.zeros(4), out)
    assert set(out) == {0.1}


@pytest.mark.parametrize("n_bars", range(12))
def test_smoothing_in_place_and_in_any_cut_gives_the_same_bits(n_bars, rng):
    values = rng.uniform(1, 9, 12)
    whole, state = np.empty(12), np.zeros(4)
    _smoothing.smooth_from_mean(values, 0, 3, 0.9, np.zeros(4), whole)
    parts = values.copy()
    _smoothing.smooth_from_mean(parts[:n_bars], 0, 3, 0.9, state, parts[:n_bars])
    _smoothing.smooth_from_mean(parts[n_bars:], n_bars, 3, 0.9, state, parts[n_bars:])
    assert parts.tobytes() == whole.tobytes()


@pytest.mark.parametrize("n_bars", range(12))
def test_following_in_any_cut_gives_the_same_bits(n_bars, rng):
    values, shares = rng.uniform(1, 9, 12), rng.uniform(0, 1, 12)
    whole, parts, state = np.empty(12), np.empty(12), np.zeros(4)
    _smoothing.follow(shares, values, np.zeros(4), whole)
    _smoothing.follow(shares[:n_bars], values[:n_bars], state, parts[:n_bars])
    _smoothing.follow(shares[n_bars:], values[n_bars:], state, parts[n_bars:])
    assert parts.tobytes() == whole.tobytes()
    before, expected = 0.0, []
    for share, value in zip(shares, values, strict=True):
        before += share * (value - before)
        expected.append(before)
    np.testing.assert_allclose(whole, expected, rtol=1e-13)


def test_a_missing_value_spoils_the_windows_that_hold_it(rng):
    values = rng.standard_normal(50)
    values[[10, 13, 49]] = np.nan
    for period in (1, 2, 3, 5, 8, 17):
        views = np.lib.stride_tricks.sliding_window_view(values, period)
        out = np.empty(51 - period)
        for function, numpy in (
            (_windows.window_highest, np.max),
            (_windows.window_lowest, np.min),
        ):
            function(values, period, out)
            assert np.array_equal(out, numpy(views, axis=1), equal_nan=True)


def compiled_in(module):
    marks = {"kernel", "indicator", "pattern"}
    for node in ast.parse(Path(module.__file__).read_text()).body:
        if isinstance(node, ast.FunctionDef):
            names = {
                n.id for m in node.decorator_list for n in ast.walk(m) if isinstance(n, ast.Name)
            }
            if names & marks:
                yield node


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_what_a_kernel_uses_is_defined_above_it(module):
    """The stamp of what is kept on disk is made of it when the kernel is defined."""
    places = {}
    for node in ast.parse(Path(module.__file__).read_text()).body:
        if isinstance(node, ast.FunctionDef):
            places[node.name] = node.lineno
        elif isinstance(node, ast.Assign):
            names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
            places |= {name: node.lineno for name in names if name not in places}
    for function in compiled_in(module):
        inner = ast.Module(function.body, [])
        used = {n.id for n in ast.walk(inner) if isinstance(n, ast.Name)}
        assert [name for name in used if places.get(name, 0) > function.lineno] == []


def test_every_kernel_of_the_catalogue_is_compiled_for_one_signature_only():
    for name, made in registered().items():
        kernel = made.spec.kernel
        assert isinstance(kernel, CPUDispatcher), name
        assert len(kernel.signatures) <= 1, name


_USE = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import used
out = np.empty(1)
used.double(np.ones(1), out)
print(out[0], sum(used.double.stats.cache_hits.values()))
"""
_SHARED = """
from trading_pipeline.indicators._compiling import kernel

FACTOR = 2.0

@kernel
def scale(value):
    return FACTOR * value
"""
_USED = """
from trading_pipeline.indicators._compiling import kernel
from shared import scale

@kernel
def double(values, out):
    out[0] = scale(values[0])
"""


def _use(folder):
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    ran = subprocess.run(
        [sys.executable, "-c", _USE, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return ran.stdout.split()


def test_machine_code_on_disk_is_used_and_notices_a_change_in_another_file(tmp_path):
    (tmp_path / "shared.py").write_text(_SHARED)
    (tmp_path / "used.py").write_text(_USED)
    assert _use(tmp_path) == ["2.0", "0"]
    assert _use(tmp_path) == ["2.0", "1"]
    (tmp_path / "shared.py").write_text(_SHARED.replace("2.0", "3.0"))
    assert _use(tmp_path) == ["3.0", "0"]


def test_a_folder_that_cannot_be_written_is_read(tmp_path):
    (tmp_path / "shared.py").write_text(_SHARED)
    (tmp_path / "used.py").write_text(_USED)
    assert _use(tmp_path) == ["2.0", "0"]
    # A file where the folder of the cache would be: nobody can write there, not even root.
    warm = tmp_path / "warm"
    warm.mkdir()
    for name in ("shared.py", "used.py"):
        shutil.copy(tmp_path / name, warm / name)
    (warm / "__pycache__").write_text("")
    assert _use(warm) == ["2.0", "0"]
    assert _use(warm) == ["2.0", "0"]
