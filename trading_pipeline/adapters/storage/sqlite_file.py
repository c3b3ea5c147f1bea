"""A SQLite file that several processes share: WAL mode, short transactions, our errors."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from trading_pipeline.core.errors import StorageError, StoreUnavailableError

_BUSY_S = 30.0
_TRANSIENT = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class SqliteFile:
    """One connection to a file, opened when it is first written; safe for threads.

    Parameters
    ----------
    path : Path
        Made, with its folder, on the first write.
    schema : str
        Statements of ``CREATE ... IF NOT EXISTS``.
    durability : {"FULL", "NORMAL"}
        FULL: what was committed survives power loss. NORMAL: it survives a kill.
    """

    def __init__(
        self, path: Path, schema: str, durability: Literal["FULL", "NORMAL"] = "FULL"
    ) -> None:
        self.path = path
        self._schema = schema
        self._durability = durability
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.RLock()

    @property
    def exists(self) -> bool:
        """Whether anything was ever written."""
        return self.path.is_file()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection in a transaction that commits at the end, or not at all.

        Raises
        ------
        StoreUnavailableError
            If other processes keep the file locked for 30 s.
        StorageError
            If the disk is full, or the file is damaged or cannot be opened.
        """
        with self._lock, self._translated():
            connection = self._opened()
            # Not deferred: a reader that turns writer may not wait for others, it fails.
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection for one statement; raises as :meth:`writing` does."""
        with self._lock, self._translated():
            yield self._opened()

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        deadline = time.monotonic() + _BUSY_S
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                break
            except sqlite3.OperationalError as error:
                # Changing the mode does not wait for the others that open a new file just now.
                if error.sqlite_errorcode not in _TRANSIENT or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        connection.execute(f"PRAGMA synchronous={self._durability}")
        connection.execute("BEGIN IMMEDIATE")
        for statement in self._schema.split(";"):
            connection.execute(statement)
        connection.execute("COMMIT")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode in _TRANSIENT:
                raise StoreUnavailableError(
                    f"{self.path} was locked by other processes for {_BUSY_S:.0f} s; "
                    "try again later",
                    path=str(self.path),
                ) from error
            raise self._failed(error) from error
        except (sqlite3.DatabaseError, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StorageError:
        return StorageError(
            f"{self.path} cannot be used ({error}); free space, fix the permissions, or move a "
            "damaged file away",
            path=str(self.path),
        )
