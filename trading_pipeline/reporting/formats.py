"""How numbers and instants are written for people; what does not exist is ``n/a``."""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeGuard

NOT_AVAILABLE = "n/a"
_MINUS = "\N{MINUS SIGN}"


def is_number(value: float | Decimal | None) -> TypeGuard[float]:
    """Tell whether ``value`` is there and finite."""
    return value is not None and math.isfinite(value)


def number(value: float | Decimal | None, digits: int = 2) -> str:
    """Return ``value`` with ``digits`` decimals and thousands separators.

    Examples
    --------
    >>> number(12345.678), number(None)
    ('12,345.68', 'n/a')
    """
    if not is_number(value):
        return NOT_AVAILABLE
    text = f"{abs(value):,.{digits}f}"
    # A value that rounds to zero has no sign.
    is_negative = value < 0 and any(digit in "123456789" for digit in text)
    return _MINUS + text if is_negative else text


def signed(value: float | Decimal | None, digits: int = 2) -> str:
    """Return ``value`` as :func:`number` does, with a plus sign where it is above zero."""
    text = number(value, digits)
    if text == NOT_AVAILABLE or text.startswith(_MINUS) or not text.strip("0.,"):
        return text
    return f"+{text}"


def percent(fraction: float | None, digits: int = 1) -> str:
    """Return a fraction in percent: 0.1234 is ``12.3%``."""
    return f"{number(fraction * 100, digits)}%" if is_number(fraction) else NOT_AVAILABLE


def signed_percent(fraction: float | None, digits: int = 1) -> str:
    """Return a fraction in percent with its sign: 0.1234 is ``+12.3%``."""
    return f"{signed(fraction * 100, digits)}%" if is_number(fraction) else NOT_AVAILABLE


def points(difference: float | None, digits: int = 1) -> str:
    """Return a difference of two fractions in percentage points: 0.012 is ``+1.2 pp``."""
    return f"{signed(difference * 100, digits)} pp" if is_number(difference) else NOT_AVAILABLE


def drawdown_percent(fraction: float | None, digits: int = 1) -> str:
    """Return a drawdown as a loss in percent, whichever sign it is kept with."""
    return percent(-abs(fraction), digits) if is_number(fraction) else NOT_AVAILABLE


def count(value: int | None) -> str:
    """Return a count with thousands separators."""
    return NOT_AVAILABLE if value is None else f"{value:,}"


def price(value: float | Decimal | None) -> str:
    """Return a price: two decimals from 1,000 on, four from 1 on, else six significant digits."""
    if not is_number(value):
        return NOT_AVAILABLE
    size = abs(value)
    if size >= 1000 or size == 0:
        return number(value, 2)
    if size >= 1:
        return number(value, 4)
    return number(value, 5 - math.floor(math.log10(size)))


def quantity(value: float | Decimal | None, digits: int = 8) -> str:
    """Return a quantity without trailing zeros, at most ``digits`` decimals."""
    text = number(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


def instant(moment: datetime | None) -> str:
    """Return an instant in UTC to the minute: ``2024-10-01 00:00``."""
    return NOT_AVAILABLE if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def day(moment: datetime | None) -> str:
    """Return the UTC date of an instant: ``2024-10-01``."""
    return NOT_AVAILABLE if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d}"


def span(length: timedelta | None) -> str:
    """Return a length of time in its two largest units: ``3 d 4 h``.

    Examples
    --------
    >>> span(timedelta(hours=76)), span(timedelta(seconds=-1))
    ('3 d 4 h', 'n/a')
    """
    if length is None or length < timedelta(0):
        return NOT_AVAILABLE
    minutes = int(length.total_seconds()) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days >= 100:
        return f"{days:,} d"
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min"
