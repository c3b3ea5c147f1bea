"""The simulated exchange as an ASGI application: Binance's spot REST interface, market data.

Reference: binance-spot-api-docs, rest-api.md. Enough for the real ccxt to load markets, read the
time, candles, tickers and order books. Routes are grouped by subject, so that another group can
stand beside :func:`market_data_routes`.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

import polars as pl
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trading_pipeline.adapters.exchanges.simulated.api_errors import ApiError, answer_api_error
from trading_pipeline.adapters.exchanges.simulated.market import Market
from trading_pipeline.adapters.exchanges.simulated.parameters import Parameters
from trading_pipeline.adapters.exchanges.simulated.trades import aggregate_trades
from trading_pipeline.adapters.exchanges.simulated.wire import (
    klines,
    number,
    order_book,
    price_text,
    quote_volume,
    symbol_rules,
    trade_count,
    venue_symbol,
)
from trading_pipeline.core.clock import Clock
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Instrument
from trading_pipeline.core.timeframe import Timeframe

DEFAULT_WEIGHT_LIMIT = 6_000
_DAY = timedelta(days=1)
_MAX_KLINES = 1_000
_DEPTH_WEIGHTS = ((100, 5), (500, 25), (1_000, 50), (5_000, 250))


@dataclass
class WeightMeter:
    """Request weight used in the running minute of the machine's clock.

    Parameters
    ----------
    limit : int or None
        Weight per minute above which requests get 429; None never refuses.
    window_s : float
        Length of that minute in seconds; shorter for tests.
    """

    limit: int | None = None
    window_s: float = 60.0
    used: int = 0
    refused: int = 0
    _minute: float = field(default=0.0)

    def add(self, weight: int) -> None:
        """Count ``weight``; raise -1003 above the limit."""
        now = time.time()
        minute = now - now % self.window_s
        if minute != self._minute:
            self._minute, self.used = minute, 0
        self.used += weight
        if self.limit is not None and self.used > self.limit:
            self.refused += 1
            rest = self.window_s - (now - minute)
            raise ApiError.too_many_requests(self.limit, max(int(rest) + 1, 1))


@dataclass
class Exchange:
    """What the request handlers share."""

    market: Market
    clock: Clock
    meter: WeightMeter
    listed: dict[str, Instrument]

    @property
    def now_ms(self) -> int:
        """The exchange's time in milliseconds."""
        return to_milliseconds(self.clock.now())

    def base_timeframe(self, instrument: Instrument) -> Timeframe:
        """Return the shortest timeframe of ``instrument``."""
        return self.market.timeframes(instrument.symbol)[0]

    def newest(self, instrument: Instrument, start_ms: int | None = None) -> pl.DataFrame:
        """Return the base candles from ``start_ms`` on, or only the newest one."""
        timeframe = self.base_timeframe(instrument)
        return self.market.window(
            instrument.symbol,
            timeframe,
            start_ms=start_ms,
            end_ms=None,
            limit=1 if start_ms is None else _DAY // timeframe.duration + 1,
            now=self.clock.now(),
        )

    def last_price(self, instrument: Instrument) -> float:
        """Return the newest traded price; 0 before the first trade, as the venue does."""
        newest = self.newest(instrument)
        return 0.0 if newest.is_empty() else float(newest["close"][0])


Endpoint = Callable[[Exchange, Parameters], object]


def exchange_app(
    market: Market,
    clock: Clock,
    *,
    weight_limit: int | None = None,
    weight_window_s: float = 60.0,
    more_routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the exchange as an ASGI application.

    Parameters
    ----------
    market : Market
        What trades, and at which prices.
    clock : Clock
        The exchange's time: what it answers on ``/time``, and up to when it shows candles.
    weight_limit : int, optional
        Request weight per minute above which it answers 429; without it, never.
    weight_window_s : float
        Length of that minute; shorter for tests.
    more_routes : Sequence of BaseRoute
        Further endpoints; their handlers find the :class:`Exchange` in ``app.state.exchange``.

    Raises
    ------
    ConfigError
        If two listed symbols have the same spelling at the venue.
    """
    listed = {venue_symbol(instrument): instrument for instrument in market.instruments}
    if len(listed) != len(market.instruments):
        raise ConfigError(f"two listed symbols share one spelling at the venue: {sorted(listed)}")
    app = Starlette(
        routes=[*market_data_routes(), *more_routes],
        exception_handlers={ApiError: answer_api_error, 404: _unknown_path, 405: _unknown_path},
        middleware=[Middleware(_WeightHeader)],
    )
    app.state.exchange = Exchange(market, clock, WeightMeter(weight_limit, weight_window_s), listed)
    return app


def market_data_routes() -> list[Route]:
    """Return the public endpoints below ``/api/v3``."""
    return [
        _route("ping", _ping, 1),
        _route("time", _time, 1),
        _route("exchangeInfo", _exchange_info, 20),
        _route("klines", _klines, 2),
        _route("uiKlines", _klines, 2),
        _route("aggTrades", _aggregate_trades, 4),
        _route("depth", _depth, _depth_weight),
        _route("ticker/24hr", _ticker_24h, _by_symbol(2, 80)),
        _route("ticker/price", _ticker_price, _by_symbol(2, 4)),
        _route("ticker/bookTicker", _book_ticker, _by_symbol(2, 4)),
    ]


def to_milliseconds(instant: datetime) -> int:
    """Return ``instant`` in whole milliseconds since 1970, UTC."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _route(path: str, endpoint: Endpoint, weight: int | Callable[[Parameters], int]) -> Route:
    async def answer(request: Request) -> Response:
        exchange: Exchange = request.app.state.exchange
        parameters = Parameters(request.query_params, exchange.listed)
        exchange.meter.add(weight if isinstance(weight, int) else weight(parameters))
        return JSONResponse(endpoint(exchange, parameters))

    return Route(f"/api/v3/{path}", answer, methods=["GET"])


def _by_symbol(one: int, every: int) -> Callable[[Parameters], int]:
    return lambda parameters: one if "symbol" in parameters.query else every


def _depth_weight(parameters: Parameters) -> int:
    limit = parameters.limit(100, 5_000)
    return next(weight for largest, weight in _DEPTH_WEIGHTS if limit <= largest)


def _unknown_path(request: Request, error: Exception) -> JSONResponse:
    return answer_api_error(request, ApiError.unknown_path(request.url.path, request.method))


class _WeightHeader:
    """Adds the used weight to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_weight(message: Message) -> None:
            if message["type"] == "http.response.start":
                used = str(scope["app"].state.exchange.meter.used).encode()
                headers = [
                    (b"x-mbx-used-weight", used),
                    (b"x-mbx-used-weight-1m", used),
                    (b"date", formatdate(usegmt=True).encode()),
                ]
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        wrapped: Callable[[Message], Awaitable[None]] = send_with_weight
        await self._app(scope, receive, wrapped if scope["type"] == "http" else send)


def _ping(exchange: Exchange, parameters: Parameters) -> dict[str, object]:
    return {}


def _time(exchange: Exchange, parameters: Parameters) -> dict[str, object]:
    return {"serverTime": exchange.now_ms}


def _exchange_info(exchange: Exchange, parameters: Parameters) -> dict[str, object]:
    return {
        "timezone": "UTC",
        "serverTime": exchange.now_ms,
        "rateLimits": [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": exchange.meter.limit or DEFAULT_WEIGHT_LIMIT,
            }
        ],
        "exchangeFilters": [],
        "symbols": [symbol_rules(instrument) for instrument in parameters.instruments()],
    }


def _klines(exchange: Exchange, parameters: Parameters) -> list[list[int | str]]:
    instrument = parameters.instrument()
    interval = parameters.text("interval")
    served = {
        timeframe.name: timeframe for timeframe in exchange.market.timeframes(instrument.symbol)
    }
    timeframe = served.get(interval)
    if timeframe is None:
        raise ApiError.invalid_interval()
    candles = exchange.market.window(
        instrument.symbol,
        timeframe,
        start_ms=parameters.integer("startTime"),
        end_ms=parameters.integer("endTime"),
        limit=parameters.limit(500, _MAX_KLINES),
        now=exchange.clock.now(),
    )
    return klines(candles, timeframe)


def _aggregate_trades(exchange: Exchange, parameters: Parameters) -> list[dict[str, object]]:
    """Return the first trades from ``startTime`` on, or the newest; both bounds are inclusive."""
    instrument = parameters.instrument()
    timeframe, limit = exchange.base_timeframe(instrument), parameters.limit(500, _MAX_KLINES)
    start, end = parameters.integer("startTime"), parameters.integer("endTime")
    candles = exchange.market.window(
        instrument.symbol,
        timeframe,
        # A trade may lie in a candle that opened before the range.
        start_ms=None if start is None else start - timeframe.milliseconds,
        end_ms=end,
        limit=limit,
        now=exchange.clock.now(),
    )
    last = exchange.now_ms if end is None else min(end, exchange.now_ms)
    trades = aggregate_trades(instrument, timeframe, candles, start or 0, last)
    return trades[-limit:] if start is None else trades[:limit]


def _depth(exchange: Exchange, parameters: Parameters) -> dict[str, object]:
    instrument = parameters.instrument()
    levels = parameters.limit(100, 5_000)
    bids, asks = order_book(instrument, exchange.last_price(instrument), levels)
    return {"lastUpdateId": exchange.now_ms, "bids": bids, "asks": asks}


def _ticker_price(exchange: Exchange, parameters: Parameters) -> object:
    return _for_each(
        parameters,
        lambda instrument: {
            "symbol": venue_symbol(instrument),
            "price": price_text(instrument, exchange.last_price(instrument)),
        },
    )


def _book_ticker(exchange: Exchange, parameters: Parameters) -> object:
    return _for_each(parameters, lambda instrument: _best(exchange, instrument))


def _ticker_24h(exchange: Exchange, parameters: Parameters) -> object:
    return _for_each(parameters, lambda instrument: _day_statistics(exchange, instrument))


def _for_each(
    parameters: Parameters, describe: Callable[[Instrument], dict[str, object]]
) -> object:
    answers = [describe(instrument) for instrument in parameters.instruments()]
    return answers[0] if "symbol" in parameters.query else answers


def _best(exchange: Exchange, instrument: Instrument) -> dict[str, object]:
    bids, asks = order_book(instrument, exchange.last_price(instrument), 1)
    nothing = [number(0.0), number(0.0)]
    bid, ask = (levels[0] if levels else nothing for levels in (bids, asks))
    return {
        "symbol": venue_symbol(instrument),
        "bidPrice": bid[0],
        "bidQty": bid[1],
        "askPrice": ask[0],
        "askQty": ask[1],
    }


def _day_statistics(exchange: Exchange, instrument: Instrument) -> dict[str, object]:
    """Return the last 24 hours, in whole base candles."""
    now_ms = exchange.now_ms
    start_ms = now_ms - _DAY // timedelta(milliseconds=1) + 1
    day = exchange.newest(instrument, start_ms)
    rows = day.select("open", "high", "low", "close", "volume").rows()
    first = rows[0][0] if rows else 0.0
    last = rows[-1][3] if rows else exchange.last_price(instrument)
    volume = sum(row[4] for row in rows)
    quote = sum(quote_volume(row) for row in rows)
    best = _best(exchange, instrument)
    return {
        **best,
        "priceChange": price_text(instrument, last - first),
        "priceChangePercent": f"{(last / first - 1) * 100 if first else 0.0:.3f}",
        "weightedAvgPrice": number(quote / volume if volume else 0.0),
        "prevClosePrice": price_text(instrument, first),
        "lastPrice": price_text(instrument, last),
        "lastQty": number(instrument.lot_size),
        "openPrice": price_text(instrument, first),
        "highPrice": price_text(instrument, max((row[1] for row in rows), default=0.0)),
        "lowPrice": price_text(instrument, min((row[2] for row in rows), default=0.0)),
        "volume": number(volume),
        "quoteVolume": number(quote),
        "openTime": start_ms - 1,
        "closeTime": now_ms,
        "firstId": 0,
        "lastId": max(trade_count(quote) - 1, 0),
        "count": trade_count(quote),
    }
