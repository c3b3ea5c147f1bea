"""Bands and channels, drawn around the price."""

import numpy as np

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators import reach
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators._prices import bar_ranges
from trading_pipeline.indicators._smoothing import smooth_from_mean
from trading_pipeline.indicators._windows import (
    BLOCK,
    window_highest,
    window_lowest,
    window_moments,
)
from trading_pipeline.indicators.bars import Bars
from trading_pipeline.indicators.definition import indicator
from trading_pipeline.indicators.specs import Category, Parameter, Parameters, Scale, length

_BOLLINGER = "J. Bollinger, Bollinger on Bollinger Bands, 2001"
_DEVIATIONS = Parameter(2.0, 0.01, 100.0, "half width in population standard deviations")


@kernel
def _bands(
    mean: FloatArray, squares: FloatArray, factor: float, upper: FloatArray, lower: FloatArray
) -> None:
    for j in range(len(mean)):
        half_width = factor * np.sqrt(squares[j])
        upper[j] = mean[j] + half_width
        lower[j] = mean[j] - half_width


@indicator(
    Category.OVERLAP,
    inputs="close",
    parameters={"period": length(20), "deviations": _DEVIATIONS},
    outputs="upper middle lower",
    warm_up=reach.window,
    scale=Scale.PRICE,
    reference=_BOLLINGER,
    oracle="TA-Lib BBANDS",
)
def bollinger(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Bollinger bands: the mean, and so many standard deviations around it.

    Population deviation, as in the book. Equal closes give three equal bands.
    """
    period, upper, middle, lower = int(parameters[0]), out[0], out[1], out[2]
    factor, n_bars = parameters[1] / np.sqrt(period), len(bars.close)
    squares = np.empty(min(BLOCK, n_bars))
    for start in range(first, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        mean, part = middle[start:stop], squares[: stop - start]
        window_moments(bars.close[start - period + 1 : stop], period, mean, part)
        _bands(mean, part, factor, upper[start:stop], lower[start:stop])


@indicator(
    Category.VOLATILITY,
    inputs="close",
    parameters={"period": length(20), "deviations": _DEVIATIONS},
    warm_up=reach.window,
    scale=Scale.RATIO,
    natural_scale=0.1,
    reference=_BOLLINGER,
    oracle="TA-Lib BBANDS: (upper - lower) / middle",
)
def bollinger_width(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Bollinger band width: (upper - lower) / middle, a fraction of the price."""
    period, line = int(parameters[0]), out[0]
    factor, n_bars = 2.0 * parameters[1] / np.sqrt(period), len(bars.close)
    means, squares = np.empty(min(BLOCK, n_bars)), np.empty(min(BLOCK, n_bars))
    for start in range(first, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        n = stop - start
        window_moments(bars.close[start - period + 1 : stop], period, means[:n], squares[:n])
        part = line[start:stop]
        for j in range(n):
            part[j] = factor * np.sqrt(squares[j]) / means[j]


@indicator(
    Category.VOLATILITY,
    inputs="close",
    parameters={"period": length(20), "deviations": _DEVIATIONS},
    warm_up=reach.window,
    scale=Scale.RATIO,
    reference=_BOLLINGER,
    oracle="TA-Lib BBANDS: (close - lower) / (upper - lower)",
)
def bollinger_percent_b(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Bollinger %B: where the close stands between the bands, 0 at the lower, 1 at the upper.

    0.5 where the bands have no width.
    """
    period, line = int(parameters[0]), out[0]
    factor, n_bars = 2.0 * parameters[1] / np.sqrt(period), len(bars.close)
    means, squares = np.empty(min(BLOCK, n_bars)), np.empty(min(BLOCK, n_bars))
    for start in range(first, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        n = stop - start
        window_moments(bars.close[start - period + 1 : stop], period, means[:n], squares[:n])
        part, newest = line[start:stop], bars.close[start:stop]
        for j in range(n):
            breadth = factor * np.sqrt(squares[j])
            place = 0.5 + (newest[j] - means[j]) / breadth
            part[j] = 0.5 if squares[j] == 0.0 else place


def _keltner_reach(parameters: Parameters) -> int:
    return max(int(parameters["period"]) - 1, int(parameters["atr_period"]))


@indicator(
    Category.OVERLAP,
    inputs="high low close",
    parameters={
        "period": length(20, "length of the EMA in bars"),
        "atr_period": length(10, "length of the average true range in bars"),
        "multiplier": Parameter(2.0, 0.01, 100.0, "half width in average true ranges"),
    },
    outputs="upper middle lower",
    warm_up=_keltner_reach,
    n_states=lambda _: 8,
    lookback=lambda _: 1,
    memory=lambda p: max(reach.exponential(p["period"]), 1 + reach.wilder(p["atr_period"])),
    scale=Scale.PRICE,
    reference="L. Raschke's form of C. Keltner's channels; ChartSchool: EMA 20, ATR 10, 2",
    oracle="TA-Lib EMA and ATR",
)
def keltner(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Keltner channels: an EMA of the close, and so many average true ranges around it."""
    period, wilder, factor = int(parameters[0]), int(parameters[1]), parameters[2]
    upper, middle, lower, n_bars = out[0], out[1], out[2], len(bars.close)
    seen = int(state[0])
    ranges = np.empty(min(BLOCK, n_bars))
    for start in range(first, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        passed = seen + start - first
        mean, decay = middle[start:stop], 1.0 - 2.0 / (period + 1)
        smooth_from_mean(bars.close[start:stop], passed, period, decay, state[1:5], mean)
        begin = max(start, 1)
        high, low, close = bars.high[begin - 1 : stop], bars.low[begin - 1 : stop], bars.close
        breadth = ranges[: stop - begin]
        bar_ranges(high, low, close[begin - 1 : stop], breadth)
        decay, passed = 1.0 - 1.0 / wilder, max(passed - 1, 0)
        smooth_from_mean(breadth, passed, wilder, decay, state[5:9], breadth)
        top, bottom = upper[begin:stop], lower[begin:stop]
        mean = middle[begin:stop]
        for j in range(len(breadth)):
            top[j] = mean[j] + factor * breadth[j]
            bottom[j] = mean[j] - factor * breadth[j]


@indicator(
    Category.OVERLAP,
    inputs="high low",
    parameters={"period": length(20, low=1)},
    outputs="upper middle lower",
    warm_up=reach.window,
    scale=Scale.PRICE,
    reference="R. Donchian's four-week rule; the newest bar included",
    oracle="TA-Lib MAX and MIN",
)
def donchian(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Donchian channel: highest high and lowest low of the window, and the middle of both."""
    period, n_bars = int(parameters[0]), len(bars.high)
    upper, middle, lower = out[0], out[1], out[2]
    for start in range(first, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        top, mid, bottom = upper[start:stop], middle[start:stop], lower[start:stop]
        window_highest(bars.high[start - period + 1 : stop], period, top)
        window_lowest(bars.low[start - period + 1 : stop], period, bottom)
        for j in range(stop - start):
            mid[j] = 0.5 * (top[j] + bottom[j])


@kernel
def _middle(
    high: FloatArray,
    low: FloatArray,
    begin: int,
    stop: int,
    period: int,
    scratch: FloatArray,
    line: FloatArray,
) -> None:
    """Write the middle of the extremes of the windows that end at bars ``begin`` to ``stop``."""
    part = scratch[: stop - begin]
    window_highest(high[begin - period + 1 : stop], period, line)
    window_lowest(low[begin - period + 1 : stop], period, part)
    for j in range(len(part)):
        line[j] = 0.5 * (line[j] + part[j])


def _ichimoku_reach(parameters: Parameters) -> int:
    longest = max(parameters["conversion"], parameters["base"], parameters["span"])
    return int(longest + parameters["displacement"]) - 1


@indicator(
    Category.OVERLAP,
    inputs="high low close",
    parameters={
        "conversion": length(9, "window of the conversion line in bars", low=1),
        "base": length(26, "window of the base line in bars", low=1),
        "span": length(52, "window of the second leading span in bars", low=1),
        "displacement": length(26, "bars by which the cloud is drawn ahead", low=1),
    },
    outputs="conversion base span_a span_b lagging",
    warm_up=_ichimoku_reach,
    scale=Scale.PRICE,
    reference="G. Hosoda, Ichimoku Kinko Hyo, 1969; ChartSchool",
    oracle="TA-Lib MIDPRICE, displaced",
)
def ichimoku(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Ichimoku: conversion and base line, the cloud that stands at the bar, the lagging span.

    ``span_a`` and ``span_b`` are the cloud drawn over the bar, computed ``displacement`` bars
    before. The lagging span of a chart is the close drawn back over an older bar, so at a bar it
    is read as the close minus the close ``displacement`` bars before: above 0 where the span
    stands over the price. No line reads a later bar.
    """
    high, low, close, n_bars = bars.high, bars.low, bars.close, len(bars.close)
    fast, slow, wide = int(parameters[0]), int(parameters[1]), int(parameters[2])
    behind = int(parameters[3])
    scratch, past = np.empty(min(BLOCK, n_bars)), np.empty(min(BLOCK, n_bars))
    for start in range(first, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        _middle(high, low, start, stop, fast, scratch, out[0][start:stop])
        _middle(high, low, start, stop, slow, scratch, out[1][start:stop])
        begin, end = start - behind, stop - behind
        span = out[2][start:stop]
        part = past[: stop - start]
        _middle(high, low, begin, end, fast, scratch, span)
        _middle(high, low, begin, end, slow, scratch, part)
        for j in range(len(span)):
            span[j] = 0.5 * (span[j] + part[j])
        _middle(high, low, begin, end, wide, scratch, out[3][start:stop])
        newest, older, lagging = close[start:stop], close[begin:end], out[4][start:stop]
        for j in range(len(lagging)):
            lagging[j] = newest[j] - older[j]
