"""Candlestick patterns once more, bar by bar in exact fractions, from TA-Lib's documentation."""

from fractions import Fraction

from trading_pipeline_tests.indicators.slow_loops import Column, Line

HALF, TENTH = Fraction(1, 2), Fraction(1, 10)


class Candle:
    """Bar ``t`` and what was usual before it."""

    def __init__(self, c: dict[str, Column], t: int) -> None:
        self.c, self.t = c, t
        self.open, self.high = c["open"][t], c["high"][t]
        self.low, self.close = c["low"][t], c["close"][t]
        self.body = abs(self.close - self.open)
        self.top, self.bottom = max(self.open, self.close), min(self.open, self.close)
        self.above, self.below = self.high - self.top, self.bottom - self.low
        self.is_white = self.close >= self.open
        self.colour = 1 if self.is_white else -1

    @property
    def usual_body(self) -> Fraction:
        past = range(self.t - 10, self.t)
        return sum((abs(self.c["close"][i] - self.c["open"][i]) for i in past), Fraction(0)) / 10

    def usual_span(self, n: int) -> Fraction:
        past = range(self.t - n, self.t)
        return sum((self.c["high"][i] - self.c["low"][i] for i in past), Fraction(0)) / n

    @property
    def is_long(self) -> bool:
        return self.body > self.usual_body

    @property
    def is_doji(self) -> bool:
        return self.body <= TENTH * self.usual_span(10)

    def is_tiny(self, shadow: Fraction) -> bool:
        return shadow < TENTH * self.usual_span(10)


def scan(c, n_candles, usual, judge) -> list[Line]:
    line: Line = []
    for t in range(len(c["close"])):
        if t < usual + n_candles - 1:
            line.append(None)
        else:
            line.append(Fraction(judge(*[Candle(c, t - i) for i in reversed(range(n_candles))])))
    return [line]


def doji(c):
    return scan(c, 1, 10, lambda k: int(k.is_doji))


def dragonfly_doji(c):
    tenth = TENTH
    return scan(
        c,
        1,
        10,
        lambda k: int(k.is_doji and k.is_tiny(k.above) and k.below > tenth * k.usual_span(10)),
    )


def gravestone_doji(c):
    return scan(
        c,
        1,
        10,
        lambda k: int(k.is_doji and k.is_tiny(k.below) and k.above > TENTH * k.usual_span(10)),
    )


def long_legged_doji(c):
    return scan(c, 1, 10, lambda k: int(k.is_doji and max(k.above, k.below) > k.body))


def spinning_top(c):
    def judge(k):
        return k.colour * (k.body < k.usual_body and min(k.above, k.below) > k.body)

    return scan(c, 1, 10, judge)


def marubozu(c):
    def judge(k):
        return k.colour * (k.is_long and k.is_tiny(k.above) and k.is_tiny(k.below))

    return scan(c, 1, 10, judge)


def hammer(c):
    def judge(a, b):
        shape = b.body < b.usual_body and b.below > b.body and b.is_tiny(b.above)
        return int(shape and b.bottom <= a.low + a.usual_span(5) / 5)

    return scan(c, 2, 9, judge)


def hanging_man(c):
    def judge(a, b):
        shape = b.body < b.usual_body and b.below > b.body and b.is_tiny(b.above)
        return -int(shape and b.bottom >= a.high - a.usual_span(5) / 5)

    return scan(c, 2, 9, judge)


def inverted_hammer(c):
    def judge(a, b):
        shape = b.body < b.usual_body and b.above > b.body and b.is_tiny(b.below)
        return int(shape and b.top < a.bottom)

    return scan(c, 2, 9, judge)


def shooting_star(c):
    def judge(a, b):
        shape = b.body < b.usual_body and b.above > b.body and b.is_tiny(b.below)
        return -int(shape and b.bottom > a.top)

    return scan(c, 2, 9, judge)


def _covers(outer, inner):
    """0: no; 1: wholly; 4/5: with one end in common."""
    if outer.top < inner.top or outer.bottom > inner.bottom:
        return 0
    if outer.top > inner.top and outer.bottom < inner.bottom:
        return 1
    return Fraction(4, 5)


def engulfing(c):
    def judge(a, b):
        is_same = (a.top, a.bottom) == (b.top, b.bottom)
        return b.colour * _covers(b, a) * (a.is_white != b.is_white and not is_same)

    return scan(c, 2, 0, judge)


def harami(c):
    return scan(
        c, 2, 10, lambda a, b: -a.colour * _covers(a, b) * (a.is_long and b.body <= b.usual_body)
    )


def harami_cross(c):
    return scan(c, 2, 10, lambda a, b: -a.colour * _covers(a, b) * (a.is_long and b.is_doji))


def piercing(c):
    def judge(a, b):
        is_turn = not a.is_white and a.is_long and b.is_white and b.is_long
        return int(is_turn and b.open < a.low and a.close + HALF * a.body < b.close < a.open)

    return scan(c, 2, 10, judge)


def dark_cloud_cover(c):
    def judge(a, b):
        is_turn = a.is_white and a.is_long and not b.is_white
        return -int(is_turn and b.open > a.high and a.open < b.close < a.close - HALF * a.body)

    return scan(c, 2, 10, judge)


def _star(a, b):
    return a.is_long and b.body <= b.usual_body


def morning_star(c):
    def judge(a, b, d):
        gap = not a.is_white and b.top < a.bottom and d.is_white and d.is_long
        return int(_star(a, b) and gap and d.close > a.close + Fraction(3, 10) * a.body)

    return scan(c, 3, 10, judge)


def evening_star(c):
    def judge(a, b, d):
        gap = a.is_white and b.bottom > a.top and not d.is_white and d.is_long
        return -int(_star(a, b) and gap and d.close < a.close - Fraction(3, 10) * a.body)

    return scan(c, 3, 10, judge)


def three_white_soldiers(c):
    def steps(a, b):
        is_inside = a.open < b.open <= a.close + a.usual_span(5) / 5
        is_strong = b.body > a.body - Fraction(3, 5) * a.usual_span(5)
        return b.close > a.close and is_inside and is_strong

    def judge(a, b, d):
        are_white = all(k.is_white and k.is_tiny(k.above) for k in (a, b, d))
        return int(are_white and steps(a, b) and steps(b, d) and d.is_long)

    return scan(c, 3, 10, judge)


def three_black_crows(c):
    def steps(a, b):
        return a.close < b.open < a.open and b.close < a.close

    def judge(before, a, b, d):
        are_black = all(not k.is_white and k.is_tiny(k.below) for k in (a, b, d))
        follows = before.is_white and before.high > a.close
        return -int(are_black and follows and steps(a, b) and steps(b, d))

    return scan(c, 4, 9, judge)


def three_inside(c):
    def judge(a, b, d):
        is_harami = _star(a, b) and b.top < a.top and b.bottom > a.bottom
        beyond = d.close < a.open if a.is_white else d.close > a.open
        return -a.colour * (is_harami and d.is_white != a.is_white and beyond)

    return scan(c, 3, 10, judge)


def three_outside(c):
    def judge(a, b, d):
        covers = b.top > a.top and b.bottom < a.bottom and a.is_white != b.is_white
        beyond = d.close > b.close if b.is_white else d.close < b.close
        return b.colour * (covers and beyond)

    return scan(c, 3, 0, judge)
