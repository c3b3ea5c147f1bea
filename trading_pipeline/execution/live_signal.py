"""The one signal that may become an order: written at the candle's close, once, never changed."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from trading_pipeline.core.errors import DataError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.execution.order import AccountId
from trading_pipeline.signals.signal import Signal

FeatureValue: TypeAlias = float | int | str | None


@dataclass(frozen=True, slots=True)
class DecisionInput:
    """What the decision saw, kept for the audit.

    Parameters
    ----------
    price : Decimal
        Close of the signal's candle, in quote currency; the price collar measures from here.
    model_version : str or None
        Champion in force at the close; None if no model voted.
    features : Mapping of str to number, text or None
        The feature row. NaN becomes None; infinity is refused.
    """

    price: Decimal
    model_version: str | None = None
    features: Mapping[str, FeatureValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.price.is_finite() or self.price <= 0:
            raise DataError(f"the decision's price must be positive, was {self.price}")
        plain = {name: _plain(name, value) for name, value in self.features.items()}
        object.__setattr__(self, "features", plain)


@dataclass(frozen=True, slots=True)
class LiveSignal:
    """A signal on its way to the executor, with the account it is for.

    ``strategy`` names what decided (the aggregation, or one strategy), ``version`` its version.
    """

    account: AccountId
    strategy: str
    version: str
    signal: Signal
    decision: DecisionInput
    recorded_at: datetime

    def __post_init__(self) -> None:
        instants = (self.signal.candle_open_time, self.signal.known_at, self.recorded_at)
        if any(instant.tzinfo is None for instant in instants):
            raise DataError("a live signal needs timezone-aware instants")

    @property
    def symbol(self) -> Symbol:
        """The traded pair."""
        return Symbol.parse(self.signal.symbol)

    @property
    def signal_id(self) -> str:
        """Id of the candle's decision; another version decides the same candle only once too."""
        opened_ms = int(self.signal.candle_open_time.timestamp() * 1000)
        parts = (
            self.account.name,
            self.account.mode,
            self.strategy,
            self.symbol.key,
            self.signal.timeframe,
            str(opened_ms),
        )
        return "sg" + hashlib.sha256("|".join(parts).encode()).hexdigest()[:28]


def _plain(name: str, value: FeatureValue) -> FeatureValue:
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if math.isinf(value):
            raise DataError(f"the feature {name} must be finite or NaN, was {value}")
    return value
