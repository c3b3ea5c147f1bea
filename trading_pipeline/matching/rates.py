"""Rates as integers: parts per million."""

from decimal import Decimal, InvalidOperation

from trading_pipeline.core.errors import ConfigError

PPM = 1_000_000


def exact_parts(
    value: Decimal | float, name: str, *, parts: int = PPM, below: Decimal | float = 1
) -> int:
    """Return ``value * parts`` as the integer that it must be.

    Parameters
    ----------
    value : Decimal or float
        At least 0 and below ``below``; a float counts as the shortest text that it is printed
        as, so that 0.02 is exactly 20,000 parts per million.
    name : str
        What it is, for the message.
    parts : int
        Parts of one: a million for a fraction, a hundred for a basis point in ppm.
    below : Decimal or float
        First value that is refused.

    Raises
    ------
    ConfigError
        If it is not a number, out of range, or finer than one part.

    Examples
    --------
    >>> exact_parts(0.02, "stop_loss")
    20000
    """
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        raise ConfigError(f"{name} must be a number, was {value!r}") from None
    if not exact.is_finite() or not 0 <= exact < Decimal(str(below)):
        raise ConfigError(f"{name} must be at least 0 and below {below}, was {value}")
    scaled = exact * parts
    if scaled != scaled.to_integral_value():
        raise ConfigError(
            f"{name} must be a multiple of {Decimal(1) / parts}, was {value}; round it"
        )
    return int(scaled)
