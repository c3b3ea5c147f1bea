"""The IO manager: partitions in and out of the lake, one at a time or a range.

A range run is many small commits. Every partition is committed when it is finished; after a kill
the next run finds what was committed by its input fingerprint and makes only the rest. Dagster's
own ``UPathIOManager`` refuses ranges.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dagster as dg
import polars as pl

from trading_pipeline.adapters.storage.lake import (
    Address,
    Lake,
    Manifest,
    month_address,
    symbol_address,
)
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import PartitionNotFoundError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.defs.metadata import standard_metadata
from trading_pipeline.defs.partitions import Cell

Metadata = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    """What one partition became: rows, notes beside them, and rows of companion tables.

    Companions are committed before the partition itself, whose manifest is the commit point.
    """

    rows: pl.DataFrame
    notes: Mapping[str, Any] = field(default_factory=dict)
    companions: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    merge: bool = False


@dataclass(frozen=True, slots=True)
class RangeOutput:
    """What an asset returns: how to make any of its partitions.

    Parameters
    ----------
    context : AssetExecutionContext
        Takes the metadata of each partition.
    fingerprint : callable
        Input fingerprint of a partition; an unchanged one is not made again.
    make : callable
        Makes a partition.
    describe : callable, optional
        Metadata beyond rows, range and schema, from the stored rows and notes.
    is_kept : callable, optional
        Whether what was made beside the lake, such as a file, is still there.
    """

    context: dg.AssetExecutionContext
    fingerprint: Callable[[Cell], str]
    make: Callable[[Cell], Made]
    describe: Callable[[Cell, pl.DataFrame, Mapping[str, Any]], Metadata] | None = None
    is_kept: Callable[[Cell], bool] = lambda _: True


class StoredTable:
    """An upstream table as an asset reads it: lazily, by cell, with its fingerprints.

    Manifests are read once, so that a partition that is rewritten during a run cannot give it two
    answers.
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
        if cell not in self._manifests:
            self._manifests[cell] = self._lake.manifest(self.address(cell))
        return self._manifests[cell]

    def months(self, symbol: Symbol) -> list[Month]:
        """Return the months of ``symbol`` within the profile's history that were committed.

        Oldest first. Months that an earlier profile of the same storage left behind are not seen.
        """
        first, last = self._market.history_start, self._market.history_end
        wanted = {
            "venue": self._market.venue,
            "symbol": symbol.key,
            "timeframe": self._market.base_timeframe,
        }
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
        """Return the rows of ``cell``.

        Raises
        ------
        PartitionNotFoundError
            If it was never materialised; the message says what to materialise.
        """
        return self._lake.read(self.address(cell))

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


class LakeIOManager(dg.IOManager):
    """Commits what assets make, partition by partition, and serves it to the next."""

    def __init__(self, lake: Lake, settings: Settings) -> None:
        self._lake = lake
        self._settings = settings

    def load_input(self, context: dg.InputContext) -> StoredTable:
        """Return the upstream table; nothing is read until the asset asks."""
        return StoredTable(self._lake, self._settings, context.asset_key.path[-1])

    def handle_output(self, context: dg.OutputContext, obj: RangeOutput) -> None:
        """Make, commit and describe every partition of the run that is not up to date."""
        table = StoredTable(self._lake, self._settings, context.asset_key.path[-1])
        # Dagster gives the keys of a range in no order; oldest first is what a rerun goes on from.
        keys: list[str | None] = (
            [*sorted(context.asset_partition_keys)] if context.has_asset_partitions else [None]
        )
        described: dict[str | None, Metadata] = {}
        n_made = 0
        try:
            for key in keys:
                cell = Cell.parse(key)
                mark = obj.fingerprint(cell)
                manifest = table.manifest(cell)
                is_current = (
                    manifest is not None and manifest.fingerprint == mark and obj.is_kept(cell)
                )
                if not is_current:
                    manifest = commit(self._lake, table, cell, obj.make(cell), mark)
                    n_made += 1
                assert manifest is not None
                described[key] = self._describe(obj, table, cell, manifest, is_current=is_current)
        finally:
            is_whole = len(described) == len(keys)
            for key, metadata in described.items():
                if is_whole:
                    _annotate(obj.context, key, metadata)
                else:
                    # Dagster records nothing for a step that fails; these were committed.
                    obj.context.log_event(
                        dg.AssetMaterialization(
                            context.asset_key, partition=key, metadata=dict(metadata)
                        )
                    )
        obj.context.log.info("%s: %d made, %d unchanged", table.name, n_made, len(keys) - n_made)

    def _describe(
        self,
        obj: RangeOutput,
        table: StoredTable,
        cell: Cell,
        manifest: Manifest,
        *,
        is_current: bool,
    ) -> Metadata:
        metadata = dict(standard_metadata(manifest, is_current=is_current))
        if is_current and (before := _told_before(obj.context, table.name, cell, manifest)):
            return {**before, **metadata}
        if obj.describe is not None:
            rows = self._lake.read(table.address(cell))
            metadata |= obj.describe(cell, rows, manifest.notes)
        return metadata


def _told_before(
    context: dg.AssetExecutionContext, table: str, cell: Cell, manifest: Manifest
) -> Metadata:
    # Pictures are most of the cost of a run that makes nothing. What was told about this very
    # generation still holds; of any other generation nothing is taken.
    partitions = [cell.key] if cell.key else None
    found = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(table), asset_partitions=partitions), limit=1
    ).records
    event = found[0].asset_materialization if found else None
    if event is None:
        return {}
    told = event.metadata.get("generation"), event.metadata.get("input_fingerprint")
    here = (manifest.generation, manifest.fingerprint[:16])
    return event.metadata if tuple(item and item.value for item in told) == here else {}


def _annotate(context: dg.AssetExecutionContext, key: str | None, metadata: Metadata) -> None:
    if key is None:
        context.add_asset_metadata(dict(metadata))
    else:
        context.add_asset_metadata(dict(metadata), partition_key=key)


def commit(lake: Lake, table: StoredTable, cell: Cell, made: Made, mark: str) -> Manifest:
    """Commit one partition, its companions first."""
    for name, rows in made.companions.items():
        lake.commit(table.beside(name).address(cell), rows, fingerprint=mark)
    address = table.address(cell)
    if made.merge:
        return lake.upsert(
            address, made.rows, key="open_time", fingerprint=mark, notes=lambda _: made.notes
        )
    return lake.commit(address, made.rows, fingerprint=mark, notes=made.notes)


def address_of(venue: str, timeframe: Timeframe, table: str, cell: Cell) -> Address:
    """Return the address of a cell of ``table``."""
    if cell.symbol is None:
        return Address(table)
    if cell.month is None:
        return symbol_address(table, venue, cell.symbol, timeframe)
    return month_address(table, venue, cell.symbol, timeframe, cell.month)
