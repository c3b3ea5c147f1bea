"""Kernels of zones that price comes back to: fair value gaps and order blocks.

A **book** holds levels that wait for price, ascending, so that the next to be reached stands at
its end: a bar looks at the zones that it reaches and at one more, however many are waiting.
Bearish zones run mirrored (prices times -1), so that every book waits for a fall.
"""

from typing import NamedTuple

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.smart_money._compile import kernel

# Kinds of events, in the order of a zone's life.
CREATED, TOUCHED, FILLED = range(3)
MITIGATED, INVALIDATED, RECLAIMED = range(2, 5)
# Books of a side: a gap's, and a block's.
TO_TOUCH, TO_FILL = range(2)
TO_MITIGATE, TO_INVALIDATE, TO_RECLAIM = range(1, 4)
GAP_BOOKS, BLOCK_BOOKS = 2, 4
# Whether price that stops at a level has reached it.
AT, BEYOND = range(2)
# Columns of a zone, and of what is written per bar and side.
ORIGIN, BORN, IS_TOUCHED, IS_OVER = range(4)
NEAR, FAR = range(2)
# Columns of the candle that becomes a block.
SWING_AT, CROSSED_AT, CANDLE_AT, TAKEN_AT = range(4)


class Zones(NamedTuple):
    """Zones of one concept and the books that they wait in; counts are arrays of one number."""

    level: FloatArray
    waiting: IntArray
    size: IntArray
    bar: IntArray
    price: FloatArray
    total: IntArray


class Events(NamedTuple):
    """Events: ``bar`` has known_at, kind, direction, origin; ``price`` top, bottom, value."""

    bar: IntArray
    price: FloatArray
    total: IntArray


class Nearest(NamedTuple):
    """Per bar and side: born, touched, how many wait; near and far edge of the nearest."""

    bar: IntArray
    price: FloatArray


@kernel
def _wait(book: int, level: float, zone: int, zones: Zones) -> None:
    place = zones.size[book]
    while place > 0 and zones.level[book, place - 1] > level:
        zones.level[book, place] = zones.level[book, place - 1]
        zones.waiting[book, place] = zones.waiting[book, place - 1]
        place -= 1
    zones.level[book, place], zones.waiting[book, place] = level, zone
    zones.size[book] += 1


@kernel
def _say(
    now: int, kind: int, side: int, zone: int, value: float, zones: Zones, events: Events
) -> None:
    row = events.total[0]
    events.total[0] += 1
    events.bar[row, 0], events.bar[row, 1], events.bar[row, 2] = now, kind, 1 - 2 * side
    events.bar[row, 3] = zones.bar[zone, ORIGIN]
    # Mirrored back: the near edge of a bearish zone is its bottom.
    near, far = zones.price[zone, NEAR], zones.price[zone, FAR]
    events.price[row, 0] = near if side == 0 else -far
    events.price[row, 1] = far if side == 0 else -near
    events.price[row, 2] = value


@kernel
def _add(now: int, side: int, origin: int, near: float, far: float, zones: Zones) -> int:
    zone: int = zones.total[0]
    zones.total[0] += 1
    zones.bar[zone, ORIGIN], zones.bar[zone, BORN] = origin, now
    zones.bar[zone, IS_TOUCHED], zones.bar[zone, IS_OVER] = 0, 0
    zones.price[zone, NEAR], zones.price[zone, FAR] = near, far
    return zone


@kernel
def _reach(
    book: int, price: float, touch: int, kind: int, now: int, side: int,
    zones: Zones, events: Events,
) -> None:  # fmt: skip
    """Take every zone that ``price`` reaches out of its book, as events of one kind."""
    while zones.size[book] > 0:
        level = zones.level[book, zones.size[book] - 1]
        if price > level or (touch == BEYOND and price == level):
            return
        zones.size[book] -= 1
        zone = zones.waiting[book, zones.size[book]]
        if zones.bar[zone, IS_OVER] == 0:
            _say(now, kind, side, zone, float("nan"), zones, events)


@kernel
def _mark(book: int, size_before: int, column: int, zones: Zones) -> None:
    """Mark the zones that just left a book: their places behind its end still hold them."""
    for place in range(zones.size[book], size_before):
        zones.bar[zones.waiting[book, place], column] = 1


@kernel
def _write_nearest(row: int, side: int, book: int, zones: Zones, nearest: Nearest) -> None:
    nearest.bar[row, side, 2] = zones.size[book]
    if zones.size[book] == 0:
        nearest.bar[row, side, 0], nearest.bar[row, side, 1] = -1, 0
        nearest.price[row, side, NEAR] = nearest.price[row, side, FAR] = float("nan")
        return
    zone, sign = zones.waiting[book, zones.size[book] - 1], 1 - 2 * side
    nearest.bar[row, side, 0] = zones.bar[zone, BORN]
    nearest.bar[row, side, 1] = zones.bar[zone, IS_TOUCHED]
    nearest.price[row, side, NEAR] = sign * zones.price[zone, NEAR]
    nearest.price[row, side, FAR] = sign * zones.price[zone, FAR]


@kernel
def follow_gaps(
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    start: int,
    base: int,
    zones: Zones,
    events: Events,
    nearest: Nearest,
) -> None:
    """Write gaps that appear, are entered and are filled at each bar from ``start`` on."""
    for place in range(start, len(close)):
        now = base + place
        for side in range(2):
            sign, books = 1 - 2 * side, side * GAP_BOOKS
            lowest = low[place] if side == 0 else -high[place]
            n_untouched = zones.size[books + TO_TOUCH]
            _reach(books + TO_TOUCH, lowest, AT, TOUCHED, now, side, zones, events)
            _mark(books + TO_TOUCH, n_untouched, IS_TOUCHED, zones)
            _reach(books + TO_FILL, lowest, AT, FILLED, now, side, zones, events)
            if place >= 2 and sign * (close[place - 1] - open_[place - 1]) > 0.0:
                before = high[place - 2] if side == 0 else -low[place - 2]
                if before < lowest:
                    zone = _add(now, side, now - 1, lowest, before, zones)
                    _wait(books + TO_TOUCH, lowest, zone, zones)
                    _wait(books + TO_FILL, before, zone, zones)
                    _say(now, CREATED, side, zone, float("nan"), zones, events)
            _write_nearest(place - start, side, books + TO_FILL, zones, nearest)


@kernel
def _follow_candle(
    side: int, place: int, base: int, swing: int, high: FloatArray, low: FloatArray,
    candle_bar: IntArray, candle_price: FloatArray,
) -> None:  # fmt: skip
    """Keep the most extreme candle after the swing; of equals the newest."""
    first = place
    if candle_bar[side, SWING_AT] != swing:
        candle_bar[side, SWING_AT] = swing
        first = swing + 1 - base
        candle_price[side, FAR] = float("inf")
    for earlier in range(first, place + 1):
        far = low[earlier] if side == 0 else -high[earlier]
        if far <= candle_price[side, FAR]:
            candle_price[side, FAR] = far
            candle_price[side, NEAR] = high[earlier] if side == 0 else -low[earlier]
            candle_bar[side, CANDLE_AT] = base + earlier


@kernel
def _strength(volume: FloatArray, place: int) -> float:
    """Return how even the volume before the break is with that of the break."""
    before, during = volume[place - 2], volume[place] + volume[place - 1]
    most = max(before, during)
    return min(before, during) / most if most > 0.0 else 1.0


@kernel
def _live(
    books: int, lowest: float, highest: float, ended: float, now: int, side: int,
    zones: Zones, events: Events,
) -> None:  # fmt: skip
    # First, because a block must be mitigated before a bar that reclaims it.
    n_broken = zones.size[books + TO_RECLAIM]
    _reach(books + TO_RECLAIM, -highest, BEYOND, RECLAIMED, now, side, zones, events)
    _mark(books + TO_RECLAIM, n_broken, IS_OVER, zones)
    n_untouched, n_whole = zones.size[books + TO_TOUCH], zones.size[books + TO_MITIGATE]
    _reach(books + TO_TOUCH, lowest, AT, TOUCHED, now, side, zones, events)
    _mark(books + TO_TOUCH, n_untouched, IS_TOUCHED, zones)
    _reach(books + TO_MITIGATE, lowest, BEYOND, MITIGATED, now, side, zones, events)
    for place in range(zones.size[books + TO_MITIGATE], n_whole):
        zone = zones.waiting[books + TO_MITIGATE, place]
        _wait(books + TO_INVALIDATE, zones.price[zone, FAR], zone, zones)
        _wait(books + TO_RECLAIM, -zones.price[zone, NEAR], zone, zones)
    _reach(books + TO_INVALIDATE, ended, BEYOND, INVALIDATED, now, side, zones, events)


@kernel
def follow_blocks(
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    volume: FloatArray,
    start: int,
    base: int,
    at: IntArray,
    level: FloatArray,
    candle_bar: IntArray,
    candle_price: FloatArray,
    zones: Zones,
    events: Events,
    nearest: Nearest,
) -> None:
    """Write order blocks that appear and live on at each bar from ``start`` on."""
    for place in range(start, len(close)):
        row, now = place - start, base + place
        for side in range(2):
            sign, books = 1 - 2 * side, side * BLOCK_BOOKS
            lowest = low[place] if side == 0 else -high[place]
            highest = high[place] if side == 0 else -low[place]
            ended, swing = sign * close[place], at[row, side]
            _live(books, lowest, highest, ended, now, side, zones, events)
            is_followed = swing >= 0 and candle_bar[side, SWING_AT] == swing
            is_whole = is_followed and candle_bar[side, CROSSED_AT] != swing
            if is_whole and ended > sign * level[row, side]:
                candle_bar[side, CROSSED_AT] = swing
                candle = candle_bar[side, CANDLE_AT]
                # Two swings may be broken from one candle: that is one block.
                if candle != candle_bar[side, TAKEN_AT]:
                    candle_bar[side, TAKEN_AT] = candle
                    near, far = candle_price[side, NEAR], candle_price[side, FAR]
                    zone = _add(now, side, candle, near, far, zones)
                    _wait(books + TO_TOUCH, near, zone, zones)
                    _wait(books + TO_MITIGATE, far, zone, zones)
                    _say(now, CREATED, side, zone, _strength(volume, place), zones, events)
            if swing >= 0:
                _follow_candle(side, place, base, swing, high, low, candle_bar, candle_price)
            _write_nearest(row, side, books + TO_MITIGATE, zones, nearest)
