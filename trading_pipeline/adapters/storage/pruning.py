"""What is old in a lake and in folders, and how it goes: a partition's manifest first."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from trading_pipeline.core.errors import StorageError
from trading_pipeline.core.month import Month

if TYPE_CHECKING:
    from trading_pipeline.adapters.storage.addresses import Address
    from trading_pipeline.adapters.storage.lake import Lake


@dataclass(frozen=True, slots=True)
class OldPartition:
    """A month of a table that ended long ago."""

    address: "Address"
    month: Month
    n_rows: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class OldFile:
    """A file that was not changed for long."""

    path: Path
    n_bytes: int


def old_partitions(
    lake: "Lake", before: datetime, tables: Sequence[str] | None = None
) -> Iterator[OldPartition]:
    """Yield the partitions whose month ended at ``before`` or earlier; default of every table.

    Tables without months, such as backtest results, are never yielded.
    """
    for table in lake.tables() if tables is None else tables:
        for address in lake.addresses(table):
            named = dict(address.columns).get("month")
            month = None if named is None else Month.parse(named)
            if month is None or month.end > before:
                continue
            manifest = lake.manifest(address)
            if manifest is not None:
                n_bytes = sum(part.n_bytes for part in manifest.parts)
                yield OldPartition(address, month, manifest.n_rows, n_bytes)


def old_files(folders: Iterable[Path], before: datetime) -> Iterator[OldFile]:
    """Yield the files under ``folders`` that were last changed before ``before``, by path."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            state = path.stat()
            if datetime.fromtimestamp(state.st_mtime, UTC) < before:
                yield OldFile(path, state.st_size)


def delete_files(files: Iterable[OldFile]) -> int:
    """Delete files, and folders that this leaves empty; return how many files went.

    Raises
    ------
    StorageError
        If one cannot be deleted; those before it are gone.
    """
    deleted, folders = 0, set()
    for file in files:
        try:
            file.path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"{file.path} could not be deleted ({error.strerror}); fix the permissions, then "
                "run again",
                path=str(file.path),
            ) from error
        deleted += 1
        folders.add(file.path.parent)
    for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    return deleted
