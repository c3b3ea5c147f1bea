"""Patterns of one candle, and of one candle beside the one before it."""

from collections.abc import Callable

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators._windows import BLOCK
from trading_pipeline.indicators.bars import Bars
from trading_pipeline.indicators.definition import Indicator, indicator
from trading_pipeline.indicators.patterns._anatomy import (
    CLOSE_BY,
    DOJI,
    LONG,
    NEAR,
    SHORTER,
    TINY,
    scratch_for,
    usual_body,
    usual_span,
)
from trading_pipeline.indicators.specs import Category, Scale

NISON = "S. Nison, Japanese Candlestick Charting Techniques, 1991"


def pattern(
    n_candles: int, oracle: str, usual: int = LONG, inputs: str = "open high low close"
) -> Callable[[Callable[..., None]], Indicator]:
    """Register a pattern of so many candles, measured against ``usual`` bars before them."""
    return indicator(
        Category.PATTERNS,
        inputs=inputs,
        warm_up=lambda _: usual + n_candles - 1,
        scale=Scale.FLAG,
        reference=NISON,
        oracle=f"TA-Lib {oracle} / 100",
    )


@kernel
def _doji_kind(bars: Bars, first: int, upper: int, lower: int, line: FloatArray) -> None:
    """Mark bodies that are tiny; shadows: 1 wanted, -1 none wanted, 0 as it comes, 2 either."""
    scratch = scratch_for(bars, BLOCK)
    for start in range(first, len(bars.close), BLOCK):
        stop = min(start + BLOCK, len(bars.close))
        usual_span(bars, start, stop, LONG, scratch[0], scratch[1])
        opened, high = bars.open[start:stop], bars.high[start:stop]
        low, close = bars.low[start:stop], bars.close[start:stop]
        span, part = scratch[1], line[start:stop]
        for j in range(stop - start):
            near, size = NEAR * high[j], abs(close[j] - opened[j])
            above, below = high[j] - max(opened[j], close[j]), min(opened[j], close[j]) - low[j]
            is_doji, tiny = size <= DOJI * span[j] + near, TINY * span[j]
            if upper == 2:
                is_doji &= (above > size + near) | (below > size + near)
            else:
                is_doji &= (upper <= 0) | (above > tiny + near)
                is_doji &= (lower <= 0) | (below > tiny + near)
                is_doji &= (upper >= 0) | (above < tiny - near)
                is_doji &= (lower >= 0) | (below < tiny - near)
            missing = 0.0 * (span[j] + size + above + below)
            part[j] = (1.0 if is_doji else 0.0) + missing


@pattern(1, "CDLDOJI")
def doji(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Doji: open and close are nearly equal. 1."""
    _doji_kind(bars, first, 0, 0, out[0])


@pattern(1, "CDLDRAGONFLYDOJI")
def dragonfly_doji(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Dragonfly doji: a doji at the high of its bar, with a shadow below. 1."""
    _doji_kind(bars, first, -1, 1, out[0])


@pattern(1, "CDLGRAVESTONEDOJI")
def gravestone_doji(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Gravestone doji: a doji at the low of its bar, with a shadow above. 1."""
    _doji_kind(bars, first, 1, -1, out[0])


@pattern(1, "CDLLONGLEGGEDDOJI")
def long_legged_doji(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Long-legged doji: a doji with at least one shadow longer than its body. 1."""
    _doji_kind(bars, first, 2, 2, out[0])


@pattern(1, "CDLSPINNINGTOP")
def spinning_top(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Spinning top: a short body between two longer shadows. 1 white, -1 black."""
    scratch = scratch_for(bars, BLOCK)
    for start in range(first, len(bars.close), BLOCK):
        stop = min(start + BLOCK, len(bars.close))
        usual_body(bars, start, stop, scratch[0], scratch[1])
        opened, high = bars.open[start:stop], bars.high[start:stop]
        low, close = bars.low[start:stop], bars.close[start:stop]
        body, part = scratch[1], out[0][start:stop]
        for j in range(stop - start):
            near, size = NEAR * high[j], abs(close[j] - opened[j])
            above, below = high[j] - max(opened[j], close[j]), min(opened[j], close[j]) - low[j]
            found = (size < body[j] - near) & (above > size + near) & (below > size + near)
            colour = 1.0 if close[j] >= opened[j] else -1.0
            missing = 0.0 * (body[j] + size + above + below)
            part[j] = (colour if found else 0.0) + missing


@pattern(1, "CDLMARUBOZU")
def marubozu(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Marubozu: a long body almost without shadows. 1 white, -1 black."""
    scratch = scratch_for(bars, BLOCK)
    for start in range(first, len(bars.close), BLOCK):
        stop = min(start + BLOCK, len(bars.close))
        usual_body(bars, start, stop, scratch[0], scratch[1])
        usual_span(bars, start, stop, LONG, scratch[0], scratch[2])
        opened, high = bars.open[start:stop], bars.high[start:stop]
        low, close = bars.low[start:stop], bars.close[start:stop]
        body, span, part = scratch[1], scratch[2], out[0][start:stop]
        for j in range(stop - start):
            near, size, tiny = NEAR * high[j], abs(close[j] - opened[j]), TINY * span[j]
            above, below = high[j] - max(opened[j], close[j]), min(opened[j], close[j]) - low[j]
            found = (size > body[j] + near) & (above < tiny - near) & (below < tiny - near)
            colour = 1.0 if close[j] >= opened[j] else -1.0
            missing = 0.0 * (body[j] + span[j] + size + above + below)
            part[j] = (colour if found else 0.0) + missing


@kernel
def _hammer_kind(bars: Bars, first: int, is_upright: int, side: float, line: FloatArray) -> None:
    """Mark short bodies at one end of their bar, after a fall (1) or a rise (-1)."""
    scratch = scratch_for(bars, BLOCK)
    for start in range(first, len(bars.close), BLOCK):
        stop = min(start + BLOCK, len(bars.close))
        usual_body(bars, start, stop, scratch[0], scratch[1])
        usual_span(bars, start, stop, LONG, scratch[0], scratch[2])
        if is_upright == 1:
            usual_span(bars, start - 1, stop - 1, SHORTER, scratch[0], scratch[3])
        else:
            scratch[3] = 0.0
        opened, high = bars.open[start:stop], bars.high[start:stop]
        low, close = bars.low[start:stop], bars.close[start:stop]
        high_before, low_before = bars.high[start - 1 : stop], bars.low[start - 1 : stop]
        open_before, close_before = bars.open[start - 1 : stop], bars.close[start - 1 : stop]
        body, span, nearby, part = scratch[1], scratch[2], scratch[3], line[start:stop]
        for j in range(stop - start):
            near, size, tiny = NEAR * high[j], abs(close[j] - opened[j]), TINY * span[j]
            top, bottom = max(opened[j], close[j]), min(opened[j], close[j])
            above, below = high[j] - top, bottom - low[j]
            long, short = (below, above) if is_upright == 1 else (above, below)
            found = (size < body[j] - near) & (long > size + near) & (short < tiny - near)
            apart = CLOSE_BY * nearby[j]
            if is_upright == 1 and side > 0.0:
                found &= bottom <= low_before[j] + apart + near
            elif is_upright == 1:
                found &= bottom >= high_before[j] - apart - near
            elif side > 0.0:
                found &= top < min(open_before[j], close_before[j])
            else:
                found &= bottom > max(open_before[j], close_before[j])
            missing = 0.0 * (body[j] + span[j] + nearby[j] + size + above + below)
            missing += 0.0 * (high_before[j] + low_before[j] + open_before[j] + close_before[j])
            part[j] = (side if found else 0.0) + missing


@pattern(1, "CDLHAMMER")
def hammer(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Hammer: a short body at the high of its bar, a long shadow below, near the low before. 1."""
    _hammer_kind(bars, first, 1, 1.0, out[0])


@pattern(1, "CDLHANGINGMAN")
def hanging_man(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Hanging man: the shape of a hammer near the high of the bar before. -1."""
    _hammer_kind(bars, first, 1, -1.0, out[0])


@pattern(1, "CDLINVERTEDHAMMER")
def inverted_hammer(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Inverted hammer: a short body at the low of its bar, a long shadow above, gap down. 1."""
    _hammer_kind(bars, first, 0, 1.0, out[0])


@pattern(1, "CDLSHOOTINGSTAR")
def shooting_star(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Shooting star: the shape of an inverted hammer after a gap up. -1."""
    _hammer_kind(bars, first, 0, -1.0, out[0])
