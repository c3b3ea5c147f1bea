"""Live updates: whoever listens hears them, nobody else ever will.

For what is worth nothing a moment later, such as the price of an open candle. What must not be
lost goes into a stream (:mod:`trading_pipeline.core.streams`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

LIVE_CANDLES = "live-candles"


@dataclass(frozen=True, slots=True)
class Update:
    """One live update: where it was sent, and a mapping of JSON values."""

    topic: str
    payload: Mapping[str, Any]


class Subscription(Protocol):
    """What one listener hears, from the moment that it subscribed."""

    def next(self, wait_s: float) -> Update | None:
        """Return the next update, or None if none comes within ``wait_s`` seconds.

        Raises
        ------
        StoreUnavailableError
            If the store does not answer; what is sent meanwhile is not heard.
        """
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


class Broadcast(Protocol):
    """Publish and subscribe; its adapters pass one contract suite."""

    def send(self, topic: str, payload: Mapping[str, Any]) -> None:
        """Send an update to everybody who listens to ``topic`` now.

        Raises
        ------
        DataError
            If ``payload`` is not JSON.
        StoreUnavailableError
            If the store does not answer.
        """
        ...

    def subscribe(self, topics: Sequence[str]) -> Subscription:
        """Return a subscription to ``topics``; it hears what is sent after this call returned."""
        ...

    def close(self) -> None:
        """Close connections; the next call opens new ones."""
        ...
