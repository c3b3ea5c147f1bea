"""Daily and hourly history from Yahoo Finance, where a venue itself has none.

Yahoo's chart service (version 8) is not documented and not a venue: its prices are an average over
venues in US dollars, and its volume is turnover in dollars. It serves research and, as a second
source, the question whether there was trading at all.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import urlsplit

import polars as pl

from trading_pipeline.adapters.exchanges.ccxt_client import checked_base_url, excerpt, malformed
from trading_pipeline.adapters.exchanges.request_gate import RequestGate
from trading_pipeline.adapters.exchanges.web import WebReader, WebReply
from trading_pipeline.core.candles import CANDLE_SCHEMA, empty_candles
from trading_pipeline.core.errors import ConfigError, SymbolNotListedError, VenueError
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.cleaning import sort_out

DEFAULT_URL = "https://query1.finance.yahoo.com"
_VENUE = "yahoo"
_LOG = logging.getLogger(__name__)
# Without a browser's name the service answers 429 to everything.
_HEADERS = {"User-Agent": "Mozilla/5.0"}
_TIMEFRAMES = ("1h", "1d")
_DOLLARS = {"USD", "USDT", "USDC", "FDUSD", "BUSD", "TUSD"}
_HOURLY_DAYS = 730
_LARGEST = 32 * 1024**2
_FINEST = Decimal("0.00000001")
_MIN_NOTIONAL = Decimal(5)
_PRICES = ("open", "high", "low", "close")


class YahooCandleSource:
    """A ``CandleSource`` over Yahoo Finance: ``BTC/USDT`` is read as ``BTC-USD``.

    Dollar stablecoins are read as dollars, so that a stablecoin's own premium is not in the
    prices. Volume is Yahoo's turnover in dollars divided by the close. The bar that still runs and
    bars without numbers are left out; the latter are counted. The clock is the ``Date`` of Yahoo's
    answers. Yahoo states no trading rules: prices and quantities get a grid of eight decimals,
    which is good for research and for no order.

    Parameters
    ----------
    base_url : str, optional
        Another address of the service.
    timeout_s : float
        Seconds of silence after which a request is given up.
    attempts : int
        Times that one read is tried, at least 1.
    gate : RequestGate, optional
        Holds requests back while the service wants a pause.
    close_grace_s : float
        Seconds after its close until a candle counts as closed; at least 0.
    sleep : callable of float, optional
        Waits that many seconds.

    Raises
    ------
    ConfigError
        If ``base_url`` is no address.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        timeout_s: float = 20.0,
        attempts: int = 3,
        gate: RequestGate | None = None,
        close_grace_s: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        address = checked_base_url(base_url or DEFAULT_URL)
        self._name = f"yahoo@{urlsplit(address).hostname}" if base_url else _VENUE
        self._web = WebReader(
            _VENUE,
            address,
            timeout_s=timeout_s,
            attempts=attempts,
            gate=gate,
            headers=_HEADERS,
            sleep=sleep,
        )
        self._grace = timedelta(seconds=close_grace_s)
        self._dropped: dict[tuple[Symbol, Timeframe, datetime], dict[str, int]] = {}
        self._told: set[Symbol] = set()

    @property
    def name(self) -> str:
        """What delivered the candles, for lineage."""
        return self._name

    def now(self) -> datetime:
        """Return the time of Yahoo's answers, in whole seconds.

        Raises
        ------
        VenueError
            If the service does not answer.
        """
        return self._clock(self._web.get("/v8/finance/chart/BTC-USD", largest=_LARGEST))

    def instrument(self, symbol: Symbol) -> Instrument:
        """Return a grid of eight decimals for a symbol that Yahoo has; it states no other rules.

        Raises
        ------
        SymbolNotListedError
            If Yahoo has no such symbol.
        """
        self._chart(symbol, {"interval": "1d", "range": "5d"})
        return Instrument(symbol, _FINEST, _FINEST, _FINEST, _MIN_NOTIONAL)

    def candles(
        self, symbol: Symbol, timeframe: Timeframe, start: datetime, end: datetime
    ) -> pl.DataFrame:
        """Return the closed candles with ``start <= open_time < end``, oldest first.

        Raises
        ------
        SymbolNotListedError
            If Yahoo has no such symbol.
        ConfigError
            If the timeframe is neither 1h nor 1d, hourly candles are asked for before the last 730
            days, or an instant has no time zone.
        VenueError
            If the service cannot answer or answers nonsense.
        """
        if start.tzinfo is None or end.tzinfo is None:
            raise ConfigError(f"start and end need a time zone, were {start} and {end}")
        if timeframe.name not in _TIMEFRAMES:
            raise ConfigError(
                f"yahoo is read for candles of {' and '.join(_TIMEFRAMES)}, asked for {timeframe}; "
                "change market.base_timeframe or the venue"
            )
        self._tell(symbol)
        if end <= start:
            self._chart(symbol, {"interval": "1d", "range": "5d"})
            return empty_candles()
        # A bar may run beyond the range; Yahoo takes a range that ends before it as empty.
        seconds = {"period1": _seconds(start), "period2": _seconds(end + timeframe.duration)}
        reply, result = self._chart(symbol, {"interval": timeframe.name, **seconds})
        closed_by = self._clock(reply) - self._grace
        oldest = closed_by - timedelta(days=_HOURLY_DAYS)
        rows = self._rows(result, symbol)
        if rows.is_empty() and timeframe.name == "1h" and start < oldest < end:
            raise _too_old(symbol, oldest, start)
        opens = pl.col("open_time")
        # The bar that runs carries the time of its last trade, so it is off the grid as well.
        rows = rows.filter(
            (opens >= start.astimezone(UTC))
            & (opens < end.astimezone(UTC))
            & (opens + timeframe.duration <= closed_by)
        )
        candles, dropped = sort_out(rows, timeframe, now=closed_by)
        self._dropped[symbol, timeframe, start] = dict(Counter(dropped["reason"].to_list()))
        return candles

    def quote(self, symbol: Symbol) -> Decimal:
        """Return Yahoo's newest price in dollars.

        Raises
        ------
        VenueError
            If the service does not answer with a positive price.
        """
        _, result = self._chart(symbol, {"interval": "1d", "range": "1d"})
        price = (result.get("meta") or {}).get("regularMarketPrice")
        if not isinstance(price, int | float) or not 0 < price < 1e300:
            raise malformed(_VENUE, f"the price {price!r} for {symbol}", symbol=symbol.key)
        return Decimal(str(price))

    def fingerprint(self, symbol: Symbol, timeframe: Timeframe) -> str | None:
        """Return None: closed candles are taken as settled."""
        return None

    def dropped(self, symbol: Symbol, timeframe: Timeframe, start: datetime) -> Mapping[str, int]:
        """Return how many rows of the range that began at ``start`` were refused, by reason."""
        return self._dropped.get((symbol, timeframe, start), {})

    def close(self) -> None:
        """Close the connections."""
        self._web.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tell(self, symbol: Symbol) -> None:
        if symbol not in self._told and symbol.quote != "USD":
            self._told.add(symbol)
            _LOG.info("Yahoo has no %s: its %s is read instead", symbol, _ticker(symbol))

    def _chart(
        self, symbol: Symbol, parameters: Mapping[str, str]
    ) -> tuple[WebReply, dict[str, Any]]:
        """Return the reply and the chart in it."""
        path = f"/v8/finance/chart/{_ticker(symbol)}"
        reply = self._web.get(path, largest=_LARGEST, parameters=parameters)
        try:
            chart = json.loads(reply.content)["chart"]
            error, results = chart.get("error"), chart.get("result")
        except (ValueError, LookupError, TypeError, AttributeError) as broken:
            raise malformed(_VENUE, excerpt(reply.content), status=reply.status) from broken
        first = results[0] if isinstance(results, list) and results else None
        if reply.status == 200 and isinstance(first, dict):
            return reply, first
        said = (error or {}).get("description") if isinstance(error, dict) else None
        if reply.status == 404:
            raise SymbolNotListedError(
                f"yahoo has no {_ticker(symbol)}, which {symbol} is read as: {said}; check the "
                "symbol, which may be renamed or delisted",
                venue=_VENUE,
                symbol=symbol.key,
            )
        if said and "730 days" in said:
            raise ConfigError(f"yahoo has hourly candles of its last 730 days only: {said}")
        if reply.status == 200 and not said:
            raise malformed(_VENUE, excerpt(reply.content), symbol=symbol.key)
        raise VenueError(
            f"yahoo refused to answer for {symbol} (HTTP {reply.status}): "
            f"{said or excerpt(reply.content)}",
            venue=_VENUE,
            symbol=symbol.key,
            status=reply.status,
        )

    def _rows(self, result: Mapping[str, Any], symbol: Symbol) -> pl.DataFrame:
        times = result.get("timestamp")
        if times is None:  # nothing traded in the range
            return empty_candles()
        try:
            quote = result["indicators"]["quote"][0]
            columns = {name: quote[name] for name in (*_PRICES, "volume")}
            seconds = pl.Series(times, dtype=pl.Int64)
            frame = pl.DataFrame({"open_time": seconds} | columns, strict=True)
            frame = frame.with_columns(pl.col(*_PRICES, "volume").cast(pl.Float64))
        except (LookupError, TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as e:
            raise malformed(
                _VENUE, f"a chart of {symbol} without its columns: {e}", symbol=symbol.key
            ) from e
        return frame.select(
            (pl.col("open_time") * 1_000_000).cast(CANDLE_SCHEMA["open_time"]),
            *_PRICES,
            (pl.col("volume") / pl.col("close")).alias("volume"),
        )

    def _clock(self, reply: WebReply) -> datetime:
        try:
            return parsedate_to_datetime(str(reply.headers.get("Date"))).astimezone(UTC)
        except (ValueError, TypeError) as error:
            raise malformed(_VENUE, "an answer without its time") from error


def _ticker(symbol: Symbol) -> str:
    quote = "USD" if symbol.quote in _DOLLARS else symbol.quote
    return f"{symbol.base}-{quote}"


def _seconds(instant: datetime) -> str:
    return str(int(instant.timestamp()))


def _too_old(symbol: Symbol, oldest: datetime, start: datetime) -> ConfigError:
    return ConfigError(
        f"yahoo has hourly candles of {symbol} from {oldest:%Y-%m-%d} on (its last "
        f"{_HOURLY_DAYS} days), asked from {start:%Y-%m-%d}; start later or take 1d"
    )
