"""Volume-weighted averages that start at a point in time."""

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators import reach
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators.bars import Bars
from trading_pipeline.indicators.definition import indicator
from trading_pipeline.indicators.specs import Category, Parameter, Scale

_SECOND = 1_000_000
_HOUR = 3_600 * _SECOND
_NEVER = 1 << 60


@kernel
def _from_anchor(
    bars: Bars, first: int, anchor: int, every: int, state: FloatArray, line: FloatArray
) -> None:
    """Write turnover by volume since the last multiple of ``every`` after ``anchor``.

    The state is the end of the session, its turnover and its volume.
    """
    end, amount, traded = state[0], state[1], state[2]
    for t in range(first, len(bars.close)):
        price = (bars.high[t] + bars.low[t] + bars.close[t]) / 3.0
        if bars.time[t] >= end:
            # A missing value spoils its own session only.
            amount, traded = 0.0, 0.0
            passed = (bars.time[t] - anchor) // every
            end = float(anchor + (passed + 1) * every if bars.time[t] >= anchor else anchor)
        amount += price * bars.volume[t]
        traded += bars.volume[t]
        share = amount / traded
        line[t] = price if traded == 0.0 else share
    state[0], state[1], state[2] = end, amount, traded


@indicator(
    Category.VOLUME,
    inputs="time high low close volume",
    parameters={
        "start_hour": Parameter(0, 0, 23, "hour (UTC) at which a session starts"),
        "hours": Parameter(24, 1, 168, "length of a session in hours"),
    },
    warm_up=lambda _: 0,
    n_states=lambda _: 3,
    memory=reach.for_ever,
    scale=Scale.PRICE,
    reference="turnover by volume since the session began, counted from a Monday",
    oracle="pandas cumulative sums by session",
)
def vwap_session(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Volume-weighted average price since the session began, of typical prices.

    The typical price itself while nothing was traded. A missing value spoils its session.
    """
    anchor = 4 * 24 * _HOUR + int(parameters[0]) * _HOUR
    _from_anchor(bars, first, anchor, int(parameters[1]) * _HOUR, state[1:], out[0])


@indicator(
    Category.VOLUME,
    inputs="time high low close volume",
    parameters={"anchor": Parameter(0, 0, 4_102_444_800, "where it starts, in seconds since 1970")},
    warm_up=lambda _: 0,
    n_states=lambda _: 3,
    memory=reach.for_ever,
    scale=Scale.PRICE,
    reference="B. Shannon, Maximum Trading Gains with Anchored VWAP, 2023",
    oracle="TA-Lib VWAP (anchored at the first bar)",
)
def vwap_anchored(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Volume-weighted average price since a moment, of typical prices.

    Before the moment it counts from the first bar. The typical price itself while nothing was
    traded.
    """
    _from_anchor(bars, first, int(parameters[0]) * _SECOND, _NEVER, state[1:], out[0])
