"""Time as a port: domain code never reads the wall clock."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Something that knows the time of the venue."""

    def now(self) -> datetime:
        """Return the current instant, timezone-aware UTC."""
        ...


@dataclass(frozen=True, slots=True)
class FrozenClock:
    """A clock that stands still: a replayed or simulated market, and tests."""

    instant: datetime

    def now(self) -> datetime:
        """Return ``instant``."""
        return self.instant
