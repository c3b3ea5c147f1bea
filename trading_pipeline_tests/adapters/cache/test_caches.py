"""The cache, embedded and in Redis."""

from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from trading_pipeline.adapters.cache.embedded import EmbeddedCache
from trading_pipeline.adapters.cache.frames import frame_of
from trading_pipeline.adapters.cache.quotes import CachedQuotes
from trading_pipeline.adapters.cache.redis_cache import RedisCache
from trading_pipeline.core.errors import DataError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline_tests.contracts.cache import CacheContract, CountingQuotes
from trading_pipeline_tests.redis_servers import shared_redis


class TestEmbeddedCache(CacheContract):
    @pytest.fixture
    def opened(self, tmp_path: Path):
        return partial(EmbeddedCache, tmp_path / "cache.sqlite")


@pytest.mark.redis
class TestRedisCache(CacheContract):
    @pytest.fixture
    def opened(self):
        with shared_redis() as (url, prefix):
            yield partial(RedisCache, url, prefix)


def test_what_is_over_leaves_the_file(tmp_path: Path):
    times = [1_000.0]
    cache = EmbeddedCache(tmp_path / "cache.sqlite", clock=lambda: times[-1])
    cache.put("old", b"a" * 1000, 10)
    times.append(1_010.0)
    cache.put("new", b"b", 10)
    with cache._file.reading() as connection:
        assert connection.execute("SELECT key FROM entries").fetchall() == [("new",)]
    cache.close()


def test_asking_makes_no_file(tmp_path: Path):
    EmbeddedCache(tmp_path / "cache.sqlite").get("one")
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_are_no_frame_are_refused():
    with pytest.raises(DataError, match="cannot be read"):
        frame_of(b"no frame")


@pytest.mark.redis
def test_without_its_cache_a_quote_is_asked_at_the_venue():
    source = CountingQuotes()
    away = RedisCache("redis://127.0.0.1:1/0", "away")
    quotes = CachedQuotes(source, away, "binance", 60)
    assert quotes.quote(Symbol("BTC", "USDT")) == Decimal("60001.10")
    assert source.n_asked == 1
