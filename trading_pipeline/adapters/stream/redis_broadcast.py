"""Live updates through Redis, between machines."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trading_pipeline.adapters.stream.redis_client import (
    LONGEST_BLOCK_S,
    open_redis,
    translated,
)
from trading_pipeline.core.broadcast import Update
from trading_pipeline.core.streams import checked_name, payload_of, payload_text

if TYPE_CHECKING:
    from redis import Redis

_CONFIRM_S = 5.0


class RedisBroadcast:
    """A ``Broadcast`` in Redis.

    Parameters
    ----------
    url : str
        ``redis://host:port/database``.
    prefix : str
        Beginning of every channel.

    Raises
    ------
    ConfigError
        If the library is not installed or the address cannot be read.
    """

    def __init__(self, url: str, prefix: str) -> None:
        self._client: Redis = open_redis(url)
        self._prefix = f"{checked_name('prefix', prefix)}:live:"

    def send(self, topic: str, payload: Mapping[str, Any]) -> None:
        """Send an update to everybody who listens to ``topic`` now."""
        channel, text = self._prefix + checked_name("topic", topic), payload_text(payload)
        with translated(self._client):
            self._client.publish(channel, text)

    def subscribe(self, topics: Sequence[str]) -> "RedisSubscription":
        """Return a subscription to ``topics``."""
        names = [checked_name("topic", topic) for topic in topics]
        return RedisSubscription(self._client, self._prefix, names)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class RedisSubscription:
    """What one listener hears; made by :meth:`RedisBroadcast.subscribe`."""

    def __init__(self, client: "Redis", prefix: str, topics: Sequence[str]) -> None:
        self._client = client
        self._prefix = prefix
        self._channels: Any = client.pubsub()  # type: ignore[no-untyped-call]
        with translated(client):
            self._channels.subscribe(*(prefix + topic for topic in topics))
            # Redis confirms each; only then is the next update heard for sure.
            for _ in topics:
                self._channels.get_message(timeout=_CONFIRM_S)

    def next(self, wait_s: float) -> Update | None:
        """Return the next update, or None if none comes within ``wait_s`` seconds."""
        deadline = time.monotonic() + wait_s
        while True:
            remaining = max(deadline - time.monotonic(), 0.0)
            with translated(self._client):
                message = self._channels.get_message(timeout=min(remaining, LONGEST_BLOCK_S))
            if message is not None and message["type"] == "message":
                topic = message["channel"].decode().removeprefix(self._prefix)
                return Update(topic, payload_of(message["data"]))
            if deadline <= time.monotonic():
                return None

    def close(self) -> None:
        """Stop listening."""
        self._channels.close()
