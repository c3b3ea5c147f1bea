"""Streams in Redis, for several machines."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from trading_pipeline.adapters.stream.redis_client import (
    LONGEST_BLOCK_S,
    open_redis,
    translated,
)
from trading_pipeline.core.errors import DataError
from trading_pipeline.core.streams import (
    StreamEvent,
    checked_key,
    checked_limit,
    checked_name,
    payload_of,
    payload_text,
)

if TYPE_CHECKING:
    from redis import Redis

_BEGINNING = "0-0"
_REMEMBERED_MS = 7 * 86_400_000
_MILLISECOND = timedelta(milliseconds=1)

# The key is looked up and the event added in one step: two publishers of one candle are one event.
_PUBLISH = """
local known = redis.call('HGET', KEYS[2], ARGV[1])
if known then return known end
local id = redis.call('XADD', KEYS[1], '*', 'key', ARGV[1], 'payload', ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], id)
redis.call('ZADD', KEYS[3], string.match(id, '^%d+'), ARGV[1])
return id
"""
# Compared as numbers, part by part: as text 9-0 would stand behind 10-0.
_ACKNOWLEDGE = """
local old = redis.call('HGET', KEYS[1], ARGV[1]) or '0-0'
local om, os = string.match(old, '^(%d+)-(%d+)$')
local nm, ns = string.match(ARGV[2], '^(%d+)-(%d+)$')
om, os, nm, ns = tonumber(om), tonumber(os), tonumber(nm), tonumber(ns)
if nm > om or (nm == om and ns > os) then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return 1
"""
_TRIM = """
local dropped = 0
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[1] ~= '' then
  dropped = dropped + redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', now - ARGV[1]))
end
if ARGV[2] ~= '' then dropped = dropped + redis.call('XTRIM', KEYS[1], 'MAXLEN', ARGV[2]) end
local bound = now - ARGV[3]
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if oldest then bound = math.min(bound, tonumber(string.match(oldest[1], '^%d+'))) end
local limit = '(' .. string.format('%.0f', bound)
while true do
  local keys = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', limit, 'LIMIT', 0, 500)
  if #keys == 0 then break end
  redis.call('HDEL', KEYS[2], unpack(keys))
  redis.call('ZREM', KEYS[3], unpack(keys))
end
return dropped
"""


class RedisStream:
    """An ``EventStream`` in Redis 6.2 or newer: a stream, its known keys and positions.

    How safely a published event is kept is Redis's own setting: with ``appendonly yes`` it
    survives a restart and a kill, with ``appendfsync always`` power loss too.

    Parameters
    ----------
    url : str
        ``redis://host:port/database``.
    prefix : str
        Beginning of every key in Redis, so that several profiles may share a database.

    Raises
    ------
    ConfigError
        If the library is not installed or the address cannot be read.
    """

    def __init__(self, url: str, prefix: str) -> None:
        self._client: Redis = open_redis(url)
        self._prefix = checked_name("prefix", prefix)
        self._publish = self._client.register_script(_PUBLISH)
        self._acknowledge = self._client.register_script(_ACKNOWLEDGE)
        self._trim = self._client.register_script(_TRIM)

    def publish(self, stream: str, key: str, payload: Mapping[str, Any]) -> str:
        """Append an event; see :class:`~trading_pipeline.core.streams.EventStream`."""
        keys = [self._key(stream, part) for part in ("events", "keys", "ages")]
        arguments = [checked_key(key), payload_text(payload)]
        with translated(self._client):
            event_id: Any = self._publish(keys=keys, args=arguments)
        return _text(event_id)

    def read(
        self, stream: str, consumer: str, *, limit: int = 100, wait_s: float = 0.0
    ) -> Sequence[StreamEvent]:
        """Return what ``consumer`` has not acknowledged, oldest first."""
        events, positions = self._key(stream, "events"), self._key(stream, "positions")
        checked_name("consumer", consumer)
        checked_limit(limit)
        deadline = time.monotonic() + wait_s
        while True:
            remaining = deadline - time.monotonic()
            milliseconds = round(min(remaining, LONGEST_BLOCK_S) * 1000)
            # To Redis a block of 0 is for ever.
            block = milliseconds if milliseconds > 0 else None
            with translated(self._client):
                position: Any = self._client.hget(positions, consumer)
                after = _BEGINNING if position is None else _text(position)
                found: Any = self._client.xread({events: after}, limit, block)
            if found:
                return _events(found[0][1])
            if deadline - time.monotonic() <= 0:
                return ()

    def acknowledge(self, stream: str, consumer: str, event_id: str) -> None:
        """Move the position of ``consumer`` forward to ``event_id``."""
        if re.fullmatch(r"[0-9]{1,15}-[0-9]{1,15}", event_id) is None:
            raise DataError(f"{event_id!r} is no event id of the Redis stream {stream!r}")
        keys = [self._key(stream, "positions")]
        with translated(self._client):
            self._acknowledge(keys=keys, args=[checked_name("consumer", consumer), event_id])

    def newest(self, stream: str, *, limit: int = 100) -> Sequence[StreamEvent]:
        """Return the last events, newest first."""
        with translated(self._client):
            found: Any = self._client.xrevrange(
                self._key(stream, "events"), count=checked_limit(limit)
            )
        return _events(found)

    def trim(
        self, stream: str, *, max_length: int | None = None, max_age: timedelta | None = None
    ) -> int:
        """Drop the oldest events; return how many."""
        keys = [self._key(stream, part) for part in ("events", "keys", "ages")]
        arguments = [
            "" if max_age is None else max_age // _MILLISECOND,
            "" if max_length is None else max(max_length, 0),
            _REMEMBERED_MS,
        ]
        with translated(self._client):
            dropped: Any = self._trim(keys=keys, args=arguments)
        return int(dropped)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _key(self, stream: str, part: str) -> str:
        # The braces keep the keys of one stream on one node of a cluster, as scripts require.
        return f"{self._prefix}:{{{checked_name('stream', stream)}}}:{part}"


def _events(entries: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> Sequence[StreamEvent]:
    return tuple(
        StreamEvent(_text(event_id), _text(fields[b"key"]), payload_of(fields[b"payload"]))
        for event_id, fields in entries
    )


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
