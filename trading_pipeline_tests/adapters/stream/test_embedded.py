"""The embedded stream."""

import sqlite3
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from trading_pipeline.adapters.stream.embedded import EmbeddedStream
from trading_pipeline.core.errors import StorageError
from trading_pipeline_tests.contracts.event_stream import EventStreamContract, fill

NOW = datetime(2024, 3, 1, tzinfo=UTC)


class TestEmbeddedStream(EventStreamContract):
    @pytest.fixture
    def opened(self, tmp_path: Path):
        return partial(EmbeddedStream, tmp_path / "data" / "streams.sqlite")


def test_reading_and_trimming_make_no_file(tmp_path: Path):
    stream = EmbeddedStream(tmp_path / "streams.sqlite")
    stream.read("candles", "reader")
    stream.newest("candles")
    stream.trim("candles", max_length=1)
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_forgotten_a_week_after_its_event_was_trimmed(tmp_path: Path):
    times = [NOW]
    stream = EmbeddedStream(tmp_path / "streams.sqlite", now=lambda: times[-1])
    first, second = fill(stream, 2)
    times.append(NOW + timedelta(days=8))
    stream.trim("candles", max_length=1)
    assert stream.publish("candles", "key-1", {"n": 1}) == second
    assert stream.publish("candles", "key-0", {"n": 0}) != first
    stream.close()


def test_a_damaged_file_is_named(tmp_path: Path):
    path = tmp_path / "streams.sqlite"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StorageError, match=r"streams\.sqlite cannot be used"):
        EmbeddedStream(path).publish("candles", "one", {})


def test_a_published_event_is_durable(tmp_path: Path):
    path = tmp_path / "streams.sqlite"
    stream = EmbeddedStream(path)
    stream.publish("candles", "one", {})
    with stream._file.reading() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    stream.close()
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
