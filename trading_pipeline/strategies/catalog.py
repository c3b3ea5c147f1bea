"""Every strategy by name."""

from collections.abc import Mapping
from types import MappingProxyType

from trading_pipeline.core.errors import ConfigError
from trading_pipeline.strategies.base import Strategy
from trading_pipeline.strategies.library.ema_cross import EmaCross
from trading_pipeline.strategies.library.rsi import RsiReversal

STRATEGIES: Mapping[str, type[Strategy]] = MappingProxyType(
    {kind.name: kind for kind in (RsiReversal, EmaCross)}
)


def strategy(name: str, **parameters: float) -> Strategy:
    """Return the strategy ``name`` with ``parameters`` over its defaults.

    Raises
    ------
    ConfigError
        If the name or a parameter is unknown (the nearest ones are in the message), or a value is
        out of range.

    Examples
    --------
    >>> strategy("ema_cross", fast=5).needs
    ('ema_5', 'ema_21', 'atr_14')
    """
    if name not in STRATEGIES:
        raise ConfigError.unknown_name("strategy", name, list(STRATEGIES))
    return STRATEGIES[name](**parameters)
