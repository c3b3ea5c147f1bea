"""Which closed candles `candle_closed_sensor` hands over: from the stream, or by the clock."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

from trading_pipeline.config_sections import MarketSettings
from trading_pipeline.core.errors import DataError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.streams import CANDLES, EventStream, StreamEvent
from trading_pipeline.market_data.candle_events import CandleEvent, Series

CONSUMER = "candle_closed_sensor"
"""The sensor's name as a consumer of the stream."""

# Venues publish a closed candle with a small delay.
_PUBLISHING = timedelta(seconds=2)
# A collector that is later than this is taken for dead; the clock goes on without it.
_LATE = timedelta(seconds=30)
_POSITION = "@candles"
_MOST_EVENTS = 1_000
_NEWEST_EVENTS = 200


@dataclass(frozen=True, slots=True)
class CandleHandover:
    """What was handed over, and what the stream has beyond it.

    The position is acknowledged in the stream only when it comes back in a cursor: Dagster stores
    a cursor after it took the run requests, so that no candle is passed over whose run was never
    requested. A tick that was lost reads the same events again, whose runs have the same keys.

    Parameters
    ----------
    done : mapping of str to str
        Symbol key to the open time, in ISO format, of the newest candle that was handed over.
    position : str, optional
        Event up to which the stream was read.
    streamed : mapping of str to str
        Symbol key to the newest open time that was published, as far as it was read.
    live : frozenset of str
        Keys of the symbols that a collector is at work on: the stream has a candle of their last
        three bars.
    foreign : tuple of str
        What was read since the position and is no candle; passed over.
    """

    done: Mapping[str, str]
    position: str | None = None
    streamed: Mapping[str, str] = field(default_factory=dict)
    live: frozenset[str] = frozenset()
    foreign: tuple[str, ...] = ()

    @classmethod
    def parse(cls, cursor: str | None) -> Self:
        """Return what a cursor of the sensor says; of none, that nothing was handed over."""
        known: dict[str, str] = json.loads(cursor) if cursor else {}
        position = known.pop(_POSITION, None)
        return cls(known, position)

    def read(self, stream: EventStream, market: MarketSettings, now: datetime) -> Self:
        """Read what was published since the position, and what was published last.

        Raises
        ------
        StorageError
            If the stream does not answer or cannot be read.
        DataError
            If a stored event is damaged.
        """
        if self.position is not None:
            # After a change of storage.redis_url the position is one of the other store.
            with suppress(DataError):
                stream.acknowledge(CANDLES, CONSUMER, self.position)
        events = stream.read(CANDLES, CONSUMER, limit=_MOST_EVENTS)
        wanted = {
            Series(market.venue, symbol, market.timeframe): symbol.key
            for symbol in market.enabled_symbols
        }
        candles, foreign = _candles(events)
        # The newest ones too, so that a long backlog does not hold the present up.
        newest, _ = _candles(stream.newest(CANDLES, limit=_NEWEST_EVENTS))
        streamed: dict[str, str] = {}
        for candle in [*candles, *newest]:
            key, opened = wanted.get(candle.series), candle.bar.open_time.isoformat()
            if key is not None:
                streamed[key] = max(opened, streamed.get(key, ""))
        recent = market.timeframe.last_closed_open(now) - 2 * market.timeframe.duration
        return replace(
            self,
            position=events[-1].event_id if events else self.position,
            streamed=streamed,
            live=frozenset(k for k, opened in streamed.items() if opened >= recent.isoformat()),
            foreign=foreign,
        )

    def closed_by_the_clock(
        self, symbol: Symbol, market: MarketSettings, now: datetime
    ) -> datetime:
        """Return the open time of the newest candle of ``symbol`` that should have come by now."""
        if market.now is not None:
            return market.timeframe.last_closed_open(now.replace(microsecond=0))
        delay = _LATE if symbol.key in self.live else _PUBLISHING
        return market.timeframe.last_closed_open(now - delay)

    def due(self, closed: Mapping[Symbol, datetime]) -> dict[str, str]:
        """Return symbol key and open time of each candle that was not handed over: one each.

        Parameters
        ----------
        closed : mapping of Symbol to datetime
            Open time of the newest candle by the clock.
        """
        newest = {
            symbol.key: max(opened.isoformat(), self.streamed.get(symbol.key, ""))
            for symbol, opened in closed.items()
        }
        return {key: opened for key, opened in newest.items() if self.done.get(key, "") < opened}

    def cursor(self, due: Mapping[str, str]) -> str:
        """Return the cursor after ``due`` was handed over."""
        position = {} if self.position is None else {_POSITION: self.position}
        return json.dumps({**self.done, **due, **position})


def _candles(events: Sequence[StreamEvent]) -> tuple[list[CandleEvent], tuple[str, ...]]:
    candles: list[CandleEvent] = []
    foreign: list[str] = []
    for event in events:
        try:
            candles.append(CandleEvent.parse(event.payload))
        except DataError as error:
            foreign.append(error.message)
    return candles, tuple(foreign)
