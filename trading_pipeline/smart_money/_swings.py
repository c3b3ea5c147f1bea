"""Kernels of what every other concept stands on: swings, the legs between them, the mean range.

Bars have two numbers: a place in the arrays of a call, which begin with bars of the call before,
and a number since the start of the history, which is the place plus ``base``.
"""

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.smart_money._compile import kernel

# Columns of labels: the newest high and low, and those of the runs before.
HIGH, LOW, PREVIOUS_HIGH, PREVIOUS_LOW = range(4)


@kernel
def _is_highest(values: FloatArray, at: int, length: int) -> bool:
    # From the inside out: in a trend the nearest bar decides, whatever the length.
    peak = values[at]
    for apart in range(1, length):
        if values[at + apart] > peak or values[at - apart] > peak:
            return False
    return not values[at + length] > peak


@kernel
def _is_lowest(values: FloatArray, at: int, length: int) -> bool:
    trough = values[at]
    for apart in range(1, length):
        if values[at + apart] < trough or values[at - apart] < trough:
            return False
    return not values[at + length] < trough


@kernel
def follow_swings(
    high: FloatArray,
    low: FloatArray,
    start: int,
    base: int,
    length: int,
    newest_at: IntArray,
    newest_level: FloatArray,
    run: IntArray,
    out_at: IntArray,
    out_level: FloatArray,
    out_run: IntArray,
    out_new: IntArray,
    out_dropped: IntArray,
    out_dropped_level: FloatArray,
) -> None:
    """Write the labels that are known at the close of each bar from ``start`` on.

    A run is what lies between two turns: swings of one kind follow each other, and the most
    extreme of them is the label. ``out_new`` is the kind of a label that this bar makes known (0
    for none), ``out_dropped`` the label of the same run that it replaces (-1 for none).
    """
    for place in range(start, len(high)):
        row = place - start
        at, kind = place - length, 0
        out_dropped[row], out_dropped_level[row] = -1, float("nan")
        if base + at >= 2 * length - 1:
            if _is_highest(high, at, length):
                kind = 1
            elif _is_lowest(low, at, length):
                kind = -1
        if kind != 0:
            column = HIGH if kind == 1 else LOW
            level = high[at] if kind == 1 else low[at]
            if run[0] != kind:
                newest_at[column + 2] = newest_at[column]
                newest_level[column + 2] = newest_level[column]
            elif kind * level > kind * newest_level[column]:
                out_dropped[row] = newest_at[column]
                out_dropped_level[row] = newest_level[column]
            else:
                kind = 0
            if kind != 0:
                newest_at[column] = base + at
                newest_level[column] = level
                run[0] = kind
        out_new[row] = kind
        out_run[row] = run[0]
        for column in range(4):
            out_at[row, column] = newest_at[column]
            out_level[row, column] = newest_level[column]


@kernel
def follow_legs(
    high: FloatArray,
    low: FloatArray,
    start: int,
    base: int,
    run: IntArray,
    new: IntArray,
    at: IntArray,
    level: FloatArray,
    deepest: FloatArray,
    out_now: FloatArray,
    out_deepest: FloatArray,
) -> None:
    """Write which share of the leg before the newest label price has given back, now and at most.

    NaN where a label is missing, or the high of the leg is not above its low.
    """
    for place in range(start, len(high)):
        row = place - start
        top, bottom = level[row, HIGH], level[row, LOW]
        reach = top - bottom
        if run[row] == 0 or not reach > 0.0:
            out_now[row] = deepest[0] = out_deepest[row] = float("nan")
            continue
        first = place
        if new[row] != 0:
            first = at[row, HIGH if run[row] == 1 else LOW] + 1 - base
            deepest[0] = float("-inf")
        share = 0.0
        for earlier in range(first, place + 1):
            given = top - low[earlier] if run[row] == 1 else high[earlier] - bottom
            share = given / reach
            deepest[0] = max(deepest[0], share)
        out_now[row], out_deepest[row] = share, deepest[0]


@kernel
def follow_range(
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    start: int,
    period: int,
    state: FloatArray,
    out: FloatArray,
) -> None:
    """Write Wilder's average true range; ``state`` holds it, its bars so far, and the last close.

    NaN for the first ``period`` bars.
    """
    for place in range(start, len(close)):
        mean, seen, before = state[0], state[1], state[2]
        if before == before:
            reach = max(
                high[place] - low[place], abs(high[place] - before), abs(low[place] - before)
            )
            seen += 1.0
            # Up to ``period`` bars the plain mean, then Wilder's.
            mean += (reach - mean) / min(seen, float(period))
        state[0], state[1], state[2] = mean, seen, close[place]
        out[place - start] = mean if seen >= period else float("nan")
