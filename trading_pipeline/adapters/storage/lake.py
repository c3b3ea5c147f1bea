"""The lake: immutable Parquet parts, and one manifest per partition as the commit point.

::

    <root>/<table>/venue=/symbol=/timeframe=/month=/part-<sha>.parquet
                                                    /manifest.json

A partition is what its manifest says; a part that no manifest names does not exist. Writers write
new parts, then swap the manifest by compare-and-set; who was second reads, merges and tries again.
Readers check the SHA-256 of every part, because Parquet does not notice a flipped bit.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from trading_pipeline.adapters.storage.addresses import Address, month_address, symbol_address
from trading_pipeline.adapters.storage.lake_crash_points import LakeHook, survive
from trading_pipeline.adapters.storage.manifest import Manifest, Part
from trading_pipeline.adapters.storage.merging import merge
from trading_pipeline.adapters.storage.objects import LocalObjects, ObjectStore
from trading_pipeline.adapters.storage.partition_reader import MANIFEST, PartitionReader
from trading_pipeline.adapters.storage.partition_writer import Draft, PartitionWriter
from trading_pipeline.core.errors import LakeConflictError, PartitionNotFoundError

__all__ = ["Address", "Lake", "Manifest", "Part", "PartFile", "month_address", "symbol_address"]

# A writer of another machine that takes longer from its part to its manifest may lose the part.
_GRACE = timedelta(days=1)
_WRITERS = 4
_LOOSE = (".parquet", ".partial")


@dataclass(frozen=True, slots=True)
class PartFile:
    """A part as a verified file of this machine, with the types that its columns stand for."""

    path: Path
    part: Part
    columns: Mapping[str, str]


class Lake:
    """Partitions of tables in one folder or object store.

    Parameters
    ----------
    root : Path or ObjectStore
        A folder, made on the first write, or any other store.
    hook : callable
        Told each step of a commit, for tests that kill the writer there.
    """

    def __init__(self, root: Path | ObjectStore, hook: LakeHook = survive) -> None:
        self._objects: ObjectStore = LocalObjects(root, hook) if isinstance(root, Path) else root
        self._reader = PartitionReader(self._objects)
        self._writer = PartitionWriter(self._objects, self._reader, hook)

    @property
    def root(self) -> Path:
        """Folder of this machine: of the lake, or of copies of an object store's parts."""
        return self._objects.root

    def manifest(self, address: Address) -> Manifest | None:
        """Return the manifest of a partition; None if it was never committed."""
        return self._reader.look_up(address)[0]

    def read(self, address: Address, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the rows of a partition, after checking their SHA-256.

        Raises
        ------
        PartitionNotFoundError
            If the partition was never committed.
        LakeCorruptionError
            If a part is missing or its bytes are not those that were written.
        """
        rows = self._reader.rows(address, columns)[1]
        if rows is None:
            raise _never_made(address)
        return rows

    def read_generation(
        self, address: Address, manifest: Manifest | None
    ) -> tuple[Manifest, pl.DataFrame]:
        """Return the rows of the generation that ``manifest`` is of; the newest if it is gone.

        Returns the manifest of the rows too, by which the caller sees which of the two they are.

        Raises
        ------
        PartitionNotFoundError
            If ``manifest`` is None, or the partition was dropped since.
        LakeCorruptionError
            If a part is missing or its bytes are not those that were written.
        """
        if manifest is not None:
            try:
                return manifest, self._reader.rows_of(address, manifest)
            except FileNotFoundError:
                newest, rows = self._reader.rows(address)
                if newest is not None and rows is not None:
                    return newest, rows
        raise _never_made(address)

    def read_if_present(self, address: Address) -> pl.DataFrame | None:
        """Return the rows of a partition; None if it was never committed."""
        return self._reader.rows(address)[1]

    def commit(
        self,
        address: Address,
        rows: pl.DataFrame,
        *,
        fingerprint: str,
        notes: Mapping[str, Any] | None = None,
        expected_generation: int | None = None,
    ) -> Manifest:
        """Replace a partition by ``rows``; other partitions are not touched.

        The same rows, notes and fingerprint again leave the partition as it is.

        Parameters
        ----------
        address : Address
        rows : DataFrame
        fingerprint : str
        notes : mapping, optional
        expected_generation : int, optional
            The generation that ``rows`` were made from, 0 if there was none. Without it, whatever
            is there is replaced.

        Raises
        ------
        LakeConflictError
            If the partition has another generation by now; it is left as it is.
        """

        def draft(before: Manifest | None) -> Draft:
            if expected_generation is not None:
                _require(address, before, expected_generation)
            return Draft(rows, fingerprint, notes or {})

        return self._writer.commit(address, draft)

    def require_generation(self, address: Address, expected: int) -> None:
        """Refuse a partition that has another generation than ``expected``, 0 for none.

        For what is written before a commit that expects it; the commit looks again.

        Raises
        ------
        LakeConflictError
            If it has another one.
        """
        _require(address, self.manifest(address), expected)

    def commit_all(
        self, partitions: Iterable[tuple[Address, pl.DataFrame]], *, fingerprint: str
    ) -> list[Manifest]:
        """Replace many partitions; while one waits for the disk, others are encoded.

        Each is a commit of its own, as by :meth:`commit`: after a failure those that were
        finished stay, and the same again brings the rest.
        """
        from concurrent.futures import ThreadPoolExecutor

        def commit(partition: tuple[Address, pl.DataFrame]) -> Manifest:
            return self.commit(*partition, fingerprint=fingerprint)

        with ThreadPoolExecutor(_WRITERS, thread_name_prefix="lake") as pool:
            return list(pool.map(commit, partitions))

    def upsert(
        self,
        address: Address,
        rows: pl.DataFrame,
        *,
        key: str | Sequence[str],
        fingerprint: str | Callable[[pl.DataFrame], str],
        notes: Callable[[Manifest | None], Mapping[str, Any]] | None = None,
        observe: Callable[[pl.DataFrame | None, pl.DataFrame], None] | None = None,
    ) -> Manifest:
        """Merge ``rows`` into a partition by ``key``; a row with a known key replaces the old one.

        Reading, merging and committing are one step, so that any number of processes may write
        one partition and no row is lost. Changes at its end are written as a small second part, so
        that a refresh of the running month is cheap. ``observe`` is called under the lock before
        the commit, with the stored rows (None in a new partition) and the new ones; after a lost
        race it is called again with what is stored then.

        Raises
        ------
        DataError
            If ``rows`` has other columns than the stored rows.
        LakeConflictError
            If other machines were first in every one of many attempts.
        """
        keys = [key] if isinstance(key, str) else list(key)

        def draft(before: Manifest | None) -> Draft:
            stored = None if before is None else self._reader.rows_of(address, before)
            if observe is not None:
                observe(stored, rows)
            after = merge(stored, rows, keys, address)
            return Draft(
                after.rows,
                fingerprint if isinstance(fingerprint, str) else fingerprint(after.rows),
                {} if notes is None else notes(before),
                n_kept=after.n_kept,
                is_verified=True,
            )

        return self._writer.commit(address, draft)

    def compact(self, address: Address) -> Manifest:
        """Write the rows of a partition as one part; rows, notes and fingerprints stay.

        Raises
        ------
        PartitionNotFoundError
            If the partition was never committed.
        """

        def draft(before: Manifest | None) -> Draft:
            if before is None:
                raise PartitionNotFoundError(
                    f"{address} was never materialised; there is nothing to compact",
                    address=str(address),
                )
            rows = self._reader.rows_of(address, before)
            return Draft(
                rows,
                before.fingerprint,
                before.notes,
                is_verified=True,
                is_compaction=len(before.parts) > 1,
            )

        return self._writer.commit(address, draft)

    def addresses(self, table: str) -> Iterator[Address]:
        """Yield the addresses of the committed partitions of ``table``, in path order."""
        found = [key.split("/") for key in self._objects.keys(table)]
        for *folders, name in sorted(found):
            if name == MANIFEST:
                yield Address.parse("/".join(folders))

    def tables(self) -> list[str]:
        """Return the names of the tables that have a partition."""
        manifests = (key for key in self._objects.keys("") if key.endswith(f"/{MANIFEST}"))
        return sorted({key.partition("/")[0] for key in manifests})

    def files(self, table: str) -> list[Path]:
        """Return the parts of ``table`` that manifests name, after checking their SHA-256."""
        return [part.path for part in self.part_files(table)]

    def part_files(self, table: str) -> list[PartFile]:
        """Return the parts of ``table`` as files of this machine, after checking their SHA-256.

        Files of a folder are those of the lake itself; those of an object store are copies.
        """
        found: list[PartFile] = []
        for address in self.addresses(table):
            manifest, paths = self._reader.files(address)
            if manifest is not None:
                listed = zip(paths, manifest.parts, strict=True)
                found.extend(PartFile(path, part, manifest.columns) for path, part in listed)
        return found

    def drop(self, address: Address) -> bool:
        """Delete a partition and return whether there was one.

        The manifest goes first: after a kill half-way the partition does not exist, and what is
        left of it is swept. On an object store nobody else may write the partition meanwhile.
        """
        with self._objects.lock(str(address)):
            was_there = self._objects.read(f"{address}/{MANIFEST}") is not None
            self._objects.delete([f"{address}/{MANIFEST}"])
        self._sweep_folder(str(address), None)
        return was_there

    def sweep(self, *, grace: timedelta = _GRACE) -> int:
        """Delete files that no manifest names, as a kill leaves them; return how many.

        In an object store those younger than ``grace`` stay: a writer may be about to name them.
        """
        age = grace if self._objects.is_shared else None
        loose = [key for key in self._objects.keys("", older_than=age) if key.endswith(_LOOSE)]
        return sum(
            self._sweep_folder(folder, age)
            for folder in sorted({key.rpartition("/")[0] for key in loose})
        )

    def _sweep_folder(self, folder: str, age: timedelta | None) -> int:
        address = Address.parse(folder)
        with self._objects.lock(str(address)):
            manifest = self.manifest(address)
            named = {part.name for part in manifest.parts} if manifest else set()
            # Readers elsewhere may still be at what was retired last.
            if manifest is not None and self._objects.is_shared:
                named |= {*manifest.retired}
            orphans = []
            for key in self._objects.keys(folder, older_than=age):
                of, _, name = key.rpartition("/")
                if of == folder and name.endswith(_LOOSE) and name not in named:
                    orphans.append(key)
            self._objects.delete(orphans)
            return len(orphans)


def _require(address: Address, before: Manifest | None, expected: int) -> None:
    generation = 0 if before is None else before.generation
    if generation != expected:
        raise LakeConflictError(
            f"{address} was to replace generation {expected}, but another writer committed "
            f"generation {generation} meanwhile; read it and make it again",
            address=str(address),
            generation=generation,
        )


def _never_made(address: Address) -> PartitionNotFoundError:
    return PartitionNotFoundError(
        f"{address} was never materialised; materialise it first", address=str(address)
    )
