"""The candle contract: columns, types, order.

One row is one **closed** candle. ``open_time`` is timezone-aware UTC in microseconds, unique and
ascending; prices are in the quote currency, ``volume`` in the base currency.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from trading_pipeline.core.errors import CandleSchemaError

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

OPEN_TIME_TYPE = pl.Datetime("us", "UTC")
CANDLE_SCHEMA: dict[str, pl.DataType] = {
    "open_time": OPEN_TIME_TYPE,
    "open": pl.Float64(),
    "high": pl.Float64(),
    "low": pl.Float64(),
    "close": pl.Float64(),
    "volume": pl.Float64(),
}


@dataclass(frozen=True, slots=True)
class CandleArrays:
    """Candles as arrays of shape (n_bars,), oldest first.

    ``open_time`` is int64 microseconds since 1970 (UTC); the others are float64.
    """

    open_time: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    def __len__(self) -> int:
        return len(self.open_time)


def empty_candles() -> pl.DataFrame:
    """Return a candle frame without rows."""
    return pl.DataFrame(schema=CANDLE_SCHEMA)


def conform(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the candle columns of ``frame`` in contract order, after checking the contract.

    Raises
    ------
    CandleSchemaError
        If a column is missing or has another type, a value is null or not finite, or the rows
        are not unique and ascending by ``open_time``.
    """
    missing = [name for name in CANDLE_SCHEMA if name not in frame.columns]
    if missing:
        raise CandleSchemaError(f"candles need the columns {missing}, had {frame.columns}")
    candles = frame.select(list(CANDLE_SCHEMA))
    for name, expected in CANDLE_SCHEMA.items():
        if candles.schema[name] != expected:
            raise CandleSchemaError(
                f"candle column {name} must be {expected}, was {candles.schema[name]}"
            )
    if sum(candles.null_count().row(0)):
        raise CandleSchemaError("candles must not hold nulls; drop or refetch those rows")
    times = candles["open_time"]
    if not (times.is_sorted() and times.n_unique() == len(times)):
        raise CandleSchemaError("candles must be unique and ascending by open_time")
    for name in ("open", "high", "low", "close", "volume"):
        if not candles[name].is_finite().all():
            raise CandleSchemaError(f"candle column {name} must be finite")
    return candles


def candle_arrays(candles: pl.DataFrame) -> CandleArrays:
    """Return the columns of a candle frame as arrays, oldest first."""
    return CandleArrays(
        candles["open_time"].dt.epoch("us").to_numpy(),
        *(candles[name].to_numpy() for name in ("open", "high", "low", "close", "volume")),
    )
