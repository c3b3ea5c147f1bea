"""Whether there is a trend, and which way."""

import numpy as np
import numpy.typing as npt

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators._inputs import bars, series, unknown
from trading_pipeline.indicators._kernels import TIE, average, kernel, smooth, true_range


def adx(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, period: int = 14
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute Wilder's average directional index and the two directional indicators.

    Parameters
    ----------
    high, low, close : array-like of shape (n_bars,)
        Prices in the quote currency, oldest first.
    period : int
        Length of Wilder's smoothing in bars, at least 2.

    Returns
    -------
    adx, plus_di, minus_di : ndarray of shape (n_bars,)
        Between 0 and 100. The first ``2 * period - 1`` of each are NaN.

    Raises
    ------
    ConfigError
        If ``period`` is not a whole number of at least 2.
    DataError
        If the inputs are not one-dimensional series of numbers of one length.

    Notes
    -----
    Causal and recursive. As in TA-Lib, the smoothing starts from ``period - 1`` movements. All
    three are 0 while nothing has moved. Up and down movements that differ only by the rounding
    of decimal prices count as equal, so that neither has a direction. A NaN makes every later
    value NaN.

    References
    ----------
    J. W. Wilder, New Concepts in Technical Trading Systems, 1978, pp. 35-47. Equals TA-Lib
    ``ADX``, ``PLUS_DI`` and ``MINUS_DI`` on prices in whole ticks.

    Examples
    --------
    >>> up = np.arange(8.0)
    >>> [line[-1].round(9).item() for line in adx(up + 1, up, up + 0.5, period=3)]
    [100.0, 66.666666667, 0.0]
    """
    highs, lows, closes = series(high=high, low=low, close=close)
    period = bars("period", period, at_least=2)
    warm_up = 2 * period - 1
    index, plus, minus = (unknown(len(closes), warm_up) for _ in range(3))
    if len(closes) > warm_up:
        breadth, decay = np.empty(len(closes)), 1.0 - 1.0 / period
        true_range(highs, lows, closes, breadth[1:])
        _movements(highs, lows, TIE, plus[1:], minus[1:])
        for movement in (breadth, plus, minus):
            seed = float(np.sum(movement[1:period])) / period
            smooth(movement[period:], seed, decay, movement[period:])
        _directions(breadth[period:], plus[period:], minus[period:], index[period:])
        index[warm_up] = average(index[period : warm_up + 1])
        smooth(index[warm_up + 1 :], index[warm_up], decay, index[warm_up + 1 :])
        for line in (index, plus, minus):
            line[:warm_up] = np.nan
    return index, plus, minus


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
def _directions(
    breadth: FloatArray, plus: FloatArray, minus: FloatArray, index: FloatArray
) -> None:
    """Turn smoothed movements into the indicators, and write the unsmoothed index."""
    for j in range(len(index)):
        flat = breadth[j] == 0.0
        up, down = 100.0 * (plus[j] / breadth[j]), 100.0 * (minus[j] / breadth[j])
        plus[j] = 0.0 if flat else up
        minus[j] = 0.0 if flat else down
        distance = 100.0 * (abs(plus[j] - minus[j]) / (plus[j] + minus[j]))
        index[j] = 0.0 if plus[j] + minus[j] == 0.0 else distance
