"""The gate that every request to a venue passes: nothing leaves while the venue wants a pause.

A pause (429, 418) is kept in memory and, where a folder is given, in a small file there, so that
another process of this machine keeps it too: a venue bans the address, not the process. Besides,
the gate slows down before the venue's weight limit, by what the venue itself counts.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trading_pipeline.adapters.storage.durable_files import write_durably
from trading_pipeline.core.errors import RateLimitedError, StorageError

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

LONGEST_WAIT_S = 120.0
"""Longer pauses are not waited for."""

_LOG = logging.getLogger(__name__)
_USED_WEIGHT = "X-MBX-USED-WEIGHT-1M"
_SHARE = 0.8  # of the venue's limit: the rest is for other programs at this address
_DEFAULT_LIMIT = 6_000
_LIMIT = re.compile(
    rb'"rateLimitType"\s*:\s*"REQUEST_WEIGHT"\s*,\s*"interval"\s*:\s*"MINUTE"\s*,\s*'
    rb'"intervalNum"\s*:\s*1\s*,\s*"limit"\s*:\s*(\d+)'
)


@dataclass(frozen=True, slots=True)
class PauseFile:
    """The pause of one venue, remembered for every process that names the same file."""

    path: Path

    @classmethod
    def of(cls, folder: Path, venue: str) -> "PauseFile":
        """Return the file of ``venue``, a name such as ``binance`` or ``binance@127.0.0.1``."""
        return cls(folder / f"{re.sub(r'[^A-Za-z0-9_.@-]', '_', venue)}.json")

    def until(self) -> float:
        """Return when the pause ends, in seconds since 1970; minus infinity without one.

        Raises
        ------
        StorageError
            If the file is damaged: a pause that cannot be read must not be ignored.
        """
        try:
            text = self.path.read_text()
        except FileNotFoundError:
            return float("-inf")
        try:
            return datetime.fromisoformat(json.loads(text)["until"]).timestamp()
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise StorageError(
                f"{self.path} must hold the end of a venue's pause, was {text[:80]!r}; delete it "
                "if you know that no pause runs",
                path=str(self.path),
            ) from error

    def remember(self, until: float, reason: str) -> None:
        """Write when the pause ends."""
        content = {"until": datetime.fromtimestamp(until, UTC).isoformat(), "reason": reason}
        write_durably(self.path, (json.dumps(content) + "\n").encode())


class RequestGate:
    """Holds requests to one venue back while they must not be sent.

    A pause of up to ``longest_wait_s`` is waited out, with a line in the log; a longer one is an
    error that says until when. The slowing down near the venue's weight limit is treated alike.
    Safe for threads; a wait of one does not hold another up longer.

    Parameters
    ----------
    venue : str
        For messages.
    memory : PauseFile, optional
        Shares pauses with other processes; without it they are this object's own.
    longest_wait_s : float
        Seconds, at least 0.
    window_s : float
        Length of the venue's weight window in seconds; it begins at multiples of it in the
        venue's time. 60 at Binance.
    clock : callable
        Seconds since 1970, of this machine.
    sleep : callable of float
        Waits that many seconds.
    """

    def __init__(
        self,
        venue: str,
        memory: PauseFile | None = None,
        *,
        longest_wait_s: float = LONGEST_WAIT_S,
        window_s: float = 60.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.venue = venue
        self.longest_wait_s = longest_wait_s
        self._memory = memory
        self._window_s = window_s
        self._clock = clock
        self._sleep = sleep
        self._paused_until = float("-inf")
        self._slow_until = float("-inf")
        self._limit = _DEFAULT_LIMIT

    def pass_through(self) -> None:
        """Return when a request may be sent, after waiting if that is not long.

        Raises
        ------
        RateLimitedError
            If the pause that the venue asked for, or the rest of a window whose weight is nearly
            used up, lasts too long to wait here; no request is sent.
        """
        while (remaining := self._until() - self._clock()) > 0:
            if remaining > self.longest_wait_s:
                raise self._closed("asked for a pause that is not over", remaining)
            _LOG.warning("%s wants a pause: waiting %.0f s", self.venue, remaining)
            self._sleep(remaining)
        slow = self._slow_until - self._clock()
        if slow > self.longest_wait_s:
            raise self._closed(f"has {_SHARE:.0%} of its request weight used up", slow)
        if slow > 0:
            _LOG.info("%s: near its request limit, waiting %.0f s", self.venue, slow)
            self._sleep(slow)

    def pause(self, seconds: float, reason: str) -> None:
        """Hold every request back for ``seconds`` from now, in every process."""
        until = self._clock() + seconds
        self._paused_until = max(self._paused_until, until)
        if self._memory is not None and until > self._memory.until():
            self._memory.remember(until, reason)

    def note(self, headers: Mapping[str, Any], content: bytes = b"") -> None:
        """Learn from a reply: the weight used in its window, and the limit if it states one."""
        stated = _LIMIT.search(content) if b"REQUEST_WEIGHT" in content[:4096] else None
        if stated is not None:
            self._limit = int(stated[1])
        used = str(headers.get(_USED_WEIGHT, ""))
        if used.isdigit() and int(used) >= _SHARE * self._limit:
            self._slow_until = self._clock() + self._rest_of_window(headers)

    def mount(self, session: "Session") -> None:
        """Make every request of a ``requests`` session pass this gate."""
        from requests.adapters import HTTPAdapter

        gate = self

        class Gated(HTTPAdapter):
            def send(self, request: "PreparedRequest", *args: Any, **options: Any) -> "Response":  # noqa: ANN401
                gate.pass_through()
                reply = super().send(request, *args, **options)
                # A body that is still streaming is not read here: only small replies state limits.
                content = b"" if options.get("stream") else reply.content[:65_536]
                gate.note(reply.headers, content)
                return reply

        session.mount("http://", Gated())
        session.mount("https://", Gated())

    def _until(self) -> float:
        remembered = self._memory.until() if self._memory is not None else float("-inf")
        return max(self._paused_until, remembered)

    def _rest_of_window(self, headers: Mapping[str, Any]) -> float:
        try:
            there = parsedate_to_datetime(str(headers.get("Date"))).timestamp()
        except (ValueError, TypeError):
            return self._window_s
        # A second more, because the header has whole seconds.
        return self._window_s - there % self._window_s + 1.0

    def _closed(self, reason: str, remaining: float) -> RateLimitedError:
        until = datetime.fromtimestamp(self._clock() + remaining, UTC)
        return RateLimitedError(
            f"{self.venue} {reason}; nothing is asked until "
            f"{until:%Y-%m-%d %H:%M:%S} UTC ({remaining:.0f} s more)",
            venue=self.venue,
            retry_after_s=remaining,
            until=until.isoformat(),
        )
