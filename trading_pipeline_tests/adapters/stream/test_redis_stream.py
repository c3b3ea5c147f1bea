"""The stream in Redis, and Redis restarted in the middle of it."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from trading_pipeline.adapters.stream.redis_stream import RedisStream
from trading_pipeline.core.errors import ConfigError, StoreUnavailableError
from trading_pipeline_tests.contracts.event_stream import EventStreamContract, drain, fill
from trading_pipeline_tests.redis_servers import own_server, shared_redis

pytestmark = pytest.mark.redis


class TestRedisStream(EventStreamContract):
    @pytest.fixture
    def opened(self):
        with shared_redis() as (url, prefix):
            yield partial(RedisStream, url, prefix)


def test_a_restarted_redis_has_every_event_that_was_acknowledged_as_published(tmp_path: Path):
    with own_server(tmp_path) as server:
        stream = RedisStream(server.url, "restart")
        ids = fill(stream, 20)
        stream.acknowledge("candles", "reader", ids[4])
        server.kill()
        with pytest.raises(StoreUnavailableError, match="does not answer") as publishing:
            stream.publish("candles", "key-20", {"n": 20})
        assert f"127.0.0.1:{server.port}/0" in publishing.value.message
        with pytest.raises(StoreUnavailableError, match="try again when it runs"):
            stream.read("candles", "reader", wait_s=1)
        server.start()
        assert stream.publish("candles", "key-19", {"n": 19}) == ids[19]
        stream.publish("candles", "key-20", {"n": 20})
        assert drain(stream, "reader") == list(range(5, 21))
        stream.close()


def test_a_password_is_in_no_message():
    stream = RedisStream("redis://user:s3cret@127.0.0.1:1/0", "secret")
    with pytest.raises(StoreUnavailableError) as refused:
        stream.read("candles", "reader")
    assert "s3cret" not in refused.value.message
    with pytest.raises(ConfigError) as unreadable:
        RedisStream("postgres://user:s3cret@127.0.0.1/0", "secret")
    assert "s3cret" not in unreadable.value.message


def test_without_the_library_the_line_to_type_is_named():
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "from trading_pipeline.adapters.stream.redis_stream import RedisStream\n"
        "RedisStream('redis://127.0.0.1:6379/0', 'x')"
    )
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "pip install 'trading-pipeline[redis]'" in ended.stderr
