"""How far prices move."""

import numpy as np

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators import reach
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators._prices import bar_ranges
from trading_pipeline.indicators._smoothing import smooth_from_mean
from trading_pipeline.indicators._windows import BLOCK, window_mean, window_moments
from trading_pipeline.indicators.bars import Bars
from trading_pipeline.indicators.definition import indicator
from trading_pipeline.indicators.specs import Category, Scale, length

_WILDER = "J. W. Wilder, New Concepts in Technical Trading Systems, 1978, p. 21"


@indicator(
    Category.VOLATILITY,
    inputs="high low close",
    warm_up=lambda _: 1,
    scale=Scale.PRICE,
    natural_scale=0.01,
    reference=_WILDER,
    oracle="TA-Lib TRANGE",
)
def true_range(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """True range: the range of the bar, stretched to the close before it."""
    begin = first - 1
    bar_ranges(bars.high[begin:], bars.low[begin:], bars.close[begin:], out[0][first:])


@kernel
def _average_range(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, line: FloatArray
) -> None:
    period, n_bars = int(parameters[0]), len(bars.close)
    decay = 1.0 - 1.0 / period
    for start in range(max(first, 1), n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        part, begin = line[start:stop], start - 1
        bar_ranges(bars.high[begin:stop], bars.low[begin:stop], bars.close[begin:stop], part)
        seen = int(state[0]) + start - first - 1
        smooth_from_mean(part, seen, period, decay, state[1:], part)


@indicator(
    Category.VOLATILITY,
    inputs="high low close",
    parameters={"period": length(14, "length of Wilder's smoothing in bars")},
    warm_up=reach.period,
    n_states=lambda _: 4,
    lookback=lambda _: 1,
    memory=lambda p: 1 + reach.wilder(p["period"]),
    scale=Scale.PRICE,
    reference=_WILDER,
    oracle="TA-Lib ATR",
)
def atr(bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray) -> None:
    """Wilder's average true range, in the quote currency.

    The mean of the first ``period`` true ranges starts it; the first bar has none, because it
    has no close before it.
    """
    _average_range(bars, first, parameters, state, out[0])


@indicator(
    Category.VOLATILITY,
    inputs="high low close",
    parameters={"period": length(14, "length of Wilder's smoothing in bars")},
    warm_up=reach.period,
    n_states=lambda _: 4,
    lookback=lambda _: 1,
    memory=lambda p: 1 + reach.wilder(p["period"]),
    scale=Scale.RATIO,
    natural_scale=0.01,
    reference="ATR / close",
    oracle="TA-Lib NATR / 100",
)
def natr(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Normalised average true range: the ATR as a **fraction** of the close."""
    line, close = out[0], bars.close
    _average_range(bars, first, parameters, state, line)
    for t in range(first, len(close)):
        line[t] /= close[t]


@kernel
def _log_returns(close: FloatArray, returns: FloatArray) -> None:
    """Write ln of bar by bar before it, of bars 1, 2, ..."""
    after, before = close[1:], close[:-1]
    for j in range(len(returns)):
        # The log of the ratio, not the difference of logs, keeps the last digits of a small move.
        returns[j] = np.log(after[j] / before[j])


@indicator(
    Category.VOLATILITY,
    inputs="close",
    parameters={"period": length(24, "number of returns")},
    warm_up=reach.period,
    scale=Scale.RATIO,
    natural_scale=0.01,
    reference="the sample standard deviation of log returns",
    oracle="pandas rolling std of log returns",
)
def realised_volatility(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Realised volatility: the standard deviation of the last log returns.

    A fraction **per bar**, not annualised (times the square root of the bars per year for that).
    Sample deviation around the mean. NaN where a close is not above 0.
    """
    period, n_bars = int(parameters[0]), len(bars.close)
    returns, mean = np.empty(min(BLOCK, n_bars) + period), np.empty(min(BLOCK, n_bars))
    for start in range(first, n_bars, BLOCK):
        begin, stop = start - period, min(start + BLOCK, n_bars)
        moves, line = returns[: stop - begin - 1], out[0][start:stop]
        _log_returns(bars.close[begin:stop], moves)
        window_moments(moves, period, mean[: stop - start], line)
        for j in range(stop - start):
            line[j] = np.sqrt(line[j] / (period - 1))


@indicator(
    Category.VOLATILITY,
    inputs="high low",
    parameters={"period": length(24, low=1)},
    warm_up=reach.window,
    scale=Scale.RATIO,
    natural_scale=0.01,
    reference="M. Parkinson, Journal of Business 53:1, 1980",
    oracle="the definition as a loop; pandas rolling mean",
)
def parkinson(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Parkinson's volatility of the ranges: sqrt(mean(ln(high / low)^2) / (4 ln 2)).

    A fraction per bar, not annualised.
    """
    period, n_bars = int(parameters[0]), len(bars.high)
    squares, unit = np.empty(min(BLOCK, n_bars) + period), 0.25 / np.log(2.0)
    for start in range(first, n_bars, BLOCK):
        begin, stop = start - period + 1, min(start + BLOCK, n_bars)
        high, low, part = bars.high[begin:stop], bars.low[begin:stop], squares[: stop - begin]
        for j in range(len(part)):
            extent = np.log(high[j] / low[j])
            part[j] = extent * extent
        line = out[0][start:stop]
        window_mean(part, period, line)
        for j in range(len(line)):
            line[j] = np.sqrt(unit * line[j])


@indicator(
    Category.VOLATILITY,
    inputs="open high low close",
    parameters={"period": length(24, low=1)},
    warm_up=reach.window,
    scale=Scale.RATIO,
    natural_scale=0.01,
    reference="M. Garman and M. Klass, Journal of Business 53:1, 1980",
    oracle="the definition as a loop; pandas rolling mean",
)
def garman_klass(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Garman-Klass volatility: sqrt(mean(ln(high / low)^2 / 2 - (2 ln 2 - 1) ln(close / open)^2)).

    A fraction per bar, not annualised.
    """
    period, n_bars = int(parameters[0]), len(bars.high)
    terms, share = np.empty(min(BLOCK, n_bars) + period), 2.0 * np.log(2.0) - 1.0
    for start in range(first, n_bars, BLOCK):
        begin, stop = start - period + 1, min(start + BLOCK, n_bars)
        high, low, part = bars.high[begin:stop], bars.low[begin:stop], terms[: stop - begin]
        opened, close = bars.open[begin:stop], bars.close[begin:stop]
        for j in range(len(part)):
            extent, body = np.log(high[j] / low[j]), np.log(close[j] / opened[j])
            part[j] = 0.5 * (extent * extent) - share * (body * body)
        line = out[0][start:stop]
        window_mean(part, period, line)
        for j in range(len(line)):
            line[j] = np.sqrt(line[j])
