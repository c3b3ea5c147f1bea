"""Indicators that are drawn over the price: averages and bands."""

import numpy as np
import numpy.typing as npt

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.indicators._inputs import bars, series, unknown
from trading_pipeline.indicators._kernels import (
    average,
    kernel,
    smooth,
    window_mean,
    window_moments,
)


def sma(values: npt.ArrayLike, period: int = 20) -> FloatArray:
    """Compute the simple moving average.

    Parameters
    ----------
    values : array-like of shape (n_bars,)
        Prices or any other series, oldest first.
    period : int
        Window in bars, at least 1.

    Returns
    -------
    ndarray of shape (n_bars,)
        In the unit of ``values``. The first ``period - 1`` are NaN.

    Raises
    ------
    ConfigError
        If ``period`` is not a whole number of at least 1.
    DataError
        If ``values`` is not a one-dimensional series of numbers.

    Notes
    -----
    Causal: bar t reads bars t - period + 1 to t and nothing else, so that a value does not depend
    on where the series starts. A NaN makes the windows that hold it NaN.

    References
    ----------
    Equals TA-Lib ``SMA``.

    Examples
    --------
    >>> sma([1.0, 2.0, 3.0, 5.0], period=2).tolist()
    [nan, 1.5, 2.5, 4.0]
    """
    (x,) = series(values=values)
    period = bars("period", period, at_least=1)
    out = unknown(len(x), period - 1)
    if len(x) >= period:
        window_mean(x, period, out[period - 1 :])
    return out


def ema(values: npt.ArrayLike, period: int = 20) -> FloatArray:
    """Compute the exponential moving average with the smoothing 2 / (period + 1).

    Parameters
    ----------
    values : array-like of shape (n_bars,)
        Prices or any other series, oldest first.
    period : int
        Nominal length in bars, at least 2.

    Returns
    -------
    ndarray of shape (n_bars,)
        In the unit of ``values``. The first ``period - 1`` are NaN.

    Raises
    ------
    ConfigError
        If ``period`` is not a whole number of at least 2.
    DataError
        If ``values`` is not a one-dimensional series of numbers.

    Notes
    -----
    Causal and recursive: the mean of the first ``period`` values starts it, every value so far
    has a share in it. A NaN makes every later value NaN.

    References
    ----------
    Equals TA-Lib ``EMA``.

    Examples
    --------
    >>> ema([1.0, 2.0, 3.0, 5.0], period=3).tolist()
    [nan, nan, 2.0, 3.5]
    """
    (x,) = series(values=values)
    period = bars("period", period, at_least=2)
    out = unknown(len(x), period - 1)
    if len(x) >= period:
        out[period - 1] = average(x[:period])
        smooth(x[period:], out[period - 1], 1.0 - 2.0 / (period + 1), out[period:])
    return out


def bollinger(
    close: npt.ArrayLike, period: int = 20, deviations: float = 2.0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute Bollinger bands: the mean and so many standard deviations around it.

    Parameters
    ----------
    close : array-like of shape (n_bars,)
        Closes in the quote currency, oldest first.
    period : int
        Window in bars, at least 2.
    deviations : float
        Half width of the bands in **population** standard deviations, above 0.

    Returns
    -------
    upper, middle, lower : ndarray of shape (n_bars,)
        In the quote currency; the first ``period - 1`` are NaN. Equal closes give equal bands.

    Raises
    ------
    ConfigError
        If ``period`` is not a whole number of at least 2 or ``deviations`` is not above 0.
    DataError
        If ``close`` is not a one-dimensional series of numbers.

    Notes
    -----
    Causal: bar t reads bars t - period + 1 to t. A NaN makes the windows that hold it NaN.

    References
    ----------
    J. Bollinger, Bollinger on Bollinger Bands, 2001, chapter 7. Equals TA-Lib ``BBANDS``.

    Examples
    --------
    >>> [band.tolist() for band in bollinger([1.0, 3.0], period=2)]
    [[nan, 4.0], [nan, 2.0], [nan, 0.0]]
    """
    (x,) = series(close=close)
    period = bars("period", period, at_least=2)
    if not 0.0 < deviations < np.inf:
        raise ConfigError(f"deviations must be above 0 and finite, was {deviations}")
    first = period - 1
    upper, middle, lower = (unknown(len(x), first) for _ in range(3))
    if len(x) >= period:
        squares = upper[first:]
        window_moments(x, period, middle[first:], squares)
        _bands(middle[first:], deviations / np.sqrt(period), squares, lower[first:])
    return upper, middle, lower


@kernel
def _bands(mean: FloatArray, factor: float, upper: FloatArray, lower: FloatArray) -> None:
    """Turn the sums of squared deviations in ``upper`` into the bands."""
    for j in range(len(mean)):
        half_width = factor * np.sqrt(upper[j])
        upper[j] = mean[j] + half_width
        lower[j] = mean[j] - half_width
