"""Domain parameters from the settings; heavy libraries load when a function is called."""

from datetime import timedelta
from decimal import Decimal
from math import floor
from typing import TYPE_CHECKING

from trading_pipeline.config import Settings
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.fingerprint import fingerprint

if TYPE_CHECKING:
    from trading_pipeline.backtest.settings import BacktestSettings
    from trading_pipeline.execution.decide import DecisionRecipe
    from trading_pipeline.features.build import FeatureSettings
    from trading_pipeline.features.labels import TripleBarrier
    from trading_pipeline.indicators.catalog import IndicatorRequest
    from trading_pipeline.matching.costs import Costs
    from trading_pipeline.models.xgboost_model import XGBoostForecaster
    from trading_pipeline.risk.limits import RiskLimits
    from trading_pipeline.signals.aggregate import Aggregation
    from trading_pipeline.smart_money.settings import SmartMoneySettings
    from trading_pipeline.strategies.base import Strategy
    from trading_pipeline.validation.walk_forward import WalkForward


def costs(settings: Settings) -> "Costs":
    """Return what trading costs, in backtests and on paper."""
    from trading_pipeline.matching.costs import Costs

    section = settings.backtest
    return Costs(taker_fee_bps=section.taker_fee_bps, slippage_bps=section.slippage_bps)


def backtest_settings(settings: Settings, balance: float | None = None) -> "BacktestSettings":
    """Return the assumptions of a backtest, with another initial balance if one is given."""
    from trading_pipeline.backtest.settings import BacktestSettings

    risk = settings.risk
    return BacktestSettings(
        initial_balance=settings.backtest.initial_balance if balance is None else balance,
        position_fraction=position_fraction(settings),
        stop_loss=risk.stop_loss_pct,
        take_profit=risk.take_profit_pct,
        costs=costs(settings),
        allow_short=risk.allow_short,
    )


def position_fraction(settings: Settings) -> float:
    """Return the share of equity in a new position: as large as live sizing lets it be."""
    risk = settings.risk
    at_risk = risk.risk_per_trade / risk.stop_loss_pct
    # Whole parts per million, rounded down, as matching counts.
    return floor(min(risk.max_position_size, at_risk) * 1_000_000 + 1e-6) / 1_000_000


def risk_limits(settings: Settings) -> "RiskLimits":
    """Return the limits of the account."""
    from trading_pipeline.risk.limits import RiskLimits

    risk = settings.risk
    return RiskLimits(
        max_position_size=Decimal(str(risk.max_position_size)),
        risk_per_trade=Decimal(str(risk.risk_per_trade)),
        stop_loss_pct=Decimal(str(risk.stop_loss_pct)),
        take_profit_pct=Decimal(str(risk.take_profit_pct)),
        max_daily_loss=Decimal(str(risk.max_daily_loss)),
        max_open_positions=risk.max_open_positions,
        max_signal_age=settings.market.timeframe.duration * risk.max_signal_age_bars,
        allow_short=risk.allow_short,
        price_collar=Decimal(str(risk.max_price_deviation)),
    )


def decision_latency(settings: Settings) -> timedelta:
    """Return the time from a candle's close until its signal counts as known."""
    return timedelta(seconds=settings.market.decision_latency_s)


def walk_forward(settings: Settings) -> "WalkForward":
    """Return the walk-forward windows."""
    from trading_pipeline.validation.walk_forward import WalkForward

    section = settings.walk_forward
    return WalkForward(train_months=section.train_months, embargo_bars=section.embargo_bars)


def triple_barrier(settings: Settings) -> "TripleBarrier":
    """Return the parameters of the labels."""
    from trading_pipeline.features.labels import TripleBarrier

    return TripleBarrier(**settings.labels.model_dump())


def indicator_requests(settings: Settings) -> tuple["IndicatorRequest", ...]:
    """Return the indicators that are enabled, with their parameters.

    Raises
    ------
    ConfigError
        If one of ``indicators.more`` or a parameter of it is unknown, or a plugin is not found.
    """
    from trading_pipeline.indicators.catalog import IndicatorRequest, indicator_spec
    from trading_pipeline.wiring.plugins import load_plugins

    load_plugins(settings.indicators.plugins, settings.home)
    requests: list[IndicatorRequest] = []
    for name, values in settings.indicators.model_dump(exclude={"more", "plugins"}).items():
        if not values["enabled"]:
            continue
        if name == "ema":
            requests.extend(IndicatorRequest.of("ema", period=n) for n in values["periods"])
            continue
        known = indicator_spec(name).parameters
        chosen = {key: value for key, value in values.items() if key in known}
        requests.append(IndicatorRequest.of(name, **chosen))
    for name, further in settings.indicators.more.items():
        if further.get("enabled", True):
            parameters = {key: value for key, value in further.items() if key != "enabled"}
            requests.append(IndicatorRequest.of(name, **parameters))
    return tuple(requests)


def smart_money_settings(settings: Settings) -> "SmartMoneySettings":
    """Return the parameters of the smart-money concepts."""
    from trading_pipeline.smart_money.settings import SmartMoneySettings

    return SmartMoneySettings(**settings.smart_money.model_dump())


def feature_settings(settings: Settings) -> "FeatureSettings":
    """Return what is computed beside the indicators."""
    from trading_pipeline.features.build import FeatureSettings

    return FeatureSettings(lags=settings.features.lags)


def forecaster(settings: Settings) -> "XGBoostForecaster":
    """Return the model that folds and challengers train, not fitted yet."""
    from trading_pipeline.models.xgboost_model import XGBoostForecaster, XGBoostParameters

    section = settings.models.xgboost
    parameters = XGBoostParameters(
        n_trees=section.n_trees, max_depth=section.max_depth, learning_rate=section.learning_rate
    )
    # One thread: with the rows of a fold, threads wait for each other more than they compute.
    return XGBoostForecaster(parameters, seed=settings.models.seed, n_threads=1)


def rule_strategies(settings: Settings) -> tuple["Strategy", ...]:
    """Return the rule strategies that are enabled; the RSI's levels stand with its indicator."""
    from trading_pipeline.strategies.catalog import strategy

    chosen, rsi = settings.strategies, settings.indicators.rsi
    rules: list[Strategy] = []
    if chosen.rsi.enabled:
        levels = {"oversold": rsi.oversold, "overbought": rsi.overbought}
        rules.append(strategy("rsi", period=rsi.period, **levels))
    if chosen.ema_cross.enabled:
        section = chosen.ema_cross
        atr = settings.indicators.atr.period
        rules.append(strategy("ema_cross", fast=section.fast, slow=section.slow, atr_period=atr))
    return tuple(rules)


def signal_sources(settings: Settings) -> tuple[str, ...]:
    """Return the names of the sources that vote, in alphabetical order."""
    names = [rule.name for rule in rule_strategies(settings)]
    return tuple(sorted([*names, "forecast"] if settings.strategies.forecast.enabled else names))


def aggregation(settings: Settings) -> "Aggregation":
    """Return how votes become one signal: the weights of the sources that are enabled.

    Raises
    ------
    ConfigError
        If a weight is for no source, a source has no weight, or no source is enabled.
    """
    from trading_pipeline.signals.aggregate import Aggregation

    section, sources = settings.signals, signal_sources(settings)
    known = list(type(settings.strategies).model_fields)
    for name in section.weights:
        if name not in known:
            raise ConfigError.unknown_name("source in signals.weights", name, known)
    missing = [name for name in sources if name not in section.weights]
    if missing or not sources:
        raise ConfigError(
            f"every enabled strategy needs a weight in signals.weights, and one must be enabled; "
            f"enabled are {list(sources)}, without a weight {missing}"
        )
    weights = {name: section.weights[name] for name in sources}
    return Aggregation(method=section.method, weights=weights, threshold=section.threshold)


def decision_recipe(settings: Settings) -> "DecisionRecipe":
    """Return everything that a live decision depends on besides candles and the champion."""
    from trading_pipeline.execution.decide import DecisionRecipe

    forecast = settings.strategies.forecast
    return DecisionRecipe(
        requests=indicator_requests(settings),
        features=feature_settings(settings),
        strategies=rule_strategies(settings),
        forecast_margin=forecast.min_margin if forecast.enabled else None,
        aggregation=aggregation(settings),
        latency=decision_latency(settings),
    )


def strategy_version(settings: Settings) -> str:
    """Return a short fingerprint of the settings that decide, for the ledger."""
    sections = (settings.indicators, settings.features, settings.strategies, settings.signals)
    return fingerprint(*(section.model_dump(mode="json") for section in sections))[:12]
