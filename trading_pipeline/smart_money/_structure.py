"""Kernel of the breaks of structure.

Both directions run through one text: ``sign`` is 1 for a break upwards of a swing high and -1 for
its mirror. Three kinds of levels may break: the newest label; the one before it, while the newest
run is open; and those **waiting** for a close where only a wick has passed.
"""

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.smart_money._compile import kernel

NOTHING, BREAK, CHANGE = range(-1, 2)
# Columns of a direction's state.
OWN_AT, OWN_BROKEN, OWN_DONE, PREVIOUS_AT, PREVIOUS_BROKEN, PREVIOUS_DONE, PREVIOUS_KIND = range(7)
OWN_LEVEL, PREVIOUS_LEVEL = range(2)
# Rows of the positions of the waiting levels.
HEAD, STOP = range(2)


@kernel
def _kind(sign: int, earlier: float, level: float, later: float) -> int:
    """Return what a break of ``level`` between two opposite swings is."""
    if sign * earlier < sign * later and sign * later < sign * level:
        return BREAK
    if sign * later < sign * earlier and sign * earlier < sign * level:
        return CHANGE
    return NOTHING


@kernel
def _say(
    found: tuple[int, int, int, float, int],
    now: int,
    n_events: int,
    event_bar: IntArray,
    event_price: FloatArray,
) -> int:
    kind, sign, origin, level, broken = found
    event_bar[n_events, 0] = now
    event_bar[n_events, 1] = kind
    event_bar[n_events, 2] = sign
    event_bar[n_events, 3] = origin
    event_price[n_events, 0] = event_price[n_events, 1] = level
    event_price[n_events, 2] = broken
    return n_events + 1


@kernel
def _forget_before(position: int, bars: IntArray, waiting_bar: IntArray, ends: IntArray) -> None:
    """Drop every level older than one that broke: it can no longer become a break of its own."""
    for side in range(2):
        while ends[side, HEAD] < ends[side, STOP] and (
            waiting_bar[side, ends[side, HEAD], 0] < position
        ):
            ends[side, HEAD] += 1
        if bars[side, PREVIOUS_AT] < position:
            bars[side, PREVIOUS_DONE] = 1
        if bars[side, OWN_AT] < position:
            bars[side, OWN_DONE] = 1


@kernel
def _take_label(
    side: int,
    dropped: int,
    at: int,
    level: FloatArray,
    bars: IntArray,
    prices: FloatArray,
) -> None:
    other, sign = 1 - side, 1 - 2 * side
    if dropped < 0:
        bars[other, PREVIOUS_AT] = -1
        bars[side, PREVIOUS_AT] = bars[side, OWN_AT]
        bars[side, PREVIOUS_BROKEN] = bars[side, OWN_BROKEN]
        bars[side, PREVIOUS_DONE] = bars[side, OWN_DONE]
        own = prices[side, OWN_LEVEL]
        prices[side, PREVIOUS_LEVEL] = own
        bars[side, PREVIOUS_KIND] = _kind(sign, level[other + 2], own, level[other])
    bars[side, OWN_AT], bars[side, OWN_BROKEN], bars[side, OWN_DONE] = at, -1, 0
    prices[side, OWN_LEVEL] = level[side]


@kernel
def _surpassed(
    side: int,
    level: FloatArray,
    bars: IntArray,
    prices: FloatArray,
    waiting_bar: IntArray,
    waiting_level: FloatArray,
    ends: IntArray,
) -> tuple[int, int, int, float, int]:
    """Return the break of the label before, if the newest surpasses it; else let it wait."""
    sign, kind = 1 - 2 * side, bars[side, PREVIOUS_KIND]
    origin, broken = bars[side, PREVIOUS_AT], bars[side, PREVIOUS_BROKEN]
    previous = prices[side, PREVIOUS_LEVEL]
    is_open = origin >= 0 and bars[side, PREVIOUS_DONE] == 0 and kind != NOTHING
    if not (is_open and sign * level[side] > sign * previous):
        return NOTHING, sign, origin, previous, broken
    bars[side, PREVIOUS_DONE] = 1
    if broken >= 0:
        return kind, sign, origin, previous, broken
    stop = ends[side, STOP]
    # An older level that lies beyond this one would break later, and be dropped then.
    while stop > ends[side, HEAD] and sign * waiting_level[side, stop - 1] >= sign * previous:
        stop -= 1
    waiting_bar[side, stop, 0], waiting_bar[side, stop, 1] = origin, kind
    waiting_level[side, stop] = previous
    ends[side, STOP] = stop + 1
    return NOTHING, sign, origin, previous, broken


@kernel
def _known_late(
    side: int, at: int, level: FloatArray, bars: IntArray, prices: FloatArray
) -> tuple[int, int, int, float, int]:
    """Return the break of the other side's label that came before the swing ``at`` was known."""
    other, sign = 1 - side, 2 * side - 1
    origin, broken = bars[other, OWN_AT], bars[other, OWN_BROKEN]
    opposite, kind = prices[other, OWN_LEVEL], NOTHING
    if origin >= 0 and bars[other, OWN_DONE] == 0 and broken > at:
        kind = _kind(sign, level[side + 2], opposite, level[side])
        if kind != NOTHING:
            bars[other, OWN_DONE] = 1
    return kind, sign, origin, opposite, broken


@kernel
def _closed_beyond(
    side: int,
    price: float,
    now: int,
    run: int,
    level: FloatArray,
    bars: IntArray,
    prices: FloatArray,
    waiting_bar: IntArray,
    waiting_level: FloatArray,
    ends: IntArray,
) -> tuple[int, int, int, float, int]:
    """Return the newest level that this close breaks."""
    sign, other = 1 - 2 * side, 1 - side
    origin, kind, beyond = -1, NOTHING, 0.0
    while ends[side, HEAD] < ends[side, STOP] and (
        sign * price > sign * waiting_level[side, ends[side, HEAD]]
    ):
        oldest = ends[side, HEAD]
        origin, kind = waiting_bar[side, oldest, 0], waiting_bar[side, oldest, 1]
        beyond = waiting_level[side, oldest]
        ends[side, HEAD] += 1
    previous, own = prices[side, PREVIOUS_LEVEL], prices[side, OWN_LEVEL]
    has_previous = bars[side, PREVIOUS_AT] >= 0 and bars[side, PREVIOUS_BROKEN] < 0
    if has_previous and sign * price > sign * previous:
        bars[side, PREVIOUS_BROKEN] = now
        if bars[side, PREVIOUS_DONE] == 0 and bars[side, PREVIOUS_KIND] != NOTHING:
            origin, kind = bars[side, PREVIOUS_AT], bars[side, PREVIOUS_KIND]
            beyond, bars[side, PREVIOUS_DONE] = previous, 1
    has_own = bars[side, OWN_AT] >= 0 and bars[side, OWN_BROKEN] < 0
    if has_own and sign * price > sign * own:
        bars[side, OWN_BROKEN] = now
        found = _kind(sign, level[other + 2], own, level[other])
        if run == -sign and bars[side, OWN_DONE] == 0 and found != NOTHING:
            origin, kind = bars[side, OWN_AT], found
            beyond, bars[side, OWN_DONE] = own, 1
    return kind, sign, origin, beyond, now


@kernel
def follow_structure(
    close: FloatArray,
    start: int,
    base: int,
    run: IntArray,
    new: IntArray,
    dropped: IntArray,
    at: IntArray,
    level: FloatArray,
    bars: IntArray,
    prices: FloatArray,
    waiting_bar: IntArray,
    waiting_level: FloatArray,
    ends: IntArray,
    event_bar: IntArray,
    event_price: FloatArray,
) -> int:
    """Write the breaks that become known at each bar from ``start`` on; return how many."""
    n_events = 0
    for place in range(start, len(close)):
        row, now = place - start, base + place
        levels = level[row]
        if new[row] != 0:
            side = 0 if new[row] == 1 else 1
            label = at[row, side]
            _take_label(side, dropped[row], label, levels, bars, prices)
            found = _surpassed(side, levels, bars, prices, waiting_bar, waiting_level, ends)
            if found[0] != NOTHING:
                n_events = _say(found, now, n_events, event_bar, event_price)
                _forget_before(found[2], bars, waiting_bar, ends)
            found = _known_late(side, label, levels, bars, prices)
            if found[0] != NOTHING:
                n_events = _say(found, now, n_events, event_bar, event_price)
                _forget_before(found[2], bars, waiting_bar, ends)
        for side in range(2):
            found = _closed_beyond(
                side, close[place], now, run[row], levels, bars, prices,
                waiting_bar, waiting_level, ends,
            )  # fmt: skip
            if found[0] != NOTHING:
                n_events = _say(found, now, n_events, event_bar, event_price)
                _forget_before(found[2], bars, waiting_bar, ends)
    return n_events
