"""Where a value stands among the values before it."""

import numpy.typing as npt

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators._inputs import bars, series, unknown
from trading_pipeline.indicators._kernels import window_scores


def zscore(values: npt.ArrayLike, period: int = 20) -> FloatArray:
    """Compute the rolling z-score: distance from the mean in standard deviations.

    Parameters
    ----------
    values : array-like of shape (n_bars,)
        Prices or any other series, oldest first.
    period : int
        Window in bars, at least 2, the bar itself included.

    Returns
    -------
    ndarray of shape (n_bars,)
        Without unit, within plus and minus sqrt(period - 1). The first ``period - 1`` are NaN;
        0 where all values of the window are equal.

    Raises
    ------
    ConfigError
        If ``period`` is not a whole number of at least 2.
    DataError
        If ``values`` is not a one-dimensional series of numbers.

    Notes
    -----
    Causal: bar t reads bars t - period + 1 to t. **Population** standard deviation. A NaN makes
    the windows that hold it NaN.

    References
    ----------
    Equals (x - TA-Lib ``SMA``) / TA-Lib ``STDDEV``.

    Examples
    --------
    >>> zscore([1.0, 3.0, 3.0], period=2).tolist()
    [nan, 1.0, 0.0]
    """
    (x,) = series(values=values)
    period = bars("period", period, at_least=2)
    out = unknown(len(x), period - 1)
    if len(x) >= period:
        window_scores(x, period, out[period - 1 :])
    return out
