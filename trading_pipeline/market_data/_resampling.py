"""Kernels behind ``resampling``: arrays only, no checks.

A bar without holes is reduced by three loops over its own slice, which the compiler turns into
vector instructions; slicing once per run of such bars, not once per bar, matters as much.

Volumes are decimals. Summed as floats they miss the number that the exchange states by some units
in the last place; summed as whole multiples of 1e-8 they are exact in any order, and one division
at the end is rounded correctly, so that the result is the very float that the exchange's text
parses to.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from trading_pipeline.core.candles import FloatArray, IntArray

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])

# Beyond it a product of volume and scale may be more than a quarter off the whole number it means.
_MOST_UNITS = 2.0**50
# A float and its product with a power of ten are each rounded once: half a unit in the last place.
_ROUNDING = 4.5e-16
_FINEST = 1e8
_NOT_DECIMAL = -1.0


def _kernel(function: _Kernel) -> _Kernel:
    return cast(_Kernel, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def _reduction(function: _Kernel) -> _Kernel:
    # Prices are finite by the candle contract, and sums of whole numbers have no order.
    relaxed = {"nnan", "ninf", "nsz", "reassoc"}
    compile_it = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=relaxed)
    return cast(_Kernel, compile_it(function))


@_kernel
def first_disorder(open_time: IntArray, step: int) -> int:
    """Return the first row that is off the grid or not a whole step after the one before; or -1."""
    if len(open_time) == 0:
        return -1
    # The sign of the sum of bits says whether any distance falls short: one vector instruction.
    shortfall = 0
    for j in range(1, len(open_time)):
        shortfall |= open_time[j] - open_time[j - 1] - step
    is_on_grid = open_time[0] % step == 0
    if shortfall == 0 and is_on_grid:
        return -1
    if not is_on_grid:
        return 0
    for j in range(1, len(open_time)):
        distance = open_time[j] - open_time[j - 1]
        if distance != step and (distance < step or distance % step):
            return j
    return -1


@_kernel
def aggregate(
    open_time: IntArray,
    opened: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    volume: FloatArray,
    base: int,
    target: int,
    out_time: IntArray,
    out: FloatArray,
    n_bars: IntArray,
) -> int:
    """Write a bar for every ``target`` that holds a candle; return how many there are.

    ``out`` has the rows open, high, low, close, volume.
    """
    n, per, start, made = len(open_time), target // base, 0, 0
    while start < n:
        bucket = open_time[start] // target * target
        n_whole = _whole_from(open_time[start:], bucket, base, target)
        if n_whole:
            end, after = start + n_whole * per, made + n_whole
            _whole_bars(
                opened[start:end],
                high[start:end],
                low[start:end],
                close[start:end],
                volume[start:end],
                per,
                out[:, made:after],
            )
            for m in range(n_whole):
                out_time[made + m] = bucket + m * target
                n_bars[made + m] = per
                if out[4, made + m] == _NOT_DECIMAL:
                    first = start + m * per
                    out[4, made + m] = _volume(volume[first : first + per])
        else:
            end, after = start + 1, made + 1
            while end < n and open_time[end] < bucket + target:
                end += 1
            out_time[made], n_bars[made] = bucket, end - start
            out[0, made], out[3, made] = opened[start], close[end - 1]
            out[1, made], out[2, made] = high[start:end].max(), low[start:end].min()
            out[4, made] = _volume(volume[start:end])
        start, made = end, after
    return made


@_kernel
def _whole_from(open_time: IntArray, bucket: int, base: int, target: int) -> int:
    """Return how many bars without holes follow each other from here; times ascend by steps."""
    per = target // base
    most = len(open_time) // per
    if most == 0 or open_time[0] != bucket:
        return 0
    # Whether the first k are whole is seen at their last row: nothing fits between two steps.
    if open_time[most * per - 1] == bucket + most * target - base:
        return most
    known, beyond = 0, 1
    while beyond < most and open_time[beyond * per - 1] == bucket + beyond * target - base:
        known, beyond = beyond, 2 * beyond
    beyond = min(beyond, most)
    while beyond - known > 1:
        middle = (known + beyond) // 2
        if open_time[middle * per - 1] == bucket + middle * target - base:
            known = middle
        else:
            beyond = middle
    return known


@_reduction
def _whole_bars(
    opened: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    volume: FloatArray,
    per: int,
    out: FloatArray,
) -> None:
    for m in range(out.shape[1]):
        first = m * per
        highs, lows = high[first : first + per], low[first : first + per]
        volumes = volume[first : first + per]
        highest, lowest = highs[0], lows[0]
        for j in range(per):
            highest, lowest = max(highest, highs[j]), min(lowest, lows[j])
        units, off = 0.0, 0.0
        for j in range(per):
            exact = volumes[j] * _FINEST
            whole = np.rint(exact)
            units += whole
            off += abs(exact - whole)
        out[0, m], out[3, m] = opened[first], close[first + per - 1]
        out[1, m], out[2, m] = highest, lowest
        is_decimal = units < _MOST_UNITS and off <= units * _ROUNDING
        out[4, m] = units / _FINEST if is_decimal else _NOT_DECIMAL


@_kernel
def _volume(volume: FloatArray) -> float:
    """Return the exact sum of decimals; of what is no decimal, the sum from left to right."""
    scale = _FINEST
    while scale >= 1.0:
        units, off = 0.0, 0.0
        for j in range(len(volume)):
            exact = volume[j] * scale
            whole = np.rint(exact)
            units += whole
            off += abs(exact - whole)
        if units < _MOST_UNITS and off <= units * _ROUNDING:
            return units / scale
        # Only a coin that is counted in millions trades that much, and in coarser lots.
        scale /= 10.0
    total = 0.0
    for j in range(len(volume)):
        total += volume[j]
    return total
