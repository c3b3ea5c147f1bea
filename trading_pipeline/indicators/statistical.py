"""Statistics of a moving window."""

import numpy as np

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators import reach
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators._weighted import window_sums
from trading_pipeline.indicators._windows import (
    BLOCK,
    window_mean,
    window_moments,
    window_scores,
)
from trading_pipeline.indicators.bars import Bars
from trading_pipeline.indicators.definition import indicator
from trading_pipeline.indicators.specs import Category, Parameter, Scale, length


@indicator(
    Category.STATISTICAL,
    inputs="close",
    parameters={"period": length(20)},
    warm_up=reach.window,
    scale=Scale.UNBOUNDED,
    reference="(close - mean) / population standard deviation",
    oracle="TA-Lib SMA and STDDEV",
)
def zscore(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """How many standard deviations the close is off the mean of its window.

    0 where all closes of the window are equal.
    """
    period = int(parameters[0])
    window_scores(bars.close[first - period + 1 :], period, out[0][first:])


@indicator(
    Category.STATISTICAL,
    inputs="close",
    parameters={"period": length(100)},
    warm_up=reach.window,
    scale=Scale.PRICE,
    natural_scale=0.01,
    reference="ordinary least squares of the close on 0, 1, ..., period - 1",
    oracle="TA-Lib LINEARREG_SLOPE",
)
def regression_slope(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Slope of the regression line through the closes of the window, in price per bar."""
    period, n_bars = int(parameters[0]), len(bars.close)
    totals = np.empty(min(BLOCK, n_bars))
    unit = 12.0 / (period * (period * period - 1.0))
    for start in range(first, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        line, total = out[0][start:stop], totals[: stop - start]
        window_sums(bars.close[start - period + 1 : stop], period, total, line)
        for j in range(len(line)):
            line[j] = unit * (line[j] - 0.5 * (period + 1.0) * total[j])


@kernel
def _count_below(values: FloatArray, newest: FloatArray, count: FloatArray) -> None:
    for j in range(len(count)):
        # 0 times a NaN is NaN, so that a missing value does not pass as one that is above.
        below = 1.0 if values[j] < newest[j] else 0.0
        count[j] += below + 0.0 * values[j]


@indicator(
    Category.STATISTICAL,
    inputs="close",
    parameters={"period": length(100, "older closes that are compared", low=1)},
    warm_up=reach.period,
    scale=Scale.PERCENT,
    reference="percent of the last `period` closes that are below the close",
    oracle="TA-Lib PERCENTRANK",
)
def percent_rank(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Percent rank: how many of the ``period`` closes before stand below this one, in percent."""
    period, n_bars = int(parameters[0]), len(bars.close)
    for start in range(first, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        line, newest = out[0][start:stop], bars.close[start:stop]
        line[:] = 0.0
        for offset in range(1, period + 1):
            _count_below(bars.close[start - offset : stop - offset], newest, line)
        for j in range(len(line)):
            line[j] = 100.0 * (line[j] / period) + 0.0 * newest[j]


@kernel
def _add_powers(values: FloatArray, mean: FloatArray, powers: FloatArray) -> None:
    n = len(mean)
    first, second = powers[0][:n], powers[1][:n]
    third, fourth = powers[2][:n], powers[3][:n]
    for j in range(n):
        apart = values[j] - mean[j]
        square = apart * apart
        first[j] += apart
        second[j] += square
        third[j] += square * apart
        fourth[j] += square * square


@kernel
def _window_powers(
    values: FloatArray, period: int, mean: FloatArray, powers: FloatArray, n_out: int
) -> None:
    """Write the means of the first to fourth powers of the distances from the mean.

    The first is what the mean was rounded by; the others are corrected for it.
    """
    window_mean(values, period, mean[:n_out])
    powers[:, :n_out] = 0.0
    for offset in range(period):
        _add_powers(values[offset:], mean[:n_out], powers)
    first, second = powers[0][:n_out], powers[1][:n_out]
    third, fourth = powers[2][:n_out], powers[3][:n_out]
    for j in range(n_out):
        off, two, three = first[j] / period, second[j] / period, third[j] / period
        second[j] = two - off * off
        third[j] = three - off * (3.0 * two - 2.0 * off * off)
        fourth[j] = fourth[j] / period - off * (4.0 * three - off * (6.0 * two - 3.0 * off * off))


@indicator(
    Category.STATISTICAL,
    inputs="close",
    parameters={"period": length(50, low=3)},
    warm_up=reach.window,
    scale=Scale.UNBOUNDED,
    reference="adjusted Fisher-Pearson skewness, D. Joanes and C. Gill, The Statistician 47, 1998",
    oracle="pandas rolling skew",
)
def skew(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Skewness of the closes of the window, adjusted for its length.

    0 where all closes are equal.
    """
    period, n_bars = int(parameters[0]), len(bars.close)
    mean, powers = np.empty(min(BLOCK, n_bars)), np.empty((4, min(BLOCK, n_bars)))
    adjusted = np.sqrt(period * (period - 1.0)) / (period - 2.0)
    for start in range(first, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        n, line = stop - start, out[0][start:stop]
        _window_powers(bars.close[start - period + 1 : stop], period, mean, powers, n)
        second, third = powers[1], powers[2]
        for j in range(n):
            value = adjusted * third[j] / (second[j] * np.sqrt(second[j]))
            line[j] = 0.0 if second[j] == 0.0 else value


@indicator(
    Category.STATISTICAL,
    inputs="close",
    parameters={"period": length(50, low=4)},
    warm_up=reach.window,
    scale=Scale.UNBOUNDED,
    reference="adjusted excess kurtosis, D. Joanes and C. Gill, The Statistician 47, 1998",
    oracle="pandas rolling kurt",
)
def kurtosis(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Excess kurtosis of the closes of the window, adjusted for its length.

    0 is a normal distribution; 0 also where all closes are equal.
    """
    period, n_bars = int(parameters[0]), len(bars.close)
    mean, powers = np.empty(min(BLOCK, n_bars)), np.empty((4, min(BLOCK, n_bars)))
    n_free = (period - 2.0) * (period - 3.0)
    for start in range(first, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        n, line = stop - start, out[0][start:stop]
        _window_powers(bars.close[start - period + 1 : stop], period, mean, powers, n)
        second, fourth = powers[1], powers[3]
        for j in range(n):
            ratio = fourth[j] / second[j] / second[j]
            value = (period - 1.0) / n_free * ((period + 1.0) * ratio - 3.0 * (period - 1.0))
            line[j] = 0.0 if second[j] == 0.0 else value


@kernel
def _add_products(
    newer: FloatArray,
    older: FloatArray,
    newer_mean: FloatArray,
    older_mean: FloatArray,
    sums: FloatArray,
) -> None:
    product, first, second = sums[0], sums[1], sums[2]
    for j in range(len(newer_mean)):
        one, two = newer[j] - newer_mean[j], older[j] - older_mean[j]
        product[j] += one * two
        first[j] += one * one
        second[j] += two * two


@indicator(
    Category.STATISTICAL,
    inputs="close",
    parameters={
        "period": length(50, "pairs of returns"),
        "lag": length(1, "bars between the two returns of a pair", low=1),
    },
    warm_up=lambda p: int(p["period"] + p["lag"]),
    scale=Scale.RATIO,
    reference="Pearson's correlation of returns with returns `lag` bars before",
    oracle="pandas rolling corr",
)
def autocorrelation(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Autocorrelation of the returns of the window, from -1 to 1.

    0 where the returns of one side are all equal.
    """
    period, lag, n_bars = int(parameters[0]), int(parameters[1]), len(bars.close)
    size = min(BLOCK, n_bars)
    moves, newer, older = np.empty(size + period + lag), np.empty(size), np.empty(size)
    sums = np.empty((3, size))
    for start in range(first, n_bars, BLOCK):
        begin, stop = start - period - lag, min(start + BLOCK, n_bars)
        n, after, before = stop - start, bars.close[begin + 1 : stop], bars.close[begin:stop]
        returns, line = moves[: len(after)], out[0][start:stop]
        for j in range(len(returns)):
            returns[j] = (after[j] - before[j]) / before[j]
        window_mean(returns[lag:], period, newer[:n])
        window_mean(returns[: len(returns) - lag], period, older[:n])
        sums[:, :n] = 0.0
        for offset in range(period):
            late, early = returns[lag + offset :], returns[offset:]
            _add_products(late, early, newer[:n], older[:n], sums)
        product, one, two = sums[0], sums[1], sums[2]
        for j in range(n):
            value = product[j] / np.sqrt(one[j] * two[j])
            is_still = (one[j] == 0.0) | (two[j] == 0.0)
            line[j] = 0.0 if is_still else min(max(value, -1.0), 1.0) + 0.0 * value


# Order of three values: bits "first <= second", "second <= third", "first <= third". Two of the
# eight cannot happen; the last is for a missing value.
_N_ORDERS, _MISSING = 9, 8


@kernel
def _order(first: float, second: float, third: float) -> int:
    if first != first or second != second or third != third:
        return _MISSING
    return (first <= second) + 2 * (second <= third) + 4 * (first <= third)


@indicator(
    Category.STATISTICAL,
    inputs="close",
    parameters={"period": length(50, "window in bars", low=3)},
    warm_up=reach.window,
    scale=Scale.RATIO,
    reference="C. Bandt and B. Pompe, Physical Review Letters 88, 2002, order 3",
    oracle="the definition as a loop",
)
def entropy(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Permutation entropy: how evenly the six orders of three closes in a row occur.

    1 where all are equally frequent, as in noise; 0 where only one occurs, as in a steady rise.
    Of equal closes the earlier counts as the lower one.
    """
    n_triples, close, line = int(parameters[0]) - 2, bars.close, out[0]
    terms = np.zeros(n_triples + 1)
    for count in range(1, n_triples + 1):
        share = count / n_triples
        terms[count] = -share * np.log(share) / np.log(6.0)
    counts = np.zeros(_N_ORDERS, dtype=np.int64)
    # Counts are whole numbers: sliding them loses nothing.
    for t in range(first - n_triples + 1, first):
        counts[_order(close[t - 2], close[t - 1], close[t])] += 1
    for t in range(first, len(close)):
        counts[_order(close[t - 2], close[t - 1], close[t])] += 1
        total = 0.0
        for order in range(_MISSING):
            total += terms[counts[order]]
        line[t] = np.nan if counts[_MISSING] > 0 else total
        oldest = t - n_triples + 1
        counts[_order(close[oldest - 2], close[oldest - 1], close[oldest])] -= 1


@kernel
def _walk(
    returns: FloatArray, mean: FloatArray, sums: FloatArray, highest: FloatArray, lowest: FloatArray
) -> None:
    for j in range(len(mean)):
        sums[j] += returns[j] - mean[j]
        highest[j] = max(highest[j], sums[j])
        lowest[j] = min(lowest[j], sums[j])


@kernel
def _rescaled_ranges(
    returns: FloatArray, size: int, scratch: FloatArray, ranges: FloatArray
) -> None:
    """Write range by deviation of the sums of each ``size`` returns; 0 without deviation."""
    n = len(ranges)
    mean, squares, sums = scratch[0][:n], scratch[1][:n], scratch[2][:n]
    highest, lowest = scratch[3][:n], scratch[4][:n]
    window_moments(returns, size, mean, squares)
    sums[:], highest[:], lowest[:] = 0.0, 0.0, 0.0
    for offset in range(size):
        _walk(returns[offset:], mean, sums, highest, lowest)
    for j in range(n):
        ratio = (highest[j] - lowest[j]) / np.sqrt(squares[j] / size)
        ranges[j] = 0.0 if squares[j] == 0.0 else ratio


_SMALLEST = 8


@kernel
def _hurst_block(
    returns: FloatArray, period: int, n_out: int, scratch: FloatArray, line: FloatArray
) -> None:
    """Write the slopes of log rescaled range on log size, for windows of ``period`` returns."""
    n_sizes, size = 0, _SMALLEST
    while size <= period:
        n_sizes, size = n_sizes + 1, 2 * size
    centre, spread = 0.5 * (n_sizes - 1), 0.0
    for i in range(n_sizes):
        spread += (i - centre) * (i - centre)
    ranges, slope = scratch[5], scratch[6][:n_out]
    slope[:] = 0.0
    size = _SMALLEST
    for i in range(n_sizes):
        n_ranges, n_parts = len(returns) - size + 1, period // size
        _rescaled_ranges(returns, size, scratch, ranges[:n_ranges])
        line[:] = 0.0
        for part in range(n_parts):
            older = ranges[n_ranges - n_out - part * size : n_ranges - part * size]
            for j in range(n_out):
                line[j] += older[j]
        for j in range(n_out):
            # Without any movement, the line between "trends" and "turns": log2(1) = 0.
            height = np.log2(line[j] / n_parts)
            slope[j] += (i - centre) / spread * (0.5 * i if line[j] == 0.0 else height)
        size *= 2
    line[:] = slope


@indicator(
    Category.STATISTICAL,
    inputs="close",
    parameters={"period": Parameter(128, 16, 4096, "returns of the window")},
    warm_up=reach.period,
    scale=Scale.RATIO,
    reference="H. E. Hurst, Trans. ASCE 116, 1951; B. Mandelbrot and J. Wallis, 1969",
    oracle="the definition as a loop",
)
def hurst(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Hurst exponent by rescaled ranges: above 0.5 moves go on, below they turn.

    The slope of log2 of the mean rescaled range on log2 of the size, over sizes of 8, 16, 32 ...
    log returns; the parts of a size are counted back from the newest bar. Not corrected for the
    bias of short windows (about 0.6 for pure noise). 0.5 where the price stands still.
    """
    period, n_bars = int(parameters[0]), len(bars.close)
    block = min(BLOCK, n_bars)
    moves, scratch = np.empty(block + period), np.empty((7, block + period))
    for start in range(first, n_bars, BLOCK):
        begin, stop = start - period, min(start + BLOCK, n_bars)
        after, before = bars.close[begin + 1 : stop], bars.close[begin:stop]
        returns, line = moves[: len(after)], out[0][start:stop]
        for j in range(len(returns)):
            returns[j] = np.log(after[j] / before[j])
        _hurst_block(returns, period, stop - start, scratch, line)
