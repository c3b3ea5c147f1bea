"""Kernel of liquidity: swings at one level, and the bar that trades beyond them.

Sides run mirrored as in ``_zones``, here so that every pool waits for a rise. The pools of a side
stand in the order of their first swing, which is also the order of falling levels: a later swing
above an older one would have swept it, and one beside it belongs to it.
"""

from typing import NamedTuple

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.smart_money._compile import kernel

CREATED, EXTENDED, SWEPT = range(3)
# Columns of a pool: numbers, then levels.
FIRST_AT, LAST_AT, MEMBERS, BORN = range(4)
FROM, SWEEP, HIGHEST, LOWEST = range(4)


class Pools(NamedTuple):
    """Pools that wait, per side; ``size`` and ``shared`` count them and those of two and more."""

    bar: IntArray
    price: FloatArray
    size: IntArray
    shared: IntArray


class Events(NamedTuple):
    """Events: ``bar`` has known_at, kind, direction, origin; ``price`` top, bottom, value."""

    bar: IntArray
    price: FloatArray
    total: IntArray


@kernel
def _say(
    now: int, kind: int, side: int, place: int, value: float, pools: Pools, events: Events
) -> None:
    row = events.total[0]
    events.total[0] += 1
    events.bar[row, 0], events.bar[row, 1], events.bar[row, 2] = now, kind, 1 - 2 * side
    events.bar[row, 3] = pools.bar[side, place, FIRST_AT]
    highest, lowest = pools.price[side, place, HIGHEST], pools.price[side, place, LOWEST]
    events.price[row, 0] = highest if side == 0 else -lowest
    events.price[row, 1] = lowest if side == 0 else -highest
    events.price[row, 2] = value


@kernel
def _find(side: int, level: float, pools: Pools) -> int:
    """Return the oldest pool whose range holds ``level``: ranges fall with age."""
    low, high = 0, pools.size[side]
    while low < high:
        middle = (low + high) // 2
        if pools.price[side, middle, FROM] <= level:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def _take_swing(
    side: int, at: int, level: float, dropped: int, tolerance: float, now: int,
    pools: Pools, events: Events,
) -> None:  # fmt: skip
    size = pools.size[side]
    is_newest = dropped >= 0 and size > 0 and pools.bar[side, size - 1, FIRST_AT] == dropped
    # A lone swing that another of its run replaces was never part of a pool.
    if is_newest and pools.bar[side, size - 1, MEMBERS] == 1:
        size -= 1
        pools.size[side] = size
    place = _find(side, level, pools)
    if place < size:
        pools.bar[side, place, LAST_AT] = at
        pools.bar[side, place, MEMBERS] += 1
        pools.price[side, place, HIGHEST] = max(pools.price[side, place, HIGHEST], level)
        pools.price[side, place, LOWEST] = min(pools.price[side, place, LOWEST], level)
        members = pools.bar[side, place, MEMBERS]
        if members == 2:
            pools.shared[side] += 1
            pools.bar[side, place, BORN] = now
        kind = CREATED if members == 2 else EXTENDED
        _say(now, kind, side, place, float(members), pools, events)
        return
    sweep = level + tolerance
    if size > 0:
        # Whoever sweeps the outer pool has swept the inner one, however wide the tolerance.
        sweep = min(sweep, pools.price[side, size - 1, SWEEP])
    pools.bar[side, size, FIRST_AT] = pools.bar[side, size, LAST_AT] = at
    pools.bar[side, size, MEMBERS], pools.bar[side, size, BORN] = 1, now
    pools.price[side, size, FROM], pools.price[side, size, SWEEP] = level - tolerance, sweep
    pools.price[side, size, HIGHEST] = pools.price[side, size, LOWEST] = level
    pools.size[side] = size + 1


@kernel
def follow_pools(
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    start: int,
    base: int,
    new: IntArray,
    dropped: IntArray,
    at: IntArray,
    level: FloatArray,
    tolerance: FloatArray,
    pools: Pools,
    events: Events,
    out_bar: IntArray,
    out_price: FloatArray,
) -> None:
    """Write pools that appear, grow and are swept at each bar from ``start`` on.

    ``out_bar`` has, per bar and side: swept swings, members of the nearest pool, pools of two and
    more; ``out_price`` the level of the nearest, NaN without one.
    """
    for place in range(start, len(close)):
        row, now = place - start, base + place
        for side in range(2):
            sign, n_swept = 1 - 2 * side, 0
            highest = high[place] if side == 0 else -low[place]
            while pools.size[side] > 0 and (
                highest >= pools.price[side, pools.size[side] - 1, SWEEP]
            ):
                last = pools.size[side] - 1
                n_swept += pools.bar[side, last, MEMBERS]
                if pools.bar[side, last, MEMBERS] > 1:
                    # 1 for a raid: the bar closed back inside.
                    is_back = sign * close[place] <= pools.price[side, last, HIGHEST]
                    _say(now, SWEPT, side, last, 1.0 if is_back else 0.0, pools, events)
                    pools.shared[side] -= 1
                pools.size[side] = last
            if new[row] == sign:
                swing, price = at[row, side], sign * level[row, side]
                _take_swing(side, swing, price, dropped[row], tolerance[row], now, pools, events)
            last = pools.size[side] - 1
            out_bar[row, side, 0], out_bar[row, side, 2] = n_swept, pools.shared[side]
            out_bar[row, side, 1] = pools.bar[side, last, MEMBERS] if last >= 0 else 0
            out_price[row, side] = (
                sign * pools.price[side, last, HIGHEST] if last >= 0 else float("nan")
            )
