"""How fast prices move, and whether they moved too far."""

import numpy as np
import numpy.typing as npt

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.indicators._inputs import bars, series, unknown
from trading_pipeline.indicators._kernels import (
    BLOCK,
    TIE,
    average,
    kernel,
    percentage,
    smooth,
    typical_price,
    window_highest,
    window_lowest,
    window_mean,
)


def rsi(close: npt.ArrayLike, period: int = 14) -> FloatArray:
    """Compute Wilder's relative strength index.

    Parameters
    ----------
    close : array-like of shape (n_bars,)
        Closes in the quote currency, oldest first.
    period : int
        Length of Wilder's smoothing in bars, at least 2.

    Returns
    -------
    ndarray of shape (n_bars,)
        Between 0 and 100. The first ``period`` are NaN; 50 while the price has not moved at all,
        where TA-Lib says 0, which would read as oversold.

    Raises
    ------
    ConfigError
        If ``period`` is not a whole number of at least 2.
    DataError
        If ``close`` is not a one-dimensional series of numbers.

    Notes
    -----
    Causal and recursive: the means of the first ``period`` gains and losses start it. A NaN makes
    every later value NaN.

    References
    ----------
    J. W. Wilder, New Concepts in Technical Trading Systems, 1978, pp. 63-70. Equals TA-Lib
    ``RSI``.

    Examples
    --------
    >>> rsi([1.0, 2.0, 1.0, 4.0], period=2).tolist()
    [nan, nan, 50.0, 87.5]
    """
    (x,) = series(close=close)
    period = bars("period", period, at_least=2)
    out = unknown(len(x), period)
    if len(x) > period:
        gains, losses = out, np.empty(len(x))
        _changes(x, gains[1:], losses[1:])
        for moves in (gains, losses):
            moves[period] = average(moves[1 : period + 1])
            smooth(moves[period + 1 :], moves[period], 1.0 - 1.0 / period, moves[period + 1 :])
        percentage(gains[period:], losses[period:])
        out[:period] = np.nan
    return out


@kernel
def _changes(close: FloatArray, gains: FloatArray, losses: FloatArray) -> None:
    """Write gains and losses of bars 1, 2, ...; a NaN change makes both NaN."""
    after, before = close[1:], close[:-1]
    for j in range(len(gains)):
        change = after[j] - before[j]
        # 0 times a NaN is NaN, so that no missing price passes as an unchanged one.
        gains[j] = change if change > 0.0 else 0.0 * change
        losses[j] = -change if change < 0.0 else 0.0 * change


def macd(
    close: npt.ArrayLike, fast: int = 12, slow: int = 26, signal: int = 9
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute the moving average convergence and divergence.

    Parameters
    ----------
    close : array-like of shape (n_bars,)
        Closes in the quote currency, oldest first.
    fast, slow : int
        Lengths of the two exponential averages in bars, at least 2, fast below slow.
    signal : int
        Length of the average of their difference, at least 1.

    Returns
    -------
    macd, signal, histogram : ndarray of shape (n_bars,)
        In the quote currency: the difference, its average, and the first minus the second. The
        first ``slow + signal - 2`` of each are NaN.

    Raises
    ------
    ConfigError
        If a length is not a whole number in its range, or fast is not below slow.
    DataError
        If ``close`` is not a one-dimensional series of numbers.

    Notes
    -----
    Causal and recursive. As in TA-Lib both averages start at bar ``slow - 1``, the fast one from
    the ``fast`` closes up to there. A NaN makes every later value NaN.

    References
    ----------
    G. Appel, Technical Analysis: Power Tools for Active Investors, 2005, chapter 8. Equals TA-Lib
    ``MACD``.

    Examples
    --------
    >>> [line.tolist() for line in macd([1.0, 3.0, 5.0, 7.0], fast=2, slow=3, signal=1)]
    [[nan, nan, 1.0, 1.0], [nan, nan, 1.0, 1.0], [nan, nan, 0.0, 0.0]]
    """
    (x,) = series(close=close)
    fast, slow = bars("fast", fast, at_least=2), bars("slow", slow, at_least=2)
    signal = bars("signal", signal, at_least=1)
    if fast >= slow:
        raise ConfigError(f"fast must be below slow, were {fast} and {slow} bars")
    warm_up = slow + signal - 2
    line, average_line, histogram = (unknown(len(x), warm_up) for _ in range(3))
    if len(x) > warm_up:
        calm, start = np.empty(len(x)), slow - 1
        for length, smoothed in ((fast, line), (slow, calm)):
            smoothed[start] = average(x[slow - length : slow])
            smooth(x[slow:], smoothed[start], 1.0 - 2.0 / (length + 1), smoothed[slow:])
        np.subtract(line[start:], calm[start:], out=line[start:])
        average_line[warm_up] = average(line[start : warm_up + 1])
        later, decay = slice(warm_up + 1, None), 1.0 - 2.0 / (signal + 1)
        smooth(line[later], average_line[warm_up], decay, average_line[later])
        np.subtract(line[warm_up:], average_line[warm_up:], out=histogram[warm_up:])
        line[:warm_up] = np.nan
    return line, average_line, histogram


def stochastic(
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    close: npt.ArrayLike,
    k_period: int = 14,
    k_smooth: int = 3,
    d_period: int = 3,
) -> tuple[FloatArray, FloatArray]:
    """Compute the slow stochastic oscillator: where the close stands in its range.

    Parameters
    ----------
    high, low, close : array-like of shape (n_bars,)
        Prices in the quote currency, oldest first.
    k_period : int
        Window of the range in bars, at least 1.
    k_smooth, d_period : int
        Lengths of the simple averages that make k, and d out of k, at least 1.

    Returns
    -------
    k, d : ndarray of shape (n_bars,)
        Between 0 and 100. The first ``k_period + k_smooth + d_period - 3`` of each are NaN. A
        range of 0 counts as 50, where TA-Lib says 0, which would read as oversold.

    Raises
    ------
    ConfigError
        If a length is not a whole number of at least 1.
    DataError
        If the inputs are not one-dimensional series of numbers of one length.

    Notes
    -----
    Causal: bar t reads the ``k_period + k_smooth + d_period - 2`` bars up to t. A NaN makes the
    windows that hold it NaN.

    References
    ----------
    Equals TA-Lib ``STOCH`` with simple averages.

    Examples
    --------
    >>> k, d = stochastic([2.0, 4.0], [0.0, 1.0], [1.0, 3.0], k_period=2, k_smooth=1, d_period=1)
    >>> k.tolist()
    [nan, 75.0]
    """
    highs, lows, closes = series(high=high, low=low, close=close)
    k_period = bars("k_period", k_period, at_least=1)
    k_smooth = bars("k_smooth", k_smooth, at_least=1)
    d_period = bars("d_period", d_period, at_least=1)
    first = k_period + k_smooth + d_period - 3
    k, d = unknown(len(closes), first), unknown(len(closes), first)
    if len(closes) > first:
        raw = np.empty(len(closes) - k_period + 1)
        lowest, smoothed = np.empty_like(raw), k[k_period + k_smooth - 2 :]
        window_highest(highs, k_period, raw)
        window_lowest(lows, k_period, lowest)
        _place(closes[k_period - 1 :], lowest, raw)
        window_mean(raw, k_smooth, smoothed)
        window_mean(smoothed, d_period, d[first:])
        k[:first] = np.nan
    return k, d


@kernel
def _place(close: FloatArray, lowest: FloatArray, highest: FloatArray) -> None:
    """Turn ``highest`` into the place of the close in its range, in percent."""
    for j in range(len(highest)):
        breadth = highest[j] - lowest[j]
        place = 100.0 * ((close[j] - lowest[j]) / breadth)
        highest[j] = 50.0 if breadth == 0.0 else place


def roc(close: npt.ArrayLike, period: int = 10) -> FloatArray:
    """Compute the rate of change over ``period`` bars.

    Parameters
    ----------
    close : array-like of shape (n_bars,)
        Closes in the quote currency, oldest first.
    period : int
        Distance in bars, at least 1.

    Returns
    -------
    ndarray of shape (n_bars,)
        A **fraction**: 0.01 is one percent up. The first ``period`` are NaN.

    Raises
    ------
    ConfigError
        If ``period`` is not a whole number of at least 1.
    DataError
        If ``close`` is not a one-dimensional series of numbers.

    Notes
    -----
    Causal: bar t reads the bars t - period and t. A NaN makes both bars that read it NaN.

    References
    ----------
    Equals TA-Lib ``ROCP``, which is ``ROC`` / 100.

    Examples
    --------
    >>> roc([4.0, 5.0, 3.0], period=1).tolist()
    [nan, 0.25, -0.4]
    """
    (x,) = series(close=close)
    period = bars("period", period, at_least=1)
    out = unknown(len(x), period)
    if len(x) > period:
        np.subtract(x[period:], x[:-period], out=out[period:])
        np.divide(out[period:], x[:-period], out=out[period:])
    return out


def cci(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, period: int = 20
) -> FloatArray:
    """Compute the commodity channel index of the typical price.

    Parameters
    ----------
    high, low, close : array-like of shape (n_bars,)
        Prices in the quote currency, oldest first.
    period : int
        Window in bars, at least 2.

    Returns
    -------
    ndarray of shape (n_bars,)
        Without unit, mostly within plus and minus 200. The first ``period - 1`` are NaN; 0 where
        all typical prices of the window are equal.

    Raises
    ------
    ConfigError
        If ``period`` is not a whole number of at least 2.
    DataError
        If the inputs are not one-dimensional series of numbers of one length.

    Notes
    -----
    Causal: bar t reads bars t - period + 1 to t. Mean absolute deviation around the mean, times
    0.015. A NaN makes the windows that hold it NaN.

    References
    ----------
    D. R. Lambert, Commodities magazine, October 1980. Equals TA-Lib ``CCI``.

    Examples
    --------
    >>> price = [1.0, 3.0, 3.0]
    >>> cci(price, price, price, period=2).round(6).tolist()
    [nan, 66.666667, 0.0]
    """
    highs, lows, closes = series(high=high, low=low, close=close)
    period = bars("period", period, at_least=2)
    out = unknown(len(closes), period - 1)
    if len(closes) >= period:
        typical = np.empty(len(closes))
        typical_price(highs, lows, closes, typical)
        mean = out[period - 1 :]
        window_mean(typical, period, mean)
        _channel_index(typical, period, BLOCK, TIE, mean)
    return out


@kernel
def _channel_index(
    typical: FloatArray, period: int, block: int, tie: float, mean: FloatArray
) -> None:
    """Turn the means of the windows into the index."""
    deviation = np.empty(block)
    for start in range(0, len(mean), block):
        part = mean[start : start + block]
        total = deviation[: len(part)]
        total[:] = 0.0
        for offset in range(period):
            _add_distance(typical[start + offset :], part, total)
        _divide_distance(typical[start + period - 1 :], total, period, tie, part)


@kernel
def _add_distance(values: FloatArray, mean: FloatArray, total: FloatArray) -> None:
    for j in range(len(total)):
        total[j] += abs(values[j] - mean[j])


@kernel
def _divide_distance(
    newest: FloatArray, total: FloatArray, period: int, tie: float, mean: FloatArray
) -> None:
    for j in range(len(mean)):
        spread = total[j] / period
        index = (newest[j] - mean[j]) / (0.015 * spread)
        mean[j] = 0.0 if spread <= tie * abs(mean[j]) else index
