"""Sums of moving windows with the weights 1, 2, ..., period; arrays only, no checks.

Joined pairwise like the statistics of ``_windows``: a pure function of the window, without drift.
"""

import numpy as np

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators._windows import BLOCK


@kernel
def _join_weighted(
    first: FloatArray,
    later: FloatArray,
    first_weighted: FloatArray,
    later_weighted: FloatArray,
    width: int,
    total: FloatArray,
    weighted: FloatArray,
) -> None:
    for j in range(len(total)):
        total[j] = first[j] + later[j]
        weighted[j] = (first_weighted[j] + later_weighted[j]) + width * later[j]


@kernel
def _append_weighted(
    part: FloatArray,
    part_weighted: FloatArray,
    joined: int,
    total: FloatArray,
    weighted: FloatArray,
) -> None:
    for j in range(len(total)):
        total[j] += part[j]
        weighted[j] += part_weighted[j] + joined * part[j]


@kernel
def _block_weighted(
    level: FloatArray,
    spare: FloatArray,
    n_out: int,
    period: int,
    total: FloatArray,
    weighted: FloatArray,
) -> None:
    """Write sums, and sums with the weights 1, 2, ..., period, of ``n_out`` windows."""
    width, joined, length = 1, 0, n_out + period - 1
    level[1, :length] = level[0, :length]
    while True:
        if period & width:
            part, part_weighted = level[0][joined:], level[1][joined:]
            if joined == 0:
                total[:] = part[:n_out]
                weighted[:] = part_weighted[:n_out]
            else:
                _append_weighted(part, part_weighted, joined, total, weighted)
            joined += width
        if joined == period:
            return
        length -= width
        sums, products = level[0], level[1]
        _join_weighted(
            sums[:length],
            sums[width : width + length],
            products[:length],
            products[width : width + length],
            width,
            spare[0][:length],
            spare[1][:length],
        )
        level, spare = spare, level
        width *= 2


@kernel
def window_sums(values: FloatArray, period: int, total: FloatArray, weighted: FloatArray) -> None:
    """Write the sum of each full window, and the sum with the weights 1, 2, ..., period."""
    n_windows = len(values) - period + 1
    block = min(max(BLOCK, period), max(n_windows, 1))
    level, spare = np.empty((2, block + period)), np.empty((2, block + period))
    for start in range(0, n_windows, block):
        n_out = min(block, n_windows - start)
        level[0, : n_out + period - 1] = values[start : start + n_out + period - 1]
        stop = start + n_out
        _block_weighted(level, spare, n_out, period, total[start:stop], weighted[start:stop])


@kernel
def window_weighted_mean(values: FloatArray, period: int, out: FloatArray) -> None:
    """Write the mean of each full window with the weights 1, 2, ..., period."""
    n_windows = len(values) - period + 1
    block = min(max(BLOCK, period), max(n_windows, 1))
    level, spare = np.empty((2, block + period)), np.empty((2, block + period))
    total, share = np.empty(block), 2.0 / (period * (period + 1.0))
    for start in range(0, n_windows, block):
        n_out = min(block, n_windows - start)
        level[0, : n_out + period - 1] = values[start : start + n_out + period - 1]
        part = out[start : start + n_out]
        _block_weighted(level, spare, n_out, period, total[:n_out], part)
        for j in range(n_out):
            part[j] *= share
