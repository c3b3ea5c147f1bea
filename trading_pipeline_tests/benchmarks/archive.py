"""Import of a public archive's files against reading the same CSV without a check."""

import io
import zipfile
from collections.abc import Generator
from datetime import UTC, datetime
from functools import partial

import polars as pl

from trading_pipeline.adapters.exchanges.archive.paths import ArchiveFile
from trading_pipeline.adapters.exchanges.archive.table import read_archive_table
from trading_pipeline.adapters.exchanges.files.payload import sha256_of
from trading_pipeline.adapters.exchanges.simulated.archive import archive_table, zipped
from trading_pipeline.core.candles import CANDLE_SCHEMA
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.cleaning import clean_candles
from trading_pipeline_tests.benchmarks.inputs import month_frames
from trading_pipeline_tests.benchmarks.measure import Bench, Comparison, Side

_NOW = datetime(2030, 1, 1, tzinfo=UTC)
_MONTHS = 6
_CLOSE = 0.8  # the peer checks nothing


def comparisons(bench: Bench) -> Generator[Comparison, None, None]:
    """Yield comparisons of turning months of the archive into candles, from memory."""
    timeframe = Timeframe(bench.sizes.write_timeframe)
    months = [
        (ArchiveFile(symbol, timeframe, month), archive_table(frame, timeframe))
        for symbol, month, frame in month_frames(timeframe.name, min(bench.sizes.n_months, _MONTHS))
    ]
    n_rows = sum(table.count(b"\n") for _, table in months)
    polars = f"polars {pl.__version__} read_csv"
    note = (
        f"{n_rows:,} {timeframe} candles in {len(months)} files; ours adds the check of every "
        "row and UTC times, and leaves the six columns that nobody reads"
    )
    packed = [(file, zipped(f"{file.stem}.csv", table)) for file, table in months]
    yield Comparison(
        f"archive-import/{timeframe}-zip",
        Side("SHA-256, unzip, parse, clean", partial(_proved, packed)),
        Side(f"zipfile, {polars}", partial(_unzipped_by_polars, packed)),
        _difference,
        _CLOSE,
        note,
    )
    stored = [(file, _stored(f"{file.stem}.csv", table)) for file, table in months]
    plain = [table for _, table in months]
    yield Comparison(
        f"archive-import/{timeframe}-plain",
        Side("CRC, parse, clean", partial(_ours, stored)),
        Side(polars, partial(_by_polars, plain)),
        _difference,
        _CLOSE,
        f"{note}; the ZIPs hold the CSV as it is, so that nobody inflates, and the SHA-256 is left "
        "to the other row",
    )


def _proved(files: list[tuple[ArchiveFile, bytes]]) -> list[pl.DataFrame]:
    for _, content in files:
        sha256_of(content)
    return _ours(files)


def _ours(files: list[tuple[ArchiveFile, bytes]]) -> list[pl.DataFrame]:
    found = []
    for file, content in files:
        rows = read_archive_table(file, content, _NOW)
        found.append(clean_candles(rows, file.timeframe, now=_NOW).candles)
    return found


def _unzipped_by_polars(files: list[tuple[ArchiveFile, bytes]]) -> list[pl.DataFrame]:
    tables = []
    for file, content in files:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            tables.append(archive.read(f"{file.stem}.csv"))
    return _by_polars(tables)


def _by_polars(tables: list[bytes]) -> list[pl.DataFrame]:
    return [pl.read_csv(table, has_header=False) for table in tables]


def _stored(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def _difference(ours: list[pl.DataFrame], theirs: object) -> str | None:
    assert isinstance(theirs, list)
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True), start=1):
        read = other.select(other.columns[: len(CANDLE_SCHEMA)])
        read.columns = list(CANDLE_SCHEMA)
        times = (pl.col("open_time") * 1000).cast(CANDLE_SCHEMA["open_time"])
        if not mine.equals(read.with_columns(times).cast(CANDLE_SCHEMA)):
            return f"the candles of file {number} differ"
    return None
