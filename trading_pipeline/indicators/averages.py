"""Moving averages, drawn over the price."""

import numpy as np

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators import reach
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators._smoothing import follow, smooth_from_mean
from trading_pipeline.indicators._weighted import window_weighted_mean
from trading_pipeline.indicators._windows import BLOCK, window_mean
from trading_pipeline.indicators.bars import Bars
from trading_pipeline.indicators.definition import indicator
from trading_pipeline.indicators.specs import Category, Parameters, Scale, length

_FAST, _SLOW = 2.0 / 3.0, 2.0 / 31.0


@indicator(
    Category.OVERLAP,
    inputs="close",
    parameters={"period": length(20, low=1)},
    warm_up=reach.window,
    scale=Scale.PRICE,
    reference="the arithmetic mean",
    oracle="TA-Lib SMA",
)
def sma(bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray) -> None:
    """Simple moving average: the mean of the last ``period`` closes."""
    period = int(parameters[0])
    window_mean(bars.close[first - period + 1 :], period, out[0][first:])


@indicator(
    Category.OVERLAP,
    inputs="close",
    parameters={"period": length(20, "nominal length in bars")},
    warm_up=reach.window,
    n_states=lambda _: 4,
    memory=lambda p: reach.exponential(p["period"]),
    scale=Scale.PRICE,
    reference="R. Brown, Statistical Forecasting for Inventory Control, 1959",
    oracle="TA-Lib EMA",
)
def ema(bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray) -> None:
    """Exponential moving average with the smoothing 2 / (period + 1).

    The mean of the first ``period`` closes starts it.
    """
    period, seen = int(parameters[0]), int(state[0])
    decay = 1.0 - 2.0 / (period + 1)
    smooth_from_mean(bars.close[first:], seen, period, decay, state[1:], out[0][first:])


@indicator(
    Category.OVERLAP,
    inputs="close",
    parameters={"period": length(20)},
    warm_up=reach.window,
    scale=Scale.PRICE,
    reference="the mean with weights 1, 2, ..., period",
    oracle="TA-Lib WMA",
)
def wma(bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray) -> None:
    """Weighted moving average: the newest close counts ``period`` times, the oldest once."""
    period = int(parameters[0])
    window_weighted_mean(bars.close[first - period + 1 :], period, out[0][first:])


@kernel
def _chain(
    values: FloatArray, seen: int, period: int, state: FloatArray, once: FloatArray
) -> FloatArray:
    """Smooth into ``once``; return the part of it that is complete."""
    decay = 1.0 - 2.0 / (period + 1)
    smooth_from_mean(values, seen, period, decay, state, once)
    return once[min(max(period - 1 - seen, 0), len(once)) :]


@indicator(
    Category.OVERLAP,
    inputs="close",
    parameters={"period": length(20, "nominal length in bars")},
    warm_up=lambda p: 2 * reach.window(p),
    n_states=lambda _: 8,
    memory=lambda p: 2 * reach.exponential(p["period"]),
    scale=Scale.PRICE,
    reference="P. Mulloy, Technical Analysis of Stocks & Commodities 12:1, 1994",
    oracle="TA-Lib DEMA",
)
def dema(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Double exponential moving average: 2 EMA - EMA of the EMA."""
    period, n_bars = int(parameters[0]), len(bars.close)
    once, twice = np.empty(min(BLOCK, n_bars)), np.empty(min(BLOCK, n_bars))
    for start in range(first, n_bars, BLOCK):
        values, line = bars.close[start : start + BLOCK], out[0][start : start + BLOCK]
        seen, n = int(state[0]) + start - first, len(line)
        known = _chain(values, seen, period, state[1:5], once[:n])
        later = max(seen - period + 1, 0)
        _chain(known, later, period, state[5:9], twice[: len(known)])
        head = n - len(known)
        for j in range(head, n):
            line[j] = 2.0 * once[j] - twice[j - head]


@indicator(
    Category.OVERLAP,
    inputs="close",
    parameters={"period": length(20, "nominal length in bars")},
    warm_up=lambda p: 3 * reach.window(p),
    n_states=lambda _: 12,
    memory=lambda p: 3 * reach.exponential(p["period"]),
    scale=Scale.PRICE,
    reference="P. Mulloy, Technical Analysis of Stocks & Commodities 12:1, 1994",
    oracle="TA-Lib TEMA",
)
def tema(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Triple exponential moving average: 3 EMA - 3 EMA of it + EMA of that."""
    period, n_bars = int(parameters[0]), len(bars.close)
    size = min(BLOCK, n_bars)
    once, twice, thrice = np.empty(size), np.empty(size), np.empty(size)
    for start in range(first, n_bars, BLOCK):
        values, line = bars.close[start : start + BLOCK], out[0][start : start + BLOCK]
        seen, n = int(state[0]) + start - first, len(line)
        one = _chain(values, seen, period, state[1:5], once[:n])
        later = max(seen - period + 1, 0)
        two = _chain(one, later, period, state[5:9], twice[: len(one)])
        later = max(later - period + 1, 0)
        _chain(two, later, period, state[9:13], thrice[: len(two)])
        one = one[len(one) - len(two) :]
        tail = line[n - len(two) :]
        for j in range(len(two)):
            tail[j] = 3.0 * (one[j] - two[j]) + thrice[j]


@kernel
def _efficiency(
    close: FloatArray, period: int, steps: FloatArray, paths: FloatArray, shares: FloatArray
) -> None:
    """Write the squared smoothing constants of the closes from ``period`` on."""
    after, before = close[1:], close[:-1]
    for j in range(len(after)):
        steps[j] = abs(after[j] - before[j])
    window_mean(steps[: len(after)], period, paths)
    newest, oldest = close[period:], close[: len(close) - period]
    for j in range(len(shares)):
        path, way = paths[j] * period, abs(newest[j] - oldest[j])
        ratio = 1.0 if path <= way else way / path
        constant = ratio * (_FAST - _SLOW) + _SLOW
        shares[j] = constant * constant


@indicator(
    Category.OVERLAP,
    inputs="close",
    parameters={"period": length(30, "bars of the efficiency ratio")},
    warm_up=reach.period,
    n_states=lambda _: 4,
    lookback=reach.period,
    # In a market without direction the constant is (2 / 31) squared.
    memory=lambda p: int(p["period"]) + reach.fading(1.0 - _SLOW * _SLOW),
    scale=Scale.PRICE,
    reference="P. Kaufman, Smarter Trading, 1995; constants of 2 and 30 bars",
    oracle="TA-Lib KAMA",
)
def kama(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Kaufman's adaptive moving average: quick where the price goes one way, slow where it turns.

    It starts from the close before its first value.
    """
    period, n_bars = int(parameters[0]), len(bars.close)
    begin = first + max(period - int(state[0]), 0)
    if begin > first and begin <= n_bars:
        state[1] = bars.close[begin - 1]
    size = min(BLOCK, n_bars)
    steps, paths, shares = np.empty(size + period), np.empty(size), np.empty(size)
    for start in range(begin, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        n = stop - start
        _efficiency(bars.close[start - period : stop], period, steps, paths[:n], shares[:n])
        follow(shares[:n], bars.close[start:stop], state[1:], out[0][start:stop])


def _hull_reach(parameters: Parameters) -> int:
    period = int(parameters["period"])
    return period + int(period**0.5) - 2


@indicator(
    Category.OVERLAP,
    inputs="close",
    parameters={"period": length(16, low=4)},
    warm_up=_hull_reach,
    scale=Scale.PRICE,
    reference="A. Hull, https://alanhull.com/hull-moving-average, 2005",
    oracle="TA-Lib HMA",
)
def hma(bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray) -> None:
    """Hull moving average: WMA over sqrt(period) of 2 WMA(period / 2) - WMA(period).

    Half the period and its root are rounded down.
    """
    period = int(parameters[0])
    half, root = period // 2, int(np.sqrt(period))
    n_bars, size = len(bars.close), min(BLOCK, len(bars.close)) + root
    short, long = np.empty(size), np.empty(size)
    for start in range(first, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        # The inner averages from root - 1 bars before the block on.
        begin = start - root + 1
        n = stop - begin
        window_weighted_mean(bars.close[begin - half + 1 : stop], half, short[:n])
        window_weighted_mean(bars.close[begin - period + 1 : stop], period, long[:n])
        for j in range(n):
            short[j] = 2.0 * short[j] - long[j]
        window_weighted_mean(short[:n], root, out[0][start:stop])
