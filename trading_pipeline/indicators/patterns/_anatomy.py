"""The parts of a candle, and what counts as long, short or equal; arrays only, no checks.

As in TA-Lib, a part is long or short against the mean of the bars **before** its candle. Prices
are decimals, so that sums of equal ticks differ by rounding: what is closer than ``NEAR`` of the
price to a threshold lies on it, as it would in whole ticks.
"""

import numpy as np

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators._windows import window_mean
from trading_pipeline.indicators.bars import Bars

# Fraction of the price: above the rounding of decimals, below a hundredth of any tick.
NEAR = 1e-13
# Bars behind the mean that a part is compared with, and the mean's share that counts.
LONG, SHORTER = 10, 5
DOJI = TINY = 0.1
CLOSE_BY, FAR = 0.2, 0.6


@kernel
def _write_bodies(opened: FloatArray, close: FloatArray, out: FloatArray) -> None:
    for j in range(len(out)):
        out[j] = abs(close[j] - opened[j])


@kernel
def _write_spans(high: FloatArray, low: FloatArray, out: FloatArray) -> None:
    for j in range(len(out)):
        out[j] = high[j] - low[j]


@kernel
def usual_body(bars: Bars, begin: int, stop: int, scratch: FloatArray, out: FloatArray) -> None:
    """Write the mean body of the ten bars before each bar from ``begin`` to ``stop``."""
    part = scratch[: stop - begin + LONG - 1]
    older = begin - LONG
    _write_bodies(bars.open[older:], bars.close[older:], part)
    window_mean(part, LONG, out[: stop - begin])


@kernel
def usual_span(
    bars: Bars, begin: int, stop: int, period: int, scratch: FloatArray, out: FloatArray
) -> None:
    """Write the mean of high - low of the bars before each bar from ``begin`` to ``stop``."""
    part = scratch[: stop - begin + period - 1]
    older = begin - period
    _write_spans(bars.high[older:], bars.low[older:], part)
    window_mean(part, period, out[: stop - begin])


@kernel
def scratch_for(bars: Bars, block: int) -> FloatArray:
    """Return eight rows of scratch for blocks of so many bars, with room for older ones."""
    return np.empty((8, min(block, len(bars.close)) + LONG + 4))
