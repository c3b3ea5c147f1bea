"""Closed candles as events of the stream ``candles``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from trading_pipeline.core.errors import DataError
from trading_pipeline.core.fingerprint import fingerprint
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.streams import StreamEvent
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.collecting import Bar

_VALUES = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Series:
    """Whose candles: a venue, a symbol and a timeframe."""

    venue: str
    symbol: Symbol
    timeframe: Timeframe


@dataclass(frozen=True, slots=True)
class CandleEvent:
    """A closed candle, or a new value of one that was published before.

    Parameters
    ----------
    series : Series
    bar : Bar
    replaces : Bar, optional
        What was published for it before; None for a new candle.
    """

    series: Series
    bar: Bar
    replaces: Bar | None = None

    @property
    def key(self) -> str:
        """The event's key: the same candle again has the same one, a revised one another."""
        # With what it replaces, so that a candle that is revised back is an event as well.
        values = fingerprint(*(_values(bar) for bar in (self.bar, self.replaces)))[:16]
        series = self.series
        opened = self.bar.open_time.isoformat()
        return f"{series.venue}:{series.symbol.key}:{series.timeframe}:{opened}:{values}"

    def payload(self) -> dict[str, Any]:
        """Return the event as JSON values."""
        return {
            **candle_payload(self.series, self.bar),
            "is_revision": self.replaces is not None,
        }

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> Self:
        """Return the candle of an event; what it replaced is not in it.

        Raises
        ------
        DataError
            If the payload is not that of a candle.
        """
        try:
            series = Series(
                payload["venue"], Symbol.parse(payload["symbol"]), Timeframe(payload["timeframe"])
            )
            opened = datetime.fromisoformat(payload["open_time"])
            bar = Bar(opened, *(float(payload[name]) for name in _VALUES))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"an event of the candles is no candle: {payload}") from error
        return cls(series, bar)


def candle_payload(series: Series, bar: Bar) -> dict[str, Any]:
    """Return a candle as JSON values, with whose it is."""
    return {
        "venue": series.venue,
        "symbol": series.symbol.key,
        "timeframe": series.timeframe.name,
        "open_time": bar.open_time.isoformat(),
        **{name: getattr(bar, name) for name in _VALUES},
    }


def published_bars(events: Iterable[StreamEvent], series: Series) -> dict[datetime, Bar]:
    """Return what was last published for each candle of ``series``; what is no candle is skipped.

    Parameters
    ----------
    events : iterable of StreamEvent
        Newest first.
    series : Series
    """
    found: dict[datetime, Bar] = {}
    for event in events:
        try:
            candle = CandleEvent.parse(event.payload)
        except DataError:
            continue
        if candle.series == series:
            found.setdefault(candle.bar.open_time, candle.bar)
    return found


def _values(bar: Bar | None) -> list[float] | None:
    return None if bar is None else [getattr(bar, name) for name in _VALUES]
