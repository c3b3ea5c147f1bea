"""Sizes by hand, and that no limit is ever exceeded."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.risk.limits import RiskLimits
from trading_pipeline.risk.sizing import entry_quantity
from trading_pipeline_tests.trading_builders import BTC, d, make_instrument

_BTC = make_instrument(BTC)


@pytest.mark.parametrize(
    ("limits", "buying_power", "expected"),
    [
        # 10,000 * 0.1 = 1,000 at 60,000 is 0.016666..., floored to five places.
        (RiskLimits(), "10000", "0.01666"),
        # 10,000 * 0.01 / 0.2 = 500: a wide stop makes a small position.
        (RiskLimits(stop_loss_pct=d("0.2")), "10000", "0.00833"),
        # 300 * 0.99 = 297 of free cash.
        (RiskLimits(), "300", "0.00495"),
        (RiskLimits(max_notional=d(120)), "10000", "0.00200"),
        (RiskLimits(), "0", "0"),
        (RiskLimits(), "-5", "0"),
    ],
)
def test_the_smallest_limit_decides(limits, buying_power, expected):
    quantity = entry_quantity(d(10_000), d(buying_power), d(60_000), _BTC, limits)
    assert quantity == d(expected)


positive = st.integers(1, 10**12).map(lambda units: Decimal(units).scaleb(-4))


@given(positive, positive, positive)
@settings(max_examples=200, deadline=None)
def test_no_size_exceeds_any_limit_and_one_lot_more_exceeds_one(equity, cash, price):
    limits = RiskLimits(max_notional=d(50_000))
    quantity = entry_quantity(equity, cash, price, _BTC, limits)
    caps = [
        equity * limits.max_position_size,
        equity * limits.risk_per_trade / limits.stop_loss_pct,
        cash * (1 - limits.cost_reserve),
        d(50_000),
    ]
    assert all(quantity * price <= cap for cap in caps)
    assert any((quantity + _BTC.lot_size) * price > cap for cap in caps)
    assert quantity % _BTC.lot_size == 0
