"""Collects candles live: stores what closed, then publishes it, and fills by REST what it missed.

No clock, network or disk of its own: everything comes through ports.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from trading_pipeline.core.broadcast import LIVE_CANDLES, Broadcast
from trading_pipeline.core.clock import Clock
from trading_pipeline.core.errors import (
    MalformedReplyError,
    RateLimitedError,
    StorageError,
    VenueUnavailableError,
)
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.streams import EventStream
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.candle_events import Series, candle_payload
from trading_pipeline.market_data.collecting import Bar, BarCollector, Collected
from trading_pipeline.market_data.live import (
    BarMessage,
    CandleFeed,
    CollectedCandles,
    Connected,
    Disconnected,
    FeedMessage,
)
from trading_pipeline.market_data.ports import CandleSource
from trading_pipeline.market_data.publishing import CandlePublisher

_MOST_MESSAGES = 500
_OVERLAP = 5
_CHUNK = 10_000
_LARGEST_CHUNK = 1_000_000
_FIRST_PAUSE = timedelta(seconds=0.5)
_LONGEST_PAUSE = timedelta(seconds=30)
_CLOCK_EVERY = timedelta(minutes=10)
_CLOCK_SAMPLES = 3
_CLOCK_SOON = timedelta(seconds=5)
_AUDIT_EVERY = timedelta(minutes=10)
_LIVE_EVERY = timedelta(seconds=0.25)


@dataclass(frozen=True, slots=True)
class Ports:
    """What a collector works with.

    ``clock`` is this machine's; the exchange's is asked at ``source``.
    """

    feed: CandleFeed
    source: CandleSource
    store: CollectedCandles
    stream: EventStream
    broadcast: Broadcast
    clock: Clock


@dataclass
class Progress:
    """What a collector has done so far; its counts only grow.

    ``problem`` is what keeps it from going on right now, empty if nothing does.
    """

    messages: int = 0
    stored: int = 0
    published: int = 0
    filled: int = 0
    revised: int = 0
    connections: int = 0
    last_message: datetime | None = None
    last_reason: str = ""
    problem: str = ""
    newest: dict[str, Bar] = field(default_factory=dict)


@dataclass
class _Watched:
    """A symbol that is collected, and what has to be asked over REST for it."""

    series: Series
    bars: BarCollector
    is_behind: bool = True
    doubts: set[datetime] = field(default_factory=set)
    overlap: int = _OVERLAP
    chunk: int = _CHUNK
    failures: int = 0
    ask_at: datetime | None = None
    told_at: datetime | None = None
    audited_at: datetime | None = None


class Collector:
    """Watches several symbols of one venue and timeframe.

    A closed candle is stored first and published then. After a restart the collector goes on
    where the store ends, asks REST for what is missing, and publishes what is stored but was not
    published. The store holds no open candle, the stream each closed one once, in order; one
    whose values changed follows as a revision. Where another collector published a candle with
    other values, the stream has both. Every ten minutes the newest are compared with
    REST.

    Parameters
    ----------
    ports : Ports
    venue : str
    timeframe : Timeframe
    symbols : sequence of Symbol
    grace : timedelta
        Twice as long after its end a candle is asked for over REST if no later one came.

    Raises
    ------
    StoreUnavailableError, StorageError
        If stream or store cannot be read.
    """

    def __init__(
        self,
        ports: Ports,
        *,
        venue: str,
        timeframe: Timeframe,
        symbols: Sequence[Symbol],
        grace: timedelta,
    ) -> None:
        self._ports = ports
        self._timeframe = timeframe
        self.progress = Progress()
        self.is_asking = False
        self._offset: timedelta | None = None
        self._measured_at: datetime | None = None
        self._clock_due = False
        self._banned_until: datetime | None = None
        self._publisher = CandlePublisher(ports.stream, ports.store, self.progress)
        self._series = [Series(venue, symbol, timeframe) for symbol in symbols]
        self._grace = grace
        self._watched: dict[Symbol, _Watched] = {}

    def run(self, ends: Callable[[Progress], bool], wait_s: float = 0.2) -> Progress:
        """Collect until ``ends`` says so; asked at least every ``wait_s`` seconds.

        Raises
        ------
        ConfigError, SymbolNotListedError
            If the venue has no such candles.
        StorageError
            If candles cannot be stored.
        """
        self._begin()
        while not ends(self.progress):
            self.step(wait_s)
        self._publisher.publish(self._ports.clock.now())
        return self.progress

    def close(self) -> None:
        """End the connection to the exchange, and close stream and live updates."""
        self._ports.feed.close()
        self._ports.stream.close()
        self._ports.broadcast.close()

    def step(self, wait_s: float) -> None:
        """Take what came within ``wait_s`` seconds, ask for what is missing, publish."""
        message = self._ports.feed.next(wait_s)
        for _ in range(_MOST_MESSAGES):
            if message is None:
                break
            self._take(message)
            message = self._ports.feed.next(0.0)
        now = self._ports.clock.now()
        self._measure_clock(now)
        there = self._exchange_time(now)
        for watched in self._watched.values():
            if there is not None:
                self._keep(watched, watched.bars.pass_time(there), now)
            self._audit(watched, now)
            self._ask(watched, now)
        self._publisher.publish(self._ports.clock.now())

    def _begin(self) -> None:
        now = self._ports.clock.now()
        self._measure_clock(now)
        there = self._exchange_time(now) or now
        self._publisher.begin(self._series, first=self._timeframe.last_closed_open(there))
        for series in self._series:
            newest = self._ports.store.newest(series.symbol)
            length = self._timeframe.duration
            start = Month.of(there).start if newest is None else newest + length
            left = self._ports.store.since(series.symbol, start - 64 * length)
            bars = BarCollector(self._timeframe, start, self._grace, left)
            self._watched[series.symbol] = _Watched(series, bars)

    def _take(self, message: FeedMessage) -> None:
        self.progress.last_message = message.at
        match message:
            case BarMessage(at, symbol, bar):
                self.progress.messages += 1
                watched = self._watched[symbol]
                self._keep(watched, watched.bars.update(bar, self._exchange_time(at)), at)
                self._tell(watched, at)
            case Connected():
                self.progress.connections += 1
                self._clock_due = True
                for watched in self._watched.values():
                    watched.bars.reconnected()
            case Disconnected(_, reason):
                self.progress.last_reason = reason

    def _keep(self, watched: _Watched, collected: Collected, at: datetime) -> None:
        if collected.closed:
            self._store(watched, collected.closed, at)
        watched.doubts.update(collected.doubtful)
        watched.is_behind = collected.missing_since is not None

    def _store(self, watched: _Watched, bars: Sequence[Bar], at: datetime) -> None:
        self._ports.store.write(watched.series.symbol, bars, at)
        self.progress.stored += len(bars)
        self.progress.newest[watched.series.symbol.pair] = bars[-1]
        self._publisher.add(watched.series, bars)

    def _audit(self, watched: _Watched, now: datetime) -> None:
        """Have what left lately compared with REST: a venue may revise a candle in silence."""
        if watched.audited_at is None:
            watched.audited_at = now
        if now - watched.audited_at < _AUDIT_EVERY:
            return
        watched.audited_at = now
        n_bars = _AUDIT_EVERY // self._timeframe.duration + 2
        watched.doubts.add(watched.bars.next_open - n_bars * self._timeframe.duration)

    def _ask(self, watched: _Watched, now: datetime) -> None:
        """Ask REST for what is missing or in doubt, unless it is too early to ask again."""
        if not (watched.is_behind or watched.doubts):
            return
        waits = [t for t in (watched.ask_at, self._banned_until) if t is not None and t > now]
        if waits:
            return
        before, was_behind = watched.bars.next_open, watched.is_behind
        is_answered = self._asked(watched, now)
        if is_answered and (watched.bars.next_open > before or not was_behind):
            watched.failures, watched.chunk, watched.overlap = 0, _CHUNK, 1
            watched.ask_at = None
            return
        if is_answered:
            # Not there yet, or a hole that is longer than what was asked for.
            watched.chunk = min(2 * watched.chunk, _LARGEST_CHUNK)
        pause = min(_FIRST_PAUSE * 2.0 ** min(watched.failures, 10), _LONGEST_PAUSE)
        watched.failures += 1
        watched.ask_at = now + pause

    def _asked(self, watched: _Watched, now: datetime) -> bool:
        length, next_open = self._timeframe.duration, watched.bars.next_open
        start = min([next_open - watched.overlap * length, *watched.doubts])
        doubts, watched.doubts = watched.doubts, set()
        end = self._end(next_open, watched.chunk, now)
        self.is_asking = True
        try:
            rows = self._ports.source.candles(watched.series.symbol, self._timeframe, start, end)
        except (VenueUnavailableError, MalformedReplyError, RateLimitedError) as error:
            watched.doubts |= doubts
            self.progress.problem = error.message
            if isinstance(error, RateLimitedError):
                wait = error.facts.get("retry_after_s")
                seconds = float(wait) if isinstance(wait, int | float) else 60.0
                self._banned_until = now + timedelta(seconds=seconds)
            return False
        finally:
            self.is_asking = False
        self.progress.problem = ""
        filled = watched.bars.fill(Bar(*row) for row in rows.iter_rows())
        if filled.revised:
            self._ports.store.write(watched.series.symbol, filled.revised, now)
            self.progress.revised += len(filled.revised)
            self._publisher.revise(watched.series, filled.revised)
        if filled.closed:
            self._store(watched, filled.closed, now)
            self.progress.filled += len(filled.closed)
        return True

    def _end(self, start: datetime, n_bars: int, now: datetime) -> datetime:
        """Return the end of a range of bars, not far beyond the exchange's present."""
        latest = max(self._exchange_time(now) or now, start) + timedelta(days=1)
        n_left = (latest - start) // self._timeframe.duration
        return start + min(n_bars, n_left + 1) * self._timeframe.duration

    def _measure_clock(self, now: datetime) -> None:
        """Learn how far the exchange's clock is from this machine's, rather too early."""
        wait = _CLOCK_SOON if self._clock_due or self._offset is None else _CLOCK_EVERY
        is_known = self._measured_at is not None and now - self._measured_at < wait
        if is_known or (self._banned_until is not None and now < self._banned_until):
            return
        self._measured_at, self._clock_due = now, False
        self.is_asking = True
        try:
            samples = [self._sampled_offset() for _ in range(_CLOCK_SAMPLES)]
        except (VenueUnavailableError, MalformedReplyError, RateLimitedError) as error:
            self.progress.problem = error.message
            return
        finally:
            self.is_asking = False
        # None of them is too late, so that the latest is the best.
        self._offset = max(samples)

    def _sampled_offset(self) -> timedelta:
        there = self._ports.source.now()
        # The answer was written before it came: the exchange's clock shows at least this now.
        return there - self._ports.clock.now()

    def _exchange_time(self, at: datetime) -> datetime | None:
        """Return what the exchange's clock shows at the earliest; None if it was never asked."""
        return None if self._offset is None else at + self._offset

    def _tell(self, watched: _Watched, at: datetime) -> None:
        """Send the forming candle to whoever listens, not more often than people can see."""
        forming = watched.bars.forming
        is_soon = watched.told_at is not None and at - watched.told_at < _LIVE_EVERY
        if forming is None or is_soon:
            return
        watched.told_at = at
        try:
            self._ports.broadcast.send(LIVE_CANDLES, candle_payload(watched.series, forming))
        except StorageError as error:
            # A live update is worth nothing later; the status line says that it is not sent.
            self.progress.problem = error.message
