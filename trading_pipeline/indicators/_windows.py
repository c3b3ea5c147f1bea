"""Statistics of moving windows; arrays only, no checks.

A window statistic is a pure function of its window: windows of 1, 2, 4, 8 ... bars are joined
pairwise, and the asked length is put together from these. That is a fixed tree of operations, so
a value does not depend on where the series starts, nothing drifts, equal inputs give exactly
equal means and a variance of exactly zero, and each level is one loop without dependencies.

Outputs have one value per full window: ``len(values) - period + 1``.
"""

import numpy as np

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators._compiling import kernel

# Bars per pass: a block with its scratch arrays stays in the first cache.
BLOCK = 1024


@kernel
def _join_means(first: FloatArray, later: FloatArray, out: FloatArray) -> None:
    for j in range(len(out)):
        out[j] = 0.5 * (first[j] + later[j])


@kernel
def _join_four_means(
    first: FloatArray, second: FloatArray, third: FloatArray, last: FloatArray, out: FloatArray
) -> None:
    """Join two levels in one pass, with the same roundings."""
    for j in range(len(out)):
        out[j] = 0.5 * (0.5 * (first[j] + second[j]) + 0.5 * (third[j] + last[j]))


@kernel
def _append_means(mean: FloatArray, part: FloatArray, share: float, out: FloatArray) -> None:
    for j in range(len(out)):
        out[j] = mean[j] + (part[j] - mean[j]) * share


@kernel
def _block_mean(values: FloatArray, period: int, scratch: FloatArray, mean: FloatArray) -> None:
    """Write the means of ``len(mean)`` windows; ``scratch`` has three rows as long as values."""
    n_out, length = len(mean), len(mean) + period - 1
    width, joined, level_row, held_row = 1, 0, -1, -1
    level, held = values[:length], values[:n_out]
    while True:
        if period & width:
            part = level[joined : joined + n_out]
            if joined > 0:
                _append_means(held, part, width / (joined + width), mean)
                held, held_row = mean, -1
            elif period == width:
                mean[:] = part
            else:
                held, held_row = part, level_row
            joined += width
        if joined == period:
            return
        # Rows take turns; the one that is held is left alone, so that nothing is copied.
        row = 0
        while row in (level_row, held_row):
            row += 1
        out = scratch[row]
        if period & (2 * width):
            length -= width
            _join_means(level[:length], level[width : width + length], out[:length])
            width *= 2
        else:
            length -= 3 * width
            _join_four_means(
                level[:length],
                level[width : width + length],
                level[2 * width : 2 * width + length],
                level[3 * width : 3 * width + length],
                out[:length],
            )
            width *= 4
        level, level_row = out[:length], row


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
        out[j] = max(two, one)


@kernel
def _join_four_highest(
    first: FloatArray, second: FloatArray, third: FloatArray, last: FloatArray, out: FloatArray
) -> None:
    for j in range(len(out)):
        one, two, three, four = first[j], second[j], third[j], last[j]
        one = max(two, one)
        three = max(four, three)
        out[j] = max(three, one)


@kernel
def _block_highest(values: FloatArray, period: int, scratch: FloatArray, out: FloatArray) -> None:
    """Write the maxima of ``len(out)`` windows without missing values; two rows of scratch."""
    length = len(out) + period - 1
    width, row, level = 1, 0, values[:length]
    while 4 * width < period:
        length -= 3 * width
        joined = scratch[row][:length]
        _join_four_highest(level, level[width:], level[2 * width :], level[3 * width :], joined)
        level, row, width = joined, 1 - row, 4 * width
    if 2 * width >= period:
        _join_highest(level, level[period - width :], out)
    else:
        # Four windows that overlap; the third need not reach beyond the last.
        third = min(2 * width, period - width)
        _join_four_highest(level, level[width:], level[third:], level[period - width :], out)


@kernel
def _join_lowest(first: FloatArray, later: FloatArray, out: FloatArray) -> None:
    for j in range(len(out)):
        one, two = first[j], later[j]
        out[j] = min(two, one)


@kernel
def _join_four_lowest(
    first: FloatArray, second: FloatArray, third: FloatArray, last: FloatArray, out: FloatArray
) -> None:
    for j in range(len(out)):
        one, two, three, four = first[j], second[j], third[j], last[j]
        one = min(two, one)
        three = min(four, three)
        out[j] = min(three, one)


@kernel
def _block_lowest(values: FloatArray, period: int, scratch: FloatArray, out: FloatArray) -> None:
    """Write the minima of ``len(out)`` windows without missing values; two rows of scratch."""
    length = len(out) + period - 1
    width, row, level = 1, 0, values[:length]
    while 4 * width < period:
        length -= 3 * width
        joined = scratch[row][:length]
        _join_four_lowest(level, level[width:], level[2 * width :], level[3 * width :], joined)
        level, row, width = joined, 1 - row, 4 * width
    if 2 * width >= period:
        _join_lowest(level, level[period - width :], out)
    else:
        # Four windows that overlap; the third need not reach beyond the last.
        third = min(2 * width, period - width)
        _join_four_lowest(level, level[width:], level[third:], level[period - width :], out)


@kernel
def _spread_missing(values: FloatArray, period: int, out: FloatArray) -> None:
    """Make the windows with a missing value NaN."""
    is_missing = False
    for j in range(len(values)):
        is_missing |= values[j] != values[j]
    if is_missing:
        for j in range(len(values)):
            if values[j] != values[j]:
                out[max(j - period + 1, 0) : j + 1] = np.nan


@kernel
def window_mean(values: FloatArray, period: int, out: FloatArray) -> None:
    """Write the mean of each full window."""
    n_windows = len(values) - period + 1
    block = min(max(BLOCK, period), max(n_windows, 1))
    scratch = np.empty((3, block + period))
    for start in range(0, n_windows, block):
        stop = min(start + block, n_windows)
        _block_mean(values[start : stop + period - 1], period, scratch, out[start:stop])


@kernel
def window_highest(values: FloatArray, period: int, out: FloatArray) -> None:
    """Write the maximum of each full window; NaN if one is in it."""
    n_windows = len(values) - period + 1
    block = min(max(BLOCK, period), max(n_windows, 1))
    scratch = np.empty((2, block + period))
    for start in range(0, n_windows, block):
        stop = min(start + block, n_windows)
        part = values[start : stop + period - 1]
        _block_highest(part, period, scratch, out[start:stop])
        _spread_missing(part, period, out[start:stop])


@kernel
def window_lowest(values: FloatArray, period: int, out: FloatArray) -> None:
    """Write the minimum of each full window; NaN if one is in it."""
    n_windows = len(values) - period + 1
    block = min(max(BLOCK, period), max(n_windows, 1))
    scratch = np.empty((2, block + period))
    for start in range(0, n_windows, block):
        stop = min(start + block, n_windows)
        part = values[start : stop + period - 1]
        _block_lowest(part, period, scratch, out[start:stop])
        _spread_missing(part, period, out[start:stop])


@kernel
def window_moments(values: FloatArray, period: int, mean: FloatArray, squares: FloatArray) -> None:
    """Write mean and sum of squared deviations of each full window."""
    n_windows = len(values) - period + 1
    block = min(max(BLOCK, period), max(n_windows, 1))
    level, spare = np.empty((2, block + period)), np.empty((2, block + period))
    for start in range(0, n_windows, block):
        n_out = min(block, n_windows - start)
        level[0, : n_out + period - 1] = values[start : start + n_out + period - 1]
        stop = start + n_out
        _block_moments(level, spare, n_out, period, mean[start:stop], squares[start:stop])


@kernel
def _scores(
    newest: FloatArray, mean: FloatArray, squares: FloatArray, period: int, out: FloatArray
) -> None:
    for j in range(len(out)):
        score = (newest[j] - mean[j]) / np.sqrt(squares[j] / period)
        out[j] = 0.0 if squares[j] == 0.0 else score


@kernel
def window_scores(values: FloatArray, period: int, out: FloatArray) -> None:
    """Write how many population standard deviations the last value of each window is off."""
    n_windows = len(values) - period + 1
    block = min(max(BLOCK, period), max(n_windows, 1))
    level, spare = np.empty((2, block + period)), np.empty((2, block + period))
    mean, squares = np.empty(block), np.empty(block)
    for start in range(0, n_windows, block):
        n_out = min(block, n_windows - start)
        level[0, : n_out + period - 1] = values[start : start + n_out + period - 1]
        _block_moments(level, spare, n_out, period, mean, squares)
        first = start + period - 1
        _scores(values[first:], mean, squares, period, out[start : start + n_out])
