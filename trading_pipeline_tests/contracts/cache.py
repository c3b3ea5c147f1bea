"""What every ``Cache`` keeps. Derive, and offer a fixture ``opened`` that opens it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from trading_pipeline.adapters.cache.frames import frame_bytes, frame_of
from trading_pipeline.adapters.cache.quotes import CachedQuotes
from trading_pipeline.core.cache import Cache, cached
from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.instrument import Symbol

Opener = Callable[[], Cache]
FRAME = pl.DataFrame(
    {
        "open_time": [datetime(2024, 3, 1, tzinfo=UTC), None],
        "close": [0.1, float("nan")],
        "name": ["ü", None],
    },
    schema_overrides={"open_time": pl.Datetime("us", "UTC")},
)


class CountingQuotes:
    """Prices that rise by one with each question."""

    def __init__(self) -> None:
        self.n_asked = 0

    def quote(self, symbol: Symbol) -> Decimal:
        self.n_asked += 1
        return Decimal("60000.10") + self.n_asked


class CacheContract:
    """Derive as ``class TestX(CacheContract)`` and add a fixture ``opened``."""

    @pytest.fixture
    def cache(self, opened: Opener):
        cache = opened()
        yield cache
        cache.close()

    def test_a_new_cache_holds_nothing(self, cache: Cache):
        assert cache.get("one") is None
        cache.delete("one")

    def test_bytes_come_back_as_they_were_also_to_others(self, cache: Cache, opened: Opener):
        value = bytes(range(256))
        cache.put("one", value, 60)
        other = opened()
        assert cache.get("one") == other.get("one") == value
        assert cache.get("two") is None
        other.close()

    def test_a_value_replaces_the_one_before(self, cache: Cache):
        cache.put("one", b"a", 60)
        cache.put("one", b"b", 60)
        assert cache.get("one") == b"b"

    def test_a_value_ends_with_its_time(self, cache: Cache):
        cache.put("short", b"a", 0.05)
        cache.put("long", b"b", 60)
        time.sleep(0.1)
        assert (cache.get("short"), cache.get("long")) == (None, b"b")

    def test_what_was_deleted_is_gone(self, cache: Cache):
        cache.put("one", b"a", 60)
        cache.delete("one")
        assert cache.get("one") is None

    @pytest.mark.parametrize("ttl_s", [0, -1, float("nan"), float("inf")])
    def test_a_time_that_is_none_is_refused(self, cache: Cache, ttl_s: float):
        with pytest.raises(ConfigError, match="ttl_s must lie between"):
            cache.put("one", b"a", ttl_s)

    def test_a_function_is_called_once_for_the_same_arguments(self, cache: Cache):
        calls: list[tuple[int, str]] = []

        @cached(cache, ttl_s=60)
        def describe(n: int, *, name: str) -> dict[str, object]:
            calls.append((n, name))
            return {"n": n, "name": name, "list": [1, 2]}

        expected = {"n": 1, "name": "a", "list": [1, 2]}
        assert describe(1, name="a") == describe(1, name="a") == expected
        describe(2, name="a")
        describe(1, name="b")
        assert calls == [(1, "a"), (2, "a"), (1, "b")]

    def test_a_function_is_called_again_when_the_time_is_over(self, cache: Cache):
        calls: list[int] = []

        @cached(cache, ttl_s=0.05)
        def count() -> int:
            calls.append(1)
            return len(calls)

        first = count()
        time.sleep(0.1)
        assert (first, count()) == (1, 2)

    def test_an_exception_is_not_kept(self, cache: Cache):
        answers = iter([ValueError("no"), 7])

        @cached(cache, ttl_s=60)
        def ask() -> int:
            answer = next(answers)
            if isinstance(answer, ValueError):
                raise answer
            return answer

        with pytest.raises(ValueError, match="no"):
            ask()
        assert ask() == ask() == 7

    def test_a_frame_comes_back_with_its_types(self, cache: Cache):
        calls: list[int] = []

        @cached(cache, ttl_s=60, encode=frame_bytes, decode=frame_of)
        def load() -> pl.DataFrame:
            calls.append(1)
            return FRAME

        load()
        assert_frame_equal(load(), FRAME)
        assert calls == [1]

    def test_a_result_that_is_not_json_is_refused(self, cache: Cache):
        @cached(cache, ttl_s=60)
        def load() -> object:
            return object()

        with pytest.raises(DataError, match="pass encode= and decode="):
            load()

    def test_a_quote_is_asked_once_in_its_time_for_each_market(self, cache: Cache):
        source, btc = CountingQuotes(), Symbol("BTC", "USDT")
        here = CachedQuotes(source, cache, "binance", 60)
        assert here.quote(btc) == here.quote(btc) == Decimal("60001.10")
        CachedQuotes(source, cache, "kraken", 60).quote(btc)
        assert source.n_asked == 2
