"""Recursive averages that carry their state from call to call; arrays only, no checks.

An average advances four bars at a time around the first of them, so that the chain from bar to
bar is three operations per four bars instead of twelve. The groups of four count from the seed:
wherever a call ends, the next one finishes the open group, so that any cut gives the same bits.
"""

import numpy as np

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators._compiling import kernel

# Numbers that one average carries: the value before the open group, the group's first input, its
# part so far, and its length.
AVERAGE = 4


@kernel
def smooth(values: FloatArray, decay: float, state: FloatArray, out: FloatArray) -> None:
    """Write ``y[j] = decay * y[j - 1] + (1 - decay) * values[j]``; ``out`` may be ``values``."""
    n_bars = len(values)
    gain, square, cube = 1.0 - decay, decay * decay, decay * decay * decay
    fourth = square * square
    previous, base, part, i = state[0], state[1], state[2], 0
    size = int(state[3])
    while size > 0 and i < n_bars:
        step = gain * (values[i] - base)
        part = step if size == 1 else decay * part + step
        power = square if size == 1 else (cube if size == 2 else fourth)
        size = (size + 1) % 4
        out[i] = (base + part) + power * (previous - base)
        if size == 0:
            previous = out[i]
        i += 1
    while i + 4 <= n_bars:
        base = values[i]
        second = gain * (values[i + 1] - base)
        third = decay * second + gain * (values[i + 2] - base)
        last = decay * third + gain * (values[i + 3] - base)
        apart = previous - base
        out[i] = base + decay * apart
        out[i + 1] = (base + second) + square * apart
        out[i + 2] = (base + third) + cube * apart
        previous = (base + last) + fourth * apart
        out[i + 3] = previous
        i += 4
    while i < n_bars:
        if size == 0:
            base, part = values[i], 0.0
            out[i] = base + decay * (previous - base)
        else:
            step = gain * (values[i] - base)
            part = step if size == 1 else decay * part + step
            power = square if size == 1 else cube
            out[i] = (base + part) + power * (previous - base)
        size += 1
        i += 1
    state[0], state[1], state[2], state[3] = previous, base, part, float(size)


@kernel
def smooth_from_mean(
    values: FloatArray, seen: int, length: int, decay: float, state: FloatArray, out: FloatArray
) -> None:
    """Smooth from the mean of the first ``length`` values; ``seen`` of all came before.

    Until it is complete, the mean so far is written: exact where all values are equal.
    """
    n_seed = min(max(length - seen, 0), len(values))
    for j in range(n_seed):
        state[0] += (values[j] - state[0]) / (seen + j + 1)
        out[j] = state[0]
    smooth(values[n_seed:], decay, state, out[n_seed:])


@kernel
def follow(shares: FloatArray, values: FloatArray, state: FloatArray, out: FloatArray) -> None:
    """Write ``y[j] = y[j - 1] + shares[j] * (values[j] - y[j - 1])``, four bars at a time.

    The state is that of an average: value before the open group, its factor, its sum, its length.
    """
    previous, factor, total, i = state[0], state[1], state[2], 0
    size, n_bars = int(state[3]), len(values)
    while size > 0 and i < n_bars:
        keep, add = 1.0 - shares[i], shares[i] * values[i]
        factor, total = keep * factor, keep * total + add
        out[i] = factor * previous + total
        size = (size + 1) % 4
        if size == 0:
            previous = out[i]
        i += 1
    while i + 4 <= n_bars:
        factor, total = 1.0 - shares[i], shares[i] * values[i]
        out[i] = factor * previous + total
        for j in range(i + 1, i + 4):
            keep, add = 1.0 - shares[j], shares[j] * values[j]
            factor, total = keep * factor, keep * total + add
            out[j] = factor * previous + total
        previous = out[i + 3]
        i += 4
    while i < n_bars:
        keep, add = 1.0 - shares[i], shares[i] * values[i]
        factor = keep if size == 0 else keep * factor
        total = add if size == 0 else keep * total + add
        out[i] = factor * previous + total
        size += 1
        i += 1
    state[0], state[1], state[2], state[3] = previous, factor, total, float(size)


@kernel
def carry(tail: FloatArray, seen: int, new: FloatArray) -> FloatArray:
    """Return the last values of earlier calls followed by ``new``; keep its end in ``tail``.

    ``seen`` values came before; ``tail`` holds the last of them at its right end.
    """
    n_old = min(seen, len(tail))
    joined = np.empty(n_old + len(new))
    joined[:n_old] = tail[len(tail) - n_old :]
    joined[n_old:] = new
    n_kept = min(len(joined), len(tail))
    tail[len(tail) - n_kept :] = joined[len(joined) - n_kept :]
    return joined
