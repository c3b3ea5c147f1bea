"""Limits refuse values that cannot be meant."""

from datetime import timedelta
from decimal import Decimal

import pytest

from trading_pipeline.core.errors import ConfigError
from trading_pipeline.risk.limits import RiskLimits


def test_the_defaults_are_those_of_the_configuration():
    limits = RiskLimits()
    assert limits.max_position_size == Decimal("0.1")
    assert limits.stop_loss_pct == Decimal("0.02")
    assert limits.allow_short is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_position_size", Decimal(10)),
        ("max_position_size", Decimal(0)),
        ("risk_per_trade", Decimal("-0.01")),
        ("max_daily_loss", Decimal("NaN")),
        ("stop_loss_pct", Decimal(1)),
        ("price_collar", Decimal(1)),
        ("cost_reserve", Decimal(1)),
        ("cost_reserve", Decimal("NaN")),
        ("max_notional", Decimal(0)),
        ("max_open_positions", 0),
        ("max_orders_per_minute", 0),
        ("max_attempts", 0),
        ("max_signal_age", timedelta(0)),
        ("max_clock_skew", timedelta(seconds=-1)),
    ],
)
def test_a_limit_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=name):
        RiskLimits(**{name: value})


def test_a_take_profit_above_the_whole_price_is_allowed():
    assert RiskLimits(take_profit_pct=Decimal("1.5")).take_profit_pct == Decimal("1.5")
