"""The data of a profile for Python code and notebooks."""

from typing import TYPE_CHECKING

from trading_pipeline.config import Settings, load_settings
from trading_pipeline.wiring.stores import lake

if TYPE_CHECKING:
    from trading_pipeline.adapters.storage.market import Market


def market_of(settings: Settings) -> "Market":
    """Return the read-only handle on the data that ``settings`` name."""
    from trading_pipeline.adapters.storage.market import Market

    market = settings.market
    return Market(lake(settings), market.venue, market.timeframe, market.contexts)


def open_market(profile: str | None = None) -> "Market":
    """Return the read-only handle on the data of a profile; default the one used last."""
    return market_of(load_settings(profile=profile))
