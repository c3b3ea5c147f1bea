"""Taker fees in quote units."""

from numba.extending import register_jitable

from trading_pipeline.matching.products import mul_div_ceil, mul_div_floor
from trading_pipeline.matching.rates import PPM


@register_jitable
def fee_units(notional_units: int, fee_ppm: int) -> int:
    """Return the fee on ``notional_units`` (at least 0), rounded up to the next quote unit."""
    return mul_div_ceil(notional_units, fee_ppm, PPM)


@register_jitable
def affordable_notional(cash_units: int, fee_ppm: int) -> int:
    """Return the largest notional that ``cash_units`` (at least 0) pays together with its fee."""
    return mul_div_floor(cash_units, PPM, PPM + fee_ppm)
