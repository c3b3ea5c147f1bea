"""Patterns of two candles."""

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators._windows import BLOCK
from trading_pipeline.indicators.bars import Bars
from trading_pipeline.indicators.patterns._anatomy import (
    DOJI,
    LONG,
    NEAR,
    scratch_for,
    usual_body,
    usual_span,
)
from trading_pipeline.indicators.patterns.single import pattern


@pattern(2, "CDLENGULFING", usual=0, inputs="open close")
def engulfing(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Engulfing: the body covers an opposite body before it. 1 bullish, -1 bearish.

    0.8 and -0.8 where both bodies have one end in common.
    """
    newest_open, newest = bars.open[first:], bars.close[first:]
    opened, close, line = bars.open[first - 1 :], bars.close[first - 1 :], out[0][first:]
    for j in range(len(line)):
        is_white, was_white = newest[j] >= newest_open[j], close[j] >= opened[j]
        top, bottom = max(newest[j], newest_open[j]), min(newest[j], newest_open[j])
        top_before, bottom_before = max(opened[j], close[j]), min(opened[j], close[j])
        covers = (top >= top_before) & (bottom <= bottom_before)
        is_equal = (top == top_before) | (bottom == bottom_before)
        found = (is_white != was_white) & covers
        found &= (top > top_before) | (bottom < bottom_before)
        value = (1.0 if is_white else -1.0) * (0.8 if is_equal else 1.0)
        missing = 0.0 * (newest[j] + newest_open[j] + close[j] + opened[j])
        line[j] = (value if found else 0.0) + missing


@kernel
def _harami_kind(bars: Bars, first: int, is_cross: int, line: FloatArray) -> None:
    scratch = scratch_for(bars, BLOCK)
    for start in range(first, len(bars.close), BLOCK):
        stop = min(start + BLOCK, len(bars.close))
        usual_body(bars, start - 1, stop, scratch[0], scratch[1])
        if is_cross == 1:
            usual_span(bars, start, stop, LONG, scratch[0], scratch[2])
        long, short, span, part = scratch[1], scratch[1][1:], scratch[2], line[start:stop]
        newest_open, newest = bars.open[start:stop], bars.close[start:stop]
        opened, close = bars.open[start - 1 : stop], bars.close[start - 1 : stop]
        for j in range(stop - start):
            near, size = NEAR * newest[j], abs(newest[j] - newest_open[j])
            limit = DOJI * span[j] if is_cross == 1 else short[j]
            top, bottom = max(newest[j], newest_open[j]), min(newest[j], newest_open[j])
            top_before, bottom_before = max(opened[j], close[j]), min(opened[j], close[j])
            found = (abs(close[j] - opened[j]) > long[j] + near) & (size <= limit + near)
            found &= (top <= top_before) & (bottom >= bottom_before)
            is_inside = (top < top_before) & (bottom > bottom_before)
            value = (-1.0 if close[j] >= opened[j] else 1.0) * (1.0 if is_inside else 0.8)
            missing = 0.0 * (long[j] + limit + size + top_before + bottom_before)
            part[j] = (value if found else 0.0) + missing


@pattern(2, "CDLHARAMI", inputs="open close")
def harami(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Harami: a short body within the long body before it. 1 after black, -1 after white.

    0.8 and -0.8 where both bodies have one end in common.
    """
    _harami_kind(bars, first, 0, out[0])


@pattern(2, "CDLHARAMICROSS")
def harami_cross(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Harami cross: a doji within the long body before it. 1 after black, -1 after white.

    0.8 and -0.8 where both bodies have one end in common.
    """
    _harami_kind(bars, first, 1, out[0])


@kernel
def _piercing_kind(bars: Bars, first: int, side: float, line: FloatArray) -> None:
    scratch = scratch_for(bars, BLOCK)
    for start in range(first, len(bars.close), BLOCK):
        stop = min(start + BLOCK, len(bars.close))
        usual_body(bars, start - 1, stop, scratch[0], scratch[1])
        long, usual, part = scratch[1], scratch[1][1:], line[start:stop]
        newest_open, newest = bars.open[start:stop], bars.close[start:stop]
        opened, close = bars.open[start - 1 : stop], bars.close[start - 1 : stop]
        high, low = bars.high[start - 1 : stop], bars.low[start - 1 : stop]
        for j in range(stop - start):
            near = NEAR * high[j]
            size = side * (opened[j] - close[j])
            found = size > long[j] + near
            if side > 0.0:
                found &= newest[j] >= newest_open[j]
                found &= (newest[j] - newest_open[j] > usual[j] + near) & (newest_open[j] < low[j])
                found &= (newest[j] < opened[j]) & (newest[j] > close[j] + 0.5 * size + near)
            else:
                found &= (newest[j] < newest_open[j]) & (newest_open[j] > high[j])
                found &= (newest[j] > opened[j]) & (newest[j] < close[j] - 0.5 * size - near)
            missing = 0.0 * (long[j] + usual[j] + newest[j] + newest_open[j] + size)
            missing += 0.0 * (high[j] + low[j])
            part[j] = (side if found else 0.0) + missing


@pattern(2, "CDLPIERCING")
def piercing(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Piercing line: a long white body from below the low into the black body before it. 1.

    It closes above the middle of that body, below its open.
    """
    _piercing_kind(bars, first, 1.0, out[0])


@pattern(2, "CDLDARKCLOUDCOVER")
def dark_cloud_cover(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Dark cloud cover: a black body from above the high into the white body before it. -1.

    It closes below the middle of that body, above its open.
    """
    _piercing_kind(bars, first, -1.0, out[0])
