"""Market fills are exact, on the grid, and refuse what is not an order."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.orders import Fill, OrderRequest, Side
from trading_pipeline.matching.costs import Costs
from trading_pipeline.matching.fills import market_fill
from trading_pipeline.matching.grid import quote_unit, to_ticks, to_units
from trading_pipeline_tests.matching import decimal_rules

BTC = Instrument(
    Symbol("BTC", "USDT"), Decimal("0.01"), Decimal("0.00001"), Decimal("0.00001"), Decimal(5)
)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _fill(
    quantity: str = "0.12345",
    price: str = "60000.00",
    side: Side = Side.BUY,
    *,
    costs: Costs = Costs(),  # noqa: B008
    instrument: Instrument = BTC,
) -> Fill:
    request = OrderRequest("tp1", Symbol("BTC", "USDT"), side, Decimal(quantity), Decimal(1))
    return market_fill(request, Decimal(price), instrument, costs, executed_at=NOON, trade_id="t1")


def test_a_buy_by_hand() -> None:
    fill = _fill("0.5", "60000.00")
    assert fill.price == Decimal("60030.00")  # 5 bp worse
    assert fill.fee == Decimal("30.0150000")  # 10 bp of 30015.00
    assert (fill.quantity, fill.side, fill.executed_at) == (Decimal("0.5"), Side.BUY, NOON)
    assert (fill.trade_id, fill.client_order_id) == ("t1", "tp1")


def test_a_sell_by_hand() -> None:
    fill = _fill("0.5", "60000.00", Side.SELL)
    assert fill.price == Decimal("59970.00")
    assert fill.fee == Decimal("29.9850000")


@given(
    st.integers(1, 10**9),
    st.integers(1, 10**9),
    st.sampled_from(list(Side)),
    st.integers(0, 100_000),
    st.integers(0, 100_000),
)
def test_market_fill_equals_the_decimal_rules(
    lots: int, ticks: int, side: Side, fee_ppm: int, slippage_ppm: int
) -> None:
    fee_bps, slippage_bps = Decimal(fee_ppm) / 100, Decimal(slippage_ppm) / 100
    quantity, reference = lots * BTC.lot_size, ticks * BTC.tick_size
    fill = _fill(str(quantity), str(reference), side, costs=Costs(fee_bps, slippage_bps))
    price = decimal_rules.fill_price(reference, side.sign, slippage_bps, BTC.tick_size)
    assert fill.price == price
    assert fill.quantity == quantity
    assert fill.fee == decimal_rules.fee(price * quantity, fee_bps, BTC)


def test_an_off_grid_quote_is_rounded_before_slippage() -> None:
    assert _fill("1", "100.005", costs=Costs(0, 0)).price == Decimal("100.00")
    assert _fill("1", "100.015", costs=Costs(0, 0)).price == Decimal("100.02")


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity", "0.001", "1E+40"])
def test_an_unusable_quote_is_refused(price: str) -> None:
    with pytest.raises(DataError, match="needs a price of at least one tick"):
        _fill(price=price)


@pytest.mark.parametrize("quantity", ["0", "-1", "NaN", "0.000001", "1.000001", "1E+40"])
def test_a_quantity_off_the_lot_grid_is_refused(quantity: str) -> None:
    with pytest.raises(DataError, match=r"positive multiple of 0\.00001 BTC"):
        _fill(quantity)


def test_the_instrument_of_another_symbol_is_refused() -> None:
    other = Instrument(
        Symbol("ETH", "USDT"), BTC.tick_size, BTC.lot_size, BTC.min_quantity, BTC.min_notional
    )
    with pytest.raises(ConfigError, match="order tp1 is for BTC/USDT"):
        _fill(instrument=other)


@given(st.lists(st.integers(50, 10**9), min_size=1, max_size=30), st.integers(0, 3))
def test_array_ticks_equal_the_instrument_also_halfway_between_ticks(
    thousandths: list[int], decimals: int
) -> None:
    prices = np.array([float(Decimal(value) / 10**decimals) for value in thousandths])
    expected = [BTC.to_ticks(float(price)) for price in prices]
    assert to_ticks(prices, BTC).tolist() == expected


@pytest.mark.parametrize("price", [0.175, 0.285, 0.125, 1.005, 2.675, 0.005000001])
def test_prices_near_halfway_round_as_their_decimal_text(price: float) -> None:
    assert to_ticks(np.array([price]), BTC).tolist() == [BTC.to_ticks(price)]


@pytest.mark.parametrize("price", [0.001, -1.0, float("nan"), float("inf"), 1e18])
def test_prices_that_do_not_fit_the_tick_are_refused(price: float) -> None:
    with pytest.raises(DataError, match=r"BTC/USDT: prices must be finite"):
        to_ticks(np.array([100.0, price]), BTC)


def test_money_becomes_quote_units_rounded_down() -> None:
    assert quote_unit(BTC) == Decimal("1E-7")
    assert to_units(10_000, BTC) == 10**11
    assert to_units(Decimal("0.00000019"), BTC) == 1
