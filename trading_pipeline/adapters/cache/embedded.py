"""A cache in a SQLite file, shared by the processes of one machine."""

import time
from collections.abc import Callable
from pathlib import Path

from trading_pipeline.adapters.storage.sqlite_file import SqliteFile
from trading_pipeline.core.cache import checked_ttl

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
  key TEXT PRIMARY KEY, value BLOB NOT NULL, until REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_end ON entries (until)
"""


class EmbeddedCache:
    """A ``Cache`` in one file. Each write drops what is over, so that the file stays small.

    Parameters
    ----------
    path : Path
    clock : callable, optional
        Seconds since 1970, of this machine.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._file = SqliteFile(path, _SCHEMA, "NORMAL")
        self._clock = clock

    def get(self, key: str) -> bytes | None:
        """Return what is stored under ``key``, if its time is not over."""
        if not self._file.exists:
            return None
        with self._file.reading() as connection:
            row = connection.execute(
                "SELECT value FROM entries WHERE key = ? AND until > ?", (key, self._clock())
            ).fetchone()
        return None if row is None else bytes(row[0])

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store ``value`` for ``ttl_s`` seconds."""
        until = self._clock() + checked_ttl(ttl_s)
        with self._file.writing() as connection:
            connection.execute("DELETE FROM entries WHERE until <= ?", (self._clock(),))
            connection.execute(
                "INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", (key, value, until)
            )

    def delete(self, key: str) -> None:
        """Forget ``key``."""
        if self._file.exists:
            with self._file.writing() as connection:
                connection.execute("DELETE FROM entries WHERE key = ?", (key,))

    def close(self) -> None:
        """Close the file."""
        self._file.close()
