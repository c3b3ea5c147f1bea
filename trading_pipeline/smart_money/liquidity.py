"""Liquidity pools and their sweeps."""

from dataclasses import dataclass

import numpy as np

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.smart_money import _pools
from trading_pipeline.smart_money.chunks import Bars, RawEvents, grown
from trading_pipeline.smart_money.swings import Swings


@dataclass(frozen=True, slots=True)
class Liquidity:
    """Pools at each bar, shape (n_bars, 2): above price, below price.

    ``swept`` swings at this bar, ``members`` and ``level`` of the nearest pool, ``shared``: pools
    of two swings and more.
    """

    swept: IntArray
    members: IntArray
    shared: IntArray
    level: FloatArray


class PoolFollower:
    """Liquidity pools and their sweeps."""

    def __init__(self) -> None:
        self._pools = _pools.Pools(
            np.empty((2, 0, 4), np.int64),
            np.empty((2, 0, 4)),
            np.zeros(2, np.int64),
            np.zeros(2, np.int64),
        )

    def advance(
        self, bars: Bars, swings: Swings, tolerance: FloatArray
    ) -> tuple[Liquidity, RawEvents]:
        """Take a chunk; ``tolerance`` is that of a swing that its bar makes known."""
        self._make_room(bars.n_new)
        room = RawEvents.room(int(self._pools.size.sum()) + 2 * bars.n_new)
        events = _pools.Events(room.bar, room.price, np.zeros(1, np.int64))
        out_bar, level = np.empty((bars.n_new, 2, 3), np.int64), np.empty((bars.n_new, 2))
        candles = bars.candles
        _pools.follow_pools(
            candles.high,
            candles.low,
            candles.close,
            bars.start,
            bars.base,
            swings.new,
            swings.dropped,
            swings.at,
            swings.level,
            tolerance,
            self._pools,
            events,
            out_bar,
            level,
        )
        seen = Liquidity(out_bar[:, :, 0], out_bar[:, :, 1], out_bar[:, :, 2], level)
        return seen, room.first(int(events.total[0]))

    def _make_room(self, n_more: int) -> None:
        pools = self._pools
        needed = int(pools.size.max()) + n_more
        if needed > pools.price.shape[1]:
            self._pools = pools._replace(
                bar=grown(pools.bar, 1, 2 * needed), price=grown(pools.price, 1, 2 * needed)
            )
