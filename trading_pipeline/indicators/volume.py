"""Indicators that weigh prices by what was traded."""

import numpy as np

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators import reach
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators._prices import TIE, percentage, typical_price
from trading_pipeline.indicators._smoothing import smooth_from_mean
from trading_pipeline.indicators._windows import BLOCK, window_mean, window_scores
from trading_pipeline.indicators.bars import Bars
from trading_pipeline.indicators.definition import indicator
from trading_pipeline.indicators.specs import Category, Scale, length


@kernel
def _signed_volume(close: FloatArray, volume: FloatArray, out: FloatArray) -> None:
    """Write the volumes of bars 1, 2, ... with the sign of the change; a NaN stays one."""
    after, before = close[1:], close[:-1]
    for j in range(len(out)):
        change = after[j] - before[j]
        side = 1.0 if change > 0.0 else 0.0 * change
        side = -1.0 if change < 0.0 else side
        out[j] = side * volume[j]


@indicator(
    Category.VOLUME,
    inputs="close volume",
    warm_up=lambda _: 0,
    n_states=lambda _: 1,
    lookback=lambda _: 1,
    memory=reach.for_ever,
    scale=Scale.VOLUME,
    reference="J. Granville, New Key to Stock Market Profits, 1963",
    oracle="TA-Lib OBV",
)
def obv(bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray) -> None:
    """On-balance volume: traded volume with the sign of the price change, summed.

    In the base currency, starting with the first volume. Its level depends on the first bar for
    ever, so that only differences carry meaning.
    """
    n_bars, total, line = len(bars.close), state[1], out[0]
    if first == 0 and n_bars > 0:
        total = bars.volume[0] + 0.0 * bars.close[0]
        line[0] = total
    for start in range(max(first, 1), n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        part = line[start:stop]
        _signed_volume(bars.close[start - 1 : stop], bars.volume[start:stop], part)
        for j in range(len(part)):
            total += part[j]
            part[j] = total
    state[1] = total


@kernel
def _flows(
    typical: FloatArray, volume: FloatArray, tie: float, inflow: FloatArray, outflow: FloatArray
) -> None:
    """Write the turnover of bars 1, 2, ... that came with a rise and with a fall."""
    after, before = typical[1:], typical[:-1]
    for j in range(len(inflow)):
        change, near = after[j] - before[j], tie * abs(after[j])
        # 0 times a NaN is NaN, so that no missing value passes as no turnover.
        turnover = after[j] * volume[j] + 0.0 * change
        inflow[j] = turnover if change > near else 0.0 * turnover
        outflow[j] = turnover if change < -near else 0.0 * turnover


@indicator(
    Category.VOLUME,
    inputs="high low close volume",
    parameters={"period": length(14, "number of price changes")},
    warm_up=reach.period,
    scale=Scale.PERCENT,
    reference="G. Quong and A. Soudack, Technical Analysis of Stocks & Commodities 7:3, 1989",
    oracle="TA-Lib MFI on whole ticks",
)
def mfi(bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray) -> None:
    """Money flow index: the share of the turnover that came with rising prices.

    50 where no turnover came with a change of price; TA-Lib says 0 there, and wherever that
    turnover is below 1. Typical prices that differ only by the rounding of decimals are equal.
    """
    period, n_bars = int(parameters[0]), len(bars.close)
    size = min(BLOCK, n_bars) + period
    typical, inflow, outflow = np.empty(size), np.empty(size), np.empty(size)
    lost = np.empty(min(BLOCK, n_bars))
    for start in range(first, n_bars, BLOCK):
        begin, stop = start - period, min(start + BLOCK, n_bars)
        n, n_moves, gained = stop - start, stop - begin - 1, out[0][start:stop]
        price = typical[: stop - begin]
        typical_price(bars.high[begin:stop], bars.low[begin:stop], bars.close[begin:stop], price)
        volume = bars.volume[begin + 1 : stop]
        _flows(price, volume, TIE, inflow[:n_moves], outflow[:n_moves])
        # Means instead of sums: the ratio is the same.
        window_mean(inflow[:n_moves], period, gained)
        window_mean(outflow[:n_moves], period, lost[:n])
        percentage(gained, lost[:n], gained)


@kernel
def _weighted(
    price: FloatArray,
    volume: FloatArray,
    period: int,
    amount: FloatArray,
    traded: FloatArray,
    line: FloatArray,
) -> None:
    """Write the mean price of each window by volume; the plain mean where nothing was traded."""
    for j in range(len(price)):
        amount[j] = price[j] * volume[j]
    window_mean(amount[: len(price)], period, line)
    window_mean(volume, period, traded)
    is_silent = False
    for j in range(len(line)):
        is_silent |= traded[j] == 0.0
    if is_silent:
        window_mean(price, period, amount[: len(line)])
    for j in range(len(line)):
        share = line[j] / traded[j]
        line[j] = amount[j] if traded[j] == 0.0 else share


@indicator(
    Category.VOLUME,
    inputs="high low close volume",
    parameters={"period": length(24, low=1)},
    warm_up=reach.window,
    scale=Scale.PRICE,
    reference="turnover by volume, over a window that rolls",
    oracle="pandas rolling sums of turnover and volume",
)
def vwap(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Rolling volume-weighted average of the typical price.

    The plain mean of the typical prices where nothing was traded in the whole window.
    """
    period, n_bars = int(parameters[0]), len(bars.close)
    size = min(BLOCK, n_bars) + period
    typical, amount, traded = np.empty(size), np.empty(size), np.empty(size)
    for start in range(first, n_bars, BLOCK):
        begin, stop = start - period + 1, min(start + BLOCK, n_bars)
        price, volume = typical[: stop - begin], bars.volume[begin:stop]
        typical_price(bars.high[begin:stop], bars.low[begin:stop], bars.close[begin:stop], price)
        _weighted(price, volume, period, amount, traded[: stop - start], out[0][start:stop])


@indicator(
    Category.VOLUME,
    inputs="close volume",
    parameters={"period": length(20, low=1)},
    warm_up=reach.window,
    scale=Scale.PRICE,
    reference="the mean of closes weighted by volume",
    oracle="TA-Lib VWMA",
)
def vwma(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Volume-weighted moving average of the closes; the plain mean where nothing was traded."""
    period, n_bars = int(parameters[0]), len(bars.close)
    size = min(BLOCK, n_bars) + period
    amount, traded = np.empty(size), np.empty(size)
    for start in range(first, n_bars, BLOCK):
        begin, stop = start - period + 1, min(start + BLOCK, n_bars)
        price, volume = bars.close[begin:stop], bars.volume[begin:stop]
        _weighted(price, volume, period, amount, traded[: stop - start], out[0][start:stop])


@indicator(
    Category.VOLUME,
    inputs="open high low close",
    parameters={"period": length(24, low=1)},
    warm_up=reach.window,
    scale=Scale.PRICE,
    reference="the mean of (open + high + low + close) / 4",
    oracle="TA-Lib AVGPRICE and SMA",
)
def twap(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Time-weighted average price: the mean of the four prices of every bar of the window."""
    period, n_bars = int(parameters[0]), len(bars.close)
    average = np.empty(min(BLOCK, n_bars) + period)
    for start in range(first, n_bars, BLOCK):
        begin, stop = start - period + 1, min(start + BLOCK, n_bars)
        opened, high = bars.open[begin:stop], bars.high[begin:stop]
        low, close = bars.low[begin:stop], bars.close[begin:stop]
        for j in range(stop - begin):
            average[j] = 0.25 * ((opened[j] + high[j]) + (low[j] + close[j]))
        window_mean(average[: stop - begin], period, out[0][start:stop])


@kernel
def _accumulation(
    high: FloatArray, low: FloatArray, close: FloatArray, volume: FloatArray, flow: FloatArray
) -> None:
    """Write the volume times where the close stands in the bar, from -1 to 1; 0 without range."""
    for j in range(len(flow)):
        breadth = high[j] - low[j]
        place = ((close[j] - low[j]) - (high[j] - close[j])) / breadth
        flow[j] = 0.0 * volume[j] if breadth == 0.0 else place * volume[j]


@indicator(
    Category.VOLUME,
    inputs="high low close volume",
    parameters={"period": length(20, low=1)},
    warm_up=reach.window,
    scale=Scale.RATIO,
    reference="M. Chaikin; ChartSchool",
    oracle="TA-Lib CMF",
)
def cmf(bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray) -> None:
    """Chaikin money flow: accumulated by traded volume of the window, from -1 to 1.

    0 where nothing was traded.
    """
    period, n_bars = int(parameters[0]), len(bars.close)
    flow, traded = np.empty(min(BLOCK, n_bars) + period), np.empty(min(BLOCK, n_bars))
    for start in range(first, n_bars, BLOCK):
        begin, stop = start - period + 1, min(start + BLOCK, n_bars)
        high, low, close = bars.high[begin:stop], bars.low[begin:stop], bars.close[begin:stop]
        volume, part, line = bars.volume[begin:stop], flow[: stop - begin], out[0][start:stop]
        _accumulation(high, low, close, volume, part)
        window_mean(part, period, line)
        window_mean(volume, period, traded[: stop - start])
        for j in range(stop - start):
            share = line[j] / traded[j]
            line[j] = 0.0 if traded[j] == 0.0 else share


@indicator(
    Category.VOLUME,
    inputs="high low close volume",
    warm_up=lambda _: 0,
    n_states=lambda _: 1,
    memory=reach.for_ever,
    scale=Scale.VOLUME,
    reference="M. Chaikin; ChartSchool",
    oracle="TA-Lib AD",
)
def accumulation_distribution(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Accumulation / distribution line: volume by where the close stands in the bar, summed.

    Its level depends on the first bar for ever, so that only differences carry meaning.
    """
    n_bars, total, line = len(bars.close), state[1], out[0]
    for start in range(first, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        part, high, low = line[start:stop], bars.high[start:stop], bars.low[start:stop]
        _accumulation(high, low, bars.close[start:stop], bars.volume[start:stop], part)
        for j in range(len(part)):
            total += part[j]
            part[j] = total
    state[1] = total


@indicator(
    Category.VOLUME,
    inputs="close volume",
    parameters={"period": length(13, "length of the EMA in bars")},
    warm_up=reach.period,
    n_states=lambda _: 4,
    lookback=lambda _: 1,
    memory=lambda p: 1 + reach.exponential(p["period"]),
    scale=Scale.UNBOUNDED,
    natural_scale=1.0,
    reference="A. Elder, Trading for a Living, 1993",
    oracle="TA-Lib EFI",
)
def force_index(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Elder's force index: the EMA of price change times volume."""
    period, n_bars = int(parameters[0]), len(bars.close)
    decay = 1.0 - 2.0 / (period + 1)
    for start in range(max(first, 1), n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        after, before = bars.close[start:stop], bars.close[start - 1 : stop - 1]
        volume, line = bars.volume[start:stop], out[0][start:stop]
        for j in range(len(line)):
            line[j] = (after[j] - before[j]) * volume[j]
        seen = int(state[0]) + start - first - 1
        smooth_from_mean(line, seen, period, decay, state[1:], line)


@indicator(
    Category.VOLUME,
    inputs="volume",
    parameters={"period": length(24)},
    warm_up=reach.window,
    scale=Scale.UNBOUNDED,
    reference="(volume - mean) / population standard deviation",
    oracle="TA-Lib SMA and STDDEV",
)
def volume_zscore(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """How unusual the volume is: standard deviations off the mean of its window.

    The bar itself is in the window. 0 where all volumes of the window are equal.
    """
    period = int(parameters[0])
    window_scores(bars.volume[first - period + 1 :], period, out[0][first:])
