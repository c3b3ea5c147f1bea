"""Breaks of structure and changes of character."""

import numpy as np

from trading_pipeline.smart_money import _structure
from trading_pipeline.smart_money.chunks import Bars, RawEvents
from trading_pipeline.smart_money.swings import Swings


class StructureFollower:
    """Breaks of structure and changes of character."""

    def __init__(self) -> None:
        self._bars = np.full((2, 7), -1, np.int64)
        self._prices = np.full((2, 2), np.nan)
        self._waiting_bar = np.empty((2, 0, 2), np.int64)
        self._waiting_level = np.empty((2, 0))
        self._ends = np.zeros((2, 2), np.int64)

    def advance(self, bars: Bars, swings: Swings) -> RawEvents:
        """Take a chunk."""
        self._make_room(bars.n_new + 1)
        # A bar makes at most one label known, that is two breaks, and closes beyond two levels.
        events = RawEvents.room(4 * bars.n_new)
        n_events = _structure.follow_structure(
            bars.candles.close,
            bars.start,
            bars.base,
            swings.run,
            swings.new,
            swings.dropped,
            swings.at,
            swings.level,
            self._bars,
            self._prices,
            self._waiting_bar,
            self._waiting_level,
            self._ends,
            events.bar,
            events.price,
        )
        return events.first(n_events)

    def _make_room(self, n_more: int) -> None:
        if int(self._ends[:, 1].max()) + n_more <= self._waiting_level.shape[1]:
            return
        n_waiting = self._ends[:, 1] - self._ends[:, 0]
        room = 2 * (int(n_waiting.max()) + n_more)
        bar, level = np.empty((2, room, 2), np.int64), np.empty((2, room))
        for side, (head, stop) in enumerate(self._ends):
            bar[side, : stop - head] = self._waiting_bar[side, head:stop]
            level[side, : stop - head] = self._waiting_level[side, head:stop]
            self._ends[side] = 0, stop - head
        self._waiting_bar, self._waiting_level = bar, level
