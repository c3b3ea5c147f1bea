"""Trends, volatility, statistics and sessions once more, as in ``slow_loops``."""

import math
from fractions import Fraction
from itertools import pairwise, permutations

from trading_pipeline_tests.indicators.slow_loops import (
    Column,
    Line,
    atr,
    mean,
    nothing,
    of_windows,
    ranges,
    rsi,
    typical,
    wilder,
)

HOUR = 3_600_000_000


def true_range(c):
    return [[None, *ranges(c)[1:]] if c["close"] else []]


def natr(c, period):
    pairs = zip(atr(c, period)[0], c["close"], strict=True)
    return [[None if a is None else a / x for a, x in pairs]]


def parkinson(c, period):
    squares = [math.log(h / low) ** 2 for h, low in zip(c["high"], c["low"], strict=True)]
    return [of_windows(squares, period, lambda w: math.sqrt(sum(w) / period / 4 / math.log(2)))]


def garman_klass(c, period):
    columns = (c["open"], c["high"], c["low"], c["close"])
    terms = [
        math.log(h / low) ** 2 / 2 - (2 * math.log(2) - 1) * math.log(x / o) ** 2
        for o, h, low, x in zip(*columns, strict=True)
    ]
    return [of_windows(terms, period, lambda w: math.sqrt(sum(w) / period))]


def supertrend(c, period, multiplier):
    n = len(c["close"])
    line, way = nothing(n), nothing(n)
    breadths = wilder(ranges(c), period) if n else []
    upper = lower = None
    side = 1
    for t in range(period, n):
        middle = (c["high"][t] + c["low"][t]) / 2
        apart = Fraction(multiplier) * Fraction(breadths[t])
        top, bottom = middle + apart, middle - apart
        if upper is not None:
            before = c["close"][t - 1]
            if not (top < upper or before > upper):
                top = upper
            if not (bottom > lower or before < lower):
                bottom = lower
            if side == 1 and c["close"][t] < bottom:
                side = -1
            elif side == -1 and c["close"][t] > top:
                side = 1
        upper, lower = top, bottom
        line[t], way[t] = (lower if side == 1 else upper), side
    return [line, way]


def psar(c, acceleration, maximum):
    high, low = c["high"], c["low"]
    n = len(high)
    line = nothing(n)
    if n < 2:
        return [line]
    step, most = Fraction(min(acceleration, maximum)), Fraction(maximum)
    fall, rise = low[0] - low[1], high[1] - high[0]
    is_up = not (fall > 0 and fall > rise)
    stop, extreme = (low[0], high[1]) if is_up else (high[0], low[1])
    factor = step
    for t in range(1, n):
        past = t - 1 if t > 1 else t
        if (is_up and low[t] <= stop) or (not is_up and high[t] >= stop):
            is_up = not is_up
            stop = min(extreme, low[t], low[past]) if is_up else max(extreme, high[t], high[past])
            extreme, factor = (high[t] if is_up else low[t]), step
            line[t] = stop
        else:
            line[t] = stop
            if (is_up and high[t] > extreme) or (not is_up and low[t] < extreme):
                extreme, factor = (high[t] if is_up else low[t]), min(factor + step, most)
        stop = stop + factor * (extreme - stop)
        stop = min(stop, low[t], low[past]) if is_up else max(stop, high[t], high[past])
        # Rounded: exact fractions would grow with every bar.
        stop = Fraction(float(stop))
    return [line]


def aroon(c, period):
    n = len(c["high"])
    up, down = nothing(n), nothing(n)
    for t in range(period, n):
        window = range(t - period, t + 1)
        newest_high = max(window, key=lambda i: (c["high"][i], i))
        newest_low = min(window, key=lambda i: (c["low"][i], -i))
        up[t] = Fraction(100 * (period - (t - newest_high)), period)
        down[t] = Fraction(100 * (period - (t - newest_low)), period)
    return [up, down]


def vortex(c, period):
    n = len(c["close"])
    plus, minus = nothing(n), nothing(n)
    for t in range(period, n):
        window = range(t - period + 1, t + 1)
        whole = sum(ranges(c)[i] for i in window)
        rise = sum(abs(c["high"][i] - c["low"][i - 1]) for i in window)
        fall = sum(abs(c["low"][i] - c["high"][i - 1]) for i in window)
        plus[t] = rise / whole if whole else Fraction(1)
        minus[t] = fall / whole if whole else Fraction(1)
    return [plus, minus]


def choppiness(c, period):
    line = nothing(len(c["close"]))
    for t in range(period, len(line)):
        window = range(t - period + 1, t + 1)
        extent = max(c["high"][i] for i in window) - min(c["low"][i] for i in window)
        whole = sum(ranges(c)[i] for i in window)
        line[t] = 100 * math.log(whole / extent) / math.log(period) if extent else 100.0
    return [line]


def percent_rank(c, period):
    x = c["close"]
    return [
        [
            None if t < period else Fraction(100 * sum(v < x[t] for v in x[t - period : t]), period)
            for t in range(len(x))
        ]
    ]


def regression_slope(c, period):
    centre = Fraction(period - 1, 2)
    spread = sum((i - centre) ** 2 for i in range(period))

    def slope(window: Column) -> Fraction:
        return sum(((i - centre) * v for i, v in enumerate(window)), Fraction(0)) / spread

    return [of_windows(c["close"], period, slope)]


def moment(window: Column, power: int) -> Fraction:
    centre = mean(window)
    return mean([(v - centre) ** power for v in window])


def skew(c, period):
    def of(window: Column) -> float:
        variance = float(moment(window, 2))
        adjusted = math.sqrt(period * (period - 1)) / (period - 2)
        return adjusted * float(moment(window, 3)) / variance**1.5 if variance else 0.0

    return [of_windows(c["close"], period, of)]


def kurtosis(c, period):
    def of(window: Column) -> Fraction:
        variance = moment(window, 2)
        if not variance:
            return Fraction(0)
        excess = (period + 1) * moment(window, 4) / variance**2 - 3 * (period - 1)
        return Fraction(period - 1, (period - 2) * (period - 3)) * excess

    return [of_windows(c["close"], period, of)]


def autocorrelation(c, period, lag):
    returns = [(b - a) / a for a, b in pairwise(c["close"])]
    line = nothing(len(c["close"]))
    for t in range(period + lag, len(line)):
        newer, older = returns[t - period : t], returns[t - period - lag : t - lag]
        one, two = newer, older
        first, second = mean(one), mean(two)
        product = sum((a - first) * (b - second) for a, b in zip(one, two, strict=True))
        spread = sum((a - first) ** 2 for a in one) * sum((b - second) ** 2 for b in two)
        line[t] = float(product) / math.sqrt(spread) if spread else 0.0
    return [line]


def entropy(c, period):
    def order(three: tuple[Fraction, ...]) -> tuple[int, ...]:
        return tuple(sorted(range(3), key=lambda i: (three[i], i)))

    def of(window: Column) -> float:
        triples = [order(tuple(window[i : i + 3])) for i in range(period - 2)]
        shares = [triples.count(p) / len(triples) for p in permutations(range(3))]
        return -sum(s * math.log(s) for s in shares if s) / math.log(6) + 0.0

    return [of_windows(c["close"], period, of)]


def hurst(c, period):
    returns = [math.log(b / a) for a, b in pairwise(c["close"])]
    line = nothing(len(c["close"]))
    sizes = [8 * 2**i for i in range(20) if 8 * 2**i <= period]
    for t in range(period, len(line)):
        points = []
        for i, size in enumerate(sizes):
            found = []
            for part in range(period // size):
                end = t - part * size
                chunk = returns[end - size : end]
                centre = math.fsum(chunk) / size
                deviation = math.sqrt(math.fsum((v - centre) ** 2 for v in chunk) / size)
                sums = [0.0]
                for value in chunk:
                    sums.append(sums[-1] + value - centre)
                found.append((max(sums) - min(sums)) / deviation if len(set(chunk)) > 1 else 0.0)
            total = sum(found) / len(found)
            points.append((i, math.log2(total) if total else 0.5 * i))
        centre = (len(sizes) - 1) / 2
        spread = sum((i - centre) ** 2 for i, _ in points)
        line[t] = sum((i - centre) * y for i, y in points) / spread
    return [line]


def _weighted_since(c, starts_anew) -> list[Line]:
    line, amount, traded = [], Fraction(0), Fraction(0)
    for t, (price, volume) in enumerate(zip(typical(c), c["volume"], strict=True)):
        if starts_anew(t):
            amount, traded = Fraction(0), Fraction(0)
        amount, traded = amount + price * volume, traded + volume
        line.append(amount / traded if traded else price)
    return [line]


def vwap_session(c, start_hour, hours):
    def number(t: int) -> int:
        return int((c["time"][t] - (96 + start_hour) * HOUR) // (hours * HOUR))

    return _weighted_since(c, lambda t: t > 0 and number(t) != number(t - 1))


def vwap_anchored(c, anchor):
    times = c["time"]
    moment = anchor * 1_000_000
    return _weighted_since(c, lambda t: t > 0 and times[t] >= moment > times[t - 1])


def sessions(c, asia_start, asia_end, london_start, london_end, new_york_start, new_york_end):
    hours = [int(time // HOUR) % 24 for time in c["time"]]
    pairs = (asia_start, asia_end), (london_start, london_end), (new_york_start, new_york_end)
    lines = []
    for start, end in pairs:
        span = range(start, end) if start < end else [*range(start, 24), *range(end)]
        lines.append([Fraction(hour in span) for hour in hours])
    return lines


def session_range(c, start_hour, hours):
    lines: list[Line] = [[], [], [], []]
    last, bars = None, []
    for t, time in enumerate(c["time"]):
        since = int(time) - start_hour * HOUR
        day, is_open = since // (24 * HOUR), since % (24 * HOUR) < hours * HOUR
        if last is None or (is_open and day != last):
            last, bars = day, [t]
        elif is_open:
            bars.append(t)
        top, bottom = max(c["high"][i] for i in bars), min(c["low"][i] for i in bars)
        place = (c["close"][t] - bottom) / (top - bottom) if top > bottom else Fraction(1, 2)
        for line, value in zip(lines, (c["open"][bars[0]], top, bottom, place), strict=True):
            line.append(value)
    return lines


def rsi_divergence(c, period, wing, longest):
    n, values = len(c["close"]), rsi(c, period)[0]
    first = period + 2 * wing
    lines = [[None] * min(first, n) + [Fraction(0)] * max(n - first, 0) for _ in range(4)]
    for row, (column, side) in enumerate(((c["low"], -1), (c["high"], 1))):
        last = None
        for pivot in range(max(period, wing), n - wing):
            around = [*range(pivot - wing, pivot), *range(pivot + 1, pivot + wing + 1)]
            if not all(side * column[pivot] > side * column[i] for i in around):
                continue
            if last is not None and pivot - last <= longest and pivot + wing >= first:
                price = side * (column[pivot] - column[last])
                strength = side * (values[pivot] - values[last])
                if price > 0 > strength:
                    lines[row][pivot + wing] = Fraction(1)
                elif price < 0 < strength:
                    lines[2 + row][pivot + wing] = Fraction(1)
            last = pivot
    return lines
