"""Committing a partition: new parts first, then the manifest by compare-and-set."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from trading_pipeline.adapters.storage.addresses import Address
from trading_pipeline.adapters.storage.durable_files import sha256_of
from trading_pipeline.adapters.storage.lake_crash_points import LakeHook, LakePoint
from trading_pipeline.adapters.storage.manifest import Manifest, Part, successor, to_json
from trading_pipeline.adapters.storage.objects import ObjectStore
from trading_pipeline.adapters.storage.part_codec import Encoded, encode
from trading_pipeline.adapters.storage.partition_reader import MANIFEST, PartitionReader, missing
from trading_pipeline.core.errors import LakeConflictError

# A writer loses a race only to one that wins it; the pauses between attempts spread them.
_ATTEMPTS = 60
_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 1.0
# A partition has one part, or a large one and a tail that is written anew by each change at its
# end. A longer tail costs more to write, a shorter one is folded into the large part more often.
_LARGEST_TAIL = 1 / 8


@dataclass(frozen=True, slots=True)
class Draft:
    """What a partition is to hold.

    Parameters
    ----------
    rows : DataFrame
        All rows.
    fingerprint : str
    notes : mapping
    n_kept : int
        How many of the first rows are stored already, bit for bit and in this order.
    is_verified : bool
        Whether the present parts were read and verified for this draft.
    is_compaction : bool
        Whether all rows are to be one part, although they are there already.
    """

    rows: pl.DataFrame
    fingerprint: str
    notes: Mapping[str, Any]
    n_kept: int = 0
    is_verified: bool = False
    is_compaction: bool = False


class PartitionWriter:
    """Commits to partitions of one store; who was second drafts again from what is there then."""

    def __init__(
        self,
        objects: ObjectStore,
        reader: PartitionReader,
        hook: LakeHook,
        attempts: int = _ATTEMPTS,
    ) -> None:
        self._objects = objects
        self._attempts = attempts
        self._reader = reader
        self._hook = hook

    def commit(self, address: Address, draft: Callable[[Manifest | None], Draft]) -> Manifest:
        """Commit what ``draft`` makes of the present manifest, and return the new one.

        Raises
        ------
        LakeConflictError
            If other machines were first in every attempt.
        LakeCorruptionError
            If ``draft`` needs a part that is missing or damaged.
        """
        missing_in: str | None = None
        with self._objects.lock(str(address)):
            self._hook(LakePoint.LOCKED)
            for attempt in range(self._attempts):
                before, version = self._reader.look_up(address)
                try:
                    after = self._attempt(address, before, version, draft(before))
                except FileNotFoundError as error:
                    # Another machine may have replaced the generation that was just looked up.
                    if version == missing_in:
                        raise missing(address, error) from error
                    missing_in = version
                    continue
                if after is not None:
                    self._hook(LakePoint.COMMITTED)
                    return after
                pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**attempt)
                time.sleep(random.uniform(0.0, pause))
        raise LakeConflictError(
            f"{address} was changed by other writers during each of {self._attempts} attempts; let "
            "fewer of them write it at once, then run again",
            address=str(address),
        )

    def _attempt(
        self, address: Address, before: Manifest | None, version: str | None, draft: Draft
    ) -> Manifest | None:
        parts, rows_sha256 = self._write_parts(address, before, draft)
        after = successor(
            before,
            draft.rows,
            parts=parts,
            rows_sha256=rows_sha256,
            fingerprint=draft.fingerprint,
            notes=draft.notes,
        )
        if before is not None and _is_same(before, after):
            return before
        if self._objects.swap(f"{address}/{MANIFEST}", to_json(after), version):
            self._delete(address, () if before is None else before.retired, kept=after)
            return after
        # Nothing is deleted: the manifest may have been stored and its answer lost, and another
        # writer may have built on these parts since. The sweep removes them if nobody names them.
        return None

    def _write_parts(
        self, address: Address, before: Manifest | None, draft: Draft
    ) -> tuple[tuple[Part, ...], str]:
        whole = encode(draft.rows)
        sha256 = sha256_of(whole.content)
        if before is not None and not draft.is_compaction:
            is_known = sha256 == before.whole_sha256
            if is_known and (draft.is_verified or self._reader.is_intact(address, before)):
                return before.parts, sha256
            large = before.parts[0]
            tail = draft.rows[large.n_rows :]
            if draft.n_kept >= large.n_rows and tail.height <= large.n_rows * _LARGEST_TAIL:
                file = encode(tail)
                return (large, self._add(address, tail, file, sha256_of(file.content))), sha256
        return (self._add(address, draft.rows, whole, sha256),), sha256

    def _add(self, address: Address, rows: pl.DataFrame, file: Encoded, sha256: str) -> Part:
        name = self._objects.add(str(address), file.content, sha256)
        return Part(name, sha256, rows.height, len(file.content), file.decimals)

    def _delete(self, address: Address, names: tuple[str, ...], *, kept: Manifest) -> None:
        named = {*kept.retired, *(part.name for part in kept.parts)}
        for name in names:
            if name not in named:
                self._objects.delete([f"{address}/{name}"])
                self._hook(LakePoint.OLD_PART_DELETED)


def _is_same(before: Manifest, after: Manifest) -> bool:
    return (before.fingerprint, before.content, before.parts) == (
        after.fingerprint,
        after.content,
        after.parts,
    )
