"""Faults in front of the simulated exchange: what a bad day at a venue looks like on the wire."""

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_Headers: TypeAlias = list[tuple[bytes, bytes]]
_OF_THE_BODY = {b"content-type", b"content-length"}
_HTML = b"<!DOCTYPE html><html><body><h1>We'll be back soon</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong answer.

    Parameters
    ----------
    status : int
        HTTP status.
    body : bytes, optional
        Sent instead of the true body.
    rewrite : callable of bytes to bytes, optional
        Changes the true body; used when ``body`` is None.
    content_type : str
    retry_after : str, optional
        Value of the header ``Retry-After``.
    delay_s : float
        Seconds before anything is sent.
    cut : bool
        Whether the connection ends in the middle of the body.
    """

    status: int = 200
    body: bytes | None = None
    rewrite: Callable[[bytes], bytes] | None = None
    content_type: str = "application/json"
    retry_after: str | None = None
    delay_s: float = 0.0
    cut: bool = False


def html(status: int = 200) -> Fault:
    """Return a web page instead of JSON, as proxies and maintenance pages answer."""
    return Fault(status, body=_HTML, content_type="text/html")


def text(body: str, status: int = 200) -> Fault:
    """Return ``body`` as if it were the JSON answer."""
    return Fault(status, body=body.encode())


def truncated() -> Fault:
    """Return the first half of the true JSON."""
    return Fault(rewrite=lambda body: body[: len(body) // 2])


def rate_limited(retry_after: str | None = "7", status: int = 429) -> Fault:
    """Return 429 (slow down) or 418 (banned)."""
    body = b'{"code":-1003,"msg":"Too much request weight used."}'
    return Fault(status, body=body, retry_after=retry_after)


def failing(status: int = 503, code: int = -1008) -> Fault:
    """Return an error inside the venue."""
    return text(f'{{"code":{code},"msg":"Server is currently overloaded."}}', status)


def hanging(seconds: float) -> Fault:
    """Return the true answer late."""
    return Fault(delay_s=seconds, rewrite=lambda body: body)


def cut_off() -> Fault:
    """Return the first half of the true answer, and then end the connection."""
    return Fault(rewrite=lambda body: body, cut=True)


def wrong_checksum() -> Fault:
    """Return another SHA-256 than the true one, in a file of the archive that holds one."""
    return Fault(rewrite=lambda body: b"0" * 64 + body[64:], content_type="text/plain")


@dataclass
class FaultPlan:
    """Which requests go wrong, by the end of their path; also counts requests.

    Faults of one path are used up in order, then the exchange answers truly again; a fault set
    with :meth:`always` stays.
    """

    requests: Counter[str] = field(default_factory=Counter)
    _queues: dict[str, deque[Fault | None]] = field(default_factory=dict)
    _standing: dict[str, Fault] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def script(self, path: str, faults: Iterable[Fault | None]) -> None:
        """Answer the next requests to ``path`` with ``faults``; None is a true answer."""
        with self._lock:
            self._queues.setdefault(path, deque()).extend(faults)

    def always(self, path: str, fault: Fault) -> None:
        """Answer every request to ``path`` with ``fault``."""
        with self._lock:
            self._standing[path] = fault

    def clear(self) -> None:
        """Forget all faults and counts."""
        with self._lock:
            self._queues.clear()
            self._standing.clear()
            self.requests.clear()

    def next_fault(self, path: str) -> Fault | None:
        """Count a request to ``path`` and return its fault, None for a true answer."""
        name = path.removeprefix("/api/v3/")
        with self._lock:
            self.requests[name] += 1
            queue = self._queues.get(name)
            return queue.popleft() if queue else self._standing.get(name)


class FaultyExchange:
    """The exchange behind a :class:`FaultPlan`: an ASGI application around another.

    Parameters
    ----------
    app : ASGI application
    plan : FaultPlan
        May be changed while serving.
    """

    def __init__(self, app: ASGIApp, plan: FaultPlan) -> None:
        self._app = app
        self._plan = plan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, wrongly where the plan says so."""
        fault = self._plan.next_fault(scope["path"]) if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        body = fault.body
        kept: _Headers = []
        if body is None:
            body, kept = await self._true_answer(scope, receive)
            body = fault.rewrite(body) if fault.rewrite else body
        await _send(send, fault, body, kept)

    async def _true_answer(self, scope: Scope, receive: Receive) -> tuple[bytes, _Headers]:
        """Return the true body, and the headers that a changed answer keeps."""
        parts: list[bytes] = []
        headers: _Headers = []

        async def keep(message: Message) -> None:
            parts.append(message.get("body", b""))
            headers.extend(message.get("headers", ()))

        await self._app(scope, receive, keep)
        kept = [(name, value) for name, value in headers if name not in _OF_THE_BODY]
        return b"".join(parts), kept


async def _send(send: Send, fault: Fault, body: bytes, kept: _Headers) -> None:
    headers = [
        *kept,
        (b"content-type", fault.content_type.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    if fault.retry_after is not None:
        headers.append((b"retry-after", fault.retry_after.encode()))
    await send({"type": "http.response.start", "status": fault.status, "headers": headers})
    if fault.cut:
        await send(
            {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
        )
        # The server ends a connection whose application gives up in the middle of an answer.
        return
    await send({"type": "http.response.body", "body": body})
