"""How strong a trend is, and which way it goes."""

import numpy as np

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators import reach
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators._prices import TIE, bar_ranges
from trading_pipeline.indicators._smoothing import smooth, smooth_from_mean
from trading_pipeline.indicators._windows import (
    BLOCK,
    window_highest,
    window_lowest,
    window_mean,
)
from trading_pipeline.indicators.bars import Bars
from trading_pipeline.indicators.definition import indicator
from trading_pipeline.indicators.specs import Category, Parameter, Scale, length

_WILDER = "J. W. Wilder, New Concepts in Technical Trading Systems, 1978"


@kernel
def _movements(
    high: FloatArray, low: FloatArray, tie: float, ups: FloatArray, downs: FloatArray
) -> None:
    """Write Wilder's directional movements of bars 1, 2, ...; a NaN makes both NaN."""
    top, bottom, top_before, bottom_before = high[1:], low[1:], high[:-1], low[:-1]
    for j in range(len(ups)):
        rise, fall = top[j] - top_before[j], bottom_before[j] - bottom[j]
        near = tie * abs(top[j])
        still = 0.0 * (rise + fall)
        ups[j] = rise if (rise > 0.0) & (rise > fall + near) else still
        downs[j] = fall if (fall > 0.0) & (fall > rise + near) else still


@kernel
def _smooth_from_sum(values: FloatArray, seen: int, period: int, state: FloatArray) -> None:
    """Smooth in place from the sum of the first ``period - 1`` values by ``period``."""
    n_seed = min(max(period - 1 - seen, 0), len(values))
    for j in range(n_seed):
        state[0] += values[j]
    if n_seed > 0 and seen + n_seed == period - 1:
        state[0] /= period
    smooth(values[n_seed:], 1.0 - 1.0 / period, state, values[n_seed:])


@kernel
def _directions(
    breadth: FloatArray, ups: FloatArray, downs: FloatArray, plus: FloatArray, minus: FloatArray
) -> None:
    """Write the directional indicators, and their distance into ``breadth``."""
    for j in range(len(plus)):
        flat = breadth[j] == 0.0
        up, down = 100.0 * (ups[j] / breadth[j]), 100.0 * (downs[j] / breadth[j])
        plus[j] = 0.0 if flat else up
        minus[j] = 0.0 if flat else down
        total = plus[j] + minus[j]
        distance = 100.0 * (abs(plus[j] - minus[j]) / total)
        breadth[j] = 0.0 if total == 0.0 else distance


@indicator(
    Category.TREND,
    inputs="high low close",
    parameters={"period": length(14, "length of Wilder's smoothing in bars")},
    outputs="adx plus_di minus_di",
    warm_up=lambda p: 2 * int(p["period"]) - 1,
    n_states=lambda _: 16,
    lookback=lambda _: 1,
    memory=lambda p: 2 * reach.wilder(p["period"]),
    scale=Scale.PERCENT,
    reference=f"{_WILDER}, pp. 35-47",
    oracle="TA-Lib ADX, PLUS_DI, MINUS_DI on whole ticks",
)
def adx(bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray) -> None:
    """Average directional index, and the two directional indicators.

    As in TA-Lib, the smoothing starts from ``period - 1`` movements. All three are 0 while
    nothing has moved. Up and down movements that differ only by the rounding of decimal prices
    count as equal, so that neither has a direction.
    """
    period, n_bars = int(parameters[0]), len(bars.close)
    size, decay = min(BLOCK, n_bars), 1.0 - 1.0 / period
    breadth, ups, downs = np.empty(size), np.empty(size), np.empty(size)
    for start in range(max(first, 1), n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        n, seen = stop - start, int(state[0]) + start - first - 1
        high, low, close = bars.high[start - 1 : stop], bars.low[start - 1 : stop], bars.close
        bar_ranges(high, low, close[start - 1 : stop], breadth[:n])
        _movements(high, low, TIE, ups[:n], downs[:n])
        _smooth_from_sum(breadth[:n], seen, period, state[1:5])
        _smooth_from_sum(ups[:n], seen, period, state[5:9])
        _smooth_from_sum(downs[:n], seen, period, state[9:13])
        skip = min(max(period - 1 - seen, 0), n)
        plus, minus = out[1][start + skip : stop], out[2][start + skip : stop]
        distance, passed = breadth[skip:n], max(seen - period + 1, 0)
        _directions(distance, ups[skip:n], downs[skip:n], plus, minus)
        index = out[0][start + skip : stop]
        smooth_from_mean(distance, passed, period, decay, state[13:17], index)


@indicator(
    Category.TREND,
    inputs="high low close",
    parameters={
        "period": length(10, "length of the average true range in bars"),
        "multiplier": Parameter(3.0, 0.01, 100.0, "distance in average true ranges"),
    },
    outputs="supertrend direction",
    warm_up=reach.period,
    n_states=lambda _: 7,
    lookback=lambda _: 1,
    memory=reach.for_ever,
    scale=Scale.PRICE,
    reference="O. Seban, Tout le monde mérite d'être riche, 2008",
    oracle="TA-Lib SUPERTREND",
)
def supertrend(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """SuperTrend: a stop that follows the price, below it in an uptrend (1), else above it (-1).

    The bands stand ``multiplier`` average true ranges around the middle of the bar, and only
    tighten until the close crosses them. As in TA-Lib it starts in an uptrend; that, and a band
    that never loosened since, is remembered until both bands were crossed.
    """
    period, factor = int(parameters[0]), parameters[1]
    n_bars, decay = len(bars.close), 1.0 - 1.0 / period
    ranges = np.empty(min(BLOCK, n_bars))
    upper, lower, side = state[5], state[6], state[7]
    for start in range(max(first, 1), n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        seen = int(state[0]) + start - first - 1
        high, low, close = bars.high[start:stop], bars.low[start:stop], bars.close[start:stop]
        before, breadth = bars.close[start - 1 : stop - 1], ranges[: stop - start]
        bar_ranges(bars.high[start - 1 : stop], bars.low[start - 1 : stop],
                   bars.close[start - 1 : stop], breadth)  # fmt: skip
        smooth_from_mean(breadth, seen, period, decay, state[1:5], breadth)
        line, way = out[0][start:stop], out[1][start:stop]
        for j in range(min(max(period - 1 - seen, 0), len(breadth)), len(breadth)):
            middle, apart = 0.5 * (high[j] + low[j]), factor * breadth[j]
            top, bottom = middle + apart, middle - apart
            if side == 0.0:
                upper, lower = top, bottom
                side = 1.0
            else:
                upper = upper if (top >= upper) & (before[j] <= upper) else top
                lower = lower if (bottom <= lower) & (before[j] >= lower) else bottom
                side = (1.0 if close[j] >= lower else -1.0) if side > 0.0 else (
                    1.0 if close[j] > upper else -1.0
                )  # fmt: skip
            # From the next bar on, the average true range carries a missing value.
            missing = 0.0 * (top + bottom + close[j])
            line[j] = (lower if side > 0.0 else upper) + missing
            way[j] = side + missing
    state[5], state[6], state[7] = upper, lower, side


@indicator(
    Category.TREND,
    inputs="high low",
    parameters={
        "acceleration": Parameter(0.02, 0.0001, 1.0, "first factor, and what each extreme adds"),
        "maximum": Parameter(0.2, 0.0001, 1.0, "largest factor"),
    },
    warm_up=lambda _: 1,
    n_states=lambda _: 4,
    lookback=lambda _: 1,
    memory=reach.for_ever,
    scale=Scale.PRICE,
    reference=f"{_WILDER}, pp. 9-22",
    oracle="TA-Lib SAR",
)
def psar(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Parabolic stop and reverse: a stop that closes in with every new extreme.

    The first direction is that of the directional movement of the first two bars.
    """
    step, most = min(parameters[0], parameters[1]), parameters[1]
    line, high, low, begin, seen = out[0], bars.high, bars.low, first, int(state[0])
    if seen <= 1:
        if len(high) < 2:
            return
        begin = 1
        rise, fall = high[1] - high[0], low[0] - low[1]
        is_down = (fall > 0.0) & (rise < fall)
        state[1] = -1.0 if is_down else 1.0
        state[2] = high[0] if is_down else low[0]
        state[3] = low[1] if is_down else high[1]
        state[4] = step
    side, stop, extreme, factor = state[1], state[2], state[3], state[4]
    for t in range(begin, len(high)):
        # "Before" is the first bar itself on bar 1, as in TA-Lib.
        older = t if seen + t - first == 1 else t - 1
        top, bottom = max(high[older], high[t]), min(low[older], low[t])
        if side > 0.0:
            if low[t] <= stop:
                side, stop = -1.0, max(extreme, top)
                line[t] = stop
                factor, extreme = step, low[t]
                stop = max(stop + factor * (extreme - stop), top)
            else:
                line[t] = stop
                if high[t] > extreme:
                    extreme, factor = high[t], min(factor + step, most)
                stop = min(stop + factor * (extreme - stop), bottom)
        elif high[t] >= stop:
            side, stop = 1.0, min(extreme, bottom)
            line[t] = stop
            factor, extreme = step, high[t]
            stop = min(stop + factor * (extreme - stop), bottom)
        else:
            line[t] = stop
            if low[t] < extreme:
                extreme, factor = low[t], min(factor + step, most)
            stop = max(stop + factor * (extreme - stop), top)
        still = 0.0 * (high[t] + low[t])
        line[t] += still
        stop += still
    state[1], state[2], state[3], state[4] = side, stop, extreme, factor


@kernel
def _latest(values: FloatArray, wanted: FloatArray, place: float, line: FloatArray) -> None:
    for j in range(len(line)):
        line[j] = place if values[j] == wanted[j] else line[j]


@indicator(
    Category.TREND,
    inputs="high low",
    parameters={"period": length(14, "bars since an extreme that count")},
    outputs="up down",
    warm_up=reach.period,
    scale=Scale.PERCENT,
    reference="T. Chande, Technical Analysis of Stocks & Commodities 13:9, 1995",
    oracle="TA-Lib AROON",
)
def aroon(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Aroon: 100 where the extreme of the last ``period + 1`` bars is new, 0 where it is oldest.

    Of equal extremes the latest counts.
    """
    period, n_bars = int(parameters[0]), len(bars.high)
    extreme = np.empty(min(BLOCK, n_bars))
    for start in range(first, n_bars, BLOCK):
        begin, stop = start - period, min(start + BLOCK, n_bars)
        up, down, part = out[0][start:stop], out[1][start:stop], extreme[: stop - start]
        window_highest(bars.high[begin:stop], period + 1, part)
        up[:] = np.nan
        for offset in range(period + 1):
            _latest(bars.high[begin + offset :], part, 100.0 * offset / period, up)
        window_lowest(bars.low[begin:stop], period + 1, part)
        down[:] = np.nan
        for offset in range(period + 1):
            _latest(bars.low[begin + offset :], part, 100.0 * offset / period, down)


@kernel
def _vortices(high: FloatArray, low: FloatArray, plus: FloatArray, minus: FloatArray) -> None:
    """Write the movements of bars 1, 2, ..."""
    top, bottom, top_before, bottom_before = high[1:], low[1:], high[:-1], low[:-1]
    for j in range(len(plus)):
        plus[j] = abs(top[j] - bottom_before[j])
        minus[j] = abs(bottom[j] - top_before[j])


@indicator(
    Category.TREND,
    inputs="high low close",
    parameters={"period": length(14)},
    outputs="plus minus",
    warm_up=reach.period,
    scale=Scale.RATIO,
    reference="E. Botes and D. Siepman, Technical Analysis of Stocks & Commodities 28:1, 2010",
    oracle="TA-Lib VORTEX",
)
def vortex(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Vortex: upward and downward movement by the true range, summed over the window.

    1 and 1 where there was no true range at all.
    """
    period, n_bars = int(parameters[0]), len(bars.close)
    size = min(BLOCK, n_bars) + period
    breadth, plus, minus, whole = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    for start in range(first, n_bars, BLOCK):
        begin, stop = start - period, min(start + BLOCK, n_bars)
        n, n_moves = stop - start, stop - begin - 1
        high, low = bars.high[begin:stop], bars.low[begin:stop]
        bar_ranges(high, low, bars.close[begin:stop], breadth[:n_moves])
        _vortices(high, low, plus[:n_moves], minus[:n_moves])
        window_mean(breadth[:n_moves], period, whole[:n])
        window_mean(plus[:n_moves], period, out[0][start:stop])
        window_mean(minus[:n_moves], period, out[1][start:stop])
        for row in range(2):
            line = out[row][start:stop]
            for j in range(n):
                share = line[j] / whole[j]
                line[j] = 1.0 if whole[j] == 0.0 else share


@indicator(
    Category.TREND,
    inputs="high low close",
    parameters={"period": length(14)},
    warm_up=reach.period,
    scale=Scale.PERCENT,
    reference="E. W. Dreiss; https://www.tradingview.com/support/solutions/43000501980",
    oracle="the definition as a loop; TA-Lib SUM of TRANGE, MAX, MIN",
)
def choppiness(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Choppiness: 100 log(sum of true ranges / range of the window) / log(period).

    Near 0 where the price goes one way, near 100 where it goes nowhere; 100 where it stands
    still.
    """
    period, n_bars, line = int(parameters[0]), len(bars.close), out[0]
    size, unit = min(BLOCK, n_bars) + period, 100.0 / np.log(float(period))
    breadth, whole, lowest = np.empty(size), np.empty(size), np.empty(size)
    for start in range(first, n_bars, BLOCK):
        begin, stop = start - period, min(start + BLOCK, n_bars)
        n, highest = stop - start, line[start:stop]
        high, low, close = bars.high[begin:stop], bars.low[begin:stop], bars.close[begin:stop]
        bar_ranges(high, low, close, breadth[: stop - begin - 1])
        window_mean(breadth[: stop - begin - 1], period, whole[:n])
        window_highest(high[1:], period, highest)
        window_lowest(low[1:], period, lowest[:n])
        for j in range(n):
            extent = highest[j] - lowest[j]
            value = unit * np.log(whole[j] * period / extent)
            highest[j] = 100.0 if extent == 0.0 else value
