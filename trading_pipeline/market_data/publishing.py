"""Stored candles into the stream: in order, each once, whatever fails in between."""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from trading_pipeline.core.errors import StorageError
from trading_pipeline.core.streams import CANDLES, EventStream
from trading_pipeline.market_data.candle_events import CandleEvent, Series, published_bars
from trading_pipeline.market_data.collecting import Bar
from trading_pipeline.market_data.live import CollectedCandles

MOST_EVENTS = 100_000
"""Events that the stream of candles keeps."""

_LOOK_BACK = 2_000
_TRIM_EVERY = 1_000
_PAUSE = timedelta(seconds=1)


class _Counts(Protocol):
    published: int
    problem: str


class CandlePublisher:
    """Publishes what is stored; what the stream does not take now waits here.

    After a crash the stream itself says what was published last; what the store has beyond it, or
    with other values, is published at the start.

    Parameters
    ----------
    stream : EventStream
    store : CollectedCandles
    counts : Progress
        ``published`` and ``problem`` are kept up to date.
    """

    def __init__(self, stream: EventStream, store: CollectedCandles, counts: _Counts) -> None:
        self._stream = stream
        self._store = store
        self._counts = counts
        self._waiting: deque[CandleEvent] = deque()
        self._published: dict[Series, dict[datetime, Bar]] = {}
        self._first: dict[Series, datetime] = {}
        self._failed_at: datetime | None = None

    def begin(self, series: Sequence[Series], first: datetime) -> None:
        """Compare stream and store, and queue what the stream lacks.

        Parameters
        ----------
        series : sequence of Series
        first : datetime
            Open time of the oldest candle to publish of a series that has none in the stream.

        Raises
        ------
        StorageError
            If the stream does not answer (``StoreUnavailableError``) or cannot be read.
        """
        known = self._newest(series)
        for each in series:
            published = known[each]
            self._published[each] = published
            self._first[each] = first
            if not published:
                self.add(each, self._store.since(each.symbol, first))
                continue
            stored = self._store.since(each.symbol, min(published))
            newest = max(published)
            self.revise(each, [bar for bar in stored if bar.open_time in published])
            self.add(each, [bar for bar in stored if bar.open_time > newest])

    def add(self, series: Series, bars: Sequence[Bar]) -> None:
        """Queue candles that closed and are stored, oldest first."""
        for bar in bars:
            if bar.open_time >= self._first[series] or self._published[series]:
                self._queue(series, bar, None)

    def revise(self, series: Series, bars: Sequence[Bar]) -> None:
        """Queue candles that were published with other values; the others are left out."""
        for bar in bars:
            before = self._published[series].get(bar.open_time)
            if before is not None and before != bar:
                self._queue(series, bar, before)

    def publish(self, now: datetime) -> None:
        """Publish what waits; after a failure again a second later.

        What the stream refuses waits here, whatever the reason: it is stored already.
        """
        if self._failed_at is not None and now - self._failed_at < _PAUSE:
            return
        try:
            while self._waiting:
                event = self._waiting[0]
                self._stream.publish(CANDLES, event.key, event.payload())
                self._waiting.popleft()
                self._counts.published += 1
                if self._counts.published % _TRIM_EVERY == 0:
                    self._stream.trim(CANDLES, max_length=MOST_EVENTS)
        except StorageError as error:
            self._failed_at = now
            self._counts.problem = error.message
            return
        if self._failed_at is not None:
            self._failed_at, self._counts.problem = None, ""

    @property
    def n_waiting(self) -> int:
        """Events that are stored and not yet in the stream."""
        return len(self._waiting)

    def _queue(self, series: Series, bar: Bar, replaces: Bar | None) -> None:
        self._published[series][bar.open_time] = bar
        self._waiting.append(CandleEvent(series, bar, replaces))
        for opened in sorted(self._published[series])[:-_LOOK_BACK]:
            del self._published[series][opened]

    def _newest(self, series: Sequence[Series]) -> Mapping[Series, dict[datetime, Bar]]:
        found: dict[Series, dict[datetime, Bar]] = {}
        for limit in (_LOOK_BACK, MOST_EVENTS):
            events = self._stream.newest(CANDLES, limit=limit)
            found = {each: published_bars(events, each) for each in series}
            # Where others publish too, the last of a quiet series may lie far back.
            if all(found.values()) or len(events) < limit:
                break
        return found
