"""Asset jobs: each selects assets of one partition set, because Dagster refuses a mixture."""

from typing import Any, TypeAlias

import dagster as dg

# What define_asset_job returns has no public name.
AssetJob: TypeAlias = Any

# Job name: the assets that it materialises, upstream first.
ASSET_JOBS: dict[str, tuple[str, ...]] = {
    "refresh_market_data": ("raw_candles", "candles", "resampled_candles"),
    "rebuild_features": ("indicator_features", "smart_money_features", "feature_matrix", "labels"),
    "walk_forward": ("fold_models", "walk_forward_predictions"),
    "rebuild_signals": ("strategy_signals", "forecast_signals", "signals"),
    "retrain_models": ("xgboost_model", "champion"),
    "run_backtests": ("walk_forward_results", "backtest_results", "backtest_report_pdf"),
    "summarise_performance": ("performance_summary",),
    "value_portfolio": ("portfolio_snapshot",),
    "publish_reports": ("daily_report_pdf",),
}

_DESCRIPTIONS = {
    "refresh_market_data": "Fetch closed candles, validate them, make the longer ones.",
    "rebuild_features": "Indicators, smart money, feature matrix and labels.",
    "walk_forward": "Train the fold of each month and predict the month with it.",
    "rebuild_signals": "Votes and aggregated signals: research, never executed.",
    "retrain_models": "Train a challenger, and pass it through the gate to the champion.",
    "run_backtests": "Walk-forward scores, backtests and the PDF of each symbol.",
    "summarise_performance": "One table over all symbols, and the warehouse for SQL.",
    "value_portfolio": "Value the paper account at current prices.",
    "publish_reports": "The PDF of a day.",
}


def asset_jobs() -> dict[str, AssetJob]:
    """Return every asset job by name."""
    return {
        name: dg.define_asset_job(
            name, selection=dg.AssetSelection.assets(*assets), description=_DESCRIPTIONS[name]
        )
        for name, assets in ASSET_JOBS.items()
    }
