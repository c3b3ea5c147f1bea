"""The kernels by themselves: as Python, over the edges of blocks, and safe to cache on disk."""

import ast
import builtins
from pathlib import Path

import numpy as np
import pytest
from numba.core.registry import CPUDispatcher

from trading_pipeline.indicators import _kernels, momentum, overlap, trend, volume

MODULES = (_kernels, overlap, momentum, trend, volume)
BLOCK = _kernels.BLOCK
SCALARS = {
    "period": 3,
    "block": 8,
    "tie": 1e-14,
    "n_out": 18,
    "decay": 0.75,
    "previous": 2.0,
    "share": 0.25,
}
TWO_ROWS = {("_block_moments", "level"), ("_block_moments", "spare")}


def kernels():
    for module in MODULES:
        for name, member in vars(module).items():
            if isinstance(member, CPUDispatcher) and member.__module__ == module.__name__:
                yield pytest.param(name, member, id=name)


def arguments(name, function, rng):
    """Return arrays of 20 bars, and outputs as long as the kernel writes."""
    parameters = function.__code__.co_varnames[: function.__code__.co_argcount]
    made = []
    for parameter in parameters:
        if parameter in SCALARS:
            made.append(SCALARS[parameter])
        elif parameter in ("weight", "factor", "half_width"):
            made.append(0.5)
        elif (name, parameter) in TWO_ROWS:
            made.append(rng.uniform(1, 9, (2, 40)))
        else:
            short = name.startswith("window") and parameter in ("out", "mean", "squares")
            diff = name in ("true_range", "_changes", "_movements", "_flows", "_signed_volume")
            inputs = ("high", "low", "close", "typical") if name != "_channel_index" else ()
            if name == "_channel_index":
                made.append(rng.uniform(1, 9, 18 if parameter == "mean" else 20))
            elif diff:
                made.append(rng.uniform(1, 9, 20 if parameter in inputs else 19))
            else:
                made.append(rng.uniform(1, 9, 18 if short else 20))
    return made


@pytest.mark.parametrize(("name", "kernel"), list(kernels()))
def test_a_kernel_runs_as_python_and_gives_the_same_bits(name, kernel):
    compiled = arguments(name, kernel.py_func, np.random.default_rng(1))
    plain = arguments(name, kernel.py_func, np.random.default_rng(1))
    answers = kernel(*compiled), kernel.py_func(*plain)
    assert answers[0] == answers[1]
    for left, right in zip(compiled, plain, strict=True):
        if isinstance(left, np.ndarray):
            assert left.tobytes() == right.tobytes()


@pytest.mark.parametrize("period", [1, 2, 3, 7, 16, 20, 33, BLOCK - 1, BLOCK, BLOCK + 1, 1500])
@pytest.mark.parametrize("n_windows", [1, 5, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3])
def test_windows_are_right_across_the_edges_of_blocks(period, n_windows, rng):
    values = rng.standard_normal(n_windows + period - 1)
    views = np.lib.stride_tricks.sliding_window_view(values, period)
    out, squares = np.empty(n_windows), np.empty(n_windows)
    _kernels.window_mean(values, period, out)
    np.testing.assert_allclose(out, views.mean(axis=1), atol=1e-14)
    _kernels.window_moments(values, period, out, squares)
    np.testing.assert_allclose(out, views.mean(axis=1), atol=1e-14)
    np.testing.assert_allclose(squares, views.var(axis=1) * period, rtol=1e-12, atol=1e-14)
    _kernels.window_highest(values, period, out)
    assert np.array_equal(out, views.max(axis=1))
    _kernels.window_lowest(values, period, out)
    assert np.array_equal(out, views.min(axis=1))


@pytest.mark.parametrize("period", [2, 3, 7, 20, 24, 200])
def test_equal_values_have_exactly_their_value_as_mean_and_no_variance(period):
    values = np.full(500, 0.1)
    mean, squares = np.empty(501 - period), np.empty(501 - period)
    _kernels.window_moments(values, period, mean, squares)
    assert set(mean) == {0.1}
    assert set(squares) == {0.0}
    out = np.empty(500)
    _kernels.smooth(values, 0.1, 1 - 2 / (period + 1), out)
    assert set(out) == {0.1}


@pytest.mark.parametrize("n_bars", range(12))
def test_smoothing_in_place_and_in_any_length_gives_the_same_bits(n_bars, rng):
    values = rng.uniform(1, 9, 12)
    whole, part = np.empty(12), values[:n_bars].copy()
    _kernels.smooth(values, 5.0, 0.9, whole)
    last = _kernels.smooth(part, 5.0, 0.9, part)
    assert part.tobytes() == whole[:n_bars].tobytes()
    assert last == (whole[n_bars - 1] if n_bars else 5.0)


@pytest.mark.parametrize("module", MODULES)
def test_a_kernel_uses_kernels_and_constants_of_its_own_file_only(module):
    """Numba's cache on disk would not notice a change of what another file holds."""
    tree = ast.parse(Path(module.__file__).read_text())
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    own |= {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and any(
            isinstance(mark, ast.Name) and mark.id == "kernel" for mark in function.decorator_list
        ):
            statements = ast.Module(function.body, [])
            names = [node for node in ast.walk(statements) if isinstance(node, ast.Name)]
            local = {node.id for node in names if isinstance(node.ctx, ast.Store)}
            local |= {argument.arg for argument in function.args.args}
            used = {node.id for node in names} - local - own - {"np"}
            assert not {name for name in used if not hasattr(builtins, name)}, function.name
