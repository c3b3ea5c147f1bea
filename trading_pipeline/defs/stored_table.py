"""Tables of the lake as assets read them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import polars as pl

from trading_pipeline.adapters.storage.lake import Address, Lake, Manifest
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import PartitionNotFoundError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.defs.addresses import address_of
from trading_pipeline.defs.partitions import Cell

# Assets are functions that close over the tables they read; only the tables can tell which.
_READ: ContextVar["set[StoredTable] | None"] = ContextVar("tables read", default=None)


class StoredTable:
    """An upstream table as an asset reads it: lazily, by cell, with its fingerprints.

    Manifests are read once, and rows are those of the manifest, so that a partition that is
    rewritten during a run cannot give it two answers. Only where the parts of that generation are
    gone by the time their rows are asked for, rows and all that is asked later are the newest.
    """

    def __init__(self, lake: Lake, settings: Settings, name: str) -> None:
        self._lake = lake
        self._settings = settings
        self._market = settings.market
        self.name = name
        self._manifests: dict[Cell, Manifest | None] = {}

    @property
    def timeframe(self) -> Timeframe:
        """Length of the candles that the table is about."""
        return self._market.timeframe

    def address(self, cell: Cell) -> Address:
        """Return where ``cell`` lives."""
        return address_of(self._market.venue, self._market.timeframe, self.name, cell)

    def beside(self, name: str) -> "StoredTable":
        """Return another table of the same lake and market."""
        return StoredTable(self._lake, self._settings, name)

    def manifest(self, cell: Cell) -> Manifest | None:
        """Return the manifest of ``cell``; None if it was never committed."""
        if (read := _READ.get()) is not None:
            read.add(self)
        if cell not in self._manifests:
            self._manifests[cell] = self._lake.manifest(self.address(cell))
        return self._manifests[cell]

    def forget(self) -> None:
        """Read the manifests again from here on."""
        self._manifests.clear()

    def months(self, symbol: Symbol) -> list[Month]:
        """Return the months of ``symbol`` within the profile's history that were committed.

        Oldest first. Months that an earlier profile of the same storage left behind are not seen.
        """
        first, last = self._market.history_start, self._market.history_end
        wanted = dict(self.address(Cell(symbol)).columns)
        found = []
        for address in self._lake.addresses(self.name):
            columns = dict(address.columns)
            month = columns.pop("month", None)
            is_inside = month is not None and first <= month <= (last or month)
            if columns == wanted and month is not None and is_inside:
                found.append(Month.parse(month))
        return sorted(found)

    def content(self, cell: Cell) -> str | None:
        """Return the content fingerprint of ``cell``; None if it was never committed."""
        manifest = self.manifest(cell)
        return manifest.content if manifest else None

    def contents(self, symbol: Symbol, first: Month, last: Month) -> list[str | None]:
        """Return the content fingerprints of a range of months."""
        return [self.content(Cell(symbol, month)) for month in first.until(last)]

    def notes(self, cell: Cell) -> Mapping[str, Any]:
        """Return the notes of ``cell``; empty if it was never committed."""
        manifest = self.manifest(cell)
        return manifest.notes if manifest else {}

    def first_open_time(self, symbol: Symbol, first: Month, last: Month) -> datetime | None:
        """Return the oldest ``open_time`` of a range of months; None if it has no rows."""
        for month in first.until(last):
            manifest = self.manifest(Cell(symbol, month))
            if manifest is not None and manifest.first is not None:
                return datetime.fromisoformat(manifest.first)
        return None

    def last_close(
        self, symbol: Symbol, first: Month, last: Month, timeframe: Timeframe
    ) -> datetime:
        """Return the close time of the newest candle of a range; the range's start without any."""
        for month in reversed(list(first.until(last))):
            manifest = self.manifest(Cell(symbol, month))
            if manifest is not None and manifest.last is not None:
                return datetime.fromisoformat(manifest.last) + timeframe.duration
        return first.start

    def rows(self, cell: Cell) -> pl.DataFrame:
        """Return the rows of ``cell`` that its manifest tells of.

        Raises
        ------
        PartitionNotFoundError
            If it was never materialised; the message says what to materialise.
        """
        manifest, rows = self._lake.read_generation(self.address(cell), self.manifest(cell))
        self._manifests[cell] = manifest
        return rows

    def between(self, symbol: Symbol, first: Month, last: Month) -> pl.DataFrame:
        """Return the rows of a range of months; months never materialised have none.

        Raises
        ------
        PartitionNotFoundError
            If no month of the range was materialised.
        """
        cells = [Cell(symbol, month) for month in first.until(last)]
        frames = [self.rows(cell) for cell in cells if self.manifest(cell) is not None]
        if not frames:
            raise PartitionNotFoundError(
                f"{self.name} has nothing for {symbol} from {first} to {last}; materialise "
                f"{self.name} for these months first",
                table=self.name,
                symbol=symbol.key,
            )
        return pl.concat(frames)


@contextmanager
def tables_read() -> Iterator[set[StoredTable]]:
    """Collect the tables of which this thread asks for a partition within the block."""
    tables: set[StoredTable] = set()
    token = _READ.set(tables)
    try:
        yield tables
    finally:
        _READ.reset(token)
