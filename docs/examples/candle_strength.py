"""An indicator of one's own in one file: how much of the ranges were bodies, with their sign."""

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators.bars import Bars
from trading_pipeline.indicators.definition import indicator
from trading_pipeline.indicators.specs import Category, Scale, length


@indicator(
    Category.MOMENTUM,
    inputs="open high low close",
    parameters={"period": length(10, low=1)},
    warm_up=lambda p: int(p["period"]) - 1,
    scale=Scale.RATIO,
    reference="an example",
    oracle="the definition",
)
def candle_strength(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Candle strength: the sum of close - open by the sum of high - low, from -1 to 1.

    0 where no bar of the window has a range.
    """
    period = int(parameters[0])
    for t in range(first, len(bars.close)):
        body, span = 0.0, 0.0
        for i in range(t - period + 1, t + 1):
            body += bars.close[i] - bars.open[i]
            span += bars.high[i] - bars.low[i]
        out[0, t] = body / span if span > 0.0 else 0.0 * (body + span)
