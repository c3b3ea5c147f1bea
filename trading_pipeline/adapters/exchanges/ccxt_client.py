"""One ccxt exchange object, made safe for reading: no retries of its own, no silent garbage.

ccxt answers an HTML page, an empty body or truncated JSON with HTTP 200 as if it were an empty
or half-empty result. A response hook looks at every reply before ccxt does.
"""

import json
import math
import re
import weakref
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from trading_pipeline.adapters.exchanges.request_gate import RequestGate
from trading_pipeline.core.errors import (
    ConfigError,
    MalformedReplyError,
    RateLimitedError,
    SymbolNotListedError,
    TradingPipelineError,
    VenueError,
    VenueUnavailableError,
)

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_DEFAULT_PAUSE_S = 60.0
_BAN_PAUSE_S = 120.0  # the shortest ban that Binance documents
_EXCERPT = 160
_LARGEST = 1e300


class HttpReply(Protocol):
    """What the hook reads of a ``requests.Response``."""

    status_code: int
    url: str
    content: bytes
    headers: Any


class CcxtExchange(Protocol):
    """What we use of a ccxt exchange object."""

    urls: dict[str, Any]
    options: dict[str, Any]
    has: dict[str, Any]
    timeframes: dict[str, str] | None
    markets: dict[str, dict[str, Any]]
    session: Any
    precisionMode: int  # noqa: N815 ccxt's spelling
    parse_ohlcv: Callable[..., object]

    def load_markets(self, *, reload: bool) -> object:
        """Fetch the list of markets."""
        ...

    def fetch_time(self) -> object:
        """Return the venue's time in milliseconds."""
        ...

    def fetch_ticker(self, symbol: str) -> object:
        """Return the 24-hour statistics of one market."""
        ...

    def fetch_ohlcv(self, symbol: str, timeframe: str, since: int, limit: int) -> object:
        """Return rows of open time in milliseconds and OHLCV."""
        ...

    def feature_value(self, symbol: str, method: str, parameter: str) -> object:
        """Return what ccxt knows about the venue's method, such as its page limit."""
        ...


def open_exchange(
    venue: str, base_url: str | None, timeout_s: float, gate: RequestGate
) -> CcxtExchange:
    """Return the ccxt exchange ``venue`` for public spot data.

    Parameters
    ----------
    venue : str
        A ccxt name, such as ``binance``.
    base_url : str, optional
        Takes the place of **every** REST address that ccxt knows for the venue, so that no
        request can go anywhere else.
    timeout_s : float
        Seconds that one request may take; positive.
    gate : RequestGate
        What every request passes; pauses that the venue asks for are handed to it.

    Raises
    ------
    ConfigError
        If ccxt does not know the venue, or ``base_url`` or ``timeout_s`` makes no sense.
    """
    import ccxt

    if venue not in ccxt.exchanges:
        raise ConfigError(
            f"ccxt does not know the venue {venue!r}; {near_names(venue, ccxt.exchanges)}",
            venue=venue,
        )
    if not (math.isfinite(timeout_s) and timeout_s > 0):
        raise ConfigError(f"timeout_s must be a positive number of seconds, was {timeout_s}")
    exchange: CcxtExchange = getattr(ccxt, venue)(
        {
            "timeout": round(timeout_s * 1000),
            "enableRateLimit": not is_loopback(base_url),
            "options": {"defaultType": "spot", "maxRetriesOnFailure": 0, "fetchMargins": False},
        }
    )
    if venue.startswith("binance"):
        exchange.options["fetchMarkets"] = {"types": ["spot"]}
        exchange.has["fetchCurrencies"] = False
    if base_url is not None:
        exchange.urls["api"] = _redirected(exchange.urls["api"], checked_base_url(base_url))
    exchange.session.hooks["response"].append(_reply_hook(venue, gate))
    gate.mount(exchange.session)
    exchange.parse_ohlcv = _checking_rows(exchange, venue)
    return exchange


def _reply_hook(venue: str, gate: RequestGate) -> Callable[..., None]:
    def check(reply: HttpReply, **_: object) -> None:
        try:
            check_reply(reply, venue)
        except RateLimitedError as error:
            # Here and not later, so that no request of the same call can leave in between.
            gate.pause(retry_after_s(error), f"HTTP {reply.status_code}")
            raise

    return check


def retry_after_s(error: RateLimitedError) -> float:
    """Return the seconds that the venue asked to wait."""
    wait = error.facts["retry_after_s"]
    assert isinstance(wait, float)
    return wait


def _checking_rows(exchange: CcxtExchange, venue: str) -> Callable[..., object]:
    """Check each candle as it is parsed: ccxt drops those whose time it cannot read."""
    parse = type(exchange).parse_ohlcv
    # A strong reference would be a cycle, and sockets would stay open until it is collected.
    weak = weakref.ref(exchange)

    def parse_and_check(*arguments: object) -> object:
        row = parse(weak(), *arguments)
        check_candle_row(row, venue)
        return row

    return parse_and_check


def check_candle_row(row: object, venue: str) -> None:
    """Refuse a parsed candle that does not begin with six finite numbers.

    Raises
    ------
    MalformedReplyError
        With the row.
    """
    if not isinstance(row, list) or len(row) < 6 or not all(map(_is_number, row[:6])):
        raise malformed(venue, f"a candle that is not six numbers: {excerpt(str(row).encode())}")


def _is_number(value: object) -> bool:
    # The comparison is false for NaN, and safe for integers that no float64 can hold.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -_LARGEST < value < _LARGEST


def checked_base_url(base_url: str) -> str:
    """Return ``base_url`` without a trailing slash.

    Raises
    ------
    ConfigError
        If it is not ``http(s)://host[:port][/path]``.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ConfigError(
            f"base_url must look like http://127.0.0.1:8900, was {base_url!r}", base_url=base_url
        )
    return base_url.rstrip("/")


def is_loopback(base_url: str | None) -> bool:
    """Tell whether ``base_url`` is on this machine."""
    return base_url is not None and urlsplit(base_url).hostname in _LOOPBACK


def _redirected(address: object, base_url: str) -> object:
    """Replace scheme and host of every address in ccxt's tree of addresses."""
    if isinstance(address, dict):
        return {name: _redirected(value, base_url) for name, value in address.items()}
    return base_url + re.sub(r"^[a-z]+://[^/]*", "", str(address))


def check_reply(reply: HttpReply, venue: str) -> None:
    """Refuse what is not an answer, before ccxt interprets it.

    Raises
    ------
    RateLimitedError
        On 429 and 418, with ``retry_after_s``.
    VenueUnavailableError
        On 5xx, and on 403 and 451 without JSON (a firewall or a blocked country).
    MalformedReplyError
        If it is a redirect, or the body is not a JSON array or a JSON object with content.
    """
    status, place = reply.status_code, f"{venue} at {_without_query(reply.url)}"
    # Reading the body first hands the connection back, also when the answer is refused.
    content = reply.content
    if 300 <= status < 400:
        # Followed, a redirect would lead requests to a host that nobody configured.
        target = reply.headers.get("Location")
        raise malformed(venue, f"a redirect from {place} to {target}", status=status)
    if status in {418, 429}:
        raise rate_limited(reply, venue, place)
    if status >= 500:
        raise VenueUnavailableError(
            f"{place} failed with HTTP {status}: {excerpt(content)}; try again later",
            venue=venue,
            status=status,
        )
    if _is_answer(content):
        return
    if status in {403, 451}:
        raise VenueUnavailableError(
            f"{place} refused the request with HTTP {status}: {excerpt(content)}; "
            "the venue may block this network or country",
            venue=venue,
            status=status,
        )
    raise MalformedReplyError(
        f"{place} must answer with JSON, was HTTP {status} with {excerpt(content)}; "
        "check base_url and any proxy in between, or try again later",
        venue=venue,
        status=status,
    )


def _is_answer(content: bytes) -> bool:
    try:
        body = json.loads(content)
    except ValueError:
        return False
    return isinstance(body, list) or (isinstance(body, dict) and bool(body))


def rate_limited(reply: HttpReply, venue: str, place: str) -> RateLimitedError:
    """Return the error for 429 (slow down) and 418 (banned), with the wait that is asked for."""
    banned = reply.status_code == 418
    stated = _seconds(reply.headers.get("Retry-After"), reply.headers.get("Date"))
    wait = stated if stated is not None else (_BAN_PAUSE_S if banned else _DEFAULT_PAUSE_S)
    reason = "banned this address for asking too often" if banned else "asks to slow down"
    return RateLimitedError(
        f"{place} {reason} (HTTP {reply.status_code}); wait {wait:g} s, until "
        f"{datetime.now(UTC) + timedelta(seconds=wait):%Y-%m-%d %H:%M:%S} UTC: nothing is asked "
        "before",
        venue=venue,
        status=reply.status_code,
        retry_after_s=wait,
    )


def _seconds(retry_after: str | None, date: str | None) -> float | None:
    """Return the wait that a ``Retry-After`` header states: seconds, or an HTTP date."""
    if retry_after is None:
        return None
    if re.fullmatch(r"\s*\d{1,9}\s*", retry_after):
        return float(retry_after)
    try:
        # The difference of two of the venue's own times does not depend on our clock.
        wait = parsedate_to_datetime(retry_after) - parsedate_to_datetime(str(date))
    except (ValueError, TypeError):
        return None
    return max(wait.total_seconds(), 0.0)


def translate(error: Exception, venue: str, timeout_s: float) -> TradingPipelineError:
    """Return our error for one that ccxt raised."""
    import ccxt

    said = excerpt(str(error).encode())
    facts: dict[str, object] = {"venue": venue}
    if isinstance(error, ccxt.BadSymbol):
        return SymbolNotListedError(f"{venue} does not list the symbol: {said}", **facts)
    if isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection):
        return RateLimitedError(
            f"{venue} asks to slow down: {said}; wait {_DEFAULT_PAUSE_S:g} s",
            **facts,
            retry_after_s=_DEFAULT_PAUSE_S,
        )
    if isinstance(error, ccxt.RequestTimeout):
        return VenueUnavailableError(
            f"{venue} gave no answer within {timeout_s:g} s ({_without_query(said)}); "
            "try again later",
            **facts,
        )
    if isinstance(error, ccxt.NetworkError):
        return VenueUnavailableError(
            f"{venue} cannot be reached ({_without_query(said)}); "
            "check the network and that the exchange is up",
            **facts,
        )
    if isinstance(error, ccxt.NotSupported):
        return ConfigError(f"{venue} cannot do this: {said}; choose another venue", **facts)
    if isinstance(error, ccxt.NullResponse | ccxt.BadResponse) or not isinstance(
        error, ccxt.BaseError
    ):
        return malformed(venue, f"something that ccxt cannot read ({type(error).__name__}: {said})")
    return VenueError(f"{venue} refused the request: {said}", **facts)


def malformed(venue: str, received: str, **facts: object) -> MalformedReplyError:
    """Return the error for a reply that is JSON, but not the answer to the question."""
    return MalformedReplyError(
        f"{venue} answered with {received}; try again later, and check base_url if it is set",
        venue=venue,
        **facts,
    )


def near_names(name: str, known: Iterable[str]) -> str:
    """Return a hint: the known names most like ``name``, or a few of all."""
    names: Sequence[str] = sorted(known)
    near = get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"it has {len(names)}, such as {', '.join(names[:5])}"


def excerpt(content: bytes) -> str:
    """Return the beginning of a reply on one line."""
    line = " ".join(content[: 4 * _EXCERPT].decode("utf-8", "replace").split())
    if not line:
        return "an empty body"
    return line if len(line) <= _EXCERPT else line[:_EXCERPT] + "..."


def _without_query(url: str) -> str:
    return url.split("?", 1)[0]
