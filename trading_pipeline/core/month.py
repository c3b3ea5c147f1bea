"""Calendar months in UTC: the time grain of every partition."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from trading_pipeline.core.errors import ConfigError


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month in UTC.

    Examples
    --------
    >>> Month.parse("2024-12").shift(1).key
    '2025-01'
    """

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the month for ``2024-01`` (or a date in it).

        Raises
        ------
        ConfigError
            If ``text`` is not a month.
        """
        match = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])(-\d{2})?", text)
        if match is None:
            raise ConfigError(f"a month is written as 2024-01, was {text!r}", month=text)
        return cls(int(match.group(1)), int(match.group(2)))

    @classmethod
    def of(cls, instant: datetime) -> Self:
        """Return the month that contains ``instant`` (timezone-aware)."""
        utc = instant.astimezone(UTC)
        return cls(utc.year, utc.month)

    @property
    def key(self) -> str:
        """The partition key, such as ``2024-01``."""
        return f"{self.year:04d}-{self.number:02d}"

    @property
    def start(self) -> datetime:
        """First instant of the month."""
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """First instant after the month."""
        return self.shift(1).start

    def shift(self, months: int) -> "Month":
        """Return the month ``months`` later (earlier if negative)."""
        index = self.year * 12 + self.number - 1 + months
        return Month(index // 12, index % 12 + 1)

    def until(self, last: "Month") -> Iterator["Month"]:
        """Yield the months from this one to ``last``, both included, oldest first."""
        month = self
        while month <= last:
            yield month
            month = month.shift(1)

    def __str__(self) -> str:
        return self.key
