"""Candles, trading rules and quotes of any exchange that ccxt knows, over REST."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import polars as pl

from trading_pipeline.adapters.exchanges.ccxt_client import (
    checked_base_url,
    malformed,
    near_names,
    open_exchange,
    retry_after_s,
    translate,
)
from trading_pipeline.adapters.exchanges.ccxt_replies import (
    candle_frame,
    candle_rows,
    decimal,
    instant,
    last_price,
)
from trading_pipeline.adapters.exchanges.request_gate import RequestGate
from trading_pipeline.core.candles import FloatArray, empty_candles
from trading_pipeline.core.errors import (
    ConfigError,
    MalformedReplyError,
    RateLimitedError,
    SymbolNotListedError,
    VenueError,
    VenueUnavailableError,
)
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.timeframe import Timeframe

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MACHINE_CLOCK_MARGIN = timedelta(seconds=5)
_CAUTIOUS_PAGE = 100
_FIRST_BACKOFF_S = 0.25
# What ccxt's parsers raise when a reply has another shape than the documented one.
_PARSER_ERRORS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


class CcxtCandleSource:
    """Spot candles through ccxt, fetched with a cursor of our own.

    The cursor starts at the first open time in the range and moves to the bar after the last one
    received, so that short pages lose nothing; ccxt's own pagination does lose. An empty page is
    asked for twice, and is then only the end of one page, not of the range. Only reads are made,
    so that a failed request may be sent again: up to ``attempts`` times, with growing pauses for
    outages and garbage. Until a pause that the venue asked for (429, 418) is over, no request is
    sent at all, also not by another process; see ``RequestGate``.

    A candle is closed when the venue's clock says so, and ``close_grace_s`` have passed. At venues
    without a time endpoint that is the clock of this machine, set back by 5 s, because a clock
    that is fast would let an open candle in.

    Not safe for threads: give each its own source. Markets are loaded once. Venues that keep only
    their newest candles (Kraken: 720) deliver those; what is older is missing, and seen as a gap.

    Parameters
    ----------
    venue : str
        A ccxt name, such as ``binance``.
    base_url : str, optional
        Takes the place of every REST address of the venue, for a local or test exchange.
    timeout_s : float
        Seconds that one request may take.
    name : str, optional
        What delivered the candles, for lineage; ``ccxt:<venue>``, with the host of ``base_url``.
    attempts : int
        Times that one read is tried, at least 1.
    sleep : callable of float, optional
        Waits that many seconds; a test passes its own.
    gate : RequestGate, optional
        Holds requests back while the venue wants a pause; without it, one of this source alone.
    close_grace_s : float
        Seconds after its close until a candle counts as closed; at least 0.

    Raises
    ------
    ConfigError
        If ccxt does not know the venue, or a parameter makes no sense.
    """

    def __init__(
        self,
        venue: str,
        base_url: str | None = None,
        timeout_s: float = 10.0,
        *,
        name: str | None = None,
        attempts: int = 3,
        sleep: Callable[[float], None] = time.sleep,
        gate: RequestGate | None = None,
        close_grace_s: float = 0.0,
    ) -> None:
        if attempts < 1:
            raise ConfigError(f"attempts must be at least 1, was {attempts}")
        self.venue = venue
        self.base_url = None if base_url is None else checked_base_url(base_url)
        self._timeout_s = timeout_s
        self._name = name or _default_name(venue, self.base_url)
        self._attempts = attempts
        self._sleep = sleep
        self._gate = gate or RequestGate(venue)
        self._grace_ms = round(close_grace_s * 1000)
        self._exchange = open_exchange(venue, self.base_url, timeout_s, self._gate)
        self._has_markets = False

    @property
    def name(self) -> str:
        """What delivered the candles, for lineage."""
        return self._name

    def now(self) -> datetime:
        """Return the venue's clock, timezone-aware UTC.

        Raises
        ------
        VenueError
            If the venue cannot be asked or answers nonsense.
        """
        if not self._exchange.has.get("fetchTime"):
            return datetime.now(UTC) - _MACHINE_CLOCK_MARGIN
        return self._read(lambda: instant(self._exchange.fetch_time(), self.venue))

    def instrument(self, symbol: Symbol) -> Instrument:
        """Return the trading rules of ``symbol``, from the venue's precision and limits.

        Raises
        ------
        SymbolNotListedError
            If the venue has no such spot market; the message names near matches.
        VenueError
            If the venue cannot be asked, or states no price tick or no quantity step.
        """
        market = self._market(symbol)
        limits = market.get("limits") or {}
        lot_size = self._step(market, "amount", symbol)
        return Instrument(
            symbol,
            tick_size=self._step(market, "price", symbol),
            lot_size=lot_size,
            min_quantity=decimal((limits.get("amount") or {}).get("min")) or lot_size,
            min_notional=decimal((limits.get("cost") or {}).get("min")) or Decimal(0),
        )

    def candles(
        self, symbol: Symbol, timeframe: Timeframe, start: datetime, end: datetime
    ) -> pl.DataFrame:
        """Return the closed candles with ``start <= open_time < end``, oldest first.

        Raises
        ------
        SymbolNotListedError
            If the venue has no such spot market.
        ConfigError
            If the venue does not have the timeframe, or an instant has no time zone.
        VenueUnavailableError, RateLimitedError
            If the venue cannot answer now.
        MalformedReplyError
            If it answers with something that cannot be the candles of that range.
        """
        self.check_range(symbol, timeframe, start, end)
        first_ms, stop_ms = _range_ms(timeframe, start, end)
        now_ms = _milliseconds(self.now())
        closed_ms = now_ms - self._grace_ms
        stop_ms = min(stop_ms, closed_ms - closed_ms % timeframe.milliseconds)
        pages = self._pages(symbol, timeframe, first_ms, stop_ms, now_ms)
        return candle_frame(pages) if pages else empty_candles()

    def check_range(
        self, symbol: Symbol, timeframe: Timeframe, start: datetime, end: datetime
    ) -> None:
        """Refuse what :meth:`candles` would refuse, without fetching a candle.

        Raises
        ------
        SymbolNotListedError
            If the venue has no such spot market.
        ConfigError
            If the venue does not have the timeframe, or an instant has no time zone.
        """
        _range_ms(timeframe, start, end)
        known = self._exchange.timeframes or {}
        if timeframe.name not in known:
            raise ConfigError(
                f"{self.venue} has no candles of {timeframe}; {near_names(timeframe.name, known)}",
                venue=self.venue,
            )
        self._market(symbol)

    def quote(self, symbol: Symbol) -> Decimal:
        """Return the last traded price, in quote currency.

        Raises
        ------
        SymbolNotListedError
            If the venue has no such spot market.
        VenueError
            If the venue cannot be asked, or answers without a positive price of that symbol.
        """
        self._market(symbol)
        return self._read(
            lambda: last_price(self._exchange.fetch_ticker(symbol.pair), symbol, self.venue),
            symbol,
        )

    def fingerprint(self, symbol: Symbol, timeframe: Timeframe) -> str | None:
        """Return None: a venue's closed candles are taken as settled."""
        return None

    def close(self) -> None:
        """Close the connections; the source can be used again and opens new ones."""
        self._exchange.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _market(self, symbol: Symbol) -> dict[str, Any]:
        if not self._has_markets:
            self._read(self._load_markets)
            self._has_markets = True
        market: dict[str, Any] | None = self._exchange.markets.get(symbol.pair)
        if market is None or not market.get("spot"):
            spot = [name for name, entry in self._exchange.markets.items() if entry.get("spot")]
            raise SymbolNotListedError(
                f"{self.venue} does not list {symbol} as a spot market; "
                f"{near_names(symbol.pair, spot)}",
                venue=self.venue,
                symbol=symbol.key,
            )
        return market

    def _load_markets(self) -> None:
        self._exchange.load_markets(reload=True)
        if not any(market.get("spot") for market in self._exchange.markets.values()):
            raise malformed(self.venue, "an empty list of spot markets")

    def _step(self, market: dict[str, Any], which: str, symbol: Symbol) -> Decimal:
        import ccxt

        stated = decimal((market.get("precision") or {}).get(which))
        if stated is not None and self._exchange.precisionMode == ccxt.DECIMAL_PLACES:
            return Decimal(1).scaleb(-int(stated))
        if stated is None or stated <= 0 or self._exchange.precisionMode != ccxt.TICK_SIZE:
            raise VenueError(
                f"{self.venue} states no fixed {which} step for {symbol}, had {stated}; "
                "orders cannot be rounded there, choose another symbol or venue",
                venue=self.venue,
                symbol=symbol.key,
            )
        return stated

    def _pages(
        self, symbol: Symbol, timeframe: Timeframe, cursor: int, stop: int, now_ms: int
    ) -> list[FloatArray]:
        """Return the rows with ``cursor <= open_time < stop``, a page at a time."""
        length = timeframe.milliseconds
        largest = self._page_limit(symbol)
        pages: list[FloatArray] = []
        while cursor < stop:
            # One bar more, because some venues begin with the bar before ``since``.
            limit = min(largest, (stop - cursor) // length + 1)
            page = self._page(symbol, timeframe, cursor, limit, now_ms)
            if len(page) == 0:
                cursor += limit * length
                continue
            pages.append(page[page[:, 0] < stop])
            cursor = int(page[-1, 0]) + length
        return pages

    def _page_limit(self, symbol: Symbol) -> int:
        limit = self._exchange.feature_value(symbol.pair, "fetchOHLCV", "limit")
        return limit if isinstance(limit, int) and limit > 0 else _CAUTIOUS_PAGE

    def _page(
        self, symbol: Symbol, timeframe: Timeframe, cursor: int, limit: int, now_ms: int
    ) -> FloatArray:
        """Return the rows of one page from ``cursor`` on; none only if two requests say so.

        The first request asks from a millisecond earlier, for venues that exclude ``since``; the
        second from the bar itself, for venues that would round the millisecond down to a bar, and
        for a whole page, for venues that begin further back than one bar.
        """
        for since, n_rows in ((cursor - 1, limit), (cursor, self._page_limit(symbol))):

            def fetch(since: int = since, n_rows: int = n_rows) -> FloatArray:
                rows = self._exchange.fetch_ohlcv(symbol.pair, timeframe.name, since, n_rows)
                return candle_rows(rows, timeframe, now_ms, self.venue)

            page = self._read(fetch, symbol)
            page = page[page[:, 0] >= cursor]
            if len(page):
                return page
        return page

    def _read(self, call: Callable[[], T], symbol: Symbol | None = None) -> T:
        """Return what ``call`` reads; our errors only, transient ones after trying again."""
        for attempt in range(1, self._attempts + 1):
            try:
                return self._read_once(call)
            except (VenueUnavailableError, MalformedReplyError, RateLimitedError) as error:
                if symbol is not None:
                    error.facts.setdefault("symbol", symbol.key)
                is_long = (
                    isinstance(error, RateLimitedError)
                    and retry_after_s(error) > self._gate.longest_wait_s
                )
                if attempt == self._attempts or is_long:
                    raise
                # A pause that the venue asked for is kept by the gate.
                if not isinstance(error, RateLimitedError):
                    self._sleep(_FIRST_BACKOFF_S * 2.0 ** (attempt - 1))
        raise AssertionError("the loop returns or raises")

    def _read_once(self, call: Callable[[], T]) -> T:
        import ccxt

        try:
            return call()
        except (ccxt.BaseError, *_PARSER_ERRORS) as error:
            translated = translate(error, self.venue, self._timeout_s)
            if isinstance(translated, RateLimitedError):
                self._gate.pause(retry_after_s(translated), "the venue's words")
            raise translated from error


def _default_name(venue: str, base_url: str | None) -> str:
    if base_url is None:
        return f"ccxt:{venue}"
    return f"ccxt:{venue}@{urlsplit(base_url).hostname}"


def _milliseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MILLISECOND


def _range_ms(timeframe: Timeframe, start: datetime, end: datetime) -> tuple[int, int]:
    """Return the first open time in the range and its exclusive end, in milliseconds."""
    if start.tzinfo is None or end.tzinfo is None:
        raise ConfigError(f"start and end need a time zone, were {start} and {end}")
    first = timeframe.floor(start)
    if first < start:
        first += timeframe.duration
    # Rounded up: an end half a millisecond after an open time keeps that candle.
    return _milliseconds(first), -((_EPOCH - end) // _MILLISECOND)
