"""The table in an archive's ZIP, as raw rows.

The twelve columns of the layout are known, so that a sound file is parsed straight into numbers.
Whatever does not parse so goes through the reader of candle files, which takes anything.
"""

import re
from datetime import datetime

import polars as pl

from trading_pipeline.adapters.exchanges.archive.paths import ArchiveFile
from trading_pipeline.adapters.exchanges.files.instants import parse_instants
from trading_pipeline.adapters.exchanges.files.layouts import read_table
from trading_pipeline.adapters.exchanges.files.payload import unpack
from trading_pipeline.core.candles import CANDLE_SCHEMA
from trading_pipeline.core.errors import CandleFileError

_ROW = re.compile(rb"\d+(,[^,\r\n]*){11}\r?\n")
_HEADER = re.compile(rb"open_time,[^\r\n]*\r?\n")
_READ = [f"column_{number}" for number in range(1, 7)]
# Times are numbers here; the other columns are not parsed.
_COLUMNS = {
    **dict(zip(_READ, (pl.Int64(), *[pl.Float64()] * 5), strict=True)),
    **{f"column_{number}": pl.String() for number in range(7, 13)},
}


def read_archive_table(file: ArchiveFile, content: bytes, now: datetime) -> pl.DataFrame:
    """Return the raw rows of the ZIP ``content``, in the columns of the candle contract.

    Rows outside the file's period are left as they are; ``clean_candles`` and whoever asked for a
    range judge them.

    Raises
    ------
    CandleFileError
        If it is not a ZIP of exactly one table, unpacks to more than the file can hold, is
        damaged, or has other columns.
    """
    if not content.startswith(b"PK\x03\x04"):
        raise CandleFileError(f"it must be a ZIP, begins with {content[:16]!r}")
    members = unpack(f"{file.stem}.zip", content, largest=file.largest)
    if [member.name for member in members] != [f"{file.stem}.csv"]:
        raise CandleFileError(
            f"it must be a ZIP of {file.stem}.csv alone, has {[member.name for member in members]}"
        )
    rows = _fast(members[0].content)
    if rows is None:
        rows = read_table(members[0]).rows
    times = parse_instants(rows["open_time"], now)
    return _within(file, rows.with_columns(times.alias("open_time")))


def _fast(content: bytes) -> pl.DataFrame | None:
    header = _HEADER.match(content)
    if not _ROW.match(content, header.end() if header else 0):
        return None
    try:
        return pl.read_csv(
            content,
            has_header=False,
            skip_lines=0 if header is None else 1,
            columns=_READ,
            schema=_COLUMNS,
        ).rename(dict(zip(_READ, CANDLE_SCHEMA, strict=True)))
    except pl.exceptions.PolarsError:
        return None


def _within(file: ArchiveFile, rows: pl.DataFrame) -> pl.DataFrame:
    times = rows["open_time"].drop_nulls()
    if len(times) and not times.is_between(file.start, file.end, closed="left").all():
        raise CandleFileError(
            f"its rows must open from {file.start.isoformat()} to {file.end.isoformat()}, were "
            f"{times.sort()[0]} to {times.sort()[-1]}"
        )
    return rows
