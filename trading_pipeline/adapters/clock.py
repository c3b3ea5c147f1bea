"""The machine's clock."""

from datetime import UTC, datetime


class SystemClock:
    """Time of this machine, in UTC."""

    def now(self) -> datetime:
        """Return the current instant."""
        return datetime.now(UTC)
