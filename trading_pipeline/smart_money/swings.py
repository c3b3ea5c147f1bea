"""Swing highs and lows, and what is measured from them bar by bar."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.smart_money import _swings
from trading_pipeline.smart_money.chunks import Bars, RawEvents


@dataclass(frozen=True, slots=True)
class Swings:
    """Labels known at each bar; columns of ``at`` and ``level`` are those of ``_swings``."""

    at: IntArray
    level: FloatArray
    run: IntArray
    new: IntArray
    dropped: IntArray
    dropped_level: FloatArray

    @classmethod
    def empty(cls, n_bars: int) -> Self:
        """Return arrays for a kernel to write."""
        shape = (n_bars, 4)
        return cls(
            np.empty(shape, np.int64),
            np.empty(shape),
            np.empty(n_bars, np.int64),
            np.empty(n_bars, np.int64),
            np.empty(n_bars, np.int64),
            np.empty(n_bars),
        )


class SwingFollower:
    """Swing highs and lows, the leg that price gives back, and the mean range."""

    def __init__(self, length: int, atr_period: int) -> None:
        self._length, self._atr_period = length, atr_period
        self._at = np.full(4, -1, np.int64)
        self._level = np.full(4, np.nan)
        self._run = np.zeros(1, np.int64)
        self._deepest = np.full(1, np.nan)
        self._range = np.array([0.0, 0.0, np.nan])

    def advance(self, bars: Bars) -> tuple[Swings, RawEvents]:
        """Take a chunk."""
        swings = Swings.empty(bars.n_new)
        _swings.follow_swings(
            bars.candles.high,
            bars.candles.low,
            bars.start,
            bars.base,
            self._length,
            self._at,
            self._level,
            self._run,
            swings.at,
            swings.level,
            swings.run,
            swings.new,
            swings.dropped,
            swings.dropped_level,
        )
        return swings, _swing_events(swings, bars.base + bars.start)

    def legs(self, bars: Bars, swings: Swings) -> tuple[FloatArray, FloatArray]:
        """Return the share of the newest leg that is given back, now and at most."""
        now, deepest = np.empty(bars.n_new), np.empty(bars.n_new)
        _swings.follow_legs(
            bars.candles.high,
            bars.candles.low,
            bars.start,
            bars.base,
            swings.run,
            swings.new,
            swings.at,
            swings.level,
            self._deepest,
            now,
            deepest,
        )
        return now, deepest

    def average_range(self, bars: Bars) -> FloatArray:
        """Return Wilder's average true range."""
        out = np.empty(bars.n_new)
        candles = bars.candles
        _swings.follow_range(
            candles.high, candles.low, candles.close, bars.start, self._atr_period, self._range, out
        )
        return out


def _swing_events(swings: Swings, first: int) -> RawEvents:
    rows = np.flatnonzero(swings.new)
    side = np.where(swings.new[rows] == 1, _swings.HIGH, _swings.LOW)
    formed = _level_events(
        first + rows, 1, swings.new[rows], swings.at[rows, side], swings.level[rows, side]
    )
    gone = rows[swings.dropped[rows] >= 0]
    replaced = _level_events(
        first + gone, 0, swings.new[gone], swings.dropped[gone], swings.dropped_level[gone]
    )
    return RawEvents(
        np.concatenate([replaced.bar, formed.bar]), np.concatenate([replaced.price, formed.price])
    )


def _level_events(
    known_at: IntArray, kind: int, direction: IntArray, origin: IntArray, level: FloatArray
) -> RawEvents:
    kinds = np.full(len(known_at), kind, np.int64)
    nothing = np.full(len(known_at), np.nan)
    return RawEvents(
        np.column_stack([known_at, kinds, direction, origin]),
        np.column_stack([level, level, nothing]),
    )
