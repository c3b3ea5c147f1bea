"""Plain HTTP reads for archives and chart services: bounded, gated, tried again, translated."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from trading_pipeline.adapters.exchanges.ccxt_client import (
    excerpt,
    rate_limited,
    retry_after_s,
)
from trading_pipeline.adapters.exchanges.request_gate import RequestGate
from trading_pipeline.core.errors import (
    MalformedReplyError,
    RateLimitedError,
    VenueUnavailableError,
)

_FIRST_BACKOFF_S = 0.25
_CHUNK = 1 << 16
_DEADLINE_FACTOR = 6  # a large file may take so many timeouts in all, a silence only one


@dataclass(frozen=True, slots=True)
class WebReply:
    """An answer that was read to its end; ``headers`` by any spelling of case."""

    status: int
    content: bytes
    headers: Mapping[str, Any]


class WebReader:
    """Reads below one base address; every failure is one of our errors.

    Outages are tried again with growing pauses, up to ``attempts`` times. Redirects are not
    followed. 4xx answers other than 418 and 429 are returned.

    Parameters
    ----------
    name : str
        Who answers, for messages.
    base_url : str
        Without a trailing slash.
    timeout_s : float
        Seconds of silence after which a request is given up; six times that for a whole answer.
    attempts : int
        At least 1.
    gate : RequestGate, optional
        Without it, one of this object alone.
    headers : mapping of str to str, optional
        Sent with every request.
    sleep : callable of float
        Waits that many seconds between attempts.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        timeout_s: float = 20.0,
        attempts: int = 3,
        gate: RequestGate | None = None,
        headers: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        import requests

        self.name = name
        self.base_url = base_url
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._gate = gate or RequestGate(name)
        self._sleep = sleep
        self._session = requests.Session()
        self._session.headers.update(headers or {})
        self._gate.mount(self._session)

    def get(
        self, path: str, *, largest: int, parameters: Mapping[str, str] | None = None
    ) -> WebReply:
        """Return the answer to one GET.

        Parameters
        ----------
        path : str
            Below the base address, with a leading slash.
        largest : int
            Bytes; a longer answer is refused before it is read.

        Raises
        ------
        VenueUnavailableError
            If there is no whole answer, or 5xx, or 403 (a blocked network).
        RateLimitedError
            On 429 and 418, and while such a pause lasts.
        MalformedReplyError
            If the answer is a redirect or too long.
        """
        for attempt in range(1, self._attempts + 1):
            try:
                return self._get_once(path, largest, parameters)
            except VenueUnavailableError:
                if attempt == self._attempts:
                    raise
                self._sleep(_FIRST_BACKOFF_S * 2.0 ** (attempt - 1))
            except RateLimitedError as error:
                if attempt == self._attempts or retry_after_s(error) > self._gate.longest_wait_s:
                    raise
        raise AssertionError("the loop returns or raises")

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _get_once(self, path: str, largest: int, parameters: Mapping[str, str] | None) -> WebReply:
        import requests

        url = self.base_url + path
        try:
            with self._session.get(
                url,
                params=parameters,
                timeout=self._timeout_s,
                stream=True,
                allow_redirects=False,
            ) as reply:
                content = self._whole(reply, url, largest)
        except requests.Timeout as error:
            raise VenueUnavailableError(
                f"{self.name} gave no answer within {self._timeout_s:g} s at {url}; "
                "try again later",
                venue=self.name,
                url=url,
            ) from error
        except requests.RequestException as error:
            raise VenueUnavailableError(
                f"{self.name} cannot be read at {url} "
                f"({type(error).__name__}: {excerpt(str(error).encode())}); "
                f"check the network and that {urlsplit(self.base_url).netloc} is up",
                venue=self.name,
                url=url,
            ) from error
        return self._judged(reply, content, url)

    def _whole(self, reply: Any, url: str, largest: int) -> bytes:  # noqa: ANN401  loaded lazily
        deadline = time.monotonic() + _DEADLINE_FACTOR * self._timeout_s
        parts: list[bytes] = []
        n_bytes = 0
        for part in reply.iter_content(_CHUNK):
            n_bytes += len(part)
            parts.append(part)
            if n_bytes > largest:
                raise MalformedReplyError(
                    f"{self.name} sent more than the {largest:,} bytes that {url} may have; "
                    "this is not the file that was asked for",
                    venue=self.name,
                    url=url,
                )
            if time.monotonic() > deadline:
                raise VenueUnavailableError(
                    f"{self.name} sent {n_bytes:,} bytes of {url} in "
                    f"{_DEADLINE_FACTOR * self._timeout_s:g} s and no end; try again later",
                    venue=self.name,
                    url=url,
                )
        return b"".join(parts)

    def _judged(self, reply: Any, content: bytes, url: str) -> WebReply:  # noqa: ANN401
        status = reply.status_code
        if status in {418, 429}:
            error = rate_limited(reply, self.name, f"{self.name} at {url}")
            self._gate.pause(retry_after_s(error), f"HTTP {status}")
            raise error
        if status >= 500 or status == 403:
            raise VenueUnavailableError(
                f"{self.name} failed with HTTP {status} at {url}: {excerpt(content)}; "
                "try again later, or from a network that it does not block",
                venue=self.name,
                status=status,
                url=url,
            )
        if 300 <= status < 400:
            raise MalformedReplyError(
                f"{self.name} answered with a redirect from {url} to "
                f"{reply.headers.get('Location')}; it is not followed, check the address",
                venue=self.name,
                status=status,
                url=url,
            )
        return WebReply(status, content, reply.headers)
