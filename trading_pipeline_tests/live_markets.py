"""A simulated exchange that runs faster than time, and a collector on it, for tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from trading_pipeline.adapters.clock import SteadyClock
from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource
from trading_pipeline.adapters.exchanges.ccxt_websocket import CcxtCandleFeed, FeedTimes
from trading_pipeline.adapters.exchanges.request_gate import RequestGate
from trading_pipeline.adapters.exchanges.simulated.faults import FaultPlan, FaultyExchange
from trading_pipeline.adapters.exchanges.simulated.market import SimulatedMarket
from trading_pipeline.adapters.exchanges.simulated.profile import DEMO_SYMBOLS, demo_listings
from trading_pipeline.adapters.exchanges.simulated.revising import RevisingMarket
from trading_pipeline.adapters.exchanges.simulated.server import exchange_app
from trading_pipeline.adapters.exchanges.simulated.serving import serve_in_background
from trading_pipeline.adapters.exchanges.simulated.websocket import SocketFaults, websocket_routes
from trading_pipeline.adapters.storage.collected_candles import LakeCandles
from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline.adapters.stream.embedded import EmbeddedStream
from trading_pipeline.adapters.stream.embedded_broadcast import EmbeddedBroadcast
from trading_pipeline.core.candles import CANDLE_SCHEMA
from trading_pipeline.core.clock import Clock
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.streams import CANDLES, EventStream
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.candle_events import CandleEvent
from trading_pipeline.market_data.collecting import Bar
from trading_pipeline.market_data.collector import Collector, Ports, Progress

MINUTE = Timeframe("1m")
BTC, ETH = DEMO_SYMBOLS
# In the market's time: at 240 times the speed 83 ms of this machine.
GRACE = timedelta(seconds=20)
OPENS = datetime(2024, 3, 1, tzinfo=UTC)
NOW = datetime(2024, 3, 1, 0, 20, 30, tzinfo=UTC)


@dataclass
class LiveExchange:
    """The exchange as a test sees it: its address, its faults, and the truth of its market."""

    base_url: str
    clock: Clock
    market: RevisingMarket
    sockets: SocketFaults
    rest: FaultPlan

    def truth(self, symbol: Symbol, first: datetime, last: datetime) -> pl.DataFrame:
        """Return the closed candles from ``first`` to ``last``, both included."""
        rows = self.market.window(
            symbol,
            MINUTE,
            start_ms=int(first.timestamp() * 1000),
            end_ms=int(last.timestamp() * 1000),
            limit=100_000,
            now=last + timedelta(hours=1),
        )
        return rows.select(list(CANDLE_SCHEMA))


@contextmanager
def live_exchange(speed: float, faults: SocketFaults | None = None) -> Iterator[LiveExchange]:
    """Serve a market of one-minute candles whose clock moves ``speed`` times as fast as time."""
    simulated = SimulatedMarket(demo_listings(), MINUTE, OPENS, NOW + timedelta(hours=12), seed=5)
    market, sockets, rest = RevisingMarket(simulated), faults or SocketFaults(), FaultPlan()
    # Twenty events in a second, so that a candle of a quarter of a second is seen forming.
    routes = websocket_routes(sockets, every_s=0.02)
    clock = SteadyClock(NOW, speed)
    app = FaultyExchange(exchange_app(market, clock, more_routes=routes), rest)
    with serve_in_background(app, websockets=True) as base_url:
        yield LiveExchange(base_url, clock, market, sockets, rest)


@dataclass
class Collected:
    """A collector on an exchange, its lake and its stream."""

    exchange: LiveExchange
    folder: Path
    symbols: tuple[Symbol, ...] = (BTC, ETH)
    silence_s: float = 60.0
    stream: EventStream | None = None
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        self.events: EventStream = self.stream or EmbeddedStream(self.folder / "streams.sqlite")
        self.lake = Lake(self.folder / "lake")
        self.candles = LakeCandles(self.lake, "binance", MINUTE, "ccxt:binance")

    def run(self, ends: Callable[[Progress], bool]) -> Progress:
        """Collect until ``ends``; a further call is a restart."""
        exchange = self.exchange
        gate = RequestGate("binance", longest_wait_s=0.0)
        feed = CcxtCandleFeed(
            "binance",
            self.symbols,
            MINUTE,
            clock=exchange.clock,
            gate=gate,
            base_url=exchange.base_url,
            times=FeedTimes(self.silence_s, first_backoff_s=0.02, longest_backoff_s=0.2),
        )
        source = CcxtCandleSource(
            "binance", exchange.base_url, gate=gate, attempts=1, close_grace_s=GRACE.total_seconds()
        )
        ports = Ports(
            feed=feed,
            source=source,
            store=self.candles,
            stream=self.events,
            broadcast=EmbeddedBroadcast(self.folder / "live.sqlite"),
            clock=exchange.clock,
        )
        collector = Collector(
            ports,
            venue="binance",
            timeframe=MINUTE,
            symbols=self.symbols,
            grace=GRACE,
        )
        try:
            self.progress = collector.run(ends, wait_s=0.02)
        finally:
            collector.close()
            source.close()
        return self.progress

    def run_until(self, minutes: int) -> Progress:
        """Collect until so many further minutes of the market have passed and are stored."""
        return self.run(lambda _: self.has(minutes))

    def has(self, minutes: int) -> bool:
        goal = NOW.replace(second=0) + timedelta(minutes=minutes)
        newest = [self.candles.newest(symbol) for symbol in self.symbols]
        return all(opened is not None and opened >= goal for opened in newest)

    def stored(self, symbol: Symbol) -> pl.DataFrame:
        bars = self.candles.since(symbol, OPENS)
        columns = {name: [getattr(bar, name) for bar in bars] for name in CANDLE_SCHEMA}
        return pl.DataFrame(columns, schema=CANDLE_SCHEMA)

    def published(self, symbol: Symbol) -> list[Bar]:
        return published(self.events, symbol)


def published(stream: EventStream, symbol: Symbol) -> list[Bar]:
    """Return the candles of a symbol in the stream, in its order."""
    events = [CandleEvent.parse(event.payload) for event in stream.newest(CANDLES, limit=10_000)]
    return [event.bar for event in reversed(events) if event.series.symbol == symbol]


def assert_nothing_lost(collected: Collected) -> None:
    """The lake holds every closed candle with its true values, the stream each once, in order."""
    for symbol in collected.symbols:
        stored = collected.stored(symbol)
        truth = collected.exchange.truth(symbol, OPENS, stored["open_time"][-1])
        assert stored.equals(truth), stored.join(truth, on="open_time", how="full")
        bars = collected.published(symbol)
        assert bars, f"nothing was published of {symbol}"
        first = bars[0].open_time
        expected = truth.filter(pl.col("open_time") >= first).rows()
        found = [tuple(getattr(bar, name) for name in CANDLE_SCHEMA) for bar in bars]
        assert found == expected, f"{symbol}: {found} is not {expected}"
