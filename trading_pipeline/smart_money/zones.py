"""Fair value gaps and order blocks."""

from dataclasses import dataclass

import numpy as np

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.smart_money import _zones
from trading_pipeline.smart_money.chunks import Bars, RawEvents, grown
from trading_pipeline.smart_money.swings import Swings


@dataclass(frozen=True, slots=True)
class Nearest:
    """The zone of each side whose far edge is the nearest to price, at each bar.

    ``born`` (-1 without one), ``touched``, ``count`` of all; ``near`` and ``far`` edges (NaN). All
    have the shape (n_bars, 2): bullish, bearish.
    """

    born: IntArray
    touched: IntArray
    count: IntArray
    near: FloatArray
    far: FloatArray


class GapFollower:
    """Fair value gaps."""

    def __init__(self) -> None:
        self._zones = _no_zones(2 * _zones.GAP_BOOKS)

    def advance(self, bars: Bars) -> tuple[Nearest, RawEvents]:
        """Take a chunk."""
        self._zones = _with_room(self._zones, bars.n_new)
        # Every zone that waits, and every new one, can leave each of its books once.
        events = _zone_events(int(self._zones.size.sum()) + 6 * bars.n_new)
        nearest = _nearest(bars.n_new)
        candles = bars.candles
        _zones.follow_gaps(
            candles.open,
            candles.high,
            candles.low,
            candles.close,
            bars.start,
            bars.base,
            self._zones,
            events,
            nearest,
        )
        return _seen(nearest), _written(events)


class BlockFollower:
    """Order blocks."""

    def __init__(self) -> None:
        self._zones = _no_zones(2 * _zones.BLOCK_BOOKS)
        self._candle_bar = np.full((2, 4), -1, np.int64)
        self._candle_price = np.full((2, 2), np.nan)

    def advance(self, bars: Bars, swings: Swings) -> tuple[Nearest, RawEvents]:
        """Take a chunk."""
        self._zones = _with_room(self._zones, bars.n_new)
        # Leaving one book a block enters two more.
        events = _zone_events(3 * int(self._zones.size.sum()) + 10 * bars.n_new)
        nearest = _nearest(bars.n_new)
        candles = bars.candles
        _zones.follow_blocks(
            candles.high,
            candles.low,
            candles.close,
            candles.volume,
            bars.start,
            bars.base,
            swings.at,
            swings.level,
            self._candle_bar,
            self._candle_price,
            self._zones,
            events,
            nearest,
        )
        return _seen(nearest), _written(events)


def _no_zones(n_books: int) -> _zones.Zones:
    return _zones.Zones(
        np.empty((n_books, 0)),
        np.empty((n_books, 0), np.int64),
        np.zeros(n_books, np.int64),
        np.empty((0, 4), np.int64),
        np.empty((0, 2)),
        np.zeros(1, np.int64),
    )


def _with_room(zones: _zones.Zones, n_new: int) -> _zones.Zones:
    # A book takes a zone per bar, and at most all that wait in the others.
    waiting, known = int(zones.size.sum()) + n_new + 1, int(zones.total[0]) + 2 * n_new
    if waiting > zones.level.shape[1]:
        zones = zones._replace(
            level=grown(zones.level, 1, 2 * waiting), waiting=grown(zones.waiting, 1, 2 * waiting)
        )
    if known > len(zones.price):
        zones = zones._replace(
            bar=grown(zones.bar, 0, 2 * known), price=grown(zones.price, 0, 2 * known)
        )
    return zones


def _zone_events(n_events: int) -> _zones.Events:
    room = RawEvents.room(n_events)
    return _zones.Events(room.bar, room.price, np.zeros(1, np.int64))


def _written(events: _zones.Events) -> RawEvents:
    return RawEvents(events.bar, events.price).first(int(events.total[0]))


def _nearest(n_new: int) -> _zones.Nearest:
    return _zones.Nearest(np.empty((n_new, 2, 3), np.int64), np.empty((n_new, 2, 2)))


def _seen(nearest: _zones.Nearest) -> Nearest:
    bar, price = nearest.bar, nearest.price
    return Nearest(bar[:, :, 0], bar[:, :, 1], bar[:, :, 2], price[:, :, 0], price[:, :, 1])
