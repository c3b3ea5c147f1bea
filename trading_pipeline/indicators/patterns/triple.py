"""Patterns of three candles and more."""

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators._windows import BLOCK
from trading_pipeline.indicators.bars import Bars
from trading_pipeline.indicators.patterns._anatomy import (
    CLOSE_BY,
    FAR,
    LONG,
    NEAR,
    SHORTER,
    TINY,
    scratch_for,
    usual_body,
    usual_span,
)
from trading_pipeline.indicators.patterns.single import pattern


@kernel
def _star_kind(bars: Bars, first: int, side: float, line: FloatArray) -> None:
    """Mark a long body, a short one beyond it after a gap, and one that goes back into it."""
    scratch = scratch_for(bars, BLOCK)
    for start in range(first, len(bars.close), BLOCK):
        stop = min(start + BLOCK, len(bars.close))
        usual_body(bars, start - 2, stop, scratch[0], scratch[1])
        usual, usual_star, usual_last = scratch[1], scratch[1][1:], scratch[1][2:]
        opened, close = bars.open[start - 2 : stop], bars.close[start - 2 : stop]
        star_open, star = bars.open[start - 1 : stop], bars.close[start - 1 : stop]
        last_open, last, part = bars.open[start:stop], bars.close[start:stop], line[start:stop]
        for j in range(stop - start):
            near, size = NEAR * close[j], side * (opened[j] - close[j])
            move = side * (last[j] - last_open[j])
            found = (size > usual[j] + near) & (abs(star[j] - star_open[j]) <= usual_star[j] + near)
            found &= abs(move) > usual_last[j] + near
            if side > 0.0:
                found &= max(star[j], star_open[j]) < min(opened[j], close[j])
            else:
                found &= min(star[j], star_open[j]) > max(opened[j], close[j])
            found &= (move > 0.0) & (side * (last[j] - close[j]) > 0.3 * size + near)
            missing = 0.0 * (usual[j] + usual_star[j] + usual_last[j] + size + move)
            missing += 0.0 * (star[j] + star_open[j])
            part[j] = (side if found else 0.0) + missing


@pattern(3, "CDLMORNINGSTAR", inputs="open close")
def morning_star(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Morning star: long black, a short body below a gap, white that closes well into it. 1."""
    _star_kind(bars, first, 1.0, out[0])


@pattern(3, "CDLEVENINGSTAR", inputs="open close")
def evening_star(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Evening star: long white, a short body above a gap, black that closes well into it. -1."""
    _star_kind(bars, first, -1.0, out[0])


@pattern(3, "CDL3WHITESOLDIERS")
def three_white_soldiers(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Three white soldiers: three rising white bodies without upper shadow, each open inside. 1."""
    scratch, line = scratch_for(bars, BLOCK), out[0]
    for start in range(first, len(bars.close), BLOCK):
        begin, stop = start - 2, min(start + BLOCK, len(bars.close))
        usual_span(bars, begin, stop, LONG, scratch[0], scratch[1])
        usual_span(bars, begin, stop, SHORTER, scratch[0], scratch[2])
        usual_body(bars, start, stop, scratch[0], scratch[3])
        span, nearby, body, part = scratch[1], scratch[2], scratch[3], line[start:stop]
        opened, close = bars.open[begin:stop], bars.close[begin:stop]
        high = bars.high[begin:stop]
        for j in range(stop - start):
            near, found, missing = NEAR * high[j], True, 0.0 * body[j]
            for i in range(3):
                size = close[j + i] - opened[j + i]
                found &= (size >= 0.0) & (high[j + i] - close[j + i] < TINY * span[j + i] - near)
                missing += 0.0 * (span[j + i] + nearby[j + i] + size + high[j + i])
            for i in range(2):
                before, after = close[j + i] - opened[j + i], close[j + i + 1] - opened[j + i + 1]
                entry, apart = opened[j + i + 1], CLOSE_BY * nearby[j + i]
                found &= (close[j + i + 1] > close[j + i]) & (entry > opened[j + i])
                found &= entry <= close[j + i] + apart + near
                found &= after > before - FAR * nearby[j + i] + near
            found &= close[j + 2] - opened[j + 2] > body[j] + near
            part[j] = (1.0 if found else 0.0) + missing


@pattern(3, "CDL3BLACKCROWS")
def three_black_crows(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Three black crows: after white, three falling black bodies without lower shadow. -1.

    Each opens within the body before it; the first closes below the high of the white bar.
    """
    scratch, line = scratch_for(bars, BLOCK), out[0]
    for start in range(first, len(bars.close), BLOCK):
        begin, stop = start - 2, min(start + BLOCK, len(bars.close))
        usual_span(bars, begin, stop, LONG, scratch[0], scratch[1])
        span, part = scratch[1], line[start:stop]
        opened, close = bars.open[begin - 1 : stop], bars.close[begin - 1 : stop]
        high, low = bars.high[begin - 1 : stop], bars.low[begin - 1 : stop]
        for j in range(stop - start):
            near, found = NEAR * high[j], close[j] >= opened[j]
            missing = 0.0 * (close[j] + opened[j] + high[j])
            for i in range(1, 4):
                found &= close[j + i] < opened[j + i]
                found &= close[j + i] - low[j + i] < TINY * span[j + i - 1] - near
                missing += 0.0 * (span[j + i - 1] + close[j + i] + opened[j + i] + low[j + i])
            for i in range(1, 3):
                found &= (opened[j + i + 1] < opened[j + i]) & (opened[j + i + 1] > close[j + i])
                found &= close[j + i] > close[j + i + 1]
            found &= high[j] > close[j + 1]
            part[j] = (-1.0 if found else 0.0) + missing


@pattern(3, "CDL3INSIDE", inputs="open close")
def three_inside(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Three inside: a harami, confirmed by a close beyond the long body. 1 up, -1 down."""
    scratch = scratch_for(bars, BLOCK)
    for start in range(first, len(bars.close), BLOCK):
        stop = min(start + BLOCK, len(bars.close))
        usual_body(bars, start - 2, stop, scratch[0], scratch[1])
        usual, usual_second, part = scratch[1], scratch[1][1:], out[0][start:stop]
        opened, close = bars.open[start - 2 : stop], bars.close[start - 2 : stop]
        second_open, second = bars.open[start - 1 : stop], bars.close[start - 1 : stop]
        last_open, last = bars.open[start:stop], bars.close[start:stop]
        for j in range(stop - start):
            near, side = NEAR * close[j], -1.0 if close[j] >= opened[j] else 1.0
            found = abs(close[j] - opened[j]) > usual[j] + near
            found &= abs(second[j] - second_open[j]) <= usual_second[j] + near
            found &= max(second[j], second_open[j]) < max(close[j], opened[j])
            found &= min(second[j], second_open[j]) > min(close[j], opened[j])
            is_up = (last[j] >= last_open[j]) & (last[j] > opened[j])
            is_down = (last[j] < last_open[j]) & (last[j] < opened[j])
            found &= is_up if side > 0.0 else is_down
            missing = 0.0 * (usual[j] + usual_second[j] + opened[j] + close[j] + second[j])
            missing += 0.0 * (second_open[j] + last[j] + last_open[j])
            part[j] = (side if found else 0.0) + missing


@pattern(3, "CDL3OUTSIDE", usual=0, inputs="open close")
def three_outside(
    bars: Bars, first: int, parameters: FloatArray, state: FloatArray, out: FloatArray
) -> None:
    """Three outside: an engulfing body, confirmed by a close beyond it. 1 up, -1 down."""
    opened, close = bars.open[first - 2 :], bars.close[first - 2 :]
    second_open, second = bars.open[first - 1 :], bars.close[first - 1 :]
    last, line = bars.close[first:], out[0][first:]
    for j in range(len(line)):
        was_white, is_white = close[j] >= opened[j], second[j] >= second_open[j]
        is_up = (second[j] > opened[j]) & (second_open[j] < close[j]) & (last[j] > second[j])
        is_down = (second_open[j] > close[j]) & (second[j] < opened[j]) & (last[j] < second[j])
        found = (was_white != is_white) & (is_up if is_white else is_down)
        missing = 0.0 * (opened[j] + close[j] + second_open[j] + second[j] + last[j])
        line[j] = ((1.0 if is_white else -1.0) if found else 0.0) + missing
