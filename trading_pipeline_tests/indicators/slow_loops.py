"""Momentum and volume once more: exact fractions of whole ticks, one obvious loop, no speed.

Each function takes the candle columns as lists of Fraction and the parameters, and returns one
list per output, None during the warm-up. Written from the definitions, not from the kernels.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from statistics import stdev

Column = list[Fraction]
Line = list[Fraction | float | None]
HALF = Fraction(50)


def mean(values: Column) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def windows(values: Column, period: int) -> list[Column | None]:
    return [values[t - period + 1 : t + 1] if t >= period - 1 else None for t in range(len(values))]


def of_windows(values: Column, period: int, function: Callable[[Column], object]) -> Line:
    return [None if w is None else function(w) for w in windows(values, period)]


def moving_sum_of_past(values: Column, seed_at: int, seed: Fraction, gain: Fraction) -> Line:
    """Start with ``seed`` at bar ``seed_at``, then step by ``gain`` towards each value."""
    line: Line = [None] * len(values)
    if seed_at < len(values):
        line[seed_at] = seed
        for t in range(seed_at + 1, len(values)):
            line[t] = line[t - 1] + gain * (values[t] - line[t - 1])
    return line


def sma(c, period):
    return [of_windows(c["close"], period, mean)]


def ema_of(values: Column, period: int) -> Line:
    if len(values) < period:
        return [None] * len(values)
    return moving_sum_of_past(values, period - 1, mean(values[:period]), Fraction(2, period + 1))


def ema(c, period):
    return [ema_of(c["close"], period)]


def variance(values: Column) -> Fraction:
    centre = mean(values)
    return mean([(v - centre) ** 2 for v in values])


def bollinger(c, period, deviations):
    x = c["close"]
    return [
        of_windows(x, period, lambda w: float(mean(w)) + deviations * math.sqrt(variance(w))),
        of_windows(x, period, mean),
        of_windows(x, period, lambda w: float(mean(w)) - deviations * math.sqrt(variance(w))),
    ]


def score(window: Column) -> float:
    spread = variance(window)
    return float(window[-1] - mean(window)) / math.sqrt(spread) if spread else 0.0


def zscore(c, period):
    return [of_windows(c["close"], period, score)]


def volume_zscore(c, period):
    return [of_windows(c["volume"], period, score)]


def changes(values: Column) -> Column:
    return [Fraction(0)] + [b - a for a, b in pairwise(values)]


def wilder(values: Column, period: int) -> Line:
    """Smooth bars 1, 2, ... as Wilder does, from the mean of the first ``period`` of them."""
    if len(values) <= period:
        return [None] * len(values)
    return moving_sum_of_past(values, period, mean(values[1 : period + 1]), Fraction(1, period))


def percent(part: Fraction, rest: Fraction) -> Fraction:
    return 100 * part / (part + rest) if part + rest else HALF


def rsi(c, period):
    moves = changes(c["close"])
    gains = wilder([max(m, Fraction(0)) for m in moves], period)
    losses = wilder([max(-m, Fraction(0)) for m in moves], period)
    return [
        [None if g is None else percent(g, less) for g, less in zip(gains, losses, strict=True)]
    ]


def macd(c, fast, slow, signal):
    x = c["close"]
    n = len(x)
    empty: Line = [None] * n
    if n < slow + signal - 1:
        return [empty, empty, empty]
    quick = moving_sum_of_past(x, slow - 1, mean(x[slow - fast : slow]), Fraction(2, fast + 1))
    calm = moving_sum_of_past(x, slow - 1, mean(x[:slow]), Fraction(2, slow + 1))
    line = [None if q is None else q - s for q, s in zip(quick, calm, strict=True)]
    averaged = [None] * (slow - 1) + ema_of(line[slow - 1 :], signal)
    line = [None if a is None else v for v, a in zip(line, averaged, strict=True)]
    histogram = [None if a is None else v - a for v, a in zip(line, averaged, strict=True)]
    return [line, averaged, histogram]


def stochastic(c, k_period, k_smooth, d_period):
    raw = []
    for t in range(k_period - 1, len(c["close"])):
        top = max(c["high"][t - k_period + 1 : t + 1])
        bottom = min(c["low"][t - k_period + 1 : t + 1])
        raw.append(100 * (c["close"][t] - bottom) / (top - bottom) if top > bottom else HALF)
    k = [v for v in of_windows(raw, k_smooth, mean) if v is not None]
    d = [v for v in of_windows(k, d_period, mean) if v is not None]
    n = len(c["close"])
    k = k[d_period - 1 :]
    return [[None] * (n - len(k)) + k, [None] * (n - len(d)) + d]


def roc(c, period):
    x = c["close"]
    return [[None if t < period else x[t] / x[t - period] - 1 for t in range(len(x))]]


def typical(c) -> Column:
    return [sum(three) / 3 for three in zip(c["high"], c["low"], c["close"], strict=True)]


def cci(c, period):
    def index(window: Column) -> Fraction:
        centre = mean(window)
        spread = mean([abs(v - centre) for v in window])
        return (window[-1] - centre) / (Fraction(15, 1000) * spread) if spread else Fraction(0)

    return [of_windows(typical(c), period, index)]


def ranges(c) -> Column:
    out = [c["high"][0] - c["low"][0]]
    for high, low, before in zip(c["high"][1:], c["low"][1:], c["close"], strict=False):
        out.append(max(high - low, abs(high - before), abs(low - before)))
    return out


def atr(c, period):
    return [wilder(ranges(c), period)]


def adx(c, period):
    n = len(c["close"])
    empty: Line = [None] * n
    if n < 2 * period:
        return [empty, empty, empty]
    zero = Fraction(0)
    ups, downs = [zero], [zero]
    for t in range(1, n):
        up, down = c["high"][t] - c["high"][t - 1], c["low"][t - 1] - c["low"][t]
        ups.append(up if up > 0 and up > down else zero)
        downs.append(down if down > 0 and down > up else zero)
    breadths = ranges(c)
    sums = [sum(line[1:period], zero) for line in (ups, downs, breadths)]
    plus: Line = [None] * n
    minus: Line = [None] * n
    strength: Column = []
    for t in range(period, n):
        sums = [s - s / period + line[t] for s, line in zip(sums, (ups, downs, breadths), strict=1)]
        rise, fall, breadth = sums
        p, m = (100 * rise / breadth, 100 * fall / breadth) if breadth else (zero, zero)
        plus[t], minus[t] = p, m
        strength.append(100 * abs(p - m) / (p + m) if p + m else zero)
    first = 2 * period - 1
    index = moving_sum_of_past(
        [zero] * period + strength, first, mean(strength[:period]), Fraction(1, period)
    )
    return [index, empty[:first] + plus[first:], empty[:first] + minus[first:]]


def realised_volatility(c, period):
    x = c["close"]
    returns = [math.log(b / a) for a, b in pairwise(x)]
    return [[None, *of_windows(returns, period, stdev)]]


def obv(c):
    total, line = Fraction(0), []
    for t, volume in enumerate(c["volume"]):
        move = 1 if t == 0 else c["close"][t] - c["close"][t - 1]
        total += volume if move > 0 else -volume if move < 0 else 0
        line.append(total)
    return [line]


def mfi(c, period):
    price = typical(c)
    moves = changes(price)
    flows = [p * v for p, v in zip(price, c["volume"], strict=True)]
    line: Line = [None] * len(price)
    for t in range(period, len(price)):
        window = range(t - period + 1, t + 1)
        gained = sum((flows[i] for i in window if moves[i] > 0), Fraction(0))
        lost = sum((flows[i] for i in window if moves[i] < 0), Fraction(0))
        line[t] = percent(gained, lost)
    return [line]


def vwap(c, period):
    price = typical(c)
    line: Line = [None] * len(price)
    for t in range(period - 1, len(price)):
        window = range(t - period + 1, t + 1)
        traded = sum(c["volume"][i] for i in window)
        amount = sum(price[i] * c["volume"][i] for i in window)
        line[t] = amount / traded if traded else mean([price[i] for i in window])
    return [line]


def nothing(n: int) -> Line:
    return [None] * n


def over(function, line: Line, period: int) -> Line:
    """Apply a function of a whole series to the part of a line that is known."""
    known = [v for v in line if v is not None]
    return nothing(len(line) - len(known)) + function(known, period)


def williams_r(c, period):
    line = nothing(len(c["close"]))
    for t in range(period - 1, len(line)):
        top, bottom = max(c["high"][t - period + 1 : t + 1]), min(c["low"][t - period + 1 : t + 1])
        line[t] = -100 * (top - c["close"][t]) / (top - bottom) if top > bottom else -HALF
    return [line]


def stoch_rsi(c, period, k_period, k_smooth, d_period):
    values = [v for v in rsi(c, period)[0] if v is not None]
    n = len(c["close"])

    def place(window):
        top, bottom = max(window), min(window)
        return 100 * (window[-1] - bottom) / (top - bottom) if top > bottom else HALF

    raw = [v for v in of_windows(values, k_period, place) if v is not None]
    k = [v for v in of_windows(raw, k_smooth, mean) if v is not None]
    d = [v for v in of_windows(k, d_period, mean) if v is not None]
    return [nothing(n - len(d)) + k[len(k) - len(d) :], nothing(n - len(d)) + d]


def tsi(c, long, short, signal):
    moves = [b - a for a, b in pairwise(c["close"])]
    double = [
        over(ema_of, ema_of(values, long), short) for values in (moves, [abs(m) for m in moves])
    ]
    index = [
        None if size is None else 100 * move / size if size else Fraction(0)
        for move, size in zip(*double, strict=True)
    ]
    averaged = over(ema_of, index, signal)
    index = [None if a is None else v for v, a in zip(index, averaged, strict=True)]
    return [[None, *index], [None, *averaged]] if c["close"] else [[], []]


def ultimate(c, short, medium, long):
    n, first = len(c["close"]), max(short, medium, long)
    line = nothing(n)
    breadths = ranges(c) if n else []
    for t in range(first, n):
        total = Fraction(0)
        for period, weight in ((short, 4), (medium, 2), (long, 1)):
            window = range(t - period + 1, t + 1)
            lows = (min(c["low"][i], c["close"][i - 1]) for i in window)
            pressure = sum(c["close"][i] - low for i, low in zip(window, lows, strict=True))
            whole = sum(breadths[i] for i in window)
            total += weight * (100 * pressure / whole if whole else HALF)
        line[t] = total / 7
    return [line]


def twap(c, period):
    columns = (c["open"], c["high"], c["low"], c["close"])
    return [of_windows([sum(four) / 4 for four in zip(*columns, strict=True)], period, mean)]


def vwma(c, period):
    return vwap({**c, "high": c["close"], "low": c["close"]}, period)


def flow(c) -> Column:
    bars = zip(c["high"], c["low"], c["close"], c["volume"], strict=True)
    return [v * (2 * x - h - low) / (h - low) if h > low else Fraction(0) for h, low, x, v in bars]


def cmf(c, period):
    flows, line = flow(c), nothing(len(c["close"]))
    for t in range(period - 1, len(line)):
        window = slice(t - period + 1, t + 1)
        traded = sum(c["volume"][window])
        line[t] = sum(flows[window]) / traded if traded else Fraction(0)
    return [line]


def accumulation_distribution(c):
    flows = flow(c)
    return [[sum(flows[: t + 1]) for t in range(len(flows))]]


def force_index(c, period):
    forces = [(b - a) * v for (a, b), v in zip(pairwise(c["close"]), c["volume"][1:], strict=True)]
    return [[None, *ema_of(forces, period)] if c["close"] else []]
