"""What of smart money is worth drawing over a window of bars: few marks, the newest and nearest."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trading_pipeline.core.candles import CandleArrays
from trading_pipeline.smart_money.events import KINDS, Change, Concept, EventLog

_ALIVE_PER_SIDE = 2
_ENDED = 8
_MIN_LIFE = 4
_BREAKS = 24
_POOLS = 3
_NEWEST_SWINGS = 40
# What ends the life of a zone as far as a picture shows it.
_ENDINGS = {
    Concept.GAP: Change.FILLED,
    Concept.ORDER_BLOCK: Change.MITIGATED,
    Concept.POOL: Change.SWEPT,
}


@dataclass(frozen=True, slots=True)
class Zone:
    """An order block or a gap: bars from ``start`` to ``end`` (None: still waiting), and prices."""

    concept: Concept
    direction: int
    start: int
    known_at: int
    end: int | None
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Line:
    """A level from a swing to the bar that broke or swept it (None: not yet)."""

    words: str
    direction: int
    start: int
    end: int | None
    level: float


@dataclass(frozen=True, slots=True)
class Swing:
    """A swing high (1) or low (-1)."""

    direction: int
    bar: int
    level: float


@dataclass(frozen=True, slots=True)
class Marks:
    """Everything that is drawn over candles; bars are numbers since the start of the history."""

    zones: tuple[Zone, ...]
    breaks: tuple[Line, ...]
    pools: tuple[Line, ...]
    swings: tuple[Swing, ...]
    range_levels: tuple[float, float] | None


def marks(log: EventLog, candles: CandleArrays, first: int, last: int) -> Marks:
    """Return what to draw over the bars ``first`` to ``last``, known at the close of ``last``.

    Parameters
    ----------
    log : EventLog
        From the start of the history.
    candles : CandleArrays
        Likewise.
    first, last : int
        Numbers of bars, both included.
    """
    rows = _rows(log, first, last)
    close = float(candles.close[last])
    highs = _standing(rows, 1)
    lows = _standing(rows, -1)
    levels = (highs[-1].level, lows[-1].level) if highs and lows else None
    return Marks(
        zones=(
            *_zones(rows, Concept.GAP, Change.FILLED, first, last, close),
            *_zones(rows, Concept.ORDER_BLOCK, Change.MITIGATED, first, last, close),
        ),
        breaks=tuple(_breaks(rows, first)),
        pools=tuple(_pools(rows, first, close)),
        swings=tuple(swing for swing in (*highs, *lows) if swing.bar >= first),
        range_levels=levels if levels and levels[0] > levels[1] else None,
    )


@dataclass(frozen=True, slots=True)
class _Row:
    known_at: int
    concept: Concept
    change: Change
    direction: int
    origin: int
    top: float
    bottom: float
    value: float

    @property
    def key(self) -> tuple[Concept, int, int]:
        return self.concept, self.direction, self.origin


def _rows(log: EventLog, first: int, last: int) -> list[_Row]:
    names = ("known_at", "kind", "direction", "origin", "top", "bottom", "value")
    n_known = int(np.searchsorted(log.known_at, last, side="right"))
    columns = {name: getattr(log, name)[:n_known] for name in names}
    chosen = columns["origin"] >= first
    # Of what is older, all that still waits, and the swings that may be the newest.
    key = 2 * columns["origin"] + (columns["direction"] == 1)
    for concept, ending in _ENDINGS.items():
        kinds = [i for i, (known, _) in enumerate(KINDS) if known is concept]
        is_end = columns["kind"] == KINDS.index((concept, ending))
        is_waiting = ~np.isin(key, key[is_end])
        chosen |= np.isin(columns["kind"], kinds) & is_waiting
    swings = np.flatnonzero(columns["kind"] <= KINDS.index((Concept.SWING, Change.FORMED)))
    chosen[swings[-_NEWEST_SWINGS:]] = True
    return [
        _Row(known_at, *KINDS[kind], *rest)
        for known_at, kind, *rest in zip(
            *(columns[name][chosen].tolist() for name in names), strict=True
        )
    ]


def _standing(rows: list[_Row], direction: int) -> list[Swing]:
    found: dict[int, Swing] = {}
    for row in rows:
        if row.concept is not Concept.SWING or row.direction != direction:
            continue
        if row.change is Change.FORMED:
            found[row.origin] = Swing(direction, row.origin, row.top)
        else:
            found.pop(row.origin, None)
    return list(found.values())


def _zones(
    rows: list[_Row], concept: Concept, ending: Change, first: int, last: int, close: float
) -> Iterable[Zone]:
    ends = {row.key: row.known_at for row in rows if row.change is ending}
    made = [row for row in rows if row.concept is concept and row.change is Change.CREATED]
    zones = [
        Zone(
            concept, row.direction, row.origin, row.known_at, ends.get(row.key), row.top, row.bottom
        )
        for row in made
    ]
    for direction in (1, -1):
        alive = [zone for zone in zones if zone.end is None and zone.direction == direction]
        alive.sort(key=lambda zone: abs((zone.top + zone.bottom) / 2 - close))
        yield from alive[:_ALIVE_PER_SIDE]
    ended = [
        zone
        for zone in zones
        if zone.end is not None and zone.start >= first and zone.end - zone.known_at >= _MIN_LIFE
    ]
    yield from ended[-_ENDED:]


def _breaks(rows: list[_Row], first: int) -> list[Line]:
    words = {Change.BOS: "BOS", Change.CHOCH: "CHoCH"}
    found = [
        Line(words[row.change], row.direction, row.origin, int(row.value), row.top)
        for row in rows
        if row.concept is Concept.STRUCTURE and row.origin >= first
    ]
    return found[-_BREAKS:]


def _pools(rows: list[_Row], first: int, close: float) -> list[Line]:
    swept = {
        row.key: row.known_at
        for row in rows
        if row.concept is Concept.POOL and row.change is Change.SWEPT
    }
    newest = {
        row.key: row
        for row in rows
        if row.concept is Concept.POOL and row.change in (Change.CREATED, Change.EXTENDED)
    }
    lines = [
        Line(
            f"{row.value:.0f} {'highs' if row.direction == 1 else 'lows'}",
            row.direction,
            row.origin,
            swept.get(key),
            row.top if row.direction == 1 else row.bottom,
        )
        for key, row in newest.items()
    ]
    alive = [line for line in lines if line.end is None]
    alive.sort(key=lambda line: abs(line.level - close))
    ended = [line for line in lines if line.end is not None and line.start >= first]
    return [*alive[:_POOLS], *ended[-_POOLS:]]
