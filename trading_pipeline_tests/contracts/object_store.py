"""What every store of the lake's files promises."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from trading_pipeline.adapters.storage.durable_files import sha256_of
from trading_pipeline.adapters.storage.objects import ObjectStore

FOLDER = "candles/venue=binance/symbol=BTC-USDT/month=2024-01"
KEY = f"{FOLDER}/manifest.json"


def version_of(store: ObjectStore, key: str = KEY) -> str:
    stored = store.read(key)
    assert stored is not None
    return stored.version


class ObjectStoreContract:
    """A subclass gives the ``store`` fixture, and ``another``: one of the same place."""

    def test_what_was_never_written_is_not_there(self, store):
        assert store.read(KEY) is None
        assert list(store.keys("")) == []
        assert list(store.keys("candles")) == []
        with pytest.raises(FileNotFoundError):
            store.file(f"{FOLDER}/part-1.parquet", "0" * 64)

    def test_a_part_is_read_back_under_the_name_that_it_got(self, store):
        content = bytes(range(256)) * 100
        name = store.add(FOLDER, content, sha256_of(content))
        assert name.startswith(f"part-{sha256_of(content)[:16]}")
        assert name.endswith(".parquet")
        assert store.read(f"{FOLDER}/{name}").content == content
        assert store.file(f"{FOLDER}/{name}", sha256_of(content)).read_bytes() == content

    def test_a_key_is_created_once(self, store, another):
        assert store.swap(KEY, b"one", None) is True
        assert another.swap(KEY, b"two", None) is False
        assert another.read(KEY).content == b"one"

    def test_a_key_is_replaced_by_who_read_the_newest_version(self, store, another):
        store.swap(KEY, b"one", None)
        seen = version_of(another)
        assert store.swap(KEY, b"two", version_of(store)) is True
        assert another.swap(KEY, b"three", seen) is False
        assert another.read(KEY).content == b"two"
        assert another.swap(KEY, b"three", version_of(another)) is True
        assert store.read(KEY).content == b"three"

    def test_a_key_that_is_gone_is_not_replaced(self, store):
        store.swap(KEY, b"one", None)
        seen = version_of(store)
        store.delete([KEY])
        assert store.swap(KEY, b"two", seen) is False
        assert store.read(KEY) is None

    def test_of_many_swaps_from_one_version_exactly_one_is_done(self, store, another):
        store.swap(KEY, b"start", None)
        seen = version_of(store)
        barrier = threading.Barrier(8)

        def swap(worker: int) -> bool:
            barrier.wait()
            return (store, another)[worker % 2].swap(KEY, f"{worker}".encode(), seen)

        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(swap, range(8)))
        assert sum(done) == 1
        assert store.read(KEY).content == f"{done.index(True)}".encode()

    def test_keys_are_listed_by_folder(self, store):
        for key in (KEY, "candles/manifest.json", "candles2/manifest.json", "a b/c=d.json"):
            assert store.swap(key, b"x", None)
        assert sorted(store.keys("candles")) == sorted([KEY, "candles/manifest.json"])
        assert sorted(store.keys(FOLDER)) == [KEY]
        assert len(list(store.keys(""))) == 4

    def test_young_keys_are_left_out_where_an_age_is_asked(self, store):
        store.swap(KEY, b"x", None)
        assert list(store.keys("", older_than=timedelta(hours=1))) == []
        assert list(store.keys("", older_than=timedelta(seconds=-60))) == [KEY]

    def test_more_keys_than_a_page_holds_are_listed(self, store):
        for n in range(60):
            store.swap(f"table/n={n}/manifest.json", b"x", None)
        assert len(set(store.keys("table"))) == 60

    def test_deleting_twice_is_no_error(self, store):
        store.swap(KEY, b"x", None)
        store.delete([KEY, "candles/never.json"])
        store.delete([KEY])
        store.delete([])
        assert store.read(KEY) is None

    def test_the_lock_holds_back_another_writer(self, store, another):
        order: list[str] = []
        holds = threading.Event()

        def late() -> None:
            holds.wait(10)
            with another.lock("name"):
                order.append("second")

        thread = threading.Thread(target=late)
        thread.start()
        with store.lock("name"):
            holds.set()
            thread.join(0.1)
            order.append("first")
        thread.join(10)
        assert order == ["first", "second"]
