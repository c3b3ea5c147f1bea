"""Adapters and domain parameters for one set of settings: where configuration meets code.

Dagster's resources and the command line both build what they need here, so that they cannot
differ.
"""

from trading_pipeline.wiring.parameters import (
    aggregation,
    backtest_settings,
    costs,
    decision_latency,
    decision_recipe,
    feature_settings,
    forecaster,
    indicator_requests,
    position_fraction,
    risk_limits,
    rule_strategies,
    signal_sources,
    strategy_version,
    triple_barrier,
    walk_forward,
)
from trading_pipeline.wiring.stores import (
    account,
    champions,
    kill_switch,
    lake,
    ledger,
    models,
    open_account,
    reports_folder,
    waiting_signals,
    warehouse_path,
)
from trading_pipeline.wiring.venue import (
    VenueAccess,
    quotes,
)

__all__ = [
    "VenueAccess",
    "account",
    "aggregation",
    "backtest_settings",
    "champions",
    "costs",
    "decision_latency",
    "decision_recipe",
    "feature_settings",
    "forecaster",
    "indicator_requests",
    "kill_switch",
    "lake",
    "ledger",
    "models",
    "open_account",
    "position_fraction",
    "quotes",
    "reports_folder",
    "risk_limits",
    "rule_strategies",
    "signal_sources",
    "strategy_version",
    "triple_barrier",
    "waiting_signals",
    "walk_forward",
    "warehouse_path",
]
