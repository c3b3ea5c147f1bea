"""How far prices move."""

import numpy as np
import numpy.typing as npt

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.core.errors import DataError
from trading_pipeline.indicators._inputs import bars, series, unknown
from trading_pipeline.indicators._kernels import (
    average,
    smooth,
    true_range,
    window_moments,
)


def atr(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, period: int = 14
) -> FloatArray:
    """Compute Wilder's average true range.

    Parameters
    ----------
    high, low, close : array-like of shape (n_bars,)
        Prices in the quote currency, oldest first.
    period : int
        Length of Wilder's smoothing in bars, at least 2.

    Returns
    -------
    ndarray of shape (n_bars,)
        In the quote currency, not negative. The first ``period`` are NaN: a true range needs the
        close before it.

    Raises
    ------
    ConfigError
        If ``period`` is not a whole number of at least 2.
    DataError
        If the inputs are not one-dimensional series of numbers of one length.

    Notes
    -----
    Causal and recursive: the mean of the first ``period`` true ranges starts it. A NaN makes
    every later value NaN.

    References
    ----------
    J. W. Wilder, New Concepts in Technical Trading Systems, 1978, p. 21. Equals TA-Lib ``ATR``.

    Examples
    --------
    >>> atr([5.0, 6.0, 9.0], [4.0, 5.0, 7.0], [4.0, 6.0, 8.0], period=2).tolist()
    [nan, nan, 2.5]
    """
    highs, lows, closes = series(high=high, low=low, close=close)
    period = bars("period", period, at_least=2)
    out = unknown(len(closes), period)
    if len(closes) > period:
        true_range(highs, lows, closes, out[1:])
        seed = average(out[1 : period + 1])
        out[:period], out[period] = np.nan, seed
        smooth(out[period + 1 :], seed, 1.0 - 1.0 / period, out[period + 1 :])
    return out


def realised_volatility(close: npt.ArrayLike, period: int = 24) -> FloatArray:
    """Compute the realised volatility: the standard deviation of the last log returns.

    Parameters
    ----------
    close : array-like of shape (n_bars,)
        Closes, above 0, oldest first.
    period : int
        Number of returns, at least 2.

    Returns
    -------
    ndarray of shape (n_bars,)
        A fraction **per bar**, not annualised (times the square root of the bars per year for
        that). The first ``period`` are NaN.

    Raises
    ------
    ConfigError
        If ``period`` is not a whole number of at least 2.
    DataError
        If ``close`` is not a one-dimensional series of numbers, or one is not above 0.

    Notes
    -----
    Causal: bar t reads bars t - period to t. **Sample** standard deviation (ddof 1) around the
    mean. A NaN makes the windows that hold it NaN.

    References
    ----------
    Equals pandas ``np.log(close).diff().rolling(period).std()``.

    Examples
    --------
    >>> realised_volatility([1.0, np.e, 1.0], period=2).round(6).tolist()
    [nan, nan, 1.414214]
    """
    (closes,) = series(close=close)
    period = bars("period", period, at_least=2)
    if np.any(closes <= 0.0):
        at = int(np.argmax(closes <= 0.0))
        raise DataError(f"close must be above 0, was {closes[at]} at bar {at}", bar=at)
    out = unknown(len(closes), period)
    if len(closes) > period:
        # The log of the ratio, not the difference of logs, keeps the last digits of a small move.
        returns = np.log(closes[1:] / closes[:-1])
        squares = np.empty(len(returns) - period + 1)
        window_moments(returns, period, np.empty_like(squares), squares)
        np.sqrt(squares / (period - 1), out=out[period:])
    return out
