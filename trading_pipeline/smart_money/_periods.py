"""Kernels of what the calendar knows: the period before, and sessions. Times are UTC."""

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.smart_money._compile import kernel

DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
# Levels of a period's state and of what is written per bar.
PREVIOUS_HIGH, PREVIOUS_LOW, RUNNING_HIGH, RUNNING_LOW = range(4)
SESSION_HIGH, SESSION_LOW = range(2)


@kernel
def follow_periods(
    open_time: IntArray,
    high: FloatArray,
    low: FloatArray,
    start: int,
    length_us: int,
    offset_us: int,
    period: IntArray,
    state: FloatArray,
    out: FloatArray,
    out_broken: IntArray,
) -> None:
    """Write the high and low of the newest period that was over when a bar opened.

    ``out_broken`` is 1 from the first bar of the running period that traded beyond, high then low.
    """
    for place in range(start, len(high)):
        row = place - start
        number = (open_time[place] + offset_us) // length_us
        if number != period[0]:
            if period[0] >= 0:
                state[PREVIOUS_HIGH] = state[RUNNING_HIGH]
                state[PREVIOUS_LOW] = state[RUNNING_LOW]
            state[RUNNING_HIGH], state[RUNNING_LOW] = high[place], low[place]
            period[0] = number
        state[RUNNING_HIGH] = max(state[RUNNING_HIGH], high[place])
        state[RUNNING_LOW] = min(state[RUNNING_LOW], low[place])
        out[row, 0], out[row, 1] = state[PREVIOUS_HIGH], state[PREVIOUS_LOW]
        # False where there is no period before: NaN compares as false.
        out_broken[row, 0] = 1 if state[RUNNING_HIGH] > state[PREVIOUS_HIGH] else 0
        out_broken[row, 1] = 1 if state[RUNNING_LOW] < state[PREVIOUS_LOW] else 0


@kernel
def follow_session(
    open_time: IntArray,
    high: FloatArray,
    low: FloatArray,
    start: int,
    opens: int,
    closes: int,
    newest: IntArray,
    state: FloatArray,
    out_active: IntArray,
    out: FloatArray,
) -> None:
    """Write whether a bar opens within the session, and the high and low of the newest session.

    ``opens`` and ``closes`` are minutes of the UTC day; the session ends before ``closes``, on
    the next day if that is not later than ``opens``.
    """
    lasts = (closes - opens) % (24 * 60)
    if lasts == 0:
        lasts = 24 * 60
    for place in range(start, len(high)):
        row = place - start
        since = open_time[place] - opens * MINUTE_US
        number = since // DAY_US
        is_active = since - number * DAY_US < lasts * MINUTE_US
        if is_active and number != newest[0]:
            newest[0] = number
            state[SESSION_HIGH], state[SESSION_LOW] = high[place], low[place]
        elif is_active:
            state[SESSION_HIGH] = max(state[SESSION_HIGH], high[place])
            state[SESSION_LOW] = min(state[SESSION_LOW], low[place])
        out_active[row] = 1 if is_active else 0
        out[row, SESSION_HIGH], out[row, SESSION_LOW] = state[SESSION_HIGH], state[SESSION_LOW]
