"""One candle file: what it is, and its candles."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from trading_pipeline.adapters.clock import SystemClock
from trading_pipeline.adapters.exchanges.files.instants import has_zoneless_text, parse_instants
from trading_pipeline.adapters.exchanges.files.layouts import (
    Layout,
    RawTable,
    join_tables,
    read_table,
)
from trading_pipeline.adapters.exchanges.files.payload import read_bytes, sha256_of, unpack
from trading_pipeline.core.clock import Clock
from trading_pipeline.core.errors import CandleFileError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.cleaning import CleanedCandles, clean_candles


@dataclass(frozen=True, slots=True)
class CandleFile:
    """A recognised candle file; ``notes`` say in words what was assumed about it."""

    path: Path
    layout: Layout
    symbol: Symbol
    timeframe: Timeframe
    sha256: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """The raw rows of a file with open times in UTC, before anything is judged."""

    layout: Layout
    rows: pl.DataFrame
    members: tuple[str, ...]
    symbol_cells: tuple[str, ...]
    sha256: str
    notes: tuple[str, ...]

    def spacings(self) -> pl.Series:
        """Return the distances of neighbouring open times in microseconds, ascending."""
        times = self.rows["open_time"].drop_nulls().unique().sort()
        return times.diff().drop_nulls().dt.total_microseconds().sort()


def read_candle_file(file: CandleFile, *, clock: Clock | None = None) -> CleanedCandles:
    """Return the candles of one file and the rows that were dropped, counted and listed.

    Parameters
    ----------
    file : CandleFile
        From :func:`~trading_pipeline.adapters.exchanges.files.scan.scan_candle_files`.
    clock : Clock, optional
        What is not closed by its time is dropped; left out, the time of this machine.

    Raises
    ------
    CandleFileError
        If the file cannot be read, changed since it was scanned, or more than half of its rows
        are no candles.
    """
    now = (clock or SystemClock()).now()
    opened = open_file(file.path, now)
    if opened.sha256 != file.sha256:
        raise CandleFileError(
            f"{file.path} changed since it was scanned; start again when it is complete",
            path=str(file.path),
        )
    try:
        return clean_candles(opened.rows, file.timeframe, now=now)
    except CandleFileError as error:
        raise in_file(file.path, error) from error


def open_file(path: Path, now: datetime) -> OpenedFile:
    """Return the raw rows of ``path`` with parsed open times.

    Raises
    ------
    CandleFileError
        If it cannot be read or is no candle table; the message begins with the path.
    """
    content = read_bytes(path)
    try:
        payloads = unpack(path.name, content)
        table = join_tables([read_table(payload) for payload in payloads])
    except CandleFileError as error:
        raise in_file(path, error) from error
    times = parse_instants(table.rows["open_time"], now)
    rows = table.rows.with_columns(times.alias("open_time"))
    if not len(times) or times.is_null().all():
        raise CandleFileError(
            f"{path}: no open time could be read{_example(table)}; known are seconds, milli-, "
            "micro- and nanoseconds since 1970 and ISO dates, between 2009 and tomorrow",
            path=str(path),
        )
    return OpenedFile(
        layout=table.layout,
        rows=rows,
        members=tuple(payload.name for payload in payloads),
        symbol_cells=table.symbols,
        sha256=sha256_of(content),
        notes=_notes(table, times),
    )


def in_file(path: Path, error: CandleFileError) -> CandleFileError:
    """Return ``error`` with the path in front of its message."""
    return CandleFileError(f"{path}: {error.message}", **{**error.facts, "path": str(path)})


def _example(table: RawTable) -> str:
    # The stored number: a damaged instant may lie beyond what Python can show.
    values = table.rows["open_time"].drop_nulls().to_physical()
    return f", such as {str(values[0])[:40]!r}" if len(values) else ""


def _notes(table: RawTable, times: pl.Series) -> tuple[str, ...]:
    notes = []
    if has_zoneless_text(table.rows["open_time"]):
        notes.append("times carry no zone and are read as UTC")
    known = times.drop_nulls()
    if known.is_sorted(descending=True) and len(known) > 1:
        notes.append("rows are newest first")
    elif not known.is_sorted():
        notes.append("rows are not in order of time")
    if table.layout is Layout.BITFINEX:
        notes.append("columns are read as time, open, close, high, low, volume")
    return tuple(notes)
