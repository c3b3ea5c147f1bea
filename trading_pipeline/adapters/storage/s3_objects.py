"""The lake in an object store that speaks S3: conditional puts, and a local cache of parts."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from trading_pipeline.adapters.storage.durable_files import sha256_of, write_durably
from trading_pipeline.adapters.storage.lake_crash_points import LakeHook, LakePoint, survive
from trading_pipeline.adapters.storage.objects import Stored, local_lock
from trading_pipeline.core.errors import ConfigError, StorageError

_SCHEME = "s3://"
# What a query may still be reading stays in the cache, however full it is.
_IN_USE = timedelta(minutes=10)
_CHECKS = 16
_RETRIES = 5
_RETRY_FOR = timedelta(seconds=60)

_Result = TypeVar("_Result")


class S3Objects:
    """Objects under ``s3://bucket/prefix``.

    Endpoint, region and keys are the usual ``AWS_*`` variables (``AWS_ENDPOINT_URL``,
    ``AWS_REGION``, ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``). The store must honour
    ``If-Match`` and ``If-None-Match`` of PUT; one that does not is refused at the first swap.

    Parameters
    ----------
    url : str
    cache : Path
        Folder of this machine for copies of parts; each is used only if its SHA-256 is right.
    cache_bytes : int
        The copies that were used last stay; what was used within ten minutes stays in any case.
    hook : callable
        Told each step of a write, for tests that kill the writer there.

    Raises
    ------
    ConfigError
        If ``url`` names no bucket.
    """

    is_shared = True

    def __init__(
        self, url: str, cache: Path, *, cache_bytes: int, hook: LakeHook = survive
    ) -> None:
        from obstore.store import S3Store

        bucket, _, prefix = url.removeprefix(_SCHEME).rstrip("/").partition("/")
        if not url.startswith(_SCHEME) or not bucket:
            raise ConfigError(f"the lake must be a folder or s3://bucket/prefix, was {url!r}")
        self.root = cache
        self.url = url
        self._cache_bytes = cache_bytes
        # Full at first, so that processes that fetch little look after the cache too.
        self._unchecked = cache_bytes
        self._hook = hook
        self._is_proved = False
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            client_options={"allow_http": True},
            retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY_FOR},
        )

    def read(self, key: str) -> Stored | None:
        """Return an object; None if there is none."""
        return self._asked(lambda: self._read(key))

    def add(self, folder: str, content: bytes, sha256: str) -> str:
        """Store a new immutable part in ``folder`` and return its name, which is never reused."""
        name = f"part-{sha256[:16]}-{secrets.token_hex(6)}.parquet"
        self._hook(LakePoint.PART_OPENED)
        self._asked(lambda: self._store.put(f"{folder}/{name}", content))
        self._hook(LakePoint.PART_DURABLE)
        return name

    def swap(self, key: str, content: bytes, expected: str | None) -> bool:
        """Replace the object of version ``expected``, or create it where that is None."""
        self._hook(LakePoint.MANIFEST_OPENED)
        if not self._put_if(key, content, expected):
            # A put whose answer was lost is sent again by the client, and finds itself there.
            stored = self.read(key)
            if stored is None or stored.content != content:
                return False
        self._prove_conditions(key, content)
        self._hook(LakePoint.MANIFEST_DURABLE)
        return True

    def _put_if(self, key: str, content: bytes, expected: str | None) -> bool:
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            if expected is None:
                self._asked(lambda: self._store.put(key, content, mode="create"))
            else:
                self._asked(lambda: self._store.put(key, content, mode={"e_tag": expected}))
        except (AlreadyExistsError, PreconditionError):
            return False
        return True

    def _prove_conditions(self, key: str, content: bytes) -> None:
        # What was just put cannot be created; a store that does it all the same ignores conditions.
        if not self._is_proved and self._put_if(key, content, None):
            raise StorageError(
                f"{self.url} ignores If-None-Match, so that two writers would overwrite each "
                "other; use a store that honours conditional PUTs, or a folder",
                url=self.url,
            )
        self._is_proved = True

    def file(self, key: str, sha256: str) -> Path:
        """Return the cached copy of an object, fetched if it is not there or not what it was."""
        path = self.root / key
        if not _is(path, sha256):
            stored = self.read(key)
            if stored is None:
                raise FileNotFoundError(2, "No such object", f"{self.url.rstrip('/')}/{key}")
            write_durably(path, stored.content)
            self._unchecked += len(stored.content)
            if self._unchecked * _CHECKS >= self._cache_bytes:
                self._evict()
        return path

    def delete(self, keys: list[str]) -> None:
        """Delete objects; those that are not there are passed over."""
        if keys:
            self._asked(lambda: self._store.delete(keys))

    def keys(self, prefix: str, *, older_than: timedelta | None = None) -> Iterator[str]:
        """Yield the keys under a folder, in no order; only those of some age, if one is given."""
        youngest = None if older_than is None else datetime.now(UTC) - older_than
        pages = self._store.list(prefix or None)
        while (page := self._asked(lambda: next(pages, None))) is not None:
            for found in page:
                if youngest is None or found["last_modified"] < youngest:
                    yield found["path"]

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold back the other writers of this machine, so that they need not try again."""
        with local_lock(self.root, name):
            yield

    def _read(self, key: str) -> Stored | None:
        try:
            found = self._store.get(key)
            content = bytes(found.bytes())
        except FileNotFoundError:
            return None
        tag = found.meta["e_tag"]
        if tag is None:
            raise StorageError(f"{self.url} gives no ETag, which compare-and-set needs", key=key)
        return Stored(content, tag)

    def _asked(self, call: Callable[[], _Result]) -> _Result:
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

        try:
            return call()
        except (AlreadyExistsError, PreconditionError):
            raise
        except (BaseError, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise StorageError(
                f"the lake {self.url} could not be reached or refused ({reason}); check "
                "AWS_ENDPOINT_URL, the bucket and the AWS keys, then run again",
                url=self.url,
            ) from error

    def _evict(self) -> None:
        self._unchecked = 0
        files = ((path, _status(path)) for path in self.root.rglob("part-*.parquet"))
        sizes = {path: status for path, status in files if status is not None}
        left = sum(status.st_size for status in sizes.values())
        oldest_kept = datetime.now(UTC).timestamp() - _IN_USE.total_seconds()
        for path, status in sorted(sizes.items(), key=lambda item: item[1].st_mtime):
            if left <= self._cache_bytes or status.st_mtime > oldest_kept:
                return
            path.unlink(missing_ok=True)
            left -= status.st_size


def _is(path: Path, sha256: str) -> bool:
    try:
        # Used now: whoever makes room deletes others first.
        os.utime(path)
        return sha256_of(path.read_bytes()) == sha256
    except OSError:
        return False


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
