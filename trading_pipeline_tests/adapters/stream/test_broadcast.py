"""Live updates, embedded and in Redis."""

from functools import partial
from pathlib import Path

import pytest

from trading_pipeline.adapters.stream.embedded_broadcast import EmbeddedBroadcast
from trading_pipeline.adapters.stream.redis_broadcast import RedisBroadcast
from trading_pipeline.core.broadcast import Update
from trading_pipeline.core.errors import StoreUnavailableError
from trading_pipeline_tests.contracts.broadcast import BroadcastContract
from trading_pipeline_tests.redis_servers import own_server, shared_redis


class TestEmbeddedBroadcast(BroadcastContract):
    @pytest.fixture
    def opened(self, tmp_path: Path):
        return partial(EmbeddedBroadcast, tmp_path / "live.sqlite")


@pytest.mark.redis
class TestRedisBroadcast(BroadcastContract):
    @pytest.fixture
    def opened(self):
        with shared_redis() as (url, prefix):
            yield partial(RedisBroadcast, url, prefix)


def test_the_file_of_updates_does_not_grow(tmp_path: Path):
    broadcast = EmbeddedBroadcast(tmp_path / "live.sqlite")
    listener = broadcast.subscribe(["prices"])
    with broadcast._file.writing() as connection:
        connection.executemany(
            "INSERT INTO updates (topic, payload) VALUES ('other', ?)", [("{}",)] * 12_000
        )
    broadcast.send("prices", {"n": 1})
    with broadcast._file.reading() as connection:
        assert connection.execute("SELECT count(*) FROM updates").fetchone() == (10_000,)
    assert listener.next(1) == Update("prices", {"n": 1})
    broadcast.close()


@pytest.mark.redis
def test_a_listener_hears_again_after_redis_restarted(tmp_path: Path):
    with own_server(tmp_path) as server:
        broadcast = RedisBroadcast(server.url, "restart")
        listener = broadcast.subscribe(["prices"])
        server.kill()
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            listener.next(1)
        server.start()
        assert listener.next(0.2) is None
        broadcast.send("prices", {"n": 1})
        assert listener.next(2) == Update("prices", {"n": 1})
        listener.close()
        broadcast.close()
