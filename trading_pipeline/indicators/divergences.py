"""Divergences: the price makes a new extreme and the RSI does not, or the other way round."""

import numpy as np

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators import reach
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators._smoothing import carry
from trading_pipeline.indicators.bars import Bars
from trading_pipeline.indicators.definition import indicator
from trading_pipeline.indicators.momentum import strength
from trading_pipeline.indicators.specs import Category, Parameter, Parameters, Scale, length


@kernel
def _is_pivot(values: FloatArray, t: int, wing: int, side: float) -> bool:
    """Whether bar ``t`` is beyond ``wing`` bars on both sides: below for -1, above for 1."""
    for offset in range(1, wing + 1):
        if not (
            side * values[t] > side * values[t - offset]
            and side * values[t] > side * values[t + offset]
        ):
            return False
    return True


def _warm_up(parameters: Parameters) -> int:
    return int(parameters["period"] + 2 * parameters["wing"])


@indicator(
    Category.MOMENTUM,
    inputs="high low close",
    parameters={
        "period": length(14, "length of the RSI in bars"),
        "wing": Parameter(3, 1, 100, "bars on both sides that a pivot stands out from"),
        "longest": length(60, "most bars between two pivots that are compared"),
    },
    outputs="bullish bearish hidden_bullish hidden_bearish",
    warm_up=_warm_up,
    # Two averages, the RSI of the bars that wait for confirmation, and the last pivot of each
    # side: price, RSI, bar; NaN after a missing value.
    n_states=lambda p: 8 + 6 + 1 + 2 * int(p["wing"]),
    lookback=lambda p: max(1, 2 * int(p["wing"])),
    memory=lambda p: 2 * reach.wilder(p["period"]) + 2 * int(p["wing"] + p["longest"]),
    scale=Scale.FLAG,
    reference="A. Cardwell's regular and hidden divergences; pivots as ta.pivotlow of Pine",
    oracle="the definition as a loop",
)
def rsi_divergence(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """RSI divergences, regular and hidden: 1 on the bar at whose close they are known.

    A pivot low stands strictly below the lows of ``wing`` bars before **and after** it, so it is
    known ``wing`` bars later: there, not on the pivot, stands the 1. It is compared with the
    pivot low before it, if that is at most ``longest`` bars older: a lower low with a higher RSI
    is bullish, a higher low with a lower RSI hidden bullish. Highs mirror it: a higher high with
    a lower RSI is bearish, a lower high with a higher RSI hidden bearish. Never rewritten.
    """
    period, wing, longest = int(parameters[0]), int(parameters[1]), parameters[2]
    n_bars, seen = len(bars.close), int(state[0])
    line = np.empty(n_bars)
    strength(bars.close, first, seen, period, state[1:9], line)
    begin = min(first + max(period - seen, 0), n_bars)
    known = carry(state[16:], max(seen - period, 0), line[begin:])
    for t in range(first, n_bars):
        state[15] += 0.0 * (bars.high[t] + bars.low[t] + bars.close[t])
        for row in range(4):
            out[row, t] = state[15]
        pivot = t - wing
        # The value of the pivot counts from the right end of what is known.
        at = len(known) - (n_bars - pivot)
        if at < 0 or pivot < wing:
            continue
        bar = seen + pivot - first
        for high in range(2):
            prices = bars.high if high == 1 else bars.low
            side = 1.0 if high == 1 else -1.0
            if not _is_pivot(prices, pivot, wing, side):
                continue
            last = state[9 + 3 * high : 12 + 3 * high]
            price, value = side * prices[pivot], side * known[at]
            if last[2] > 0.0 and bar + 1.0 - last[2] <= longest:
                if price > last[0] and value < last[1]:
                    out[high, t] += 1.0
                elif price < last[0] and value > last[1]:
                    out[2 + high, t] += 1.0
            last[0], last[1], last[2] = price, value, bar + 1.0
