"""Binance's websocket market streams on the simulated exchange: candles as they form.

Reference: binance-spot-api-docs, web-socket-streams.md. A client connects to ``/ws`` or
``/stream`` (any path below, as ccxt appends a number), subscribes to ``<symbol>@kline_<interval>``
and gets an event for the forming candle in every interval, the last one of a candle with
``x: true``. Faults that a bad day brings are on :class:`SocketFaults`.
"""

import asyncio
import contextlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from trading_pipeline.adapters.exchanges.simulated.wire import klines
from trading_pipeline.core.instrument import Instrument
from trading_pipeline.core.timeframe import Timeframe

if TYPE_CHECKING:
    from trading_pipeline.adapters.exchanges.simulated.server import Exchange

_STREAM = re.compile(r"([a-z0-9]+)@kline_([0-9]+[mhd])")
_ABNORMAL = 1011
_EVERY_S = 0.1


@dataclass
class SocketFaults:
    """What goes wrong on the sockets; may be changed while serving. Also counts.

    Parameters
    ----------
    cut_every_s : float, optional
        Every connection is closed by the exchange after so many seconds.
    is_silent : bool
        Connections stay open and nothing is sent.
    refuses : int
        So many of the next connections are refused with ``refusal_status``.
    refusal_status : int
        HTTP status of a refused connection, such as 429 or 418.
    sends_twice : bool
        Every event of a closed candle is sent twice.
    sends_late : bool
        After a candle was closed, an event of it from before its end is sent.
    revised : mapping of int to float
        Open time in ms of closed candles, and the close that is sent for them later.
    omits_last : bool
        The closing event of a candle is never sent.
    """

    cut_every_s: float | None = None
    is_silent: bool = False
    refuses: int = 0
    refusal_status: int = 429
    sends_twice: bool = False
    sends_late: bool = False
    omits_last: bool = False
    revised: dict[int, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        """Count an event: ``connections``, ``cuts``, ``refusals``, ``events``."""
        with self._lock:
            self.counts[what] += 1

    def refuses_next(self) -> bool:
        """Tell whether the next connection is refused; uses one refusal up."""
        with self._lock:
            if self.refuses <= 0:
                return False
            self.refuses -= 1
            self.counts["refusals"] += 1
            return True


def websocket_routes(
    faults: SocketFaults | None = None, every_s: float = _EVERY_S
) -> list[WebSocketRoute]:
    """Return the websocket endpoints, for ``exchange_app(..., more_routes=...)``.

    Parameters
    ----------
    faults : SocketFaults, optional
    every_s : float
        Seconds of the machine between two events of a stream; Binance has 2.
    """
    plan = faults or SocketFaults()

    async def endpoint(socket: WebSocket) -> None:
        if plan.refuses_next():
            await _refuse(socket, plan.refusal_status)
            return
        plan.count("connections")
        await socket.accept()
        await _Connection(socket, plan, every_s).serve()

    paths = ("/ws", "/stream", "/ws/{rest:path}", "/stream/{rest:path}")
    return [WebSocketRoute(path, endpoint) for path in paths]


async def _refuse(socket: WebSocket, status: int) -> None:
    headers = [(b"content-type", b"text/plain"), (b"retry-after", b"1")]
    await socket.send(
        {"type": "websocket.http.response.start", "status": status, "headers": headers}
    )
    await socket.send({"type": "websocket.http.response.body", "body": b"refused"})


class _Connection:
    """One client: what it subscribed to, and what it was sent."""

    def __init__(self, socket: WebSocket, faults: SocketFaults, every_s: float) -> None:
        self._socket = socket
        self._faults = faults
        self._every_s = every_s
        self._exchange: Exchange = socket.app.state.exchange
        self._streams: dict[str, tuple[Instrument, Timeframe]] = {}
        self._newest: dict[str, int] = {}
        self._sent_before_end: dict[str, dict[str, Any]] = {}
        self._is_combined = socket.url.path == "/stream"
        self._began = time.monotonic()

    async def serve(self) -> None:
        sending = asyncio.create_task(self._send_events())
        try:
            while not sending.done():
                receiving = asyncio.create_task(self._socket.receive_text())
                await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
                if not receiving.done():
                    receiving.cancel()
                    break
                await self._answer(receiving.result())
        except (WebSocketDisconnect, KeyError):
            pass
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await sending

    async def _answer(self, text: str) -> None:
        try:
            request = json.loads(text)
            method, names = request["method"], request.get("params", [])
        except (ValueError, TypeError, KeyError):
            await self._send({"error": {"code": 3, "msg": "Invalid JSON"}})
            return
        if method == "SUBSCRIBE":
            known = {name: self._stream(name) for name in names}
            self._streams |= {name: stream for name, stream in known.items() if stream}
        elif method == "UNSUBSCRIBE":
            for name in names:
                self._streams.pop(name, None)
        listing = sorted(self._streams) if method == "LIST_SUBSCRIPTIONS" else None
        await self._send({"result": listing, "id": request.get("id")})

    def _stream(self, name: str) -> tuple[Instrument, Timeframe] | None:
        match = _STREAM.fullmatch(name)
        instrument = self._exchange.listed.get(match[1].upper()) if match else None
        if match is None or instrument is None:
            return None
        served = self._exchange.market.timeframes(instrument.symbol)
        found = [timeframe for timeframe in served if timeframe.name == match[2]]
        return (instrument, found[0]) if found else None

    async def _send_events(self) -> None:
        while True:
            limit = self._faults.cut_every_s
            if limit is not None and time.monotonic() - self._began >= limit:
                self._faults.count("cuts")
                await self._socket.close(_ABNORMAL)
                return
            if not self._faults.is_silent:
                for name, (instrument, timeframe) in list(self._streams.items()):
                    for event in self._events(name, instrument, timeframe):
                        await self._send(event)
            await asyncio.sleep(self._every_s)

    def _events(
        self, name: str, instrument: Instrument, timeframe: Timeframe
    ) -> list[Mapping[str, Any]]:
        """Return what a stream sends now: the ends of candles that closed, the forming one."""
        now_ms = self._exchange.now_ms
        start_ms = self._newest.get(name, now_ms - now_ms % timeframe.milliseconds)
        rows = klines(self._window(instrument, timeframe, start_ms), timeframe)
        events: list[Mapping[str, Any]] = []
        for row in rows:
            is_closed = int(row[6]) < now_ms
            event = _event(instrument, timeframe, row, now_ms, is_closed=is_closed)
            if not is_closed:
                self._newest[name] = int(row[0])
                self._sent_before_end[name] = event
                events.append(event)
                continue
            if not self._faults.omits_last:
                events += [event, event] if self._faults.sends_twice else [event]
            late = self._sent_before_end.get(name)
            if self._faults.sends_late and late is not None:
                events.append(late)
        events += self._revisions(instrument, timeframe, start_ms, now_ms)
        return [self._wrapped(name, event) for event in events]

    def _revisions(
        self, instrument: Instrument, timeframe: Timeframe, before_ms: int, now_ms: int
    ) -> list[Mapping[str, Any]]:
        events: list[Mapping[str, Any]] = []
        for open_ms, close in self._faults.revised.items():
            rows = klines(self._window(instrument, timeframe, open_ms), timeframe)
            if rows and rows[0][0] == open_ms and open_ms < before_ms:
                row = [*rows[0][:4], f"{close:.8f}", *rows[0][5:]]
                events.append(_event(instrument, timeframe, row, now_ms, is_closed=True))
        return events

    def _window(self, instrument: Instrument, timeframe: Timeframe, start_ms: int) -> Any:  # noqa: ANN401
        exchange = self._exchange
        return exchange.market.window(
            instrument.symbol,
            timeframe,
            start_ms=start_ms,
            end_ms=None,
            limit=1_000,
            now=exchange.clock.now(),
        )

    def _wrapped(self, name: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"stream": name, "data": event} if self._is_combined else event

    async def _send(self, message: Mapping[str, Any]) -> None:
        self._faults.count("events")
        await self._socket.send_text(json.dumps(message))


def _event(
    instrument: Instrument,
    timeframe: Timeframe,
    row: list[int | str],
    now_ms: int,
    *,
    is_closed: bool,
) -> dict[str, Any]:
    opened, open_, high, low, close, volume, closed, quote, trades, taker, taker_quote, _ = row
    symbol = instrument.symbol.base + instrument.symbol.quote
    return {
        "e": "kline",
        "E": now_ms,
        "s": symbol,
        "k": {
            "t": opened,
            "T": closed,
            "s": symbol,
            "i": timeframe.name,
            "f": 0,
            "L": max(int(trades) - 1, 0),
            "o": open_,
            "c": close,
            "h": high,
            "l": low,
            "v": volume,
            "n": trades,
            "x": is_closed,
            "q": quote,
            "V": taker,
            "Q": taker_quote,
            "B": "0",
        },
    }
