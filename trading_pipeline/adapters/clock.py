"""The machine's clock."""

import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """Time of this machine, in UTC."""

    def now(self) -> datetime:
        """Return the current instant."""
        return datetime.now(UTC)


class SteadyClock:
    """Time of this machine when it was made, moving on evenly: it does not jump when NTP sets it.

    Parameters
    ----------
    start : datetime, optional
        Where it starts, timezone-aware UTC; now unless given.
    speed : float
        Its seconds in a second of the machine; positive. For markets that run faster than time.
    """

    def __init__(self, start: datetime | None = None, speed: float = 1.0) -> None:
        self._start = datetime.now(UTC) if start is None else start
        self._speed = speed
        self._began = time.monotonic()

    def now(self) -> datetime:
        """Return the current instant."""
        return self._start + timedelta(seconds=(time.monotonic() - self._began) * self._speed)
