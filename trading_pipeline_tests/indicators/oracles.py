"""Which slow loop stands for an entry of the catalogue, and parameters that fit short series."""

from trading_pipeline.indicators.catalog import CATALOG
from trading_pipeline_tests.indicators import (
    slow_averages,
    slow_loops,
    slow_patterns,
    slow_trends,
)

MODULES = (slow_loops, slow_averages, slow_trends, slow_patterns)

SHORT = {
    "macd": {"fast": 3, "slow": 6, "signal": 3},
    "stochastic": {"k_period": 5, "k_smooth": 2, "d_period": 3},
    "stoch_rsi": {"period": 3, "k_period": 4, "k_smooth": 2, "d_period": 3},
    "ichimoku": {"conversion": 3, "base": 5, "span": 8, "displacement": 4},
    "ultimate": {"short": 2, "medium": 3, "long": 5},
    "tsi": {"long": 5, "short": 3, "signal": 2},
    "vwap_session": {"hours": 7},
    "vwap_anchored": {"anchor": 4 * 86_400 + 9 * 3_600},
    "session_range": {"start_hour": 3, "hours": 5},
    "rsi_divergence": {"period": 3, "wing": 1, "longest": 9},
    "hurst": {"period": 16},
}


def slow_loop(name):
    """Return the function that computes an entry by an obvious loop over exact fractions."""
    return next(getattr(module, name) for module in MODULES if name in vars(module))


def short(name, period):
    """Return parameters with windows of about ``period`` bars."""
    if name in SHORT:
        return SHORT[name]
    setting = CATALOG[name].settings.get("period")
    return {"period": max(period, int(setting.low))} if setting else {}
