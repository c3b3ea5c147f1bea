"""When a candle that is watched while it forms may leave as closed.

An exchange sends the forming candle again and again. Whether one of these messages was the last
is not in it (ccxt drops Binance's flag), so it is proved: by the exchange's clock and by the next
candle, which one connection brings after it. What is not proved does not leave; it is named, and
its closed form is asked over REST.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from trading_pipeline.core.timeframe import Timeframe

_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Bar:
    """One candle as the exchange sent it, closed or not. Prices in quote currency."""

    open_time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of a message or of time passing.

    Parameters
    ----------
    closed : tuple of Bar
        Candles that are closed for sure, oldest first, each the one after the last that left.
    missing_since : datetime, optional
        Open time from which closed candles were missed; ask the exchange for them over REST.
    doubtful : tuple of datetime
        Open times of candles that left, and of which other values came then, each of them once:
        ask the exchange which are true.
    """

    closed: tuple[Bar, ...] = ()
    missing_since: datetime | None = None
    doubtful: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Filled:
    """What came of an answer over REST: candles that were missing, and revised ones."""

    closed: tuple[Bar, ...] = ()
    revised: tuple[Bar, ...] = ()


@dataclass(frozen=True, slots=True)
class _Watched:
    bar: Bar
    is_proved: bool


class BarCollector:
    """The forming candles of one symbol; closed ones leave in order, each once.

    A candle is closed when a later candle came, or when the exchange's clock has passed its end
    plus twice ``grace``. Its values are taken from the messages only if the last of them came
    after its end by the exchange's clock, and a later candle came over the same connection, which
    keeps the order of what was sent. The time alone proves nothing: a message of before the end
    may have been on its way for long. Else it is named as missing.

    Parameters
    ----------
    timeframe : Timeframe
    next_open : datetime
        Open time of the oldest candle that has not left; on the timeframe's grid.
    grace : timedelta
        Time after the end of a candle in which the exchange may still correct it; not negative.
    left : iterable of Bar
        Candles that left earlier, oldest first; the newest 64 are compared with what comes.
    """

    def __init__(
        self,
        timeframe: Timeframe,
        next_open: datetime,
        grace: timedelta,
        left: Iterable[Bar] = (),
    ) -> None:
        self._timeframe = timeframe
        self._grace = grace
        self._next_open = next_open
        self._watched: dict[datetime, _Watched] = {}
        self._left: dict[datetime, Bar] = {bar.open_time: bar for bar in left}
        self._doubted: dict[datetime, Bar] = {}
        self._forget()

    @property
    def next_open(self) -> datetime:
        """Open time of the oldest candle that has not left."""
        return self._next_open

    @property
    def forming(self) -> Bar | None:
        """The newest candle that was sent and has not left."""
        return self._watched[max(self._watched)].bar if self._watched else None

    def update(self, bar: Bar, earliest: datetime | None) -> Collected:
        """Take a message.

        Parameters
        ----------
        bar : Bar
            On the timeframe's grid.
        earliest : datetime, optional
            What the exchange's clock showed at the earliest when the message came; None if it is
            not known.
        """
        if bar.open_time < self._next_open:
            known = self._left.get(bar.open_time)
            if known is None or bar in (known, self._doubted.get(bar.open_time)):
                return Collected()
            self._doubted[bar.open_time] = bar
            return Collected(doubtful=(bar.open_time,))
        is_after_end = earliest is not None and earliest >= bar.open_time + self._timeframe.duration
        before = self._watched.get(bar.open_time)
        if before is None or bar.volume > before.bar.volume:
            self._watched[bar.open_time] = _Watched(bar, is_after_end)
        elif bar != before.bar:
            # Volume only grows: an older message came late, or the exchange corrects itself.
            self._watched[bar.open_time] = _Watched(before.bar, is_proved=False)
        # The same values again prove nothing: an older message may have been sent twice.
        return self._leaving(None)

    def reconnected(self) -> None:
        """Take that the connection is another one: what the one before sent last is not known."""
        self._watched = {k: _Watched(v.bar, is_proved=False) for k, v in self._watched.items()}

    def pass_time(self, earliest: datetime) -> Collected:
        """Take the exchange's clock: what it shows at the earliest."""
        return self._leaving(earliest)

    def fill(self, bars: Iterable[Bar]) -> Filled:
        """Take closed candles that the exchange gave over REST, oldest first.

        They are the truth: those that have not left leave now, and those that left with other
        values are revised. A candle that is missing between two of them does not exist there.
        """
        closed: list[Bar] = []
        revised: list[Bar] = []
        for bar in bars:
            if bar.open_time < self._next_open:
                known = self._left.get(bar.open_time)
                if known is not None and known != bar:
                    revised.append(bar)
                    self._left[bar.open_time] = bar
                continue
            closed.append(self._leave(bar))
        return Filled(tuple(closed), tuple(revised))

    def _leaving(self, now: datetime | None) -> Collected:
        closed: list[Bar] = []
        newest = max(self._watched, default=self._next_open)
        while newest > self._next_open:
            watched = self._watched.get(self._next_open)
            if watched is None or not watched.is_proved:
                return Collected(tuple(closed), self._next_open)
            closed.append(self._leave(watched.bar))
        is_missing = self._is_past(self._next_open, now)
        return Collected(tuple(closed), self._next_open if is_missing else None)

    def _is_past(self, opened: datetime, now: datetime | None) -> bool:
        end = opened + self._timeframe.duration
        return now is not None and now >= end + 2 * self._grace

    def _leave(self, bar: Bar) -> Bar:
        self._next_open = bar.open_time + self._timeframe.duration
        self._watched = {k: v for k, v in self._watched.items() if k >= self._next_open}
        self._left[bar.open_time] = bar
        self._forget()
        return bar

    def _forget(self) -> None:
        for opened in sorted(self._left)[:-_REMEMBERED]:
            del self._left[opened]
            self._doubted.pop(opened, None)
