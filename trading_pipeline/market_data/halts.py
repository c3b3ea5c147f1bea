"""Known exchange halts: hours in which a venue did not trade, so that no candle can exist.

Each row is a fact, found as hours that are absent from Binance's own BTC/USDT and ETH/USDT 1h
candles and from its public archive; the maintenance of 2020-11-30 06:00 for instance is reported
in https://github.com/ccxt/ccxt/issues/8068.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from trading_pipeline.core.timeframe import Timeframe

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Halt:
    """Whole hours without trading, from ``start`` (UTC) on."""

    start: datetime
    hours: int

    @property
    def end(self) -> datetime:
        """First instant after the halted hours."""
        return self.start + self.hours * _HOUR


_BINANCE_SPOT = (
    ("2017-09-06T17", 6),
    ("2018-01-04T04", 1),
    ("2018-02-08T01", 33),
    ("2018-06-26T02", 10),
    ("2018-06-27T13", 1),
    ("2018-07-04T01", 7),
    ("2018-10-19T06", 3),
    ("2018-11-14T02", 7),
    ("2019-03-12T02", 6),
    ("2019-05-15T03", 10),
    ("2019-08-15T02", 8),
    ("2019-11-13T02", 2),
    ("2019-11-25T02", 2),
    ("2020-02-09T02", 1),
    ("2020-02-19T12", 5),
    ("2020-03-04T10", 1),
    ("2020-04-25T02", 2),
    ("2020-06-28T02", 3),
    ("2020-11-30T06", 1),
    ("2020-12-21T14", 4),
    ("2020-12-25T02", 1),
    ("2021-02-11T04", 1),
    ("2021-03-06T02", 1),
    ("2021-04-20T02", 2),
    ("2021-04-25T05", 3),
    ("2021-08-13T02", 4),
    ("2021-09-29T07", 2),
    ("2023-03-24T13", 1),
)

_HALTS: dict[str, tuple[Halt, ...]] = {
    "binance": tuple(
        Halt(datetime.fromisoformat(f"{start}:00:00").replace(tzinfo=UTC), hours)
        for start, hours in _BINANCE_SPOT
    )
}


def listed_halts(venue: str) -> tuple[Halt, ...]:
    """Return the listed halts of ``venue`` (any case), oldest first; none if it has no list."""
    return _HALTS.get(venue.strip().lower(), ())


def halted_intervals(venue: str, timeframe: Timeframe) -> tuple[tuple[datetime, datetime], ...]:
    """Return ``(start, end)`` of each halt: a bar that lies inside cannot exist.

    The list counts whole hours. Trading stopped and resumed somewhere in the hours beside them,
    so for bars shorter than one hour the interval reaches over both of these hours.
    """
    margin = _HOUR if timeframe.duration < _HOUR else timedelta(0)
    return tuple((halt.start - margin, halt.end + margin) for halt in listed_halts(venue))
