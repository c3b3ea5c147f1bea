"""Stop-loss and take-profit inside one bar, with the pessimistic answer where a bar is silent.

A bar says how far the price went, not in which order. The rules, for a long position (a short
one is mirrored):

- the stop is looked at first: a bar that reaches both is a loss;
- a bar that opens beyond the stop fills at its open, which is worse than the stop;
- a bar that opens beyond the target fills at the target, never better;
- touching a level triggers it.
"""

from numba.extending import register_jitable

from trading_pipeline.matching.products import mul_div_ceil, mul_div_floor
from trading_pipeline.matching.rates import PPM

NO_LEVEL = 0
"""Stands for "no stop" and "no target": no price is 0 ticks."""

NO_EXIT = 0
STOP_LOSS = 1
TAKE_PROFIT = 2


@register_jitable
def stop_level_ticks(entry_ticks: int, position: int, stop_ppm: int) -> int:
    """Return the stop-loss price of a position entered at ``entry_ticks``.

    ``position`` is 1 (long: below the entry, rounded down, and none where that would be no
    price) or -1 (short: above, rounded up); ``stop_ppm`` 0 means none and gives
    :data:`NO_LEVEL`.
    """
    if stop_ppm == 0:
        return NO_LEVEL
    if position > 0:
        return mul_div_floor(entry_ticks, PPM - stop_ppm, PPM)
    return entry_ticks + mul_div_ceil(entry_ticks, stop_ppm, PPM)


@register_jitable
def target_level_ticks(entry_ticks: int, position: int, target_ppm: int) -> int:
    """Return the take-profit price of a position entered at ``entry_ticks``.

    Long: above the entry, rounded up. Short: below, rounded down, and none where that would be
    no price. ``target_ppm`` 0 means none and gives :data:`NO_LEVEL`.
    """
    if target_ppm == 0:
        return NO_LEVEL
    if position > 0:
        return entry_ticks + mul_div_ceil(entry_ticks, target_ppm, PPM)
    if target_ppm >= PPM:
        return NO_LEVEL
    return mul_div_floor(entry_ticks, PPM - target_ppm, PPM)


@register_jitable
def bar_exit(
    position: int, stop_ticks: int, target_ticks: int, open_: int, high: int, low: int
) -> tuple[int, int]:
    """Return what a bar does to a position that is open during it.

    Parameters
    ----------
    position : int
        1 for long, -1 for short.
    stop_ticks, target_ticks : int
        Levels, or :data:`NO_LEVEL`.
    open_, high, low : int
        The bar, in ticks.

    Returns
    -------
    (int, int)
        :data:`NO_EXIT`, :data:`STOP_LOSS` or :data:`TAKE_PROFIT`, and the reference price in
        ticks, before slippage (0 without an exit).
    """
    if position > 0:
        if stop_ticks != NO_LEVEL and low <= stop_ticks:
            return STOP_LOSS, min(open_, stop_ticks)
        if target_ticks != NO_LEVEL and high >= target_ticks:
            return TAKE_PROFIT, target_ticks
        return NO_EXIT, 0
    if stop_ticks != NO_LEVEL and high >= stop_ticks:
        return STOP_LOSS, max(open_, stop_ticks)
    if target_ticks != NO_LEVEL and low <= target_ticks:
        return TAKE_PROFIT, target_ticks
    return NO_EXIT, 0
