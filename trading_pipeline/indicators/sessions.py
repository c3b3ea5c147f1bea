"""What time it is in the markets that matter, and what the session did so far."""

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators import reach
from trading_pipeline.indicators.bars import Bars
from trading_pipeline.indicators.definition import indicator
from trading_pipeline.indicators.specs import Category, Parameter, Scale

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR


def _hour(default: int, what: str) -> Parameter:
    return Parameter(default, 0, 24, f"{what}, hour of the day (UTC)")


@indicator(
    Category.SESSIONS,
    inputs="time",
    parameters={
        "asia_start": _hour(0, "start of the Asian session"),
        "asia_end": _hour(9, "end of the Asian session"),
        "london_start": _hour(8, "start of the London session"),
        "london_end": _hour(17, "end of the London session"),
        "new_york_start": _hour(13, "start of the New York session"),
        "new_york_end": _hour(22, "end of the New York session"),
    },
    outputs="asia london new_york",
    warm_up=lambda _: 0,
    scale=Scale.FLAG,
    reference="hours of Tokyo, London and New York, fixed in UTC (without summer time)",
    oracle="the definition as a loop",
)
def sessions(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Which sessions are open when the bar opens: 1 open, 0 closed.

    A session whose end is not after its start goes over midnight.
    """
    for row in range(3):
        start, end = int(parameters[2 * row]) * _HOUR, int(parameters[2 * row + 1]) * _HOUR
        line = out[row]
        for t in range(first, len(bars.time)):
            moment = bars.time[t] % _DAY
            within = (moment >= start) & (moment < end)
            beyond = (moment >= start) | (moment < end)
            line[t] = 1.0 if (within if start < end else beyond) else 0.0


@indicator(
    Category.SESSIONS,
    inputs="time open high low close",
    parameters={
        "start_hour": _hour(0, "start of the session"),
        "hours": Parameter(24, 1, 24, "length of the session in hours"),
    },
    outputs="open high low position",
    warm_up=lambda _: 0,
    n_states=lambda _: 5,
    memory=reach.for_ever,
    scale=Scale.PRICE,
    reference="extremes since the session began",
    oracle="the definition as a loop; polars cumulative extremes by session",
)
def session_range(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Open, high and low of the session so far, and where the close stands in it (0 to 1).

    After the session has ended, its values stay until the next one begins. Position 0.5 where
    the session has no range. Before the first session begins, the first bar begins one.
    """
    start, length = int(parameters[0]) * _HOUR, int(parameters[1]) * _HOUR
    day, opened, highest, lowest, is_begun = state[1], state[2], state[3], state[4], state[5]
    for t in range(first, len(bars.time)):
        since = bars.time[t] - start
        now, is_open = float(since // _DAY), since % _DAY < length
        if is_begun == 0.0 or (is_open and now != day):
            day, is_begun = now, 1.0
            opened, highest, lowest = bars.open[t], bars.high[t], bars.low[t]
        elif is_open:
            # A NaN compares false, and so replaces; then it stays until the next session.
            if not bars.high[t] <= highest:
                highest = bars.high[t] + 0.0 * highest
            if not bars.low[t] >= lowest:
                lowest = bars.low[t] + 0.0 * lowest
        out[0, t], out[1, t], out[2, t] = opened, highest, lowest
        breadth = highest - lowest
        place = (bars.close[t] - lowest) / breadth
        out[3, t] = 0.5 if breadth == 0.0 else place
    state[1], state[2], state[3] = day, opened, highest
    state[4], state[5] = lowest, is_begun
