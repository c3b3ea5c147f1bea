"""Yahoo Finance's chart service on this machine: daily and hourly charts of a simulated market.

As the real one: times in seconds, missing bars as nulls, the running bar stamped with the time of
its last trade, volume as turnover in dollars, hourly charts of the last 730 days only.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from trading_pipeline.adapters.exchanges.simulated.market import Market
from trading_pipeline.core.clock import Clock
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe

_HOURLY_DAYS = 730
_INTERVALS = {"1h": "1h", "60m": "1h", "1d": "1d"}
_RANGES = {"1d": timedelta(days=1), "5d": timedelta(days=5)}
_COLUMNS = ("open", "high", "low", "close", "volume")
_HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"


def yahoo_app(market: Market, clock: Clock) -> Starlette:
    """Return the chart service as an ASGI application.

    Parameters
    ----------
    market : Market
        BTC/USDT of this market is charted as BTC-USD.
    clock : Clock
        The service's time: the ``Date`` of its answers, and up to when it shows bars.
    """
    charted = {f"{item.symbol.base}-USD": item.symbol for item in market.instruments}

    def chart(request: Request) -> JSONResponse:
        now = clock.now()
        answer = _answer(market, charted, now, request.path_params["ticker"], request.query_params)
        answer.headers["Date"] = now.strftime(_HTTP_DATE)
        return answer

    return Starlette(routes=[Route("/v8/finance/chart/{ticker}", chart, methods=["GET"])])


def _answer(
    market: Market,
    charted: Mapping[str, Symbol],
    now: datetime,
    ticker: str,
    query: Mapping[str, str],
) -> JSONResponse:
    symbol = charted.get(ticker)
    if symbol is None:
        return _error(404, "Not Found", "No data found, symbol may be delisted")
    name = _INTERVALS.get(query.get("interval", "1d"))
    if name is None:
        return _error(422, "Unprocessable Entity", "Invalid input - interval is not supported")
    timeframe = Timeframe(name)
    start, end = _span(query, now)
    oldest = now - timedelta(days=_HOURLY_DAYS)
    if name == "1h" and start < oldest - timedelta(days=1):
        return _error(
            422,
            "Unprocessable Entity",
            f"1h data not available for startTime={round(start.timestamp())} and "
            f"endTime={round(end.timestamp())}. The requested range must be within the last "
            f"{_HOURLY_DAYS} days.",
        )
    return _chart(ticker, _bars(market, symbol, timeframe, start, end, now), timeframe, now)


def _span(query: Mapping[str, str], now: datetime) -> tuple[datetime, datetime]:
    if "period1" in query and "period2" in query:
        first, last = (
            datetime.fromtimestamp(int(query[key]), UTC) for key in ("period1", "period2")
        )
        return first, min(last, now)
    return now - _RANGES.get(query.get("range", "1d"), timedelta(days=1)), now


def _bars(
    market: Market,
    symbol: Symbol,
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    now: datetime,
) -> pl.DataFrame:
    rows = market.window(
        symbol,
        timeframe,
        start_ms=round(start.timestamp() * 1000),
        end_ms=round(end.timestamp() * 1000) - 1,
        limit=max((end - start) // timeframe.duration + 1, 0),
        now=now,
    )
    if rows.is_empty():
        return rows
    first, last = rows["open_time"][0], rows["open_time"][-1]
    grid = pl.datetime_range(first, last, timeframe.duration, time_zone="UTC", eager=True)
    # A bar without a trade is there, with nulls.
    return (
        grid.alias("open_time")
        .cast(rows.schema["open_time"])
        .to_frame()
        .join(rows, on="open_time", how="left", maintain_order="left")
    )


def _chart(ticker: str, rows: pl.DataFrame, timeframe: Timeframe, now: datetime) -> JSONResponse:
    meta: dict[str, Any] = {"currency": "USD", "symbol": ticker, "priceHint": 2}
    result: dict[str, Any] = {"meta": meta, "indicators": {"quote": [{}]}}
    if not rows.is_empty():
        times = rows["open_time"].dt.epoch("s").to_list()
        if rows["open_time"][-1] + timeframe.duration > now:
            times[-1] = int(now.timestamp())
        dollars = rows.with_columns(pl.col("volume") * pl.col("close"))
        result["timestamp"] = times
        result["indicators"]["quote"] = [{name: dollars[name].to_list() for name in _COLUMNS}]
        meta["regularMarketPrice"] = rows["close"].drop_nulls()[-1]
    return JSONResponse({"chart": {"result": [result], "error": None}})


def _error(status: int, code: str, description: str) -> JSONResponse:
    error = {"code": code, "description": description}
    return JSONResponse({"chart": {"result": None, "error": error}}, status)
