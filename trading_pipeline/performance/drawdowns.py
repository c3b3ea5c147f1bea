"""Losses from a peak."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.core.errors import DataError
from trading_pipeline.performance.returns import checked_equity


def drawdown_series(equity: FloatArray) -> FloatArray:
    """Return the loss from the highest equity so far on each bar.

    Parameters
    ----------
    equity : ndarray of shape (n_bars,)
        Finite, positive at its start.

    Returns
    -------
    ndarray of shape (n_bars,)
        ``equity / peak - 1``, at most 0 and at least -1 while equity is not negative. Causal.

    Raises
    ------
    DataError
        If the equity is unusable.
    """
    checked_equity(equity)
    return np.asarray(equity / np.maximum.accumulate(equity) - 1.0, dtype=np.float64)


def max_drawdown(equity: FloatArray) -> float:
    """Return the deepest drawdown as a fraction of its peak, at most 0 (-0.25 is a quarter)."""
    return float(np.min(drawdown_series(equity)))


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A stretch below a peak.

    ``depth`` is at most 0; ``peak`` and ``trough`` are open times of bars, ``recovery`` is the
    first bar at or above the peak again, None if there was none; ``bars`` counts from the peak
    to the recovery, or to the last bar.
    """

    depth: float
    peak: datetime
    trough: datetime
    recovery: datetime | None
    bars: int
    duration: timedelta


def drawdowns(equity: FloatArray, open_time: pl.Series) -> tuple[Drawdown, ...]:
    """Return every stretch below a peak, oldest first.

    Raises
    ------
    DataError
        If the equity is unusable or has another length than ``open_time``.
    """
    series = drawdown_series(equity)
    if len(open_time) != len(equity):
        raise DataError(
            f"equity and open_time need one value per bar, had {len(equity)} and {len(open_time)}"
        )
    below = np.concatenate([[False], series < 0, [False]])
    starts = np.flatnonzero(below[1:] & ~below[:-1])
    ends = np.flatnonzero(below[:-1] & ~below[1:])
    return tuple(
        _stretch(series, open_time, first - 1, end)
        for first, end in zip(starts.tolist(), ends.tolist(), strict=True)
    )


def _stretch(series: FloatArray, open_time: pl.Series, peak: int, end: int) -> Drawdown:
    trough = peak + int(np.argmin(series[peak:end]))
    is_over = end < len(series)
    last = end if is_over else len(series) - 1
    return Drawdown(
        depth=float(series[trough]),
        peak=open_time[peak],
        trough=open_time[trough],
        recovery=open_time[end] if is_over else None,
        bars=last - peak,
        duration=open_time[last] - open_time[peak],
    )
