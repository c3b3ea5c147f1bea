"""The lake: immutable Parquet parts, and one manifest per partition as the commit point.

::

    <root>/<table>/venue=/symbol=/timeframe=/month=/part-<sha>.parquet
                                                    /manifest.json

A partition is what its manifest says; a part that no manifest names does not exist. Writers take
the partition's lock, write a new part, and swap the manifest by an atomic rename. Readers check
the SHA-256 of every part, because Parquet does not notice a flipped bit.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from trading_pipeline.adapters.storage.durable_files import sha256_of, write_durably
from trading_pipeline.core.errors import (
    DataError,
    LakeCorruptionError,
    PartitionNotFoundError,
    StorageError,
)
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe

_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a partition lives: a table, and values of the partition columns in path order."""

    table: str
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> Path:
        """Folder of the partition, relative to the lake's root."""
        return Path(self.table, *(f"{name}={value}" for name, value in self.columns))

    def __str__(self) -> str:
        return self.path.as_posix()


def month_address(
    table: str, venue: str, symbol: Symbol, timeframe: Timeframe, month: Month
) -> Address:
    """Return the address of one symbol's month."""
    return Address(
        table,
        (
            ("venue", venue),
            ("symbol", symbol.key),
            ("timeframe", timeframe.name),
            ("month", month.key),
        ),
    )


def symbol_address(table: str, venue: str, symbol: Symbol, timeframe: Timeframe) -> Address:
    """Return the address of a table that has one partition per symbol."""
    return Address(table, (("venue", venue), ("symbol", symbol.key), ("timeframe", timeframe.name)))


@dataclass(frozen=True, slots=True)
class Part:
    """One immutable Parquet file."""

    name: str
    sha256: str
    n_rows: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a partition holds, and which inputs it was made from.

    ``fingerprint`` is of the inputs, ``content`` of the rows; ``notes`` is what a reader of the
    partition wants to know beside the rows (gaps, dropped rows, a refusal).
    """

    generation: int
    fingerprint: str
    parts: tuple[Part, ...]
    n_rows: int
    first: str | None
    last: str | None
    columns: Mapping[str, str]
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content(self) -> str:
        """Fingerprint of rows and notes."""
        text = json.dumps([[p.sha256 for p in self.parts], self.notes], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


class Lake:
    """Partitions of tables under one folder.

    Parameters
    ----------
    root : Path
        Folder of the lake; made on the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def manifest(self, address: Address) -> Manifest | None:
        """Return the manifest of a partition; None if it was never committed."""
        path = self.root / address.path / _MANIFEST
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            values = json.loads(text)
            if values.pop("sha256") != _seal(values):
                raise ValueError("its SHA-256 is not that of its content")
            values["parts"] = tuple(Part(**part) for part in values["parts"])
            return Manifest(**values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise LakeCorruptionError(
                f"the manifest {path} is damaged ({error}); delete its folder and materialise "
                "the partition again",
                address=str(address),
            ) from error

    def read(self, address: Address, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the rows of a partition, after checking their SHA-256.

        Raises
        ------
        PartitionNotFoundError
            If the partition was never committed.
        LakeCorruptionError
            If a part is missing or its bytes are not those that were written.
        """
        manifest, contents = self._verified(address)
        if manifest is None:
            raise PartitionNotFoundError(
                f"{address} was never materialised; materialise it first", address=str(address)
            )
        wanted = None if columns is None else list(columns)
        frames = [pl.read_parquet(io.BytesIO(content), columns=wanted) for content in contents]
        return frames[0] if len(frames) == 1 else pl.concat(frames)

    def read_if_present(self, address: Address) -> pl.DataFrame | None:
        """Return the rows of a partition; None if it was never committed."""
        return None if self.manifest(address) is None else self.read(address)

    def commit(
        self,
        address: Address,
        rows: pl.DataFrame,
        *,
        fingerprint: str,
        notes: Mapping[str, Any] | None = None,
    ) -> Manifest:
        """Replace a partition by ``rows``; other partitions are not touched.

        The same rows, notes and fingerprint again leave the partition as it is.
        """
        return self._swap(address, lambda: rows, fingerprint, lambda _: notes or {})

    def upsert(
        self,
        address: Address,
        rows: pl.DataFrame,
        *,
        key: str,
        fingerprint: str | Callable[[pl.DataFrame], str],
        notes: Callable[[Manifest | None], Mapping[str, Any]] | None = None,
    ) -> Manifest:
        """Merge ``rows`` into a partition by ``key``; a row with a known key replaces the old one.

        Reading, merging and committing happen under the partition's lock, so that any number of
        processes may write one partition and no row is lost.

        Raises
        ------
        DataError
            If ``rows`` has other columns than the stored rows.
        """

        def merge() -> pl.DataFrame:
            stored = self.read_if_present(address)
            both = rows if stored is None else pl.concat([stored, _like(stored, rows, address)])
            return both.unique(key, keep="last", maintain_order=True).sort(key)

        return self._swap(address, merge, fingerprint, notes or (lambda _: {}))

    def addresses(self, table: str) -> Iterator[Address]:
        """Yield the addresses of the committed partitions of ``table``, in path order."""
        for manifest in sorted((self.root / table).rglob(_MANIFEST)):
            relative = manifest.parent.relative_to(self.root / table)
            pairs = (part.partition("=") for part in relative.parts)
            yield Address(table, tuple((name, value) for name, _, value in pairs))

    def tables(self) -> list[str]:
        """Return the names of the tables that have a partition."""
        if not self.root.is_dir():
            return []
        return sorted(
            folder.name
            for folder in self.root.iterdir()
            if folder.is_dir()
            and not folder.name.startswith(".")
            and any(self.addresses(folder.name))
        )

    def files(self, table: str) -> list[Path]:
        """Return the parts of ``table`` that manifests name, after checking their SHA-256."""
        found: list[Path] = []
        for address in self.addresses(table):
            manifest, _ = self._verified(address)
            parts = manifest.parts if manifest else ()
            found.extend(self.root / address.path / part.name for part in parts)
        return found

    def sweep(self) -> int:
        """Delete files that no manifest names, as a kill leaves them; return how many."""
        swept = 0
        for folder in {path.parent for path in self.root.rglob("*.p*") if path.is_file()}:
            address = Address(folder.relative_to(self.root).as_posix())
            with self._lock(address):
                manifest = self.manifest(address)
                known = {part.name for part in manifest.parts} if manifest else set()
                for path in folder.iterdir():
                    if path.suffix in {".parquet", ".partial"} and path.name not in known:
                        path.unlink()
                        swept += 1
        return swept

    def _swap(
        self,
        address: Address,
        build: Callable[[], pl.DataFrame],
        fingerprint: str | Callable[[pl.DataFrame], str],
        notes: Callable[[Manifest | None], Mapping[str, Any]],
    ) -> Manifest:
        with self._lock(address):
            before = self.manifest(address)
            rows = build()
            mark = fingerprint if isinstance(fingerprint, str) else fingerprint(rows)
            part, content = _encode(rows)
            after = _manifest(before, rows, (part,), mark, notes(before))
            folder = self.root / address.path
            if before is not None and _same(before, after):
                if not _holds(folder / part.name, part):
                    write_durably(folder / part.name, content)
                return before
            write_durably(folder / part.name, content)
            values = asdict(after)
            sealed = json.dumps({**values, "sha256": _seal(values)}, indent=1)
            write_durably(folder / _MANIFEST, sealed.encode())
            # The previous generation stays for readers that looked it up just now.
            keep = {part.name} | ({p.name for p in before.parts} if before else set())
            for path in folder.glob("part-*.parquet"):
                if path.name not in keep:
                    path.unlink()
            return after

    @contextmanager
    def _lock(self, address: Address) -> Iterator[None]:
        from filelock import FileLock

        folder = self.root / ".locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"{folder} could not be made ({error.strerror}); fix the permissions or choose "
                "another storage.root",
                path=str(folder),
            ) from error
        with FileLock(folder / f"{sha256_of(str(address).encode())[:24]}.lock"):
            yield

    def _verified(self, address: Address) -> tuple[Manifest | None, list[bytes]]:
        missing_in: Manifest | None = None
        while True:
            manifest = self.manifest(address)
            try:
                parts = manifest.parts if manifest else ()
                return manifest, [self._verified_bytes(address, part) for part in parts]
            except FileNotFoundError as error:
                # A writer may have replaced the generation that was just looked up.
                if manifest == missing_in:
                    raise LakeCorruptionError(
                        f"{error.filename} is missing; delete the folder of {address} and "
                        "materialise the partition again",
                        address=str(address),
                    ) from error
                missing_in = manifest

    def _verified_bytes(self, address: Address, part: Part) -> bytes:
        path = self.root / address.path / part.name
        content = path.read_bytes()
        if sha256_of(content) != part.sha256:
            raise LakeCorruptionError(
                f"{path} is not what was written (its SHA-256 differs from the manifest's); delete "
                "its folder and materialise the partition again",
                address=str(address),
            )
        return content


def _encode(rows: pl.DataFrame) -> tuple[Part, bytes]:
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="zstd", statistics=True)
    content = buffer.getvalue()
    digest = sha256_of(content)
    return Part(f"part-{digest[:16]}.parquet", digest, rows.height, len(content)), content


def _manifest(
    before: Manifest | None,
    rows: pl.DataFrame,
    parts: tuple[Part, ...],
    fingerprint: str,
    notes: Mapping[str, Any],
) -> Manifest:
    first, last = _range(rows)
    return Manifest(
        generation=1 if before is None else before.generation + 1,
        fingerprint=fingerprint,
        parts=parts,
        n_rows=rows.height,
        first=first,
        last=last,
        columns={name: str(kind) for name, kind in rows.schema.items()},
        # Through JSON, so that what is compared is what will be read.
        notes=json.loads(json.dumps(dict(notes))),
    )


def _range(rows: pl.DataFrame) -> tuple[str | None, str | None]:
    if "open_time" not in rows.columns or rows.is_empty():
        return None, None
    first, last = rows["open_time"].min(), rows["open_time"].max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    return first.isoformat(), last.isoformat()


def _seal(values: Mapping[str, Any]) -> str:
    return sha256_of(json.dumps(values, sort_keys=True).encode())


def _holds(path: Path, part: Part) -> bool:
    return path.is_file() and sha256_of(path.read_bytes()) == part.sha256


def _like(stored: pl.DataFrame, rows: pl.DataFrame, address: Address) -> pl.DataFrame:
    if dict(stored.schema) != dict(rows.schema):
        raise DataError(
            f"{address} holds {dict(stored.schema)}, the new rows {dict(rows.schema)}; "
            "use the same columns, or delete the folder and materialise the partition again",
            address=str(address),
        )
    return rows.select(stored.columns)


def _same(before: Manifest, after: Manifest) -> bool:
    return before.fingerprint == after.fingerprint and before.content == after.content
