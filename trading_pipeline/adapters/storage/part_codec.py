"""Frames as Parquet bytes and back: decimal numbers as whole numbers where nothing is lost.

Prices are decimal numbers that float64 can only approximate, so that their bytes look random. As
whole ticks with delta encoding they take less than half of the room. A column is stored so only
if every value comes back bit for bit; plain DuckDB and polars read it as DECIMAL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from trading_pipeline.core.candles import FloatArray, IntArray

if TYPE_CHECKING:
    import pyarrow as pa

# Whole numbers up to here are exact in float64, so that one correctly rounded division gives the
# float64 nearest to the decimal: in polars, in numpy and in DuckDB alike.
_LARGEST = 2.0**53
_MOST_PLACES = 15
_PRECISION = 18
_SAMPLE = 64
_DELTA = "DELTA_BINARY_PACKED"


@dataclass(frozen=True, slots=True)
class Encoded:
    """A Parquet file in memory; ``decimals`` are the places of columns held as whole numbers."""

    content: bytes
    decimals: Mapping[str, int]


def encode(rows: pl.DataFrame) -> Encoded:
    """Return ``rows`` as one Parquet file: equal rows, equal bytes.

    Pages carry checksums. Columns that :func:`decode` must turn back are named in the result.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Chunks would show in the pages, and equal rows must give equal bytes.
    frame = rows.rechunk()
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    decimals: dict[str, int] = {}
    for index, column in enumerate(frame.get_columns()):
        if column.dtype == pl.Float64 and (found := _as_whole(column)) is not None:
            places, whole = found
            decimals[column.name] = places
            table = table.set_column(index, column.name, _ticks(column, whole, places))
    buffer = pa.BufferOutputStream()
    pq.write_table(
        table,
        buffer,
        store_decimal_as_integer=True,
        write_page_checksum=True,
        **_options(frame, decimals),
    )
    return Encoded(buffer.getvalue().to_pybytes(), decimals)


def decode(
    content: bytes, decimals: Mapping[str, int], columns: Sequence[str] | None = None
) -> pl.DataFrame:
    """Return the rows of :func:`encode`, or only some of their columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Three times as fast as polars here, whose decimals have 128 bits; one thread is the fastest.
    file = pq.ParquetFile(pa.BufferReader(content))
    table = file.read(columns=None if columns is None else list(columns), use_threads=False)
    if columns is not None:
        table = table.select(list(columns))
    whole = [name for name in table.column_names if name in decimals]
    plain = pl.DataFrame(pl.from_arrow(table.drop_columns(whole)))
    return pl.DataFrame(
        [
            _as_float(name, table.column(name), decimals[name]) if name in decimals else plain[name]
            for name in table.column_names
        ]
    )


def _as_float(name: str, column: "pa.ChunkedArray", places: int) -> pl.Series:
    ticks = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    buffer = ticks.buffers()[1]
    whole = np.frombuffer(buffer, np.int64, count=len(ticks), offset=8 * ticks.offset)
    # In numpy: polars multiplies by the reciprocal of a scalar, which rounds twice.
    values = pl.Series(name, whole / 10.0**places)
    if not ticks.null_count:
        return values
    return values.zip_with(pl.Series(ticks.is_valid()), pl.Series([None], dtype=pl.Float64))


def _as_whole(column: pl.Series) -> tuple[int, IntArray] | None:
    values = column.fill_null(0.0).to_numpy() if column.null_count() else column.to_numpy()
    if len(values) == 0 or column.null_count() == len(values):
        return None
    sample = values[:: max(1, len(values) // _SAMPLE)]
    for places in range(_MOST_PLACES + 1):
        if _scaled(sample, places) is not None and (whole := _scaled(values, places)) is not None:
            return places, whole
    return None


def _scaled(values: FloatArray, places: int) -> IntArray | None:
    scale = 10.0**places
    with np.errstate(over="ignore", invalid="ignore"):
        whole = np.rint(values * scale)
        # Written so that NaN fails it.
        if not np.abs(whole).max() <= _LARGEST:
            return None
    ticks = whole.astype(np.int64)
    # By bits, because -0.0 == 0.0.
    is_same = (ticks / scale).view(np.int64) == values.view(np.int64)
    return ticks if bool(is_same.all()) else None


def _ticks(column: pl.Series, whole: IntArray, places: int) -> "pa.Array":
    import pyarrow as pa

    mask = column.is_null().to_numpy() if column.null_count() else None
    buffers = pa.array(whole, mask=mask).buffers()
    return pa.Array.from_buffers(pa.decimal64(_PRECISION, places), len(whole), buffers)


def _options(frame: pl.DataFrame, decimals: Mapping[str, int]) -> dict[str, Any]:
    if any(kind.is_nested() for kind in frame.dtypes):
        # Nested columns go by the names of their leaves; the library's choice is good for them.
        return {"compression": "zstd"}
    encodings = {
        name: "BYTE_STREAM_SPLIT" if kind.is_float() and name not in decimals else _DELTA
        for name, kind in frame.schema.items()
        if (kind.is_numeric() and not kind.is_decimal()) or kind.is_temporal()
    }
    return {
        # Deltas of prices are dense: zstd takes 4 % more off them, and a fifth longer to read.
        "compression": {name: "none" if name in decimals else "zstd" for name in frame.columns},
        "use_dictionary": [name for name in frame.columns if name not in encodings],
        "column_encoding": encodings,
    }
