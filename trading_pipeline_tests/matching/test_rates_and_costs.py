"""Rates are exact integers, and products with them neither round twice nor overflow early."""

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from trading_pipeline.core.errors import ConfigError
from trading_pipeline.matching.costs import NO_COSTS, Costs
from trading_pipeline.matching.fees import affordable_notional, fee_units
from trading_pipeline.matching.products import mul_div_ceil, mul_div_floor
from trading_pipeline.matching.rates import PPM, exact_parts

INT64_MAX = 2**63 - 1
amounts = st.integers(0, 9 * 10**18)
rates = st.integers(0, PPM - 1)


@njit
def _compiled_products(value: int, numerator: int) -> tuple[int, int]:
    return mul_div_floor(value, numerator, PPM), mul_div_ceil(value, numerator, PPM)


@settings(deadline=None)
@given(amounts, rates)
def test_products_equal_exact_fractions(value: int, numerator: int) -> None:
    exact = Fraction(value * numerator, PPM)
    assert mul_div_floor(value, numerator, PPM) == floor(exact)
    assert mul_div_ceil(value, numerator, PPM) == ceil(exact)


@settings(deadline=None)
@given(amounts, rates)
def test_compiled_products_equal_python_up_to_the_end_of_int64(value: int, numerator: int) -> None:
    exact = Fraction(value * numerator, PPM)
    assert _compiled_products(value, numerator) == (floor(exact), ceil(exact))


@settings(deadline=None)
@given(amounts, rates)
def test_the_affordable_notional_is_the_largest_one(cash: int, fee_ppm: int) -> None:
    notional = affordable_notional(cash, fee_ppm)
    assert notional + fee_units(notional, fee_ppm) <= cash
    assert notional + 1 + fee_units(notional + 1, fee_ppm) > cash


def test_ten_basis_points_of_a_thousand_units_are_one_unit() -> None:
    assert fee_units(1000, 1000) == 1
    assert fee_units(1001, 1000) == 2
    assert fee_units(0, 1000) == 0


@pytest.mark.parametrize(("bps", "ppm"), [(10, 1000), (7.5, 750), (0.07, 7), (Decimal("0.01"), 1)])
def test_basis_points_become_parts_per_million(bps: Decimal | float, ppm: int) -> None:
    costs = Costs(taker_fee_bps=bps, slippage_bps=bps)
    assert (costs.fee_ppm, costs.slippage_ppm) == (ppm, ppm)


def test_costs_default_to_ten_and_five_basis_points() -> None:
    assert (Costs().fee_ppm, Costs().slippage_ppm) == (1000, 500)
    assert (NO_COSTS.fee_ppm, NO_COSTS.slippage_ppm) == (0, 0)


@pytest.mark.parametrize("bps", [-1, 10_000, float("nan"), float("inf")])
def test_costs_out_of_range_are_refused(bps: float) -> None:
    with pytest.raises(ConfigError, match="slippage_bps must be at least 0 and below 10000"):
        Costs(slippage_bps=bps)


def test_costs_finer_than_a_hundredth_of_a_basis_point_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"taker_fee_bps must be a multiple of 0\.01, was"):
        Costs(taker_fee_bps=0.005)


def test_a_rate_that_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="stop_loss must be a number, was 'two'"):
        exact_parts("two", "stop_loss")  # type: ignore[arg-type]
