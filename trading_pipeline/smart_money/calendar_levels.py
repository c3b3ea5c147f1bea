"""Highs and lows of the period before and of sessions."""

import numpy as np

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.smart_money import _periods
from trading_pipeline.smart_money.chunks import Bars
from trading_pipeline.smart_money.settings import Period, Session


class PeriodFollower:
    """High and low of the period before."""

    def __init__(self, period: Period) -> None:
        self._period = period
        self._number = np.full(1, -1, np.int64)
        self._state = np.full(4, np.nan)

    def advance(self, bars: Bars) -> tuple[FloatArray, IntArray]:
        """Take a chunk; return levels and whether they are broken, high and low."""
        out, broken = np.empty((bars.n_new, 2)), np.empty((bars.n_new, 2), np.int64)
        candles = bars.candles
        _periods.follow_periods(
            candles.open_time,
            candles.high,
            candles.low,
            bars.start,
            self._period.length_days * _periods.DAY_US,
            self._period.offset_days * _periods.DAY_US,
            self._number,
            self._state,
            out,
            broken,
        )
        return out, broken


class SessionFollower:
    """High and low of a session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._newest = np.full(1, np.iinfo(np.int64).min, np.int64)
        self._state = np.full(2, np.nan)

    def advance(self, bars: Bars) -> tuple[IntArray, FloatArray]:
        """Take a chunk; return whether the session is on, and its high and low."""
        active, out = np.empty(bars.n_new, np.int64), np.empty((bars.n_new, 2))
        candles = bars.candles
        _periods.follow_session(
            candles.open_time,
            candles.high,
            candles.low,
            bars.start,
            self._session.opens,
            self._session.closes,
            self._newest,
            self._state,
            active,
            out,
        )
        return active, out
