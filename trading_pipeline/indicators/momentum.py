"""How fast prices move."""

import numpy as np

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.indicators import reach
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators._prices import percentage, place
from trading_pipeline.indicators._smoothing import carry, smooth_from_mean
from trading_pipeline.indicators._windows import (
    BLOCK,
    window_highest,
    window_lowest,
    window_mean,
)
from trading_pipeline.indicators.bars import Bars
from trading_pipeline.indicators.definition import indicator
from trading_pipeline.indicators.specs import Category, Parameters, Scale, length

_WILDER = "J. W. Wilder, New Concepts in Technical Trading Systems, 1978, pp. 63-70"


@kernel
def _changes(close: FloatArray, gains: FloatArray, losses: FloatArray) -> None:
    """Write gains and losses of bars 1, 2, ...; a NaN change makes both NaN."""
    after, before = close[1:], close[:-1]
    for j in range(len(gains)):
        change = after[j] - before[j]
        # 0 times a NaN is NaN, so that no missing price passes as an unchanged one.
        gains[j] = change if change > 0.0 else 0.0 * change
        losses[j] = -change if change < 0.0 else 0.0 * change


@kernel
def strength(
    close: FloatArray, first: int, seen: int, period: int, state: FloatArray, line: FloatArray
) -> None:
    """Write the RSI of the closes from ``first`` on; the state has room for two averages."""
    n_bars, decay = len(close), 1.0 - 1.0 / period
    gains, losses = np.empty(min(BLOCK, n_bars)), np.empty(min(BLOCK, n_bars))
    # The first bar of all has no change.
    for start in range(max(first, 1), n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        up, down = gains[: stop - start], losses[: stop - start]
        _changes(close[start - 1 : stop], up, down)
        n_changes = seen + start - first - 1
        smooth_from_mean(up, n_changes, period, decay, state[:4], up)
        smooth_from_mean(down, n_changes, period, decay, state[4:8], down)
        percentage(up, down, line[start:stop])


@indicator(
    Category.MOMENTUM,
    inputs="close",
    parameters={"period": length(14, "length of Wilder's smoothing in bars")},
    warm_up=reach.period,
    n_states=lambda _: 8,
    lookback=lambda _: 1,
    memory=lambda p: reach.wilder(p["period"]),
    scale=Scale.PERCENT,
    reference=_WILDER,
    oracle="TA-Lib RSI",
)
def rsi(bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray) -> None:
    """Wilder's relative strength index: mean gain in percent of mean gain and loss.

    The means of the first ``period`` gains and losses start it. 50 while the price has not moved
    at all, where TA-Lib says 0, which would read as oversold.
    """
    strength(bars.close, first, int(state[0]), int(parameters[0]), state[1:], out[0])


def _stoch_rsi_reach(p: Parameters) -> int:
    return int(p["period"] + p["k_period"] + p["k_smooth"] + p["d_period"]) - 3


@indicator(
    Category.MOMENTUM,
    inputs="close",
    parameters={
        "period": length(14, "length of the RSI in bars"),
        "k_period": length(14, "window of the RSI's range in bars", low=1),
        "k_smooth": length(3, "bars of the simple average that makes k", low=1),
        "d_period": length(3, "bars of the simple average of k", low=1),
    },
    outputs="k d",
    warm_up=_stoch_rsi_reach,
    n_states=lambda p: 8 + _stoch_rsi_reach(p) - int(p["period"]),
    lookback=lambda _: 1,
    # Differences of the RSI count for more where its range is narrow.
    memory=lambda p: 2 * reach.wilder(p["period"]) + _stoch_rsi_reach(p),
    scale=Scale.PERCENT,
    reference="T. Chande and S. Kroll, The New Technical Trader, 1994",
    oracle="TA-Lib STOCHRSI (which has no k_smooth: 1)",
)
def stoch_rsi(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Stochastic RSI: where the RSI stands in its own range, smoothed, and the mean of that.

    A range of 0 counts as 50, where TA-Lib says 0.
    """
    period, k_period = int(parameters[0]), int(parameters[1])
    k_smooth, d_period = int(parameters[2]), int(parameters[3])
    n_bars, seen = len(bars.close), int(state[0])
    line = np.empty(n_bars)
    strength(bars.close, first, seen, period, state[1:9], line)
    begin = min(first + max(period - seen, 0), n_bars)
    # Each row of a chunk looks back on values of the RSI, not of the price.
    values = carry(state[9:], max(seen - period, 0), line[begin:])
    raw = np.empty(max(len(values) - k_period + 1, 0))
    lowest, smoothed = np.empty_like(raw), np.empty(max(len(raw) - k_smooth + 1, 0))
    window_highest(values, k_period, raw)
    window_lowest(values, k_period, lowest)
    place(values[k_period - 1 :], lowest, raw, raw)
    window_mean(raw, k_smooth, smoothed)
    n_out = max(len(smoothed) - d_period + 1, 0)
    window_mean(smoothed, d_period, out[1][n_bars - n_out :])
    out[0][n_bars - n_out :] = smoothed[len(smoothed) - n_out :]


def _fast_below_slow(parameters: Parameters) -> None:
    fast, slow = parameters["fast"], parameters["slow"]
    if fast >= slow:
        raise ConfigError(f"fast must be below slow, were {fast} and {slow} bars")


@kernel
def _seeded(values: FloatArray, n_before: int, n_skipped: int) -> int:
    """Return how many of the values come before bar ``n_skipped``."""
    return min(max(n_skipped - n_before, 0), len(values))


@indicator(
    Category.MOMENTUM,
    inputs="close",
    parameters={
        "fast": length(12, "length of the fast average in bars"),
        "slow": length(26, "length of the slow average in bars"),
        "signal": length(9, "length of the average of their difference", low=1),
    },
    outputs="macd signal histogram",
    warm_up=lambda p: int(p["slow"] + p["signal"]) - 2,
    n_states=lambda _: 12,
    memory=lambda p: int(p["slow"]) + reach.exponential(p["slow"]) + reach.exponential(p["signal"]),
    refuse=_fast_below_slow,
    scale=Scale.PRICE,
    reference="G. Appel, Technical Analysis: Power Tools for Active Investors, 2005, chapter 8",
    oracle="TA-Lib MACD",
)
def macd(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Moving average convergence and divergence: fast EMA - slow EMA, its EMA, and the rest.

    As in TA-Lib both averages start at bar ``slow - 1``, the fast one from the ``fast`` closes
    up to there.
    """
    fast, slow, signal = int(parameters[0]), int(parameters[1]), int(parameters[2])
    line, average, rest, n_bars = out[0], out[1], out[2], len(bars.close)
    calm = np.empty(min(BLOCK, n_bars))
    for start in range(first, n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        seen = int(state[0]) + start - first
        values, quick, slowly = bars.close[start:stop], line[start:stop], calm[: stop - start]
        decay = 1.0 - 2.0 / (slow + 1)
        smooth_from_mean(values, seen, slow, decay, state[5:9], slowly)
        skip, decay = _seeded(values, seen, slow - fast), 1.0 - 2.0 / (fast + 1)
        passed = max(seen - (slow - fast), 0)
        smooth_from_mean(values[skip:], passed, fast, decay, state[1:5], quick[skip:])
        for j in range(len(quick)):
            quick[j] -= slowly[j]
        skip, decay = _seeded(values, seen, slow - 1), 1.0 - 2.0 / (signal + 1)
        known, averaged = quick[skip:], average[start + skip : stop]
        smooth_from_mean(known, max(seen - slow + 1, 0), signal, decay, state[9:13], averaged)
        left = rest[start + skip : stop]
        for j in range(len(left)):
            left[j] = known[j] - averaged[j]


@indicator(
    Category.MOMENTUM,
    inputs="close",
    parameters={"period": length(10, "distance in bars", low=1)},
    warm_up=reach.period,
    scale=Scale.RATIO,
    reference="close / close `period` bars ago - 1",
    oracle="TA-Lib ROCP",
)
def roc(bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray) -> None:
    """Rate of change over ``period`` bars, as a **fraction**: 0.01 is one percent up."""
    newest, older = bars.close[first:], bars.close[first - int(parameters[0]) :]
    line = out[0][first:]
    for j in range(len(line)):
        line[j] = (newest[j] - older[j]) / older[j]


def _tsi_reach(parameters: Parameters) -> int:
    return int(parameters["long"] + parameters["short"] + parameters["signal"]) - 2


@indicator(
    Category.MOMENTUM,
    inputs="close",
    parameters={
        "long": length(25, "length of the first average in bars"),
        "short": length(13, "length of the second average in bars"),
        "signal": length(7, "length of the average of the result in bars", low=1),
    },
    outputs="tsi signal",
    warm_up=_tsi_reach,
    n_states=lambda _: 20,
    lookback=lambda _: 1,
    memory=lambda p: (
        reach.exponential(p["long"])
        + reach.exponential(p["short"])
        + reach.exponential(p["signal"])
    ),
    scale=Scale.UNBOUNDED,
    natural_scale=100.0,
    reference="W. Blau, Momentum, Direction and Divergence, 1995",
    oracle="TA-Lib EMA, applied to changes and their sizes",
)
def tsi(bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray) -> None:
    """True strength index: changes smoothed twice, in percent of their sizes smoothed twice.

    Between -100 and 100; 0 while the price has not moved at all. Each average starts from the
    mean of its first values.
    """
    long, short, signal = int(parameters[0]), int(parameters[1]), int(parameters[2])
    n_bars, close = len(bars.close), bars.close
    moves, sizes = np.empty(min(BLOCK, n_bars)), np.empty(min(BLOCK, n_bars))
    for start in range(max(first, 1), n_bars, BLOCK):
        stop = min(start + BLOCK, n_bars)
        n, seen = stop - start, int(state[0]) + start - first - 1
        after, before, line = close[start:stop], close[start - 1 : stop - 1], out[0][start:stop]
        for j in range(n):
            moves[j] = after[j] - before[j]
            sizes[j] = abs(moves[j])
        decay = 1.0 - 2.0 / (long + 1)
        smooth_from_mean(moves[:n], seen, long, decay, state[1:5], moves[:n])
        smooth_from_mean(sizes[:n], seen, long, decay, state[5:9], sizes[:n])
        skip, seen = _seeded(moves[:n], seen, long - 1), max(seen - long + 1, 0)
        decay = 1.0 - 2.0 / (short + 1)
        move, size = moves[skip:n], sizes[skip:n]
        smooth_from_mean(move, seen, short, decay, state[9:13], move)
        smooth_from_mean(size, seen, short, decay, state[13:17], size)
        share = line[skip:]
        for j in range(len(share)):
            ratio = 100.0 * (move[j] / size[j])
            share[j] = 0.0 if size[j] == 0.0 else ratio
        skip, decay = skip + _seeded(move, seen, short - 1), 1.0 - 2.0 / (signal + 1)
        seen = max(seen - short + 1, 0)
        smooth_from_mean(
            line[skip:], seen, signal, decay, state[17:21], out[1][start + skip : stop]
        )
