"""Settings become the parameters that the domain knows, and nothing is lost on the way."""

from datetime import timedelta
from decimal import Decimal

import pytest

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import ConfigError

ONLY_RSI = {"ema_cross": {"enabled": False}, "forecast": {"enabled": False}}


def test_backtests_and_limits_take_the_same_fractions():
    settings = Settings(
        risk={"max_position_size": 0.2, "stop_loss_pct": 0.03, "take_profit_pct": 0.07},
        backtest={"taker_fee_bps": 7.5, "slippage_bps": 2, "initial_balance": 5000},
    )
    backtest, limits = wiring.backtest_settings(settings), wiring.risk_limits(settings)
    assert (backtest.position_fraction, limits.max_position_size) == (0.2, Decimal("0.2"))
    assert (backtest.stop_loss, limits.stop_loss_pct) == (0.03, Decimal("0.03"))
    assert (backtest.take_profit, limits.take_profit_pct) == (0.07, Decimal("0.07"))
    assert backtest.initial_balance == 5000
    assert backtest.costs == wiring.costs(settings)
    assert (backtest.costs.taker_fee_bps, backtest.costs.slippage_bps) == (7.5, 2)
    assert wiring.backtest_settings(settings, 77.0).initial_balance == 77.0


def test_the_age_of_signals_is_counted_in_bars_of_the_timeframe():
    settings = Settings(market={"base_timeframe": "4h"}, risk={"max_signal_age_bars": 1.5})
    assert wiring.risk_limits(settings).max_signal_age == timedelta(hours=6)


def test_every_ema_period_is_an_indicator_of_its_own():
    settings = Settings(indicators={"ema": {"periods": (5, 8)}, "obv": {"enabled": False}})
    names = [request.name for request in wiring.indicator_requests(settings)]
    assert "ema_5" in names
    assert "ema_8" in names
    assert "ema_200" not in names
    assert not any(name.startswith("obv") for name in names)


def test_levels_of_the_rsi_reach_the_rule_and_not_the_indicator():
    settings = Settings(indicators={"rsi": {"period": 10, "oversold": 25.0, "overbought": 75.0}})
    (rsi,) = [rule for rule in wiring.rule_strategies(settings) if rule.name == "rsi"]
    assert dict(rsi.values) == {"period": 10, "oversold": 25.0, "overbought": 75.0}
    (request,) = [r for r in wiring.indicator_requests(settings) if r.indicator == "rsi"]
    assert dict(request.parameters) == {"period": 10}


def test_sources_that_are_off_have_no_weight():
    settings = Settings(strategies=ONLY_RSI)
    assert wiring.signal_sources(settings) == ("rsi",)
    assert dict(wiring.aggregation(settings).weights) == {"rsi": 1.0}
    assert wiring.decision_recipe(settings).forecast_margin is None


def test_a_weight_for_no_source_is_refused_with_the_nearest():
    settings = Settings(signals={"weights": {"rsi": 1, "ema_cros": 1, "forecast": 1}})
    with pytest.raises(ConfigError, match="ema_cross"):
        wiring.aggregation(settings)


def test_a_source_without_a_weight_is_refused():
    with pytest.raises(ConfigError, match=r"without a weight \['ema_cross', 'forecast'\]"):
        wiring.aggregation(Settings(signals={"weights": {"rsi": 1}}))


def test_no_source_at_all_is_refused():
    nothing = Settings(strategies={**ONLY_RSI, "rsi": {"enabled": False}})
    with pytest.raises(ConfigError, match="one must be enabled"):
        wiring.aggregation(nothing)


def test_the_version_of_a_strategy_follows_what_decides_and_nothing_else():
    version = wiring.strategy_version(Settings())
    assert wiring.strategy_version(Settings(signals={"threshold": 0.3})) != version
    assert wiring.strategy_version(Settings(features={"lags": (1, 2)})) != version
    assert wiring.strategy_version(Settings(risk={"stop_loss_pct": 0.05})) == version


def test_the_forecaster_is_the_one_of_the_settings():
    section = {"n_trees": 3, "max_depth": 2, "learning_rate": 0.5}
    made = wiring.forecaster(Settings(models={"seed": 11, "xgboost": section}))
    assert made.seed == 11
    assert {key: made.parameters[key] for key in section} == section
