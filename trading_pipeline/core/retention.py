"""How long something is kept: an age, and which kinds have one."""

import re
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Self

from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.month import Month


@dataclass(frozen=True, slots=True)
class Age:
    """An age in months or days, such as ``24m`` or ``90d``.

    Parameters
    ----------
    count : int
        At least 1.
    unit : str
        ``m`` (calendar months) or ``d`` (days of 24 hours).

    Examples
    --------
    >>> from datetime import UTC
    >>> Age.parse("2m").cutoff(datetime(2024, 5, 20, tzinfo=UTC)).isoformat()
    '2024-03-01T00:00:00+00:00'
    """

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the age for ``text``.

        Raises
        ------
        ConfigError
            If it is not a number above 0 and m or d.
        """
        match = re.fullmatch(r"\s*(\d{1,4})\s*([md])\s*", text)
        if match is None or int(match.group(1)) == 0:
            raise ConfigError(
                f"an age is a number of months or days, such as 24m or 90d, was {text!r}", age=text
            )
        return cls(int(match.group(1)), match.group(2))

    def cutoff(self, now: datetime) -> datetime:
        """Return the instant before which something is older; for months the start of one."""
        if self.unit == "d":
            return now - timedelta(days=self.count)
        return Month.of(now).shift(-self.count).start

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """Since when each kind is kept; None keeps all of it.

    ``lake`` is compared with the end of a month, ``reports`` and ``logs`` with the last change of a
    file, ``runs`` with the start of a Dagster run, ``streams`` with the publishing of an event.
    """

    lake: datetime | None = None
    reports: datetime | None = None
    logs: datetime | None = None
    runs: datetime | None = None
    streams: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether everything is kept."""
        return all(getattr(self, item.name) is None for item in fields(self))
