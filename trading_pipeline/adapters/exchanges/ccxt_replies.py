"""What ccxt hands over, checked and turned into our types.

ccxt fills what it cannot read with None and sorts what came in; nothing of that may become data.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

import numpy as np
import polars as pl

from trading_pipeline.adapters.exchanges.ccxt_client import check_candle_row, malformed
from trading_pipeline.core.candles import CANDLE_SCHEMA, FloatArray, conform
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_MS = 1_230_768_000_000  # 2009-01-01, before any exchange
_LATEST_MS = 4_102_444_800_000  # 2100-01-01


def instant(milliseconds: object, venue: str) -> datetime:
    """Return the venue's time, timezone-aware UTC.

    Raises
    ------
    MalformedReplyError
        If it is not an integer between 2009 and 2100.
    """
    if not isinstance(milliseconds, int) or not _EARLIEST_MS <= milliseconds < _LATEST_MS:
        raise malformed(venue, f"{milliseconds!r} instead of its time in milliseconds")
    return _EPOCH + timedelta(milliseconds=milliseconds)


def last_price(ticker: object, symbol: Symbol, venue: str) -> Decimal:
    """Return the last price of a ticker.

    Raises
    ------
    MalformedReplyError
        If it is the ticker of another symbol or has no positive last price.
    """
    if not isinstance(ticker, dict) or ticker.get("symbol") != symbol.pair:
        raise malformed(venue, f"something that is not the quote of {symbol}", symbol=symbol.key)
    price = decimal(ticker.get("last"))
    if price is None or price <= 0:
        raise malformed(
            venue, f"the last price {ticker.get('last')!r} for {symbol}", symbol=symbol.key
        )
    return price


def decimal(value: object) -> Decimal | None:
    """Return ``value`` in plain digits, without trailing zeros; None if it is no finite number."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    # Decimal("1E+3") would print in that form in every message and file.
    return Decimal(f"{number.normalize():f}") if number.is_finite() else None


def candle_rows(rows: object, timeframe: Timeframe, now_ms: int, venue: str) -> FloatArray:
    """Return a page of candles as an array of shape (n_rows, 6): open time in ms, OHLCV.

    Ascending and unique by open time; equal repetitions are dropped.

    Raises
    ------
    MalformedReplyError
        If a row is not six finite numbers, lies off the timeframe's grid, before 2009 or more
        than one bar after ``now_ms``, or two rows disagree about one candle.
    """
    if not isinstance(rows, list):
        raise malformed(venue, f"{type(rows).__name__} instead of a list of candles")
    if not rows:
        return np.empty((0, 6))
    for row in rows:
        check_candle_row(row, venue)
    table = np.array([row[:6] for row in rows], dtype=np.float64)
    opens = table[:, 0]
    is_off = (opens % timeframe.milliseconds != 0) | (opens < _EARLIEST_MS)
    if is_off.any():
        raise malformed(venue, f"candles off the grid of {timeframe}: {opens[is_off][0]:.16g} ms")
    # A bar may open between reading the time and reading the candles, but not two.
    if opens.max() > now_ms + timeframe.milliseconds:
        raise malformed(venue, f"a candle of the future: {opens.max():.16g} ms, at {now_ms} ms")
    return _unique(table, venue)


def candle_frame(pages: list[FloatArray]) -> pl.DataFrame:
    """Return pages of :func:`candle_rows`, in order, as a frame in the candle contract."""
    frame = pl.DataFrame(np.concatenate(pages), schema=list(CANDLE_SCHEMA))
    micros = pl.col("open_time").cast(pl.Int64) * 1_000
    return conform(frame.with_columns(micros.cast(CANDLE_SCHEMA["open_time"])))


def _unique(table: FloatArray, venue: str) -> FloatArray:
    step = np.diff(table[:, 0])
    if (step < 0).any():
        raise malformed(venue, "candles out of order")
    is_repeated = step == 0
    if (table[1:][is_repeated] != table[:-1][is_repeated]).any():
        raise malformed(venue, "two different candles with one open time")
    kept: FloatArray = table[np.concatenate([[True], ~is_repeated])]
    return kept
