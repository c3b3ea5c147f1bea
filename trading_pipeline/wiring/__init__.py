"""Adapters and domain parameters for one set of settings: where configuration meets code.

Dagster's resources and the command line both build what they need here, so that they cannot
differ.
"""

from trading_pipeline.wiring.live import (
    broadcast,
    cache,
    collector,
    event_stream,
    shown_quotes,
    stream_label,
)
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
    smart_money_settings,
    strategy_version,
    triple_barrier,
    walk_forward,
)
from trading_pipeline.wiring.quality import (
    candles_known_at,
    coverage,
    rows_beside_candles,
    stored_months,
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
from trading_pipeline.wiring.universe import delisted_words, stranded_positions, universe
from trading_pipeline.wiring.venue import (
    VenueAccess,
    quotes,
)

__all__ = [
    "VenueAccess",
    "account",
    "aggregation",
    "backtest_settings",
    "broadcast",
    "cache",
    "candles_known_at",
    "champions",
    "collector",
    "costs",
    "coverage",
    "decision_latency",
    "decision_recipe",
    "delisted_words",
    "event_stream",
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
    "rows_beside_candles",
    "rule_strategies",
    "shown_quotes",
    "signal_sources",
    "smart_money_settings",
    "stored_months",
    "stranded_positions",
    "strategy_version",
    "stream_label",
    "triple_barrier",
    "universe",
    "waiting_signals",
    "walk_forward",
    "warehouse_path",
]
