"""Candle lengths.

A candle is stamped with its **open** time; what it says is known from its close time on, which
is the open time plus the timeframe.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from trading_pipeline.core.errors import ConfigError

_UNIT_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
_ALLOWED = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Timeframe:
    """Length of a candle, such as ``1h``.

    Parameters
    ----------
    name : str
        One of 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 8h, 12h, 1d: the lengths that divide a UTC
        day, so that no candle crosses a month.

    Raises
    ------
    ConfigError
        If ``name`` is none of these.

    Examples
    --------
    >>> Timeframe("4h").duration
    datetime.timedelta(seconds=14400)
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in _ALLOWED:
            raise ConfigError.unknown_name("timeframe", self.name, list(_ALLOWED))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the timeframe for ``text``; case and blanks do not matter (``1H`` is ``1h``)."""
        cleaned = text.strip()
        # A capital M is a month at most venues, not a minute.
        return cls(cleaned if cleaned.endswith("M") else cleaned.lower())

    @property
    def seconds(self) -> int:
        """Length in seconds."""
        match = re.fullmatch(r"(\d+)([mhd])", self.name)
        assert match is not None
        return int(match.group(1)) * _UNIT_SECONDS[match.group(2)]

    @property
    def duration(self) -> timedelta:
        """Length as a timedelta."""
        return timedelta(seconds=self.seconds)

    @property
    def milliseconds(self) -> int:
        """Length in milliseconds."""
        return self.seconds * 1000

    @property
    def microseconds(self) -> int:
        """Length in microseconds."""
        return self.seconds * 1_000_000

    @property
    def bars_per_year(self) -> float:
        """Bars in a year of 365 days, the annualisation of a market that never closes."""
        return 365 * 86_400 / self.seconds

    def floor(self, instant: datetime) -> datetime:
        """Return the open time of the candle that contains ``instant`` (timezone-aware)."""
        return instant - (instant - _EPOCH) % self.duration

    def last_closed_open(self, now: datetime) -> datetime:
        """Return the open time of the newest candle that is closed at ``now``."""
        return self.floor(now) - self.duration

    def makes_up(self, longer: "Timeframe") -> bool:
        """Tell whether ``longer`` is longer than this and a multiple of it."""
        return longer.seconds > self.seconds and longer.seconds % self.seconds == 0

    def check_makes_up(self, longer: "Timeframe") -> None:
        """Check that candles of this length make up candles of ``longer``.

        Raises
        ------
        ConfigError
            If ``longer`` is not longer than this or not a multiple of it.
        """
        if not self.makes_up(longer):
            fitting = [name for name in _ALLOWED if self.makes_up(Timeframe(name))]
            raise ConfigError(
                f"candles of {self} make up the longer timeframes that are a multiple of {self} "
                f"({', '.join(fitting) or 'there is none'}), not {longer}",
                base=self.name,
                longer=longer.name,
            )

    def __str__(self) -> str:
        return self.name


def known_timeframes() -> tuple[str, ...]:
    """Return the names that :class:`Timeframe` accepts, shortest first."""
    return _ALLOWED
