"""From raw candles to audited orders, as one Dagster asset graph.

``core`` holds the vocabulary; the folders between ``market_data`` and ``reporting`` are pure
domain code; ``adapters`` touches the world; ``defs`` is everything Dagster; ``cli`` is the
``trading`` command. The order of imports is a contract in ``pyproject.toml``.

:func:`open_market` is the door for notebooks: SQL and candles as polars frames.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trading_pipeline.adapters.storage.market import Market

__all__ = ["__version__", "open_market"]
__version__ = "0.1.0"


def open_market(profile: str | None = None) -> "Market":
    """Open the data of a profile for reading.

    Parameters
    ----------
    profile : str, optional
        As ``trading --profile``: default the one that was used last; ``"none"`` is
        ``config.yaml`` alone.

    Returns
    -------
    Market
        With ``sql(query)``, ``candles(symbol, timeframe, start, end)`` and ``tables()``; both
        give polars frames. Read-only; nothing stays open.

    Raises
    ------
    ConfigError
        If there is no such profile, or a setting is refused.
    """
    # By name: this module is below every layer, as they read its version.
    market: Market = import_module("trading_pipeline.wiring.market").open_market(profile)
    return market
