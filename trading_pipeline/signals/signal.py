"""The signal and vote types.

A signal exists for one closed candle. ``direction`` is 1 (be long), 0 (be flat) or -1 (close; a
short only where the venue and the settings allow it); ``strength`` is the confidence in [0, 1].
``known_at`` is the candle's close plus the decision latency, never the wall clock.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import polars as pl

from trading_pipeline.core.candles import OPEN_TIME_TYPE
from trading_pipeline.core.errors import DataError


class SignalStatus(StrEnum):
    """Whether a source had an opinion."""

    ACTIVE = "active"
    ABSTAINED = "abstained"


SIGNAL_SCHEMA: dict[str, pl.DataType] = {
    "open_time": OPEN_TIME_TYPE,
    "source": pl.String(),
    "direction": pl.Int8(),
    "strength": pl.Float64(),
    "status": pl.String(),
    "reason": pl.String(),
    "known_at": OPEN_TIME_TYPE,
}


@dataclass(frozen=True, slots=True)
class Vote:
    """The opinion of one source about one candle."""

    source: str
    direction: int
    strength: float
    status: SignalStatus
    reason: str

    def __post_init__(self) -> None:
        if self.direction not in (-1, 0, 1) or not 0.0 <= self.strength <= 1.0:
            raise DataError(
                f"a vote needs direction -1, 0 or 1 and strength in [0, 1]; {self.source} gave "
                f"{self.direction} and {self.strength}"
            )


@dataclass(frozen=True, slots=True)
class Signal:
    """The aggregated decision about one closed candle, with every vote behind it."""

    symbol: str
    timeframe: str
    candle_open_time: datetime
    direction: int
    strength: float
    status: SignalStatus
    reason: str
    known_at: datetime
    votes: tuple[Vote, ...]
