"""Prices that several indicators make of a bar; arrays only, no checks."""

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators._compiling import kernel

# Prices are decimals, so sums of equal ticks differ by rounding: below this fraction of the price
# two sums count as equal. A tick is larger by many orders of magnitude.
TIE = 1e-14


@kernel
def bar_ranges(high: FloatArray, low: FloatArray, close: FloatArray, out: FloatArray) -> None:
    """Write the true range of bars 1, 2, ...; bar 0 only lends its close. NaN in, NaN out."""
    top, bottom, before = high[1:], low[1:], close[:-1]
    for j in range(len(out)):
        last = before[j]
        # A missing high or low fails its comparison and stays; a missing close is added.
        upper = max(top[j], last)
        lower = min(bottom[j], last)
        out[j] = (upper - lower) + 0.0 * last


@kernel
def typical_price(high: FloatArray, low: FloatArray, close: FloatArray, out: FloatArray) -> None:
    """Write the mean of high, low and close of each bar."""
    for j in range(len(out)):
        out[j] = (high[j] + low[j] + close[j]) / 3.0


@kernel
def percentage(part: FloatArray, rest: FloatArray, out: FloatArray) -> None:
    """Write ``part`` in percent of ``part + rest``; 50 where both are 0."""
    for j in range(len(out)):
        total = part[j] + rest[j]
        share = 100.0 * (part[j] / total)
        out[j] = 50.0 if total == 0.0 else share


@kernel
def place(values: FloatArray, lowest: FloatArray, highest: FloatArray, out: FloatArray) -> None:
    """Write where a value stands in its range, in percent; 50 where the range is 0."""
    for j in range(len(out)):
        breadth = highest[j] - lowest[j]
        share = 100.0 * ((values[j] - lowest[j]) / breadth)
        out[j] = 50.0 if breadth == 0.0 else share
