"""Kernels behind ``labels``."""

import math

import numba
import numpy as np

from trading_pipeline.core.candles import FloatArray, IntArray

_MATURE, _IMMATURE, _DROPPED = 0, 1, 2


@numba.njit(cache=True)
def one_bar_volatility(close: FloatArray, window: int) -> FloatArray:
    """Return the sample standard deviation of the last ``window`` log returns, NaN before.

    Each window is summed on its own: a sliding sum would depend on where the series starts.
    """
    n_bars = len(close)
    sigma = np.full(n_bars, np.nan)
    returns = np.empty(n_bars)
    for i in range(1, n_bars):
        returns[i] = math.log(close[i] / close[i - 1])
    for i in range(window, n_bars):
        mean = 0.0
        for k in range(i - window + 1, i + 1):
            mean += returns[k]
        mean /= window
        squares = 0.0
        for k in range(i - window + 1, i + 1):
            squares += (returns[k] - mean) ** 2
        sigma[i] = math.sqrt(squares / (window - 1))
    return sigma


@numba.njit(cache=True)
def touch_barriers(
    open_time: IntArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    sigma: FloatArray,
    gap_starts: IntArray,
    gap_ends: IntArray,
    step: int,
    horizon: int,
    window: int,
    upper: float,
    lower: float,
) -> tuple[IntArray, IntArray, IntArray]:
    """Return label, end (microseconds) and status code of every bar.

    Gaps are ascending, do not overlap, and hold no bars.
    """
    n_bars = len(open_time)
    labels = np.zeros(n_bars, dtype=np.int64)
    ends = np.zeros(n_bars, dtype=np.int64)
    statuses = np.full(n_bars, _DROPPED, dtype=np.int64)
    next_gap = 0
    for i in range(n_bars):
        while next_gap < len(gap_ends) and gap_ends[next_gap] <= open_time[i]:
            next_gap += 1
        if not sigma[i] > 0.0:
            continue
        if next_gap > 0 and gap_starts[next_gap - 1] > open_time[i - window]:
            continue
        top = close[i] * math.exp(upper * sigma[i])
        bottom = close[i] * math.exp(-lower * sigma[i])
        limit = open_time[i] + (horizon + 1) * step
        hole = gap_starts[next_gap] if next_gap < len(gap_starts) else limit
        labels[i], ends[i], statuses[i] = _first_touch(
            open_time, high, low, i, top, bottom, limit, hole, step
        )
    return labels, ends, statuses


@numba.njit(cache=True)
def _first_touch(
    open_time: IntArray,
    high: FloatArray,
    low: FloatArray,
    entry: int,
    top: float,
    bottom: float,
    limit: int,
    hole: int,
    step: int,
) -> tuple[int, int, int]:
    n_bars = len(open_time)
    j = entry + 1
    while j < n_bars and open_time[j] < limit and open_time[j] < hole:
        # The lower barrier first: a bar that touches both is read pessimistically.
        if low[j] <= bottom:
            return -1, open_time[j] + step, _MATURE
        if high[j] >= top:
            return 1, open_time[j] + step, _MATURE
        j += 1
    if hole < limit:
        return 0, 0, _DROPPED
    if open_time[n_bars - 1] + step >= limit:
        return 0, limit, _MATURE
    return 0, 0, _IMMATURE
