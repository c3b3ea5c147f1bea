"""Exact products of amounts and rates; plain functions that numba can compile too."""

from numba.extending import register_jitable


@register_jitable
def mul_div_floor(value: int, numerator: int, denominator: int) -> int:
    """Return ``value * numerator / denominator`` rounded down, for ``value`` of at least 0.

    The product is taken in two parts, so that it overflows int64 only if the result does, for
    ``numerator * denominator`` below 2**63.
    """
    whole = value // denominator
    return whole * numerator + (value - whole * denominator) * numerator // denominator


@register_jitable
def mul_div_ceil(value: int, numerator: int, denominator: int) -> int:
    """Return ``value * numerator / denominator`` rounded up; see :func:`mul_div_floor`."""
    whole = value // denominator
    rest = (value - whole * denominator) * numerator
    return whole * numerator + (rest + denominator - 1) // denominator
