"""Streams in a SQLite file, for one machine without Redis."""

import re
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from trading_pipeline.adapters.storage.sqlite_file import SqliteFile
from trading_pipeline.core.errors import DataError
from trading_pipeline.core.streams import (
    StreamEvent,
    checked_key,
    checked_limit,
    checked_name,
    payload_of,
    payload_text,
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  stream TEXT NOT NULL, key TEXT NOT NULL, payload TEXT NOT NULL, at_us INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS events_of_stream ON events (stream, id);
CREATE TABLE IF NOT EXISTS keys (
  stream TEXT NOT NULL, key TEXT NOT NULL, id INTEGER NOT NULL, at_us INTEGER NOT NULL,
  PRIMARY KEY (stream, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions (
  stream TEXT NOT NULL, consumer TEXT NOT NULL, id INTEGER NOT NULL,
  PRIMARY KEY (stream, consumer)
) WITHOUT ROWID
"""
_REMEMBERED = timedelta(days=7)
_LOOK_EVERY_S = 0.02
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class EmbeddedStream:
    """An ``EventStream`` in one file, for any number of processes of one machine.

    A published event survives power loss (WAL with ``synchronous=FULL``). A waiting reader looks
    every 20 ms. Without a file there are no events; reading makes none.

    Parameters
    ----------
    path : Path
        The file, on a local disk: SQLite's locks do not work over network shares.
    now : callable, optional
        The machine's time, timezone-aware; ages are measured with it.
    """

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._file = SqliteFile(path, _SCHEMA)
        self._now = now

    def publish(self, stream: str, key: str, payload: Mapping[str, Any]) -> str:
        """Append an event; see :class:`~trading_pipeline.core.streams.EventStream`."""
        name, key, text = checked_name("stream", stream), checked_key(key), payload_text(payload)
        at_us = _micros(self._now())
        with self._file.writing() as connection:
            known = connection.execute(
                "SELECT id FROM keys WHERE stream = ? AND key = ?", (name, key)
            ).fetchone()
            if known is not None:
                return str(known[0])
            event_id = connection.execute(
                "INSERT INTO events (stream, key, payload, at_us) VALUES (?, ?, ?, ?)",
                (name, key, text, at_us),
            ).lastrowid
            connection.execute("INSERT INTO keys VALUES (?, ?, ?, ?)", (name, key, event_id, at_us))
        return str(event_id)

    def read(
        self, stream: str, consumer: str, *, limit: int = 100, wait_s: float = 0.0
    ) -> Sequence[StreamEvent]:
        """Return what ``consumer`` has not acknowledged, oldest first."""
        names = checked_name("stream", stream), checked_name("consumer", consumer)
        checked_limit(limit)
        deadline = time.monotonic() + wait_s
        while True:
            events = self._after_position(*names, limit)
            remaining = deadline - time.monotonic()
            if events or remaining <= 0:
                return events
            time.sleep(min(_LOOK_EVERY_S, remaining))

    def acknowledge(self, stream: str, consumer: str, event_id: str) -> None:
        """Move the position of ``consumer`` forward to ``event_id``."""
        names = checked_name("stream", stream), checked_name("consumer", consumer)
        if re.fullmatch(r"[0-9]{1,18}", event_id) is None:
            raise DataError(f"{event_id!r} is no event id of the embedded stream {stream!r}")
        with self._file.writing() as connection:
            connection.execute(
                "INSERT INTO positions VALUES (?, ?, ?) ON CONFLICT DO UPDATE "
                "SET id = max(id, excluded.id)",
                (*names, int(event_id)),
            )

    def newest(self, stream: str, *, limit: int = 100) -> Sequence[StreamEvent]:
        """Return the last events, newest first."""
        name = checked_name("stream", stream)
        return self._select(
            "SELECT id, key, payload FROM events WHERE stream = ? ORDER BY id DESC LIMIT ?",
            (name, checked_limit(limit)),
        )

    def trim(
        self, stream: str, *, max_length: int | None = None, max_age: timedelta | None = None
    ) -> int:
        """Drop the oldest events; return how many."""
        name = checked_name("stream", stream)
        if not self._file.exists:
            return 0
        now_us = _micros(self._now())
        dropped = 0
        with self._file.writing() as connection:
            if max_age is not None:
                dropped += connection.execute(
                    "DELETE FROM events WHERE stream = ? AND at_us < ?",
                    (name, now_us - max_age // _MICROSECOND),
                ).rowcount
            if max_length is not None:
                dropped += connection.execute(
                    "DELETE FROM events WHERE stream = ? AND id <= (SELECT id FROM events "
                    "WHERE stream = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
                    (name, name, max(max_length, 0)),
                ).rowcount
            self._forget_keys(connection, name, now_us)
        return dropped

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _after_position(self, stream: str, consumer: str, limit: int) -> Sequence[StreamEvent]:
        return self._select(
            "SELECT id, key, payload FROM events WHERE stream = ? AND id > coalesce("
            "(SELECT id FROM positions WHERE stream = ? AND consumer = ?), 0) ORDER BY id LIMIT ?",
            (stream, stream, consumer, limit),
        )

    def _select(self, query: str, values: tuple[object, ...]) -> Sequence[StreamEvent]:
        if not self._file.exists:
            return ()
        with self._file.reading() as connection:
            rows = connection.execute(query, values).fetchall()
        return tuple(StreamEvent(str(n), key, payload_of(text)) for n, key, text in rows)

    def _forget_keys(self, connection: sqlite3.Connection, stream: str, now_us: int) -> None:
        connection.execute(
            "DELETE FROM keys WHERE stream = ? AND at_us < ? AND id < coalesce("
            "(SELECT min(id) FROM events WHERE stream = ?), id + 1)",
            (stream, now_us - _REMEMBERED // _MICROSECOND, stream),
        )


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND
