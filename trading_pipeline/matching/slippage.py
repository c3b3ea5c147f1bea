"""The price at which a market order fills."""

from numba.extending import register_jitable

from trading_pipeline.matching.products import mul_div_ceil, mul_div_floor
from trading_pipeline.matching.rates import PPM


@register_jitable
def fill_price_ticks(reference_ticks: int, side: int, slippage_ppm: int) -> int:
    """Return the fill price in ticks: the reference made worse by the slippage.

    Parameters
    ----------
    reference_ticks : int
        Price that the order aimed at; at least 1.
    side : int
        1 buys and pays more, rounded up; -1 sells and gets less, rounded down, but never below
        one tick.
    slippage_ppm : int
        Parts per million of the reference, in [0, 1,000,000).
    """
    if side > 0:
        return reference_ticks + mul_div_ceil(reference_ticks, slippage_ppm, PPM)
    return max(mul_div_floor(reference_ticks, PPM - slippage_ppm, PPM), 1)
