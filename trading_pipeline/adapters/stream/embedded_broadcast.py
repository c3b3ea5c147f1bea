"""Live updates through a SQLite file, between the processes of one machine."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trading_pipeline.adapters.storage.sqlite_file import SqliteFile
from trading_pipeline.core.broadcast import Update
from trading_pipeline.core.streams import checked_name, payload_of, payload_text

_SCHEMA = """
CREATE TABLE IF NOT EXISTS updates (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  topic TEXT NOT NULL, payload TEXT NOT NULL
)
"""
_LOOK_EVERY_S = 0.02
# A listener that is further behind than this has lost the oldest; nobody keeps up that slowly.
_KEPT = 10_000


class EmbeddedBroadcast:
    """A ``Broadcast`` in one file. A listener looks every 20 ms; the last 10 000 are kept for it.

    Parameters
    ----------
    path : Path
        On a local disk.
    """

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, _SCHEMA, "NORMAL")

    def send(self, topic: str, payload: Mapping[str, Any]) -> None:
        """Send an update to everybody who listens to ``topic`` now."""
        row = checked_name("topic", topic), payload_text(payload)
        with self._file.writing() as connection:
            sent = connection.execute(
                "INSERT INTO updates (topic, payload) VALUES (?, ?)", row
            ).lastrowid
            connection.execute("DELETE FROM updates WHERE id <= ?", ((sent or 0) - _KEPT,))

    def subscribe(self, topics: Sequence[str]) -> "EmbeddedSubscription":
        """Return a subscription to ``topics``."""
        return EmbeddedSubscription(self._file, [checked_name("topic", topic) for topic in topics])

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class EmbeddedSubscription:
    """What one listener hears; made by :meth:`EmbeddedBroadcast.subscribe`."""

    def __init__(self, file: SqliteFile, topics: Sequence[str]) -> None:
        self._file = file
        self._topics = frozenset(topics)
        self._waiting: deque[Update] = deque()
        with file.reading() as connection:
            # What was deleted counts too, which max(id) would forget.
            row = connection.execute(
                "SELECT seq FROM sqlite_sequence WHERE name = 'updates'"
            ).fetchone()
        self._position: int = 0 if row is None else row[0]

    def next(self, wait_s: float) -> Update | None:
        """Return the next update, or None if none comes within ``wait_s`` seconds."""
        deadline = time.monotonic() + wait_s
        while not self._waiting:
            self._look()
            remaining = deadline - time.monotonic()
            if self._waiting:
                break
            if remaining <= 0:
                return None
            time.sleep(min(_LOOK_EVERY_S, remaining))
        return self._waiting.popleft()

    def close(self) -> None:
        """Forget what was not heard."""
        self._waiting.clear()

    def _look(self) -> None:
        with self._file.reading() as connection:
            rows = connection.execute(
                "SELECT id, topic, payload FROM updates WHERE id > ? ORDER BY id", (self._position,)
            ).fetchall()
        for event_id, topic, payload in rows:
            self._position = event_id
            if topic in self._topics:
                self._waiting.append(Update(topic, payload_of(payload)))
