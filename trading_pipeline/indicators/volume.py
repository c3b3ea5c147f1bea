"""Indicators that weigh prices by what was traded."""

import numpy as np
import numpy.typing as npt

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators._inputs import bars, series, unknown
from trading_pipeline.indicators._kernels import (
    TIE,
    kernel,
    percentage,
    typical_price,
    window_mean,
    window_scores,
)
from trading_pipeline.indicators.overlap import sma


def obv(close: npt.ArrayLike, volume: npt.ArrayLike) -> FloatArray:
    """Compute the on-balance volume: traded volume with the sign of the price change, summed.

    Parameters
    ----------
    close : array-like of shape (n_bars,)
        Closes in the quote currency, oldest first.
    volume : array-like of shape (n_bars,)
        Volumes in the base currency.

    Returns
    -------
    ndarray of shape (n_bars,)
        In the base currency, starting with the first volume. No warm-up.

    Raises
    ------
    DataError
        If the inputs are not one-dimensional series of numbers of one length.

    Notes
    -----
    Causal and recursive. Its level depends on the first bar for ever, so that only differences
    carry meaning. A NaN makes every later value NaN.

    References
    ----------
    J. Granville, New Key to Stock Market Profits, 1963. Equals TA-Lib ``OBV``.

    Examples
    --------
    >>> obv([1.0, 2.0, 2.0, 1.0], [5.0, 3.0, 9.0, 4.0]).tolist()
    [5.0, 8.0, 8.0, 4.0]
    """
    closes, volumes = series(close=close, volume=volume)
    out = np.empty(len(closes))
    if len(closes) > 0:
        out[0] = volumes[0] + 0.0 * closes[0]
        _signed_volume(closes, volumes[1:], out[1:])
        np.cumsum(out, out=out)
    return out


@kernel
def _signed_volume(close: FloatArray, volume: FloatArray, out: FloatArray) -> None:
    """Write the volumes of bars 1, 2, ... with the sign of the change; a NaN stays one."""
    after, before = close[1:], close[:-1]
    for j in range(len(out)):
        change = after[j] - before[j]
        rest = -volume[j] if change < 0.0 else 0.0 * change + 0.0 * volume[j]
        out[j] = volume[j] if change > 0.0 else rest


def mfi(
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    close: npt.ArrayLike,
    volume: npt.ArrayLike,
    period: int = 14,
) -> FloatArray:
    """Compute the money flow index: the share of the turnover that came with rising prices.

    Parameters
    ----------
    high, low, close : array-like of shape (n_bars,)
        Prices in the quote currency, oldest first.
    volume : array-like of shape (n_bars,)
        Volumes in the base currency, not negative.
    period : int
        Number of price changes, at least 2.

    Returns
    -------
    ndarray of shape (n_bars,)
        Between 0 and 100. The first ``period`` are NaN; 50 where no turnover came with a change
        of price. TA-Lib says 0 there, and wherever that turnover is below 1.

    Raises
    ------
    ConfigError
        If ``period`` is not a whole number of at least 2.
    DataError
        If the inputs are not one-dimensional series of numbers of one length.

    Notes
    -----
    Causal: bar t reads bars t - period to t. Typical prices that differ only by the rounding of
    decimal prices count as equal. A NaN makes the windows that hold it NaN.

    References
    ----------
    G. Quong and A. Soudack, Technical Analysis of Stocks & Commodities 7:3, 1989. Equals TA-Lib
    ``MFI`` on prices in whole ticks.

    Examples
    --------
    >>> price = [1.0, 2.0, 1.0]
    >>> mfi(price, price, price, [7.0, 3.0, 2.0], period=2).tolist()
    [nan, nan, 75.0]
    """
    highs, lows, closes, volumes = series(high=high, low=low, close=close, volume=volume)
    period = bars("period", period, at_least=2)
    out = unknown(len(closes), period)
    if len(closes) > period:
        typical = np.empty(len(closes))
        inflow, outflow = np.empty(len(closes) - 1), np.empty(len(closes) - 1)
        typical_price(highs, lows, closes, typical)
        _flows(typical, volumes[1:], TIE, inflow, outflow)
        # Means instead of sums: the ratio is the same.
        gained, lost = out[period:], typical[period:]
        window_mean(inflow, period, gained)
        window_mean(outflow, period, lost)
        percentage(gained, lost)
    return out


@kernel
def _flows(
    typical: FloatArray, volume: FloatArray, tie: float, inflow: FloatArray, outflow: FloatArray
) -> None:
    """Write the turnover of bars 1, 2, ... that came with a rise and with a fall."""
    after, before = typical[1:], typical[:-1]
    for j in range(len(volume)):
        change, near = after[j] - before[j], tie * abs(after[j])
        # 0 times a NaN is NaN, so that no missing value passes as no turnover.
        turnover = after[j] * volume[j] + 0.0 * change
        inflow[j] = turnover if change > near else 0.0 * turnover
        outflow[j] = turnover if change < -near else 0.0 * turnover


def vwap(
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    close: npt.ArrayLike,
    volume: npt.ArrayLike,
    period: int = 24,
) -> FloatArray:
    """Compute the rolling volume-weighted average of the typical price.

    Parameters
    ----------
    high, low, close : array-like of shape (n_bars,)
        Prices in the quote currency, oldest first.
    volume : array-like of shape (n_bars,)
        Volumes in the base currency, not negative.
    period : int
        Window in bars, at least 1.

    Returns
    -------
    ndarray of shape (n_bars,)
        In the quote currency. The first ``period - 1`` are NaN; the plain mean of the typical
        prices where nothing was traded in the whole window.

    Raises
    ------
    ConfigError
        If ``period`` is not a whole number of at least 1.
    DataError
        If the inputs are not one-dimensional series of numbers of one length.

    Notes
    -----
    Causal: bar t reads bars t - period + 1 to t. A market that never closes has no session to
    start from, so the window rolls. A NaN makes the windows that hold it NaN.

    References
    ----------
    Equals pandas ``(p * v).rolling(period).sum() / v.rolling(period).sum()``.

    Examples
    --------
    >>> price = [1.0, 2.0, 6.0]
    >>> vwap(price, price, price, [1.0, 3.0, 1.0], period=2).tolist()
    [nan, 1.75, 3.0]
    """
    highs, lows, closes, volumes = series(high=high, low=low, close=close, volume=volume)
    period = bars("period", period, at_least=1)
    out = unknown(len(closes), period - 1)
    if len(closes) >= period:
        typical, first = np.empty(len(closes)), period - 1
        typical_price(highs, lows, closes, typical)
        amount, traded = out[first:], np.empty(len(closes) - first)
        window_mean(typical * volumes, period, amount)
        window_mean(volumes, period, traded)
        silent = traded == 0.0
        np.divide(amount, traded, out=amount, where=~silent)
        if silent.any():
            plain = sma(typical, period)[first:]
            amount[silent] = plain[silent]
    return out


def volume_zscore(volume: npt.ArrayLike, period: int = 24) -> FloatArray:
    """Compute how unusual the volume is: its rolling z-score.

    Parameters
    ----------
    volume : array-like of shape (n_bars,)
        Volumes in the base currency, oldest first.
    period : int
        Window in bars, at least 2, the bar itself included.

    Returns
    -------
    ndarray of shape (n_bars,)
        Without unit, within plus and minus sqrt(period - 1). The first ``period - 1`` are NaN;
        0 where all volumes of the window are equal.

    Raises
    ------
    ConfigError
        If ``period`` is not a whole number of at least 2.
    DataError
        If ``volume`` is not a one-dimensional series of numbers.

    Notes
    -----
    Causal: bar t reads bars t - period + 1 to t. **Population** standard deviation. A NaN makes
    the windows that hold it NaN.

    References
    ----------
    Equals (x - TA-Lib ``SMA``) / TA-Lib ``STDDEV``.

    Examples
    --------
    >>> volume_zscore([1.0, 3.0, 3.0], period=2).tolist()
    [nan, 1.0, 0.0]
    """
    (x,) = series(volume=volume)
    period = bars("period", period, at_least=2)
    out = unknown(len(x), period - 1)
    if len(x) >= period:
        window_scores(x, period, out[period - 1 :])
    return out
