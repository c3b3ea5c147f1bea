"""Numba kernels that the indicators share; arrays only, no checks.

Numba's cache on disk notices a change of the file that holds a kernel, not of another file whose
kernel or constant it uses. So a kernel uses those of its own file only; what joins files is Python.

Two ideas carry the folder.

A **window** statistic is a pure function of its window: windows of 1, 2, 4, 8 ... bars are joined
pairwise, and the asked length is put together from these. That is a fixed tree of operations, so
a value does not depend on where the series starts, nothing drifts, equal inputs give exactly
equal means and a variance of exactly zero, and each level is one loop without dependencies.

A **recursive** average advances four bars at a time around the first of them, so that the chain
from bar to bar is three operations per four bars instead of twelve. The groups of four count from
the seed; values do not depend on how many bars follow.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from trading_pipeline.core.candles import FloatArray

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])

# Bars per pass: a block with its scratch arrays stays in the first cache. A multiple of four.
BLOCK = 1024

# Prices are decimals, so sums of equal ticks differ by rounding: below this fraction of the price
# two sums count as equal. A tick is larger by many orders of magnitude.
TIE = 1e-14


def kernel(function: _Kernel) -> _Kernel:
    """Compile at the first call, keep the machine code on disk, release the interpreter lock.

    The numpy error model divides without a branch for zero, which would stop vectorisation.
    """
    return cast(_Kernel, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


@kernel
def _join_means(first: FloatArray, later: FloatArray, out: FloatArray) -> None:
    for j in range(len(out)):
        out[j] = 0.5 * (first[j] + later[j])


@kernel
def _append_means(part: FloatArray, share: float, mean: FloatArray) -> None:
    for j in range(len(mean)):
        mean[j] += (part[j] - mean[j]) * share


@kernel
def _block_mean(
    level: FloatArray, spare: FloatArray, n_out: int, period: int, mean: FloatArray
) -> None:
    """Write the means of ``n_out`` windows; ``level`` holds the inputs, both scratch are lost."""
    width, joined, length = 1, 0, n_out + period - 1
    mean = mean[:n_out]
    while True:
        if period & width:
            part = level[joined : joined + n_out]
            if joined == 0:
                mean[:] = part
            else:
                _append_means(part, width / (joined + width), mean)
            joined += width
        if joined == period:
            return
        length -= width
        # Slices passed to a small kernel: an index such as level[j + width] may be negative, and
        # arrays that trade places may overlap; either stops vectorisation.
        _join_means(level[:length], level[width : width + length], spare[:length])
        level, spare = spare, level
        width *= 2


@kernel
def _join_moments(
    first: FloatArray,
    later: FloatArray,
    first_squares: FloatArray,
    later_squares: FloatArray,
    half_width: float,
    mean: FloatArray,
    squares: FloatArray,
) -> None:
    for j in range(len(mean)):
        apart = later[j] - first[j]
        mean[j] = 0.5 * (first[j] + later[j])
        squares[j] = (first_squares[j] + later_squares[j]) + apart * apart * half_width


@kernel
def _append_moments(
    part: FloatArray,
    part_squares: FloatArray,
    share: float,
    weight: float,
    mean: FloatArray,
    squares: FloatArray,
) -> None:
    for j in range(len(mean)):
        apart = part[j] - mean[j]
        mean[j] += apart * share
        squares[j] += part_squares[j] + apart * apart * weight


@kernel
def _block_moments(
    level: FloatArray,
    spare: FloatArray,
    n_out: int,
    period: int,
    mean: FloatArray,
    squares: FloatArray,
) -> None:
    """Write means and sums of squared deviations of ``n_out`` windows (Chan's pairwise update).

    ``level`` and ``spare`` have two rows: means, with the inputs at first, and squares.
    """
    width, joined, length = 1, 0, n_out + period - 1
    mean, squares = mean[:n_out], squares[:n_out]
    level[1, :length] = 0.0
    while True:
        if period & width:
            part, part_squares = level[0], level[1]
            part, part_squares = part[joined : joined + n_out], part_squares[joined:]
            if joined == 0:
                mean[:] = part
                squares[:] = part_squares[:n_out]
            else:
                share = width / (joined + width)
                _append_moments(part, part_squares, share, joined * share, mean, squares)
            joined += width
        if joined == period:
            return
        length -= width
        means, deviations = level[0], level[1]
        _join_moments(
            means[:length],
            means[width : width + length],
            deviations[:length],
            deviations[width : width + length],
            0.5 * width,
            spare[0][:length],
            spare[1][:length],
        )
        level, spare = spare, level
        width *= 2


@kernel
def _join_highest(first: FloatArray, later: FloatArray, out: FloatArray) -> None:
    for j in range(len(out)):
        one, two = first[j], later[j]
        out[j] = one if (one > two) | (one != one) else two


@kernel
def _block_highest(
    level: FloatArray, spare: FloatArray, n_out: int, period: int, highest: FloatArray
) -> None:
    """Write the maxima of ``n_out`` windows (NaN if one is in it); both scratch are lost."""
    width, length = 1, n_out + period - 1
    while 2 * width <= period:
        length -= width
        _join_highest(level[:length], level[width : width + length], spare[:length])
        level, spare = spare, level
        width *= 2
    _join_highest(level[:n_out], level[period - width :], highest[:n_out])


@kernel
def _join_lowest(first: FloatArray, later: FloatArray, out: FloatArray) -> None:
    for j in range(len(out)):
        one, two = first[j], later[j]
        out[j] = one if (one < two) | (one != one) else two


@kernel
def _block_lowest(
    level: FloatArray, spare: FloatArray, n_out: int, period: int, lowest: FloatArray
) -> None:
    """Write the minima of ``n_out`` windows (NaN if one is in it); both scratch are lost."""
    width, length = 1, n_out + period - 1
    while 2 * width <= period:
        length -= width
        _join_lowest(level[:length], level[width : width + length], spare[:length])
        level, spare = spare, level
        width *= 2
    _join_lowest(level[:n_out], level[period - width :], lowest[:n_out])


@kernel
def window_mean(values: FloatArray, period: int, out: FloatArray) -> None:
    """Write the mean of each window; ``out`` has one value per full window."""
    n_windows = len(values) - period + 1
    block = max(BLOCK, period)
    level, spare = np.empty(block + period), np.empty(block + period)
    for start in range(0, n_windows, block):
        n_out = min(block, n_windows - start)
        level[: n_out + period - 1] = values[start : start + n_out + period - 1]
        _block_mean(level, spare, n_out, period, out[start : start + n_out])


@kernel
def window_highest(values: FloatArray, period: int, out: FloatArray) -> None:
    """Write the maximum of each full window."""
    n_windows = len(values) - period + 1
    block = max(BLOCK, period)
    level, spare = np.empty(block + period), np.empty(block + period)
    for start in range(0, n_windows, block):
        n_out = min(block, n_windows - start)
        level[: n_out + period - 1] = values[start : start + n_out + period - 1]
        _block_highest(level, spare, n_out, period, out[start : start + n_out])


@kernel
def window_lowest(values: FloatArray, period: int, out: FloatArray) -> None:
    """Write the minimum of each full window."""
    n_windows = len(values) - period + 1
    block = max(BLOCK, period)
    level, spare = np.empty(block + period), np.empty(block + period)
    for start in range(0, n_windows, block):
        n_out = min(block, n_windows - start)
        level[: n_out + period - 1] = values[start : start + n_out + period - 1]
        _block_lowest(level, spare, n_out, period, out[start : start + n_out])


@kernel
def window_moments(values: FloatArray, period: int, mean: FloatArray, squares: FloatArray) -> None:
    """Write mean and sum of squared deviations of each full window."""
    n_windows = len(values) - period + 1
    block = max(BLOCK, period)
    level, spare = np.empty((2, block + period)), np.empty((2, block + period))
    for start in range(0, n_windows, block):
        n_out = min(block, n_windows - start)
        level[0, : n_out + period - 1] = values[start : start + n_out + period - 1]
        stop = start + n_out
        _block_moments(level, spare, n_out, period, mean[start:stop], squares[start:stop])


@kernel
def window_scores(values: FloatArray, period: int, out: FloatArray) -> None:
    """Write how many population standard deviations the last value of each window is off."""
    n_windows = len(values) - period + 1
    block = max(BLOCK, period)
    level, spare = np.empty((2, block + period)), np.empty((2, block + period))
    mean, squares = np.empty(block), np.empty(block)
    for start in range(0, n_windows, block):
        n_out = min(block, n_windows - start)
        level[0, : n_out + period - 1] = values[start : start + n_out + period - 1]
        _block_moments(level, spare, n_out, period, mean, squares)
        first = start + period - 1
        _scores(values[first:], mean, squares, period, out[start : start + n_out])


@kernel
def _scores(
    newest: FloatArray, mean: FloatArray, squares: FloatArray, period: int, out: FloatArray
) -> None:
    for j in range(len(out)):
        score = (newest[j] - mean[j]) / np.sqrt(squares[j] / period)
        out[j] = 0.0 if squares[j] == 0.0 else score


@kernel
def average(values: FloatArray) -> float:
    """Return the mean; exact where all values are equal, which a divided sum is not."""
    mean = 0.0
    for j in range(len(values)):
        mean += (values[j] - mean) / (j + 1)
    return mean


@kernel
def smooth(values: FloatArray, previous: float, decay: float, out: FloatArray) -> float:
    """Write ``y[j] = decay * y[j - 1] + (1 - decay) * values[j]``, return the last one.

    ``out`` may be ``values``.
    """
    n_bars = len(values)
    gain, square, cube = 1.0 - decay, decay * decay, decay * decay * decay
    fourth = square * square
    whole = n_bars - n_bars % 4
    for i in range(0, whole, 4):
        base = values[i]
        second = gain * (values[i + 1] - base)
        third = decay * second + gain * (values[i + 2] - base)
        last = decay * third + gain * (values[i + 3] - base)
        apart = previous - base
        out[i] = base + decay * apart
        out[i + 1] = (base + second) + square * apart
        out[i + 2] = (base + third) + cube * apart
        previous = (base + last) + fourth * apart
        out[i + 3] = previous
    if whole < n_bars:
        base, apart, part, power = values[whole], previous - values[whole], 0.0, decay
        previous = base + decay * apart
        out[whole] = previous
        for i in range(whole + 1, n_bars):
            part = decay * part + gain * (values[i] - base)
            power = square if i == whole + 1 else cube
            previous = (base + part) + power * apart
            out[i] = previous
    return previous


@kernel
def true_range(high: FloatArray, low: FloatArray, close: FloatArray, out: FloatArray) -> None:
    """Write the true range of bars 1, 2, ...; bar 0 only lends its close. NaN in, NaN out."""
    top, bottom, before = high[1:], low[1:], close[:-1]
    for j in range(len(out)):
        reach = top[j] - bottom[j]
        rise, fall = abs(top[j] - before[j]), abs(bottom[j] - before[j])
        wider = rise if (rise > reach) | (rise != rise) else reach
        out[j] = fall if (fall > wider) | (fall != fall) else wider


@kernel
def typical_price(high: FloatArray, low: FloatArray, close: FloatArray, out: FloatArray) -> None:
    """Write the mean of high, low and close of each bar."""
    for j in range(len(out)):
        out[j] = (high[j] + low[j] + close[j]) / 3.0


@kernel
def percentage(part: FloatArray, rest: FloatArray) -> None:
    """Turn ``part`` into percent of ``part + rest``; 50 where both are 0."""
    for j in range(len(part)):
        total = part[j] + rest[j]
        share = 100.0 * (part[j] / total)
        part[j] = 50.0 if total == 0.0 else share
