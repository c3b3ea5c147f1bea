"""Averages, bands and channels once more, as in ``slow_loops``."""

import math
from fractions import Fraction

from trading_pipeline_tests.indicators.slow_loops import (
    Column,
    Line,
    bollinger,
    ema_of,
    mean,
    nothing,
    of_windows,
    over,
    ranges,
    variance,
    wilder,
)


def wma_of(values: Column, period: int) -> Line:
    total = Fraction(period * (period + 1), 2)
    return of_windows(
        values, period, lambda w: sum(((i + 1) * v for i, v in enumerate(w)), Fraction(0)) / total
    )


def wma(c, period):
    return [wma_of(c["close"], period)]


def dema(c, period):
    once = ema_of(c["close"], period)
    twice = over(ema_of, once, period)
    return [[None if b is None else 2 * a - b for a, b in zip(once, twice, strict=True)]]


def tema(c, period):
    once = ema_of(c["close"], period)
    twice = over(ema_of, once, period)
    thrice = over(ema_of, twice, period)
    return [
        [
            None if e3 is None else 3 * e1 - 3 * e2 + e3
            for e1, e2, e3 in zip(once, twice, thrice, strict=True)
        ]
    ]


def hma(c, period):
    x = c["close"]
    pairs = zip(wma_of(x, period // 2), wma_of(x, period), strict=True)
    return [over(wma_of, [None if b is None else 2 * a - b for a, b in pairs], math.isqrt(period))]


def kama(c, period):
    x = c["close"]
    line = nothing(len(x))
    if len(x) <= period:
        return [line]
    before = x[period - 1]
    for t in range(period, len(x)):
        path = sum(abs(x[i] - x[i - 1]) for i in range(t - period + 1, t + 1))
        ratio = abs(x[t] - x[t - period]) / path if path else Fraction(1)
        constant = (ratio * (Fraction(2, 3) - Fraction(2, 31)) + Fraction(2, 31)) ** 2
        # Rounded: exact fractions would grow with every bar.
        before = Fraction(float(before + constant * (x[t] - before)))
        line[t] = before
    return [line]


def banded(line: Line, apart: Line, factor: float) -> list[Line]:
    both = list(zip(line, apart, strict=True))
    known = [None if m is None or a is None else (float(m), float(a)) for m, a in both]
    return [
        [None if k is None else k[0] + factor * k[1] for k in known],
        [None if k is None else k[0] for k in known],
        [None if k is None else k[0] - factor * k[1] for k in known],
    ]


def keltner(c, period, atr_period, multiplier):
    return banded(ema_of(c["close"], period), wilder(ranges(c), atr_period), multiplier)


def donchian(c, period):
    top = of_windows(c["high"], period, max)
    bottom = of_windows(c["low"], period, min)
    middle = [None if a is None else (a + b) / 2 for a, b in zip(top, bottom, strict=True)]
    return [top, middle, bottom]


def ichimoku(c, conversion, base, span, displacement):
    n = len(c["close"])
    first = max(conversion, base, span) + displacement - 1
    lines = [nothing(n) for _ in range(5)]
    middle = {length: donchian(c, length)[1] for length in {conversion, base, span}}
    for t in range(first, n):
        past = t - displacement
        lines[0][t], lines[1][t] = middle[conversion][t], middle[base][t]
        lines[2][t] = (middle[conversion][past] + middle[base][past]) / 2
        lines[3][t] = middle[span][past]
        lines[4][t] = c["close"][t] - c["close"][past]
    return lines


def bollinger_width(c, period, deviations):
    upper, middle, lower = bollinger(c, period, deviations)
    return [
        [
            None if m is None else (u - b) / float(m)
            for u, m, b in zip(upper, middle, lower, strict=1)
        ]
    ]


def bollinger_percent_b(c, period, deviations):
    def place(w):
        spread = 2 * deviations * math.sqrt(variance(w))
        return 0.5 + float(w[-1] - mean(w)) / spread if spread else 0.5

    return [of_windows(c["close"], period, place)]
