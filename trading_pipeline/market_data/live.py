"""The ports of collecting candles live: what sends them, and what keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from trading_pipeline.core.instrument import Symbol
from trading_pipeline.market_data.collecting import Bar


@dataclass(frozen=True, slots=True)
class BarMessage:
    """A candle as it forms, or for the last time; ``at`` is this machine's time of arrival."""

    at: datetime
    symbol: Symbol
    bar: Bar


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection was made; messages from here on come on it, without a loss."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection ended, or was given up because nothing came; another will be made."""

    at: datetime
    reason: str


FeedMessage: TypeAlias = BarMessage | Connected | Disconnected


class CandleFeed(Protocol):
    """Something that sends candles while they form, and connects again by itself."""

    def next(self, wait_s: float) -> FeedMessage | None:
        """Return the next message in order of arrival; None if none comes within ``wait_s``.

        Raises
        ------
        ConfigError, SymbolNotListedError
            If the venue cannot send these candles at all.
        """
        ...

    def close(self) -> None:
        """End the connection."""
        ...


class CollectedCandles(Protocol):
    """Where closed candles are kept; others may write there at the same time."""

    def newest(self, symbol: Symbol) -> datetime | None:
        """Return the open time of the newest stored candle; None without any."""
        ...

    def since(self, symbol: Symbol, start: datetime) -> Sequence[Bar]:
        """Return the stored candles with ``open_time >= start``, oldest first."""
        ...

    def write(self, symbol: Symbol, bars: Sequence[Bar], seen_at: datetime) -> None:
        """Store closed candles durably; one that is stored with other values is revised.

        Parameters
        ----------
        symbol : Symbol
        bars : sequence of Bar
            Oldest first.
        seen_at : datetime
            When they were seen, timezone-aware.

        Raises
        ------
        StorageError
            If they cannot be written; nothing was lost of what is stored.
        """
        ...
