"""One connection pool to Redis, with our errors instead of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from trading_pipeline.core.errors import ConfigError, StorageError, StoreUnavailableError

if TYPE_CHECKING:
    from redis import Redis

# Longer than any blocking read, so that a dead connection is not waited for.
LONGEST_BLOCK_S = 2.0
_SOCKET_TIMEOUT_S = 5.0
_CONNECT_TIMEOUT_S = 2.0
_ATTEMPTS = 3


def open_redis(url: str) -> "Redis":
    """Return a client for ``redis://[user:password@]host:port/database``; connects when used.

    A call that loses its connection is tried again twice within a second: everything that this
    package sends may arrive twice.

    Raises
    ------
    ConfigError
        If the library is not installed or the address cannot be read.
    """
    try:
        from redis import Redis
    except ImportError as error:
        raise ConfigError(
            "storage.redis_url is set but the Redis library is missing: "
            "pip install 'trading-pipeline[redis]'"
        ) from error
    from redis.backoff import ExponentialBackoff
    from redis.exceptions import ConnectionError as Unreachable
    from redis.exceptions import TimeoutError as TimedOut
    from redis.retry import Retry

    if urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
        # Without the address itself: it may hold a password.
        raise ConfigError(
            "storage.redis_url is written as redis://localhost:6379/0 (rediss:// for TLS); what "
            "was given begins otherwise"
        )
    try:
        client: Redis = Redis.from_url(
            url,
            protocol=2,
            decode_responses=False,
            socket_timeout=_SOCKET_TIMEOUT_S,
            socket_connect_timeout=_CONNECT_TIMEOUT_S,
            retry=Retry(
                ExponentialBackoff(cap=0.5, base=0.05), _ATTEMPTS - 1, (Unreachable, TimedOut)
            ),
        )
    except ValueError as error:
        raise ConfigError(f"storage.redis_url cannot be read ({error})") from error
    return client


def place_of(client: "Redis") -> str:
    """Return host, port and database, without a password."""
    options: dict[str, Any] = client.connection_pool.connection_kwargs
    where = options.get("path") or f"{options.get('host')}:{options.get('port')}"
    return f"{where}/{options.get('db') or 0}"


@contextmanager
def translated(client: "Redis") -> Iterator[None]:
    """Turn the library's errors into ours.

    Raises
    ------
    StoreUnavailableError
        If Redis cannot be reached, does not answer in time, or is loading its data.
    ConfigError
        If it refuses the password.
    StorageError
        If it refuses to store, such as when its memory is full.
    """
    from redis import exceptions

    place = f"Redis at {place_of(client)}"
    try:
        yield
    except (exceptions.AuthenticationError, exceptions.NoPermissionError) as error:
        raise ConfigError(
            f"{place} refuses the user or password of storage.redis_url ({error})"
        ) from error
    except (exceptions.ConnectionError, exceptions.TimeoutError) as error:
        raise StoreUnavailableError(
            f"{place} does not answer ({error}); nothing was lost, try again when it runs",
            place=place,
        ) from error
    except exceptions.RedisError as error:
        raise StorageError(
            f"{place} refused a command ({error}); see its log, memory and disk", place=place
        ) from error
