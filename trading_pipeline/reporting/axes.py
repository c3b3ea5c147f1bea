"""Where the ticks of an axis stand, and what they are called."""

import math
from datetime import timedelta

from trading_pipeline.core.month import Month
from trading_pipeline.reporting.curves import moment

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120)
_DAY_STEPS = (1, 2, 5, 7, 14)
_US_PER_DAY = 86_400_000_000


def nice_step(low: float, high: float, n_ticks: int) -> float:
    """Return the smallest 1, 2, 2.5 or 5 times a power of ten that makes at most ``n_ticks``."""
    rough = (high - low) / max(n_ticks, 1)
    if not rough > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * step for step in _STEPS if power * step >= rough * (1 - 1e-9))


def nice_ticks(low: float, high: float, n_ticks: int = 5) -> tuple[float, ...]:
    """Return round values in [low, high], ascending.

    Examples
    --------
    >>> nice_ticks(0.0, 10.0, 5)
    (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)
    """
    step = nice_step(low, high, n_ticks)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(i * step, 12) for i in range(first, last + 1))


def log_ticks(low: float, high: float) -> tuple[float, ...]:
    """Return 1, 2 and 5 times powers of ten in [low, high] (both positive), ascending.

    Only powers of ten where the range spans more than three decades.
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1.0,) if last - first > 4 else (1.0, 2.0, 5.0)
    values = (factor * 10.0**power for power in range(first, last + 1) for factor in factors)
    return tuple(value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9))


def time_ticks(start_us: float, end_us: float, n_ticks: int = 8) -> tuple[tuple[float, str], ...]:
    """Return (microseconds, label) pairs in [start, end] on days, months or years, at most ``n``.

    Examples
    --------
    >>> time_ticks(0.0, 366 * 86_400e6, 4)[1]
    (15638400000000.0, 'Jul 1970')
    """
    if end_us <= start_us:
        return ((float(start_us), f"{moment(int(start_us)):%d %b %Y}"),)
    n_days = (end_us - start_us) / _US_PER_DAY
    if n_days <= _DAY_STEPS[-1] * n_ticks and n_days < 62:
        return _day_ticks(start_us, end_us, n_ticks)
    n_months = n_days / 30.44
    step = next((s for s in _MONTH_STEPS if n_months / s <= n_ticks), _MONTH_STEPS[-1])
    ticks = []
    for month in Month.of(moment(int(start_us))).until(Month.of(moment(int(end_us)))):
        at = month.start.timestamp() * 1e6
        if start_us <= at <= end_us and (month.year * 12 + month.number - 1) % step == 0:
            ticks.append((at, f"{month.year}" if step >= 12 else f"{month.start:%b %Y}"))
    return tuple(ticks)


def _day_ticks(start_us: float, end_us: float, n_ticks: int) -> tuple[tuple[float, str], ...]:
    n_days = (end_us - start_us) / _US_PER_DAY
    step = next((s for s in _DAY_STEPS if n_days / s <= n_ticks), _DAY_STEPS[-1])
    start = moment(int(start_us))
    first = start.replace(hour=0, minute=0, second=0, microsecond=0)
    if first < start:
        first += timedelta(days=1)
    ticks = []
    at = first
    while at.timestamp() * 1e6 <= end_us:
        ticks.append((at.timestamp() * 1e6, f"{at.day} {at:%b}"))
        at += timedelta(days=step)
    return tuple(ticks)
