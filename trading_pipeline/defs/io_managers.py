"""The IO manager: partitions in and out of the lake, one at a time or a range.

A range run is many small commits. Every partition is committed when it is finished; after a kill
the next run finds what was committed by its input fingerprint and makes only the rest. Dagster's
own ``UPathIOManager`` refuses ranges.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import dagster as dg
import polars as pl

from trading_pipeline.adapters.storage.lake import Lake, Manifest
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import LakeConflictError, TradingPipelineError
from trading_pipeline.core.fingerprint import fingerprint
from trading_pipeline.defs.isolation import Failures
from trading_pipeline.defs.metadata import standard_metadata
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.defs.stored_table import StoredTable, tables_read
from trading_pipeline.market_data.revisions import REVISION_KEY, Revisions

__all__ = [
    "REVISIONS",
    "LakeIOManager",
    "Made",
    "RangeOutput",
    "StoredTable",
    "commit",
    "make_and_commit",
]

REVISIONS = "candle_revisions"
"""Table of candles that changed after they were stored, and of holes that were filled."""

Metadata = Mapping[str, Any]

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Made:
    """What one partition became: rows, notes beside them, and rows of companion tables.

    Companions are committed before the partition itself, whose manifest is the commit point; an
    empty one is only to replace what is there. ``revisions`` says where changes of stored candles
    are kept. ``notes_after`` gives the notes of a merge from the stored notes and the new ones;
    without it the new ones stay.
    """

    rows: pl.DataFrame
    notes: Mapping[str, Any] = field(default_factory=dict)
    companions: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    merge: bool = False
    revisions: Revisions | None = None
    notes_after: Callable[[Metadata, Metadata], Metadata] | None = None


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


class LakeIOManager(dg.IOManager):
    """Commits what assets make, partition by partition, and serves it to the next.

    Parameters
    ----------
    lake : Lake
    settings : Settings
    on_partition : callable, optional
        Told the table and the cell of every partition of a run when it is up to date.
    """

    def __init__(
        self,
        lake: Lake,
        settings: Settings,
        on_partition: Callable[[str, Cell], None] = lambda *_: None,
    ) -> None:
        self._lake = lake
        self._settings = settings
        self._on_partition = on_partition

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
        n_made, failures = 0, Failures()
        try:
            for key in keys:
                cell = Cell.parse(key)
                if failures.is_given_up(cell):
                    continue
                try:
                    manifest, is_current = self._settle(table, cell, obj)
                except TradingPipelineError as error:
                    failures.add(cell, error)
                    continue
                failures.passed()
                n_made += not is_current
                described[key] = self._describe(obj, table, cell, manifest, is_current=is_current)
                self._on_partition(table.name, cell)
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
        unchanged = len(described) - n_made
        obj.context.log.info("%s: %d made, %d unchanged", table.name, n_made, unchanged)
        failures.raise_all(table.name)

    def _settle(self, table: StoredTable, cell: Cell, obj: RangeOutput) -> tuple[Manifest, bool]:
        """Return the manifest of a partition, and whether it was there and up to date."""
        mark = obj.fingerprint(cell)
        manifest = table.manifest(cell)
        if manifest is not None and manifest.fingerprint == mark and obj.is_kept(cell):
            return manifest, True
        _, made = make_and_commit(self._lake, table, cell, partial(obj.make, cell), mark)
        return made, False

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
            shown, rows = self._lake.read_generation(table.address(cell), manifest)
            metadata |= obj.describe(cell, rows, shown.notes)
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


def make_and_commit(
    lake: Lake, table: StoredTable, cell: Cell, make: Callable[[], Made], mark: str
) -> tuple[Made, Manifest]:
    """Make one partition and commit it, over nobody's work that it was not made from.

    Where another writer committed meanwhile, or had newer inputs, it is made again from what is
    stored by then: every table that ``make`` reads forgets its manifests first.

    Raises
    ------
    LakeConflictError
        If others were first several times.
    """
    before, attempt = table.manifest(cell), 1
    while True:
        with tables_read() as tables:
            made = make()
        try:
            # What is older than the stored rows although its inputs were just read anew is so
            # because the source itself went back, such as files that were replaced.
            if attempt > 1 or not _turns_back(before, made):
                n_before = before.generation if before else 0
                return made, commit(lake, table, cell, made, mark, n_before)
        except LakeConflictError:
            if attempt == _ATTEMPTS:
                raise
        attempt += 1
        # First this, then the inputs: whoever wrote it had read inputs no newer than these.
        before = lake.manifest(table.address(cell))
        for one in tables:
            one.forget()
        # Its inputs may be newer than those that the mark is of, so that it is nobody's mark:
        # the next run looks at the partition again.
        mark = fingerprint("made again", mark)


def _turns_back(before: Manifest | None, made: Made) -> bool:
    if before is None or made.merge:
        return False
    return str(before.notes.get("as_of", "")) > str(made.notes.get("as_of", ""))


def commit(
    lake: Lake,
    table: StoredTable,
    cell: Cell,
    made: Made,
    mark: str,
    expected_generation: int | None = None,
) -> Manifest:
    """Commit one partition, its companions first; what is merged replaces no generation."""
    address = table.address(cell)
    if expected_generation is not None and not made.merge:
        # Else who is too late would leave its companions beside the partition of another.
        lake.require_generation(address, expected_generation)
    for name, rows in made.companions.items():
        beside = table.beside(name).address(cell)
        if not rows.is_empty() or lake.manifest(beside) is not None:
            lake.commit(beside, rows, fingerprint=mark)

    def observe(stored: pl.DataFrame | None, new: pl.DataFrame) -> None:
        changes = made.revisions.rows(stored, new) if made.revisions else pl.DataFrame()
        if not changes.is_empty():
            kept = table.beside(REVISIONS).address(cell)
            lake.upsert(kept, changes, key=REVISION_KEY, fingerprint="what was seen")

    def notes(before: Manifest | None) -> Metadata:
        if before is None or made.notes_after is None:
            return made.notes
        return made.notes_after(before.notes, made.notes)

    if made.merge:
        return lake.upsert(
            address,
            made.rows,
            key="open_time",
            fingerprint=mark,
            notes=notes,
            observe=observe,
        )
    if made.revisions is not None and lake.manifest(address) is not None:
        observe(lake.read(address), made.rows)
    return lake.commit(
        address,
        made.rows,
        fingerprint=mark,
        notes=made.notes,
        expected_generation=expected_generation,
    )
