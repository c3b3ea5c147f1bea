"""A public archive on this machine, in the layout of Binance's: ZIPs of candles with checksums.

Reference: https://github.com/binance/binance-public-data
"""

import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import polars as pl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trading_pipeline.adapters.exchanges.simulated.market import Market
from trading_pipeline.adapters.exchanges.simulated.wire import venue_symbol
from trading_pipeline.core.clock import Clock
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe

MICROSECONDS_SINCE = datetime(2025, 1, 1, tzinfo=UTC)
"""From this day on the archive's times are microseconds, before it milliseconds."""

_PATH = re.compile(
    r"/data/spot/(monthly|daily)/klines/([A-Z0-9]+)/(\w+)/\2-\3-(\d{4}-\d{2}(?:-\d{2})?)\.zip"
)
_HEADER = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
)


class ArchiveShelf:
    """The files of the archive, made when they are first asked for and then kept.

    Parameters
    ----------
    market : Market
        Whose candles are archived.
    clock : Clock
        A file is published when its period is over by ``lag``.
    lag : timedelta
        Time from the end of a month or day until its file is there.
    header : bool
        Whether the tables begin with the names of their columns.
    """

    def __init__(
        self,
        market: Market,
        clock: Clock,
        *,
        lag: timedelta = timedelta(hours=1),
        header: bool = False,
    ) -> None:
        self._market = market
        self._clock = clock
        self._lag = lag
        self._header = header
        self._symbols = {venue_symbol(item): item.symbol for item in market.instruments}
        self._made: dict[str, bytes] = {}

    def zip_at(self, path: str) -> bytes | None:
        """Return the ZIP at ``path``; None if there is none, or none yet.

        An archive has a file for each month and day since the symbol was listed, and none before.
        """
        if path not in self._made:
            content = self._make(path)
            if content is None:
                return None
            self._made[path] = content
        return self._made[path]

    def checksum_at(self, path: str) -> bytes | None:
        """Return the ``.CHECKSUM`` of the ZIP at ``path``; None without that ZIP."""
        content = self.zip_at(path)
        if content is None:
            return None
        name = path.rsplit("/", 1)[1]
        return f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode()

    def _make(self, path: str) -> bytes | None:
        match = _PATH.fullmatch(path)
        symbol = self._symbols.get(match[2]) if match else None
        if match is None or symbol is None:
            return None
        try:
            timeframe, (start, end) = Timeframe(match[3]), _period(match[1], match[4])
        except (ConfigError, ValueError):
            return None
        if end + self._lag > self._clock.now():
            return None
        candles = self._candles(symbol, timeframe, start, end)
        if candles.is_empty():
            return None
        name = path.rsplit("/", 1)[1].removesuffix(".zip")
        return zipped(f"{name}.csv", archive_table(candles, timeframe, header=self._header))

    def _candles(
        self, symbol: Symbol, timeframe: Timeframe, start: datetime, end: datetime
    ) -> pl.DataFrame:
        return self._market.window(
            symbol,
            timeframe,
            start_ms=round(start.timestamp() * 1000),
            end_ms=round(end.timestamp() * 1000) - 1,
            limit=(end - start) // timeframe.duration,
            now=self._clock.now(),
        )


def archive_app(shelf: ArchiveShelf) -> Starlette:
    """Return the archive as an ASGI application; what it does not have is 404."""

    def answer(request: Request) -> Response:
        path = request.url.path
        find: Callable[[str], bytes | None] = shelf.zip_at
        kind = "application/zip"
        if path.endswith(".CHECKSUM"):
            find, kind = shelf.checksum_at, "text/plain"
        content = find(path.removesuffix(".CHECKSUM"))
        if content is None:
            return Response(b"<Error><Code>NoSuchKey</Code></Error>", 404)
        return Response(content, media_type=kind)

    return Starlette(routes=[Route("/{path:path}", answer, methods=["GET"])])


def archive_table(candles: pl.DataFrame, timeframe: Timeframe, *, header: bool = False) -> bytes:
    """Return candles as the archive's CSV of twelve columns.

    Times are milliseconds, or microseconds if the first candle opens in 2025 or later. What a
    candle does not tell is derived: quote volume at the typical price, one trade for about 800
    units of it, half of the volume bought by takers.
    """
    is_new = len(candles) > 0 and candles["open_time"][0] >= MICROSECONDS_SINCE
    unit, length = ("us", timeframe.microseconds) if is_new else ("ms", timeframe.milliseconds)
    opens = pl.col("open_time").dt.epoch("us") // (1 if is_new else 1000)
    quote = pl.col("volume") * (pl.col("high") + pl.col("low") + pl.col("close")) / 3
    rows = candles.select(
        opens.alias("open_time"),
        "open",
        "high",
        "low",
        "close",
        "volume",
        (opens + length - 1).alias(f"close_{unit}"),
        quote.alias("quote"),
        (quote / 800).round().cast(pl.Int64).alias("count"),
        (pl.col("volume") / 2).alias("taker"),
        (quote / 2).alias("taker_quote"),
        pl.lit(0).alias("ignore"),
    )
    buffer = io.BytesIO()
    rows.rename(dict(zip(rows.columns, _HEADER, strict=True))).write_csv(
        buffer, include_header=header, float_precision=8
    )
    return buffer.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    """Return a ZIP of one member; equal content gives equal bytes."""
    buffer = io.BytesIO()
    member = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
    member.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, content)
    return buffer.getvalue()


def _period(grain: str, text: str) -> tuple[datetime, datetime]:
    if grain == "monthly":
        month = Month.parse(text)
        if month.key != text:
            raise ValueError(f"a month is named as 2024-01, was {text}")
        return month.start, month.end
    day = date.fromisoformat(text)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return start, start + timedelta(days=1)
