"""Values that may be used for a while: the port, and a decorator for functions.

A cache is a convenience: it may forget anything at any time, and nothing that decides an order
reads from it.
"""

import functools
import hashlib
import json
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

from trading_pipeline.core.errors import ConfigError, DataError

P = ParamSpec("P")
T = TypeVar("T")


class Cache(Protocol):
    """Bytes under a key, until their time is over; its adapters pass one contract suite.

    Every method raises ``StoreUnavailableError`` while the store cannot be reached.
    """

    def get(self, key: str) -> bytes | None:
        """Return what is stored under ``key``; None if there is nothing or its time is over."""
        ...

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store ``value`` for ``ttl_s`` seconds, in place of what was there.

        Raises
        ------
        ConfigError
            If ``ttl_s`` is not a positive number of seconds.
        """
        ...

    def delete(self, key: str) -> None:
        """Forget ``key``."""
        ...

    def close(self) -> None:
        """Close connections; the next call opens new ones."""
        ...


def cached(
    cache: Cache,
    *,
    ttl_s: float,
    encode: Callable[[T], bytes] | None = None,
    decode: Callable[[bytes], T] | None = None,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator that keeps the results of a function for ``ttl_s`` seconds.

    Calls are the same if the function has the same name and the arguments the same JSON, or the
    same text where they are no JSON: pass values, not objects with hidden state. An exception is
    not kept.

    Parameters
    ----------
    cache : Cache
    ttl_s : float
        Seconds; positive.
    encode, decode : callable, optional
        Bytes of a result and back, such as ``frame_bytes`` and ``frame_of`` of
        ``adapters.cache.frames``; without them results must be JSON.
    """
    write = encode or _json_bytes
    read = decode or json.loads

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            key = call_key(function, args, kwargs)
            kept = cache.get(key)
            if kept is not None:
                return read(kept)
            result = function(*args, **kwargs)
            cache.put(key, write(result), ttl_s)
            return result

        return call

    return decorate


def call_key(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return the key of a call: the function's full name, and a digest of the arguments."""
    text = json.dumps([args, kwargs], sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return f"call:{function.__module__}.{function.__qualname__}:{digest}"


def checked_ttl(ttl_s: float) -> float:
    """Return ``ttl_s`` if a value can live that long.

    Raises
    ------
    ConfigError
        If it is not between a millisecond and ten years.
    """
    if not 0.001 <= ttl_s <= 315_360_000:
        raise ConfigError(f"ttl_s must lie between 0.001 s and ten years, was {ttl_s}")
    return ttl_s


def _json_bytes(result: object) -> bytes:
    try:
        return json.dumps(result, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise DataError(
            f"a cached function must return JSON ({error}); pass encode= and decode= for others"
        ) from error
