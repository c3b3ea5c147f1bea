"""Reading a partition: what its manifest names, and only if the bytes are those that were written.

A part whose SHA-256 differs is named and refused. A part that is gone may mean that a writer
replaced the generation that was just looked up: then the next one is read.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import polars as pl

from trading_pipeline.adapters.storage.addresses import Address
from trading_pipeline.adapters.storage.durable_files import sha256_of
from trading_pipeline.adapters.storage.manifest import Manifest, Part, from_json
from trading_pipeline.adapters.storage.objects import ObjectStore
from trading_pipeline.adapters.storage.part_codec import decode
from trading_pipeline.core.errors import LakeCorruptionError

MANIFEST = "manifest.json"

_Result = TypeVar("_Result")


class PartitionReader:
    """Manifests and verified parts of one store."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def look_up(self, address: Address) -> tuple[Manifest | None, str | None]:
        """Return the manifest of a partition and its version; None, None if there is none.

        Raises
        ------
        LakeCorruptionError
            If the manifest is damaged.
        """
        key = f"{address}/{MANIFEST}"
        stored = self._objects.read(key)
        if stored is None:
            return None, None
        try:
            return from_json(stored.content), stored.version
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise LakeCorruptionError(
                f"the manifest {key} is damaged ({error}); delete its folder and materialise "
                "the partition again",
                address=str(address),
            ) from error

    def rows(
        self, address: Address, columns: Sequence[str] | None = None
    ) -> tuple[Manifest | None, pl.DataFrame | None]:
        """Return the newest generation of a partition and its rows; None, None if there is none."""

        def read(manifest: Manifest) -> pl.DataFrame:
            return self.rows_of(address, manifest, columns)

        return self._newest(address, read)

    def rows_of(
        self, address: Address, manifest: Manifest, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Return the rows of one generation.

        Raises
        ------
        FileNotFoundError
            If a part is missing, as it may be once the generation was replaced.
        LakeCorruptionError
            If the bytes of a part are not those that were written.
        """
        frames = [
            decode(self._verified(address, part)[1], part.decimals, columns)
            for part in manifest.parts
        ]
        return frames[0] if len(frames) == 1 else pl.concat(frames)

    def files(self, address: Address) -> tuple[Manifest | None, list[Path]]:
        """Return the newest generation of a partition and its parts as files, all verified."""

        def verify(manifest: Manifest) -> list[Path]:
            return [self._verified(address, part)[0] for part in manifest.parts]

        manifest, paths = self._newest(address, verify)
        return manifest, paths or []

    def is_intact(self, address: Address, manifest: Manifest) -> bool:
        """Whether every part of a generation is there and as it was written."""
        try:
            for part in manifest.parts:
                self._verified(address, part)
        except (FileNotFoundError, LakeCorruptionError):
            return False
        return True

    def _newest(
        self, address: Address, use: Callable[[Manifest], _Result]
    ) -> tuple[Manifest | None, _Result | None]:
        missing_in: Manifest | None = None
        while True:
            manifest, _ = self.look_up(address)
            if manifest is None:
                return None, None
            try:
                return manifest, use(manifest)
            except FileNotFoundError as error:
                if manifest == missing_in:
                    raise missing(address, error) from error
                missing_in = manifest

    def _verified(self, address: Address, part: Part) -> tuple[Path, bytes]:
        path = self._objects.file(f"{address}/{part.name}", part.sha256)
        content = path.read_bytes()
        if sha256_of(content) != part.sha256:
            raise LakeCorruptionError(
                f"{path} is not what was written (its SHA-256 differs from the manifest's); delete "
                "its folder and materialise the partition again",
                address=str(address),
            )
        return path, content


def missing(address: Address, error: FileNotFoundError) -> LakeCorruptionError:
    """Return the error for a part that is gone although its manifest names it."""
    return LakeCorruptionError(
        f"{error.filename} is missing; delete the folder of {address} and materialise the "
        "partition again",
        address=str(address),
    )
