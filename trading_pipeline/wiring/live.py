"""Live data: streams, updates, the cache, and the collector of candles."""

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from trading_pipeline.adapters.clock import SteadyClock
from trading_pipeline.config import NO_PROFILE, Settings
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.wiring.stores import lake
from trading_pipeline.wiring.venue import VenueAccess, quotes, request_gate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading_pipeline.core.broadcast import Broadcast
    from trading_pipeline.core.cache import Cache
    from trading_pipeline.core.instrument import Symbol
    from trading_pipeline.core.streams import EventStream
    from trading_pipeline.execution.ports import QuoteSource
    from trading_pipeline.market_data.collector import Collector

SHOWN_QUOTE_AGE_S = 5.0


def event_stream(settings: Settings) -> "EventStream":
    """Return the streams of the active profile: in Redis if ``storage.redis_url`` is set.

    Raises
    ------
    ConfigError
        If the Redis library is missing or the address cannot be read.
    """
    if settings.storage.redis_url:
        from trading_pipeline.adapters.stream.redis_stream import RedisStream

        return RedisStream(settings.storage.redis_url, _prefix(settings))
    from trading_pipeline.adapters.stream.embedded import EmbeddedStream

    return EmbeddedStream(settings.storage_root / "streams.sqlite")


def broadcast(settings: Settings) -> "Broadcast":
    """Return the live updates of the active profile; raises as :func:`event_stream` does."""
    if settings.storage.redis_url:
        from trading_pipeline.adapters.stream.redis_broadcast import RedisBroadcast

        return RedisBroadcast(settings.storage.redis_url, _prefix(settings))
    from trading_pipeline.adapters.stream.embedded_broadcast import EmbeddedBroadcast

    return EmbeddedBroadcast(settings.storage_root / "live.sqlite")


def cache(settings: Settings) -> "Cache":
    """Return the cache of the active profile; raises as :func:`event_stream` does."""
    if settings.storage.redis_url:
        from trading_pipeline.adapters.cache.redis_cache import RedisCache

        return RedisCache(settings.storage.redis_url, _prefix(settings))
    from trading_pipeline.adapters.cache.embedded import EmbeddedCache

    return EmbeddedCache(settings.storage_root / "cache.sqlite")


def shown_quotes(settings: Settings, venue: VenueAccess, kept: "Cache") -> "QuoteSource":
    """Return quotes for people: up to 5 s old, so that looking again asks no venue again.

    Orders use :func:`~trading_pipeline.wiring.quotes`.
    """
    from trading_pipeline.adapters.cache.quotes import CachedQuotes

    return CachedQuotes(quotes(settings, venue), kept, venue.source().name, SHOWN_QUOTE_AGE_S)


def collector(settings: Settings, symbols: "Sequence[Symbol]", silence_s: float) -> "Collector":
    """Return the collector of live candles; nothing is asked or opened by this alone.

    Parameters
    ----------
    settings : Settings
    symbols : sequence of Symbol
        At least one, each listed at the venue.
    silence_s : float
        Seconds without a message after which a connection counts as dead.

    Raises
    ------
    ConfigError
        If the market stands still, or the venue has no candles over websocket.
    StoreUnavailableError
        If the stream does not answer.
    """
    from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource
    from trading_pipeline.adapters.exchanges.ccxt_websocket import CcxtCandleFeed, FeedTimes
    from trading_pipeline.adapters.storage.collected_candles import LakeCandles
    from trading_pipeline.market_data.collector import Collector, Ports

    market = settings.market
    if market.now is not None or market.candle_files or settings.is_simulated:
        raise ConfigError(
            f"the market of profile {settings.profile or NO_PROFILE} stands still (the embedded "
            "exchange, candle files or market.now), so nothing closes there; collect with "
            "--profile none, or with a profile of a venue that is live"
        )
    clock = SteadyClock()
    # Nothing waits inside: the collector itself keeps pauses, so that it can be stopped.
    gate = request_gate(settings, market.venue, market.base_url, longest_wait_s=0.0)
    source = CcxtCandleSource(
        market.venue, market.base_url, gate=gate, attempts=1, close_grace_s=market.close_grace_s
    )
    feed = CcxtCandleFeed(
        market.venue,
        symbols,
        market.timeframe,
        clock=clock,
        gate=gate,
        base_url=market.base_url,
        times=FeedTimes(silence_s=silence_s),
    )
    ports = Ports(
        feed=feed,
        source=source,
        store=LakeCandles(lake(settings), market.venue, market.timeframe, source.name),
        stream=event_stream(settings),
        broadcast=broadcast(settings),
        clock=clock,
    )
    return Collector(
        ports,
        venue=market.venue,
        timeframe=market.timeframe,
        symbols=symbols,
        grace=timedelta(seconds=market.close_grace_s),
    )


def stream_label(settings: Settings) -> str:
    """Return where streams and cache are, for people; without a password."""
    if not settings.storage.redis_url:
        return "embedded (SQLite)"
    parts = urlsplit(settings.storage.redis_url)
    return f"Redis at {parts.hostname}:{parts.port or 6379}"


def _prefix(settings: Settings) -> str:
    return f"trading:{settings.profile or NO_PROFILE}"
