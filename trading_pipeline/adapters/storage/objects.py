"""Where the lake's files lie: the port, and a folder of this machine.

Parts are immutable; a manifest is replaced only by compare-and-set. The same contract suite runs
against every store.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from trading_pipeline.adapters.storage.durable_files import (
    WriteHook,
    WriteStep,
    sha256_of,
    write_durably,
)
from trading_pipeline.adapters.storage.lake_crash_points import LakeHook, LakePoint, survive
from trading_pipeline.core.errors import StorageError

_LOCKS = ".locks"


@dataclass(frozen=True, slots=True)
class Stored:
    """An object's bytes, and the version that :meth:`ObjectStore.swap` compares."""

    content: bytes
    version: str


class ObjectStore(Protocol):
    """Named bytes. A key is a relative path with ``/``."""

    @property
    def root(self) -> Path:
        """Folder of this machine that :meth:`file` gives files of."""

    @property
    def is_shared(self) -> bool:
        """Whether other machines write too, which :meth:`lock` cannot hold back.

        There a part's name is never used twice, so that nobody deletes what another one named.
        """

    def read(self, key: str) -> Stored | None:
        """Return an object; None if there is none."""

    def add(self, folder: str, content: bytes, sha256: str) -> str:
        """Store a new immutable part in ``folder`` and return its name."""

    def swap(self, key: str, content: bytes, expected: str | None) -> bool:
        """Replace the object of version ``expected``, or create it where that is None.

        Returns whether it was done; False if another writer was first.
        """

    def file(self, key: str, sha256: str) -> Path:
        """Return a file of this machine with an object's bytes.

        Raises
        ------
        FileNotFoundError
            If there is no such object.
        """

    def delete(self, keys: list[str]) -> None:
        """Delete objects; those that are not there are passed over."""

    def keys(self, prefix: str, *, older_than: timedelta | None = None) -> Iterator[str]:
        """Yield the keys under a folder, in no order; only those of some age, if one is given."""

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold back the other writers of this machine."""


class LocalObjects:
    """Objects as files of one folder, made on the first write.

    Parameters
    ----------
    root : Path
    hook : callable
        Told each step of a write, for tests that kill the writer there.
    """

    is_shared = False

    def __init__(self, root: Path, hook: LakeHook = survive) -> None:
        self.root = root
        self._hook = hook
        self._held = threading.local()

    def read(self, key: str) -> Stored | None:
        """Return an object; None if there is none."""
        try:
            content = (self.root / key).read_bytes()
        except FileNotFoundError:
            return None
        return Stored(content, sha256_of(content))

    def add(self, folder: str, content: bytes, sha256: str) -> str:
        """Store a new immutable part in ``folder`` and return its name."""
        name = f"part-{sha256[:16]}.parquet"
        write_durably(self.root / folder / name, content, self._told("part"))
        return name

    def swap(self, key: str, content: bytes, expected: str | None) -> bool:
        """Replace the object of version ``expected``, or create it where that is None."""
        with self.lock(key.rpartition("/")[0]):
            stored = self.read(key)
            if (stored and stored.version) != expected:
                return False
            write_durably(self.root / key, content, self._told("manifest"))
            return True

    def file(self, key: str, sha256: str) -> Path:
        """Return the file of an object."""
        path = self.root / key
        if not path.is_file():
            raise FileNotFoundError(2, "No such file", str(path))
        return path

    def delete(self, keys: list[str]) -> None:
        """Delete objects; those that are not there are passed over."""
        for key in keys:
            (self.root / key).unlink(missing_ok=True)

    def keys(self, prefix: str, *, older_than: timedelta | None = None) -> Iterator[str]:
        """Yield the keys under a folder, in no order; only those of some age, if one is given."""
        import time

        youngest = None if older_than is None else time.time() - older_than.total_seconds()
        for folder, folders, names in os.walk(self.root / prefix):
            if _LOCKS in folders:
                folders.remove(_LOCKS)
            for name in names:
                path = Path(folder, name)
                if youngest is None or path.stat().st_mtime < youngest:
                    yield path.relative_to(self.root).as_posix()

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold back the other writers of this machine; a thread may take it twice."""
        held: set[str] = self._held.__dict__.setdefault("names", set())
        if name in held:
            yield
            return
        with local_lock(self.root, name):
            held.add(name)
            try:
                yield
            finally:
                held.remove(name)

    def _told(self, file: str) -> WriteHook | None:
        if self._hook is survive:
            return None

        def tell(step: WriteStep) -> None:
            self._hook(LakePoint(f"{file}_{step}"))

        return tell


@contextmanager
def local_lock(root: Path, name: str) -> Iterator[None]:
    """Hold a lock file under ``root``; the death of its holder frees it.

    Raises
    ------
    StorageError
        If the folder of locks cannot be made.
    """
    from filelock import FileLock

    folder = root / _LOCKS
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{folder} could not be made ({error.strerror}); fix the permissions or choose "
            "another storage.root",
            path=str(folder),
        ) from error
    with FileLock(folder / f"{sha256_of(name.encode())[:24]}.lock"):
        yield
