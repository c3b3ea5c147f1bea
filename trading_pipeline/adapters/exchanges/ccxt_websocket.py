"""Candles as they form, over the websockets of any exchange that ccxt.pro knows."""

import asyncio
import contextlib
import queue
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from trading_pipeline.adapters.exchanges.ccxt_client import (
    check_candle_row,
    checked_base_url,
    near_names,
    open_exchange,
    retry_after_s,
    translate,
)
from trading_pipeline.adapters.exchanges.request_gate import RequestGate
from trading_pipeline.core.clock import Clock
from trading_pipeline.core.errors import (
    ConfigError,
    MalformedReplyError,
    RateLimitedError,
    SymbolNotListedError,
    TradingPipelineError,
    VenueError,
)
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.collecting import Bar
from trading_pipeline.market_data.live import BarMessage, Connected, Disconnected, FeedMessage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMEOUT_S = 10.0
_FIRST_BACKOFF_S = 0.1
_LONGEST_BACKOFF_S = 30.0
_STABLE_S = 10.0
_CLOSING_S = 5.0
_CACHED_BARS = 100
_REFUSED_STATUS = re.compile(r"\b(418|429)\b")
# What ccxt's parsers raise when a message has another shape than the documented one.
_PARSER_ERRORS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
_REFUSED_PAUSE_S = {"429": 60.0, "418": 120.0}


@dataclass(frozen=True, slots=True)
class FeedTimes:
    """How long the feed waits.

    Parameters
    ----------
    silence_s : float
        Seconds without any message after which a connection counts as dead; positive.
    first_backoff_s, longest_backoff_s : float
        Seconds until the first attempt after a connection ended, doubled with each that fails.
    """

    silence_s: float = 60.0
    first_backoff_s: float = _FIRST_BACKOFF_S
    longest_backoff_s: float = _LONGEST_BACKOFF_S


class CcxtCandleFeed:
    """A ``CandleFeed`` over ``watch_ohlcv_for_symbols`` or ``watch_ohlcv`` of ccxt.pro.

    The connection lives in a thread of its own, so that nothing that the reader does keeps
    messages waiting at the exchange. When it ends, or is silent for too long, another is made,
    after a pause that doubles while attempts fail; while the venue wants a pause (429, 418), none.

    ccxt hands over what changed since it was asked last, and so hides a message about an older
    candle behind the newest one; here every message is seen, where ccxt puts it into its cache.

    Parameters
    ----------
    venue : str
        A ccxt name, such as ``binance``.
    symbols : sequence of Symbol
    timeframe : Timeframe
    clock : Clock
        Stamps messages as they come.
    gate : RequestGate
        Asked before every connection; should not wait itself (``longest_wait_s=0``).
    base_url : str, optional
        Takes the place of every REST and websocket address of the venue.
    times : FeedTimes, optional

    Raises
    ------
    ConfigError
        If ccxt does not know the venue, or the venue has no candles over websocket.
    """

    def __init__(
        self,
        venue: str,
        symbols: Sequence[Symbol],
        timeframe: Timeframe,
        *,
        clock: Clock,
        gate: RequestGate,
        base_url: str | None = None,
        times: FeedTimes | None = None,
    ) -> None:
        self._venue = venue
        self._timeframe = timeframe
        self._clock = clock
        self._gate = gate
        self._times = times or FeedTimes()
        self._base_url = None if base_url is None else checked_base_url(base_url)
        self._exchange: Any = _open_pro(venue, self._base_url)
        self._symbols = {symbol.pair: symbol for symbol in symbols}
        self._messages: queue.SimpleQueue[FeedMessage | TradingPipelineError] = queue.SimpleQueue()
        self._last_message = time.monotonic()
        self._is_connected = False
        self._broken: MalformedReplyError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watching: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="candle-feed", daemon=True)
        self._is_started = False

    def next(self, wait_s: float) -> FeedMessage | None:
        """Return the next message; None if none comes within ``wait_s`` seconds.

        Raises
        ------
        ConfigError, SymbolNotListedError
            If the venue cannot send these candles at all.
        """
        if not self._is_started:
            self._is_started = True
            self._thread.start()
        try:
            message = self._messages.get(timeout=wait_s) if wait_s else self._messages.get_nowait()
        except queue.Empty:
            if not self._thread.is_alive() and self._messages.empty():
                raise VenueError(
                    f"the connection to {self._venue} ended for a reason that is in the log; "
                    "start again",
                    venue=self._venue,
                ) from None
            return None
        if isinstance(message, TradingPipelineError):
            raise message
        return message

    def close(self) -> None:
        """End the connection and the thread."""
        loop, watching = self._loop, self._watching
        if loop is not None and watching is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop may have ended just now
                loop.call_soon_threadsafe(watching.cancel)
        if self._is_started:
            self._thread.join(_CLOSING_S)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._watch_for_ever())

    async def _watch_for_ever(self) -> None:
        self._loop, self._watching = asyncio.get_running_loop(), asyncio.current_task()
        failures = 0
        try:
            while True:
                began = time.monotonic()
                try:
                    await self._watch_once()
                except (RateLimitedError, VenueError) as error:
                    if isinstance(error, SymbolNotListedError):
                        raise
                    self._say_disconnected(error.message)
                    failures = 0 if time.monotonic() - began > _STABLE_S else failures + 1
                    await self._exchange.close()
                    await asyncio.sleep(self._backoff_s(error, failures))
        except TradingPipelineError as error:
            self._messages.put(error)
        finally:
            await self._exchange.close()

    async def _watch_once(self) -> None:
        """Connect and take messages until the connection ends; always raises."""
        self._gate.pass_through()
        if self._exchange.markets is None:
            await asyncio.to_thread(self._load_markets)
        self._install_recorders()
        self._last_message = time.monotonic()
        self._broken = None
        tasks = [asyncio.create_task(self._drive(pairs)) for pairs in self._subscriptions()]
        tasks.append(asyncio.create_task(self._listen_for_silence()))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _load_markets(self) -> None:
        """Load markets over the checked REST client, which lets no garbage through."""
        import ccxt

        rest: Any = open_exchange(self._venue, self._base_url, _TIMEOUT_S, self._gate)
        try:
            rest.load_markets(reload=True)
        except (ccxt.BaseError, *_PARSER_ERRORS) as error:
            raise translate(error, self._venue, _TIMEOUT_S) from error
        finally:
            rest.session.close()
        for pair in self._symbols:
            if not (rest.markets.get(pair) or {}).get("spot"):
                raise SymbolNotListedError(
                    f"{self._venue} does not list {pair} as a spot market; "
                    f"{near_names(pair, rest.markets)}",
                    venue=self._venue,
                    symbol=self._symbols[pair].key,
                )
        self._exchange.set_markets(rest.markets)

    def _install_recorders(self) -> None:
        recorder = _recorder_class()
        name = self._timeframe.name
        for pair, symbol in self._symbols.items():
            kept = self._exchange.ohlcvs.setdefault(pair, {})
            kept[name] = recorder(_CACHED_BARS, self._taker(symbol))

    def _taker(self, symbol: Symbol) -> Callable[[object], None]:
        def take(row: object) -> None:
            at = self._clock.now()
            self._last_message = time.monotonic()
            try:
                bar = _bar(row, self._timeframe, self._venue)
            except MalformedReplyError as error:
                # Raised here it would end in ccxt's receiving loop, which nobody awaits.
                self._broken = error
                return
            if not self._is_connected:
                self._is_connected = True
                self._messages.put(Connected(at))
            self._messages.put(BarMessage(at, symbol, bar))

        return take

    def _subscriptions(self) -> list[list[list[str]]]:
        pairs = [[pair, self._timeframe.name] for pair in self._symbols]
        if self._exchange.has.get("watchOHLCVForSymbols"):
            return [pairs]
        return [[pair] for pair in pairs]

    async def _drive(self, pairs: list[list[str]]) -> None:
        import ccxt

        try:
            while True:
                if self._exchange.has.get("watchOHLCVForSymbols"):
                    await self._exchange.watch_ohlcv_for_symbols(pairs)
                else:
                    await self._exchange.watch_ohlcv(*pairs[0])
        except (ccxt.BaseError, OSError, *_PARSER_ERRORS) as error:
            raise self._translated(error) from error

    async def _listen_for_silence(self) -> None:
        limit = self._times.silence_s
        while True:
            await asyncio.sleep(min(limit / 4, 1.0))
            if self._broken is not None:
                raise self._broken
            silent = time.monotonic() - self._last_message
            if silent > limit:
                raise VenueError(
                    f"{self._venue} sent nothing for {silent:.0f} s on an open connection",
                    venue=self._venue,
                )

    def _translated(self, error: Exception) -> TradingPipelineError:
        refused = _REFUSED_STATUS.search(str(error))
        if refused is not None:
            wait = _REFUSED_PAUSE_S[refused[1]]
            self._gate.pause(wait, f"websocket refused with HTTP {refused[1]}")
            return RateLimitedError(
                f"{self._venue} refused the websocket with HTTP {refused[1]}; waiting {wait:g} s",
                venue=self._venue,
                retry_after_s=wait,
            )
        return translate(error, self._venue, _TIMEOUT_S)

    def _say_disconnected(self, reason: str) -> None:
        self._is_connected = False
        self._messages.put(Disconnected(self._clock.now(), reason))

    def _backoff_s(self, error: VenueError, failures: int) -> float:
        times = self._times
        pause = min(times.first_backoff_s * 2.0 ** min(failures, 20), times.longest_backoff_s)
        return max(pause, retry_after_s(error)) if isinstance(error, RateLimitedError) else pause


def _bar(row: object, timeframe: Timeframe, venue: str) -> Bar:
    check_candle_row(row, venue)
    assert isinstance(row, list)
    if row[0] % timeframe.milliseconds:
        raise MalformedReplyError(
            f"{venue} sent a candle off the grid of {timeframe}: {row[0]} ms", venue=venue
        )
    opened = _EPOCH + timedelta(milliseconds=row[0])
    return Bar(opened, *(float(value) for value in row[1:6]))


def _open_pro(venue: str, base_url: str | None) -> Any:  # noqa: ANN401  ccxt has no types
    import ccxt.pro

    if venue not in ccxt.pro.exchanges:
        raise ConfigError(
            f"ccxt has no websocket of the venue {venue!r}; "
            f"{near_names(venue, ccxt.pro.exchanges)}",
            venue=venue,
        )
    exchange: Any = getattr(ccxt.pro, venue)(
        {"timeout": round(_TIMEOUT_S * 1000), "options": {"defaultType": "spot"}}
    )
    if not exchange.has.get("watchOHLCV"):
        raise ConfigError(
            f"{venue} has no candles over websocket; use the scheduled refresh for it", venue=venue
        )
    if base_url is not None:
        exchange.urls["api"] = _redirected(exchange.urls["api"], urlsplit(base_url).netloc)
    return exchange


def _redirected(address: object, host: str) -> object:
    """Replace the host of every address; without TLS, as on a test server."""
    if isinstance(address, dict):
        return {name: _redirected(value, host) for name, value in address.items()}
    path = re.sub(r"^[a-z]+://[^/]*", "", str(address))
    return f"{'ws' if str(address).startswith('ws') else 'http'}://{host}{path}"


def _recorder_class() -> Any:  # noqa: ANN401  a subclass of what is imported here
    from ccxt.async_support.base.ws.cache import ArrayCacheByTimestamp

    class Recorder(ArrayCacheByTimestamp):  # type: ignore[misc]
        """ccxt's cache of candles, which tells every message that is put into it."""

        def __init__(self, size: int, take: Callable[[object], None]) -> None:
            super().__init__(size)
            self._take = take

        def append(self, item: list[Any]) -> None:
            self._take(item)
            super().append(item)

    return Recorder
