"""Where the close stands in its range, and how far it is from its mean."""

import numpy as np

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators import reach
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators._prices import TIE, bar_ranges, place, typical_price
from trading_pipeline.indicators._windows import (
    BLOCK,
    window_highest,
    window_lowest,
    window_mean,
)
from trading_pipeline.indicators.bars import Bars
from trading_pipeline.indicators.definition import indicator
from trading_pipeline.indicators.specs import Category, Parameters, Scale, length


@kernel
def _raw_place(
    bars: Bars, begin: int, stop: int, period: int, lowest: FloatArray, line: FloatArray
) -> None:
    """Write the place of the closes ``begin`` to ``stop`` in their ranges, in percent."""
    bottom = lowest[: stop - begin]
    window_highest(bars.high[begin - period + 1 : stop], period, line)
    window_lowest(bars.low[begin - period + 1 : stop], period, bottom)
    place(bars.close[begin:stop], bottom, line, line)


def _stochastic_reach(parameters: Parameters) -> int:
    return int(parameters["k_period"] + parameters["k_smooth"] + parameters["d_period"]) - 3


@indicator(
    Category.MOMENTUM,
    inputs="high low close",
    parameters={
        "k_period": length(14, "window of the range in bars", low=1),
        "k_smooth": length(3, "bars of the simple average that makes k", low=1),
        "d_period": length(3, "bars of the simple average of k", low=1),
    },
    outputs="k d",
    warm_up=_stochastic_reach,
    scale=Scale.PERCENT,
    reference="G. Lane, Technical Analysis of Stocks & Commodities 2:3, 1984",
    oracle="TA-Lib STOCH, simple averages",
)
def stochastic(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Slow stochastic: where the close stands in its range, and the mean of that.

    A range of 0 counts as 50, where TA-Lib says 0, which would read as oversold.
    """
    period, k_smooth, d_period = int(parameters[0]), int(parameters[1]), int(parameters[2])
    n_bars, size = len(bars.close), min(BLOCK, len(bars.close)) + k_smooth + d_period
    raw, lowest, smoothed = np.empty(size), np.empty(size), np.empty(size)
    for start in range(first, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        begin = start - d_period + 1 - k_smooth + 1
        _raw_place(bars, begin, stop, period, lowest, raw[: stop - begin])
        n_smooth = stop - start + d_period - 1
        window_mean(raw[: stop - begin], k_smooth, smoothed[:n_smooth])
        out[0][start:stop] = smoothed[d_period - 1 : n_smooth]
        window_mean(smoothed[:n_smooth], d_period, out[1][start:stop])


@indicator(
    Category.MOMENTUM,
    inputs="high low close",
    parameters={"period": length(14, low=1)},
    warm_up=reach.window,
    scale=Scale.UNBOUNDED,
    natural_scale=100.0,
    reference="L. Williams, How I Made One Million Dollars, 1973",
    oracle="TA-Lib WILLR",
)
def williams_r(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Williams %R: how far the close is below the highest high, from -100 to 0.

    A range of 0 counts as -50, where TA-Lib says 0, which would read as overbought.
    """
    period, n_bars = int(parameters[0]), len(bars.close)
    lowest = np.empty(min(BLOCK, n_bars))
    for start in range(first, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        line, bottom, close = out[0][start:stop], lowest[: stop - start], bars.close[start:stop]
        window_highest(bars.high[start - period + 1 : stop], period, line)
        window_lowest(bars.low[start - period + 1 : stop], period, bottom)
        for j in range(stop - start):
            breadth = line[j] - bottom[j]
            share = -100.0 * ((line[j] - close[j]) / breadth)
            line[j] = -50.0 if breadth == 0.0 else share


@kernel
def _add_distance(values: FloatArray, mean: FloatArray, total: FloatArray) -> None:
    for j in range(len(total)):
        total[j] += abs(values[j] - mean[j])


@kernel
def _channel_index(
    newest: FloatArray, total: FloatArray, period: int, tie: float, line: FloatArray
) -> None:
    """Turn means into the index."""
    for j in range(len(line)):
        spread = total[j] / period
        index = (newest[j] - line[j]) / (0.015 * spread)
        line[j] = 0.0 if spread <= tie * abs(line[j]) else index


@indicator(
    Category.MOMENTUM,
    inputs="high low close",
    parameters={"period": length(20)},
    warm_up=reach.window,
    scale=Scale.UNBOUNDED,
    natural_scale=100.0,
    reference="D. Lambert, Commodities, October 1980",
    oracle="TA-Lib CCI",
)
def cci(bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray) -> None:
    """Commodity channel index: how many mean deviations the typical price is off its mean.

    Mean absolute deviation around the mean, times 0.015. 0 where all typical prices of the
    window are equal.
    """
    period, n_bars, line = int(parameters[0]), len(bars.close), out[0]
    typical, total = np.empty(min(BLOCK, n_bars) + period), np.empty(min(BLOCK, n_bars))
    for start in range(first, n_bars, BLOCK):
        begin, stop = start - period + 1, min(start + BLOCK, n_bars)
        n = stop - start
        price = typical[: stop - begin]
        typical_price(bars.high[begin:stop], bars.low[begin:stop], bars.close[begin:stop], price)
        mean, spread = line[start:stop], total[:n]
        window_mean(price, period, mean)
        spread[:] = 0.0
        for offset in range(period):
            _add_distance(price[offset:], mean, spread)
        _channel_index(price[period - 1 :], spread, period, TIE, mean)


@kernel
def _pressures(
    high: FloatArray, low: FloatArray, close: FloatArray, pressure: FloatArray, breadth: FloatArray
) -> None:
    """Write close minus true low, and the true range, of bars 1, 2, ..."""
    bar_ranges(high, low, close, breadth)
    bottom, newest, before = low[1:], close[1:], close[:-1]
    for j in range(len(pressure)):
        lowest = min(bottom[j], before[j])
        pressure[j] = newest[j] - lowest


@indicator(
    Category.MOMENTUM,
    inputs="high low close",
    parameters={
        "short": length(7, "shortest window in bars"),
        "medium": length(14, "middle window in bars"),
        "long": length(28, "longest window in bars"),
    },
    warm_up=lambda p: int(max(p["short"], p["medium"], p["long"])),
    scale=Scale.PERCENT,
    reference="L. Williams, Technical Analysis of Stocks & Commodities 3:4, 1985",
    oracle="TA-Lib ULTOSC",
)
def ultimate(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Ultimate oscillator: buying pressure by true range over three windows, weighted 4 : 2 : 1.

    A window without any true range counts as 50.
    """
    n_bars, longest = len(bars.close), int(parameters.max())
    size = min(BLOCK, n_bars) + longest
    pressure, breadth = np.empty(size), np.empty(size)
    mean, whole = np.empty(size), np.empty(size)
    for start in range(first, n_bars, BLOCK):
        begin, stop = start - longest, min(start + BLOCK, n_bars)
        line, n, n_ranges = out[0][start:stop], stop - start, stop - begin - 1
        high, low, close = bars.high[begin:stop], bars.low[begin:stop], bars.close[begin:stop]
        _pressures(high, low, close, pressure[:n_ranges], breadth[:n_ranges])
        line[:] = 0.0
        for i in range(3):
            period, weight = int(parameters[i]), (4.0, 2.0, 1.0)[i] / 7.0
            skipped = longest - period
            window_mean(pressure[skipped:n_ranges], period, mean[:n])
            window_mean(breadth[skipped:n_ranges], period, whole[:n])
            for j in range(n):
                share = 100.0 * (mean[j] / whole[j])
                line[j] += weight * (50.0 if whole[j] == 0.0 else share)
