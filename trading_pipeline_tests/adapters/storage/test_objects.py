import os
import time

import pytest

from trading_pipeline.adapters.storage.durable_files import sha256_of
from trading_pipeline.adapters.storage.objects import LocalObjects
from trading_pipeline.adapters.storage.s3_objects import S3Objects
from trading_pipeline.core.errors import ConfigError, StorageError
from trading_pipeline_tests.contracts.object_store import FOLDER, KEY, ObjectStoreContract
from trading_pipeline_tests.s3_server import new_bucket, s3_environment, s3_server

_MB = 1_000_000


class TestLocalObjects(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path) -> LocalObjects:
        return LocalObjects(tmp_path / "lake")

    @pytest.fixture
    def another(self, tmp_path) -> LocalObjects:
        return LocalObjects(tmp_path / "lake")


class TestS3Objects(ObjectStoreContract):
    @pytest.fixture
    def store(self, s3_url, tmp_path) -> S3Objects:
        return S3Objects(s3_url, tmp_path / "cache", cache_bytes=_MB)

    @pytest.fixture
    def another(self, s3_url, tmp_path) -> S3Objects:
        # A slash at the end means nothing; the same machine, so that locks are shared.
        return S3Objects(f"{s3_url}/", tmp_path / "cache", cache_bytes=_MB)

    def test_a_part_of_the_same_bytes_gets_another_name(self, store):
        names = {store.add(FOLDER, b"same", sha256_of(b"same")) for _ in range(3)}
        assert len(names) == 3

    def test_a_part_is_fetched_once(self, store, s3_url, tmp_path):
        key = f"{FOLDER}/{store.add(FOLDER, b'rows', sha256_of(b'rows'))}"
        path = store.file(key, sha256_of(b"rows"))
        assert path == tmp_path / "cache" / key
        store.delete([key])
        assert store.file(key, sha256_of(b"rows")) == path

    def test_a_damaged_copy_is_fetched_again(self, store):
        key = f"{FOLDER}/{store.add(FOLDER, b'rows', sha256_of(b'rows'))}"
        path = store.file(key, sha256_of(b"rows"))
        path.write_bytes(b"rowt")
        assert store.file(key, sha256_of(b"rows")).read_bytes() == b"rows"

    def test_copies_beyond_the_bound_are_dropped_oldest_first(self, s3_url, tmp_path):
        store = S3Objects(s3_url, tmp_path / "cache", cache_bytes=10_000)
        contents = [bytes([n]) * 4_000 for n in range(5)]
        paths = []
        for content in contents:
            key = f"{FOLDER}/{store.add(FOLDER, content, sha256_of(content))}"
            paths.append(store.file(key, sha256_of(content)))
            an_hour_ago = time.time() - 3_600 + len(paths)
            os.utime(paths[-1], (an_hour_ago, an_hour_ago))
        assert [path.exists() for path in paths] == [False, False, False, True, True]

    def test_a_copy_in_use_outlives_the_bound(self, s3_url, tmp_path):
        store = S3Objects(s3_url, tmp_path / "cache", cache_bytes=1)
        for content in (b"one", b"two"):
            key = f"{FOLDER}/{store.add(FOLDER, content, sha256_of(content))}"
            assert store.file(key, sha256_of(content)).read_bytes() == content

    def test_two_prefixes_of_one_bucket_do_not_see_each_other(self, store, s3_url, tmp_path):
        other = S3Objects(f"{s3_url}2", tmp_path / "other", cache_bytes=_MB)
        store.swap(KEY, b"one", None)
        assert other.read(KEY) is None
        assert list(other.keys("")) == []

    def test_a_bucket_that_does_not_exist_is_reported(self, s3_url, tmp_path):
        store = S3Objects("s3://no-such-bucket/lake", tmp_path / "cache", cache_bytes=_MB)
        with pytest.raises(StorageError, match=r"s3://no-such-bucket/lake could not .* bucket"):
            store.add(FOLDER, b"rows", sha256_of(b"rows"))
        with pytest.raises(StorageError, match="no-such-bucket"):
            list(store.keys(""))

    @pytest.mark.parametrize("url", ["s3://", "s3:///prefix", "gs://bucket/lake", "bucket/lake"])
    def test_a_url_without_a_bucket_is_refused(self, url, tmp_path):
        with pytest.raises(ConfigError, match="must be a folder or s3://bucket/prefix"):
            S3Objects(url, tmp_path, cache_bytes=_MB)


def test_a_server_that_is_not_there_is_reported(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    store = S3Objects("s3://bucket/lake", tmp_path, cache_bytes=_MB)
    with pytest.raises(StorageError, match="check AWS_ENDPOINT_URL, the bucket and the AWS keys"):
        store.read(KEY)


def test_a_store_that_ignores_conditions_is_refused_at_the_first_swap(monkeypatch, tmp_path):
    with s3_server(is_careless=True) as endpoint:
        for name, value in s3_environment(endpoint).items():
            monkeypatch.setenv(name, value)
        store = S3Objects(f"s3://{new_bucket(endpoint)}/lake", tmp_path, cache_bytes=_MB)
        with pytest.raises(StorageError, match="ignores If-None-Match, so that two writers"):
            store.swap(KEY, b"one", None)
