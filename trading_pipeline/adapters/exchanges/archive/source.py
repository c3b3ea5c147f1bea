"""The archive alone, as a second source that is asked about a gap."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from trading_pipeline.adapters.exchanges.archive.paths import ArchiveFile
from trading_pipeline.adapters.exchanges.archive.reader import ArchiveReader
from trading_pipeline.core.candles import empty_candles
from trading_pipeline.core.clock import Clock
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe

_DAY = timedelta(days=1)
_FEW_DAYS = 3


class ArchiveHistory:
    """Candles of the archive and nothing else: what it does not publish is missing.

    A range of a few days is read from the daily files, a longer one, and days that have none,
    from the monthly file. The files of the last month that was read are kept in memory, because
    gaps come in groups.

    Parameters
    ----------
    reader : ArchiveReader
    clock : Clock
        Nothing that closes after it is delivered.
    """

    def __init__(self, reader: ArchiveReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._kept: dict[ArchiveFile, pl.DataFrame | None] = {}

    def candles(
        self, symbol: Symbol, timeframe: Timeframe, start: datetime, end: datetime
    ) -> pl.DataFrame:
        """Return the archive's candles with ``start <= open_time < end``, oldest first.

        Raises
        ------
        ConfigError
            If an instant has no time zone.
        VenueError
            If the archive cannot answer, or a file is damaged.
        """
        if start.tzinfo is None or end.tzinfo is None:
            raise ConfigError(f"start and end need a time zone, were {start} and {end}")
        now = self._clock.now()
        first, stop = start.astimezone(UTC), min(end, now).astimezone(UTC)
        if stop <= first:
            return empty_candles()
        parts: list[pl.DataFrame] = []
        for month in Month.of(first).until(Month.of(stop - timedelta(microseconds=1))):
            lo, hi = max(first, month.start), min(stop, month.end)
            parts.append(self._of_month(symbol, timeframe, month, lo, hi, now))
        opens = pl.col("open_time")
        return pl.concat(parts).filter((opens >= first) & (opens < stop))

    def _of_month(
        self,
        symbol: Symbol,
        timeframe: Timeframe,
        month: Month,
        lo: datetime,
        hi: datetime,
        now: datetime,
    ) -> pl.DataFrame:
        days = _days(lo, hi)
        if len(days) <= _FEW_DAYS:
            daily = [self._file(ArchiveFile(symbol, timeframe, day), now) for day in days]
            found = [rows for rows in daily if rows is not None]
            if len(found) == len(days):
                return pl.concat(found)
        whole = self._file(ArchiveFile(symbol, timeframe, month), now)
        if whole is not None:
            return whole
        daily = [self._file(ArchiveFile(symbol, timeframe, day), now) for day in days]
        return pl.concat([rows for rows in daily if rows is not None] or [empty_candles()])

    def _file(self, file: ArchiveFile, now: datetime) -> pl.DataFrame | None:
        if file.end > now:
            return None
        if file not in self._kept:
            month = Month.of(file.start)
            self._kept = {f: r for f, r in self._kept.items() if Month.of(f.start) == month}
            read = self._reader.read(file, now)
            self._kept[file] = None if read is None else read.candles
        return self._kept[file]


def _days(lo: datetime, hi: datetime) -> list[date]:
    count = (hi - timedelta(microseconds=1)).date() - lo.date()
    return [lo.date() + n * _DAY for n in range(count.days + 1)]
