"""Recognise the layout of a candle table by its content, and read it into raw rows.

Raw rows have ``open_time`` as it stands in the file (any type), and float64 ``open``, ``high``,
``low``, ``close``, ``volume`` with null where the file holds no number. Nothing is judged here.
"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import polars as pl

from trading_pipeline.adapters.exchanges.files.columns import is_header, map_columns
from trading_pipeline.adapters.exchanges.files.payload import Payload
from trading_pipeline.core.errors import CandleFileError

if TYPE_CHECKING:
    import pyarrow as pa

_BINANCE_WIDTH = 12
_ROW_WIDTHS = (6, 7, 8, 11, _BINANCE_WIDTH)
_VALUES = ("open", "high", "low", "close", "volume")
_PREAMBLE_LINES = 5  # cryptodatadownload puts its address above the header


class Layout(StrEnum):
    """How a candle table is written."""

    FREQTRADE_FEATHER = "freqtrade feather"
    FREQTRADE_JSON = "freqtrade JSON"
    BINANCE_ARCHIVE = "Binance archive CSV"
    CSV = "CSV with a header"
    PLAIN_CSV = "CSV without a header"
    PARQUET = "Parquet"
    ROWS_JSON = "JSON rows"
    RECORDS_JSON = "JSON records"
    BITFINEX = "rows of open, close, high, low"


@dataclass(frozen=True, slots=True)
class RawTable:
    """Raw rows, their layout, and the symbol cells that the table itself carries."""

    layout: Layout
    rows: pl.DataFrame
    symbols: tuple[str, ...] = ()

    @property
    def is_positional(self) -> bool:
        """Whether the columns were taken by position, not by name."""
        return self.layout in (Layout.FREQTRADE_JSON, Layout.PLAIN_CSV)


def read_table(payload: Payload) -> RawTable:
    """Return the raw rows of one table.

    Raises
    ------
    CandleFileError
        If the content is none of the layouts, or is damaged.
    """
    content = payload.content
    if content.startswith(b"PAR1"):
        return _read_parquet(content)
    if content.startswith((b"ARROW1", b"FEA1")):
        return _read_feather(content)
    text = _decode(content)
    if text.startswith(("[", "{")):
        return _read_json(text)
    return _read_csv(text)


def join_tables(tables: Sequence[RawTable]) -> RawTable:
    """Return the rows of all tables of one file, with the column order settled.

    Rows without names are read as open, high, low, close. Bitfinex writes open, close, high, low:
    that order is taken when the usual one is impossible for more than 1 % of the rows and the
    other for less than 0.1 %.

    Raises
    ------
    CandleFileError
        If there is no row, or the members of an archive have different layouts.
    """
    tables = [table for table in tables if len(table.rows)]
    if not tables:
        raise CandleFileError("it holds no row; download it again")
    layouts = sorted({table.layout for table in tables})
    kinds = {str(table.rows.schema["open_time"]) for table in tables}
    if len(layouts) > 1 or len(kinds) > 1:
        raise CandleFileError(
            f"the archive mixes tables ({', '.join(layouts)}; times as {', '.join(sorted(kinds))})"
            "; unpack it and name the files of one kind"
        )
    rows = pl.concat([table.rows for table in tables])
    symbols = tuple(sorted({cell for table in tables for cell in table.symbols}))
    joined = RawTable(layouts[0], rows, symbols)
    if joined.is_positional and _is_open_close_high_low(rows):
        swapped = {"high": "close", "low": "high", "close": "low"}
        return replace(
            joined,
            layout=Layout.BITFINEX,
            rows=rows.rename(swapped).select("open_time", *_VALUES),
        )
    return joined


def _is_open_close_high_low(rows: pl.DataFrame) -> bool:
    first, second, third, fourth = (pl.col(name) for name in _VALUES[:4])
    usual = (second < pl.max_horizontal(first, fourth)) | (third > pl.min_horizontal(first, fourth))
    other = (third < pl.max_horizontal(first, second)) | (fourth > pl.min_horizontal(first, second))
    broken_usual, broken_other = rows.select(usual.sum(), other.sum()).row(0)
    return bool(broken_usual * 100 > len(rows) and broken_other * 1000 < len(rows))


def _decode(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CandleFileError(
            "neither text in UTF-8, nor feather, Parquet, gzip or zip; export it as CSV"
        ) from error
    if "\x00" in text:
        raise CandleFileError("binary content that is no feather, Parquet, gzip or zip")
    text = text.lstrip()
    if not text:
        raise CandleFileError("the table is empty; download it again")
    return text


def _read_parquet(content: bytes) -> RawTable:
    import pyarrow.parquet as pq

    return _from_named(_through_arrow(pq.read_table, content, "Parquet"), Layout.PARQUET)


def _read_feather(content: bytes) -> RawTable:
    import pyarrow.feather as feather

    frame = _through_arrow(feather.read_table, content, "feather")
    return _from_named(frame, Layout.FREQTRADE_FEATHER)


def _through_arrow(
    read: Callable[[io.BytesIO], "pa.Table"], content: bytes, kind: str
) -> pl.DataFrame:
    import pyarrow as pa

    try:
        table = read(io.BytesIO(content))
        # Neither format checks itself at reading: a flipped byte may give offsets out of bounds or
        # text that is no UTF-8, on which Polars panics. Metadata is dropped for the same reason.
        table.validate(full=True)
        bare = pa.Table.from_arrays(table.columns, names=table.column_names)
        return pl.DataFrame(pl.from_arrow(bare))
    except (
        pa.ArrowException,
        OSError,
        ValueError,
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
    ) as error:
        raise _damaged(kind, error) from error


def _read_json(text: str) -> RawTable:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged("JSON", error) from error
    if not isinstance(parsed, list):
        raise CandleFileError(
            "JSON candles are a list of rows [ms, open, high, low, close, volume] or of records, "
            f"was {type(parsed).__name__}"
        )
    if not parsed:
        # An archive of many small files may hold hours without a trade.
        text_columns = dict.fromkeys(("open_time", *_VALUES), pl.String())
        return RawTable(Layout.FREQTRADE_JSON, _numbers(pl.DataFrame(schema=text_columns)))
    if all(isinstance(row, dict) for row in parsed):
        return _from_records(parsed)
    widths = {len(row) if isinstance(row, list) else 0 for row in parsed}
    if len(widths) > 1 or widths.isdisjoint(_ROW_WIDTHS):
        raise CandleFileError(
            f"JSON rows must all have 6 numbers, or 12 as Binance sends them, had {sorted(widths)}"
        )
    layout = Layout.ROWS_JSON if widths == {_BINANCE_WIDTH} else Layout.FREQTRADE_JSON
    times, *values = zip(*(row[:6] for row in parsed), strict=True)
    columns = [_text_column("open_time", times)]
    columns += [_column(name, cells) for name, cells in zip(_VALUES, values, strict=True)]
    return RawTable(layout, _numbers(pl.DataFrame(columns)))


def _from_records(records: list[dict[str, Any]]) -> RawTable:
    headers = list(dict.fromkeys(str(key) for record in records for key in record))
    columns = [
        _text_column(header, [record.get(header) for record in records]) for header in headers
    ]
    return _from_named(pl.DataFrame(columns), Layout.RECORDS_JSON)


def _column(name: str, cells: Sequence[object]) -> pl.Series:
    if set(map(type, cells)) == {float}:
        return pl.Series(name, cells, dtype=pl.Float64)
    return _text_column(name, cells)


def _text_column(name: str, cells: Sequence[object]) -> pl.Series:
    return pl.Series(name, [_as_text(cell) for cell in cells], dtype=pl.String)


def _as_text(cell: object) -> str | None:
    if cell is None or isinstance(cell, bool | list | dict):
        return None
    return cell if isinstance(cell, str) else repr(cell)


def _read_csv(text: str) -> RawTable:
    separator, n_skipped, header = _csv_start(text)
    try:
        frame = pl.read_csv(
            io.BytesIO(text.encode()),
            separator=separator,
            skip_lines=n_skipped,
            has_header=header is not None,
            infer_schema=False,
            null_values=["", "NULL", "null", "NaN", "nan", "None"],
        )
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise _damaged("CSV", error) from error
    if header is not None:
        table = _from_named(frame, Layout.CSV)
        is_archive = frame.width == _BINANCE_WIDTH and header[0].strip() == "open_time"
        return replace(table, layout=Layout.BINANCE_ARCHIVE) if is_archive else table
    if frame.width not in (6, 7, _BINANCE_WIDTH):
        raise CandleFileError(
            f"a CSV without a header must have 6 or 7 columns (time, open, high, low, close, "
            f"volume) or Binance's 12, had {frame.width}; add a header line"
        )
    layout = Layout.BINANCE_ARCHIVE if frame.width == _BINANCE_WIDTH else Layout.PLAIN_CSV
    named = frame.select(
        pl.col(column).alias(name)
        for column, name in zip(frame.columns, ("open_time", *_VALUES), strict=False)
    )
    return RawTable(layout, _numbers(named))


def _csv_start(text: str) -> tuple[str, int, list[str] | None]:
    lines = text[:20_000].splitlines()[:_PREAMBLE_LINES]
    for n_skipped, line in enumerate(lines):
        for separator in (",", ";", "\t"):
            cells = next(csv.reader([line], delimiter=separator), [])
            if is_header(cells):
                return separator, n_skipped, cells
            if len(cells) >= 6 and all(_is_number(cell) for cell in cells[1:5]):
                return separator, n_skipped, None
    raise CandleFileError(
        f"no candle table: no header with open, high, low, close and no row of numbers in the "
        f"first {len(lines)} lines; it begins with {lines[0][:60]!r}"
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _from_named(frame: pl.DataFrame, layout: Layout) -> RawTable:
    mapping = map_columns(frame.columns)
    time = pl.col(mapping.time)
    if mapping.time_of_day is not None:
        both = pl.concat_str([time, pl.col(mapping.time_of_day)], separator=" ")
        is_text = frame.schema[mapping.time_of_day] == pl.String
        time = both if is_text and frame.schema[mapping.time] == pl.String else time
    rows = frame.select(
        time.alias("open_time"), *(pl.col(mapping.values[name]).alias(name) for name in _VALUES)
    )
    cells: tuple[str, ...] = ()
    if mapping.symbol is not None and frame.schema[mapping.symbol] == pl.String:
        cells = tuple(frame[mapping.symbol].drop_nulls().unique().sort().to_list())
    return RawTable(layout, _numbers(rows), cells)


def _numbers(rows: pl.DataFrame) -> pl.DataFrame:
    # Cast before text is tidied: strip_chars exists for text only.
    return rows.with_columns(
        (pl.col(name).str.strip_chars() if rows.schema[name] == pl.String else pl.col(name)).cast(
            pl.Float64, strict=False
        )
        for name in _VALUES
    )


def _damaged(kind: str, error: BaseException) -> CandleFileError:
    reason = str(error).strip().splitlines()
    return CandleFileError(
        f"the {kind} content is damaged ({reason[0][:160] if reason else type(error).__name__}); "
        "download it again"
    )
