"""A cache in Redis, shared by several machines."""

from typing import TYPE_CHECKING, Any

from trading_pipeline.adapters.stream.redis_client import open_redis, translated
from trading_pipeline.core.cache import checked_ttl
from trading_pipeline.core.streams import checked_name

if TYPE_CHECKING:
    from redis import Redis


class RedisCache:
    """A ``Cache`` in Redis, which drops what is over by itself.

    Parameters
    ----------
    url : str
        ``redis://host:port/database``.
    prefix : str
        Beginning of every key in Redis.

    Raises
    ------
    ConfigError
        If the library is not installed or the address cannot be read.
    """

    def __init__(self, url: str, prefix: str) -> None:
        self._client: Redis = open_redis(url)
        self._prefix = checked_name("prefix", prefix)

    def get(self, key: str) -> bytes | None:
        """Return what is stored under ``key``, if its time is not over."""
        with translated(self._client):
            value: Any = self._client.get(self._key(key))
        return None if value is None else bytes(value)

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store ``value`` for ``ttl_s`` seconds."""
        milliseconds = max(round(checked_ttl(ttl_s) * 1000), 1)
        with translated(self._client):
            self._client.set(self._key(key), value, px=milliseconds)

    def delete(self, key: str) -> None:
        """Forget ``key``."""
        with translated(self._client):
            self._client.delete(self._key(key))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _key(self, key: str) -> str:
        return f"{self._prefix}:cache:{key}"
