"""Smart money as features: distances in average true ranges, ages in bars, shares and states.

No column is a price. Distances above price count upwards and those below downwards, so that a
positive one is a level that price has not reached. What does not exist (no block waits, no swing
is known yet) is NaN, with a count beside it where there may be several.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from trading_pipeline.core.candles import BoolArray, FloatArray, IntArray
from trading_pipeline.smart_money._structure import BREAK, CHANGE
from trading_pipeline.smart_money._swings import HIGH, LOW
from trading_pipeline.smart_money.chunks import RawEvents
from trading_pipeline.smart_money.liquidity import Liquidity
from trading_pipeline.smart_money.settings import PERIODS, SESSIONS
from trading_pipeline.smart_money.swings import Swings
from trading_pipeline.smart_money.zones import Nearest


@dataclass(frozen=True, slots=True)
class Structure:
    """Breaks per bar: 1 up, -1 down, 0 none; the newest break's direction and bar (-1 none)."""

    bos: IntArray
    choch: IntArray
    direction: IntArray
    known_at: IntArray


class StructureState:
    """Remembers the newest break from chunk to chunk."""

    def __init__(self) -> None:
        self._direction, self._known_at = 0, -1

    def advance(self, events: RawEvents, first: int, n_bars: int) -> Structure:
        """Spread the breaks of a chunk over its bars."""
        known_at, kind, direction = events.bar[:, 0], events.bar[:, 1], events.bar[:, 2]
        breaks = {BREAK: np.zeros(n_bars, np.int64), CHANGE: np.zeros(n_bars, np.int64)}
        for name, column in breaks.items():
            chosen = kind == name
            column[known_at[chosen] - first] = direction[chosen]
        # Place 0 is what was before the chunk.
        newest = np.searchsorted(known_at, np.arange(first, first + n_bars), side="right")
        directions = np.concatenate([[self._direction], direction])
        bars = np.concatenate([[self._known_at], known_at])
        self._direction, self._known_at = int(directions[-1]), int(bars[-1])
        return Structure(breaks[BREAK], breaks[CHANGE], directions[newest], bars[newest])


@dataclass(frozen=True, slots=True)
class Observed:
    """What the kernels saw of a chunk whose first bar has the number ``first``."""

    first: int
    close: FloatArray
    average_range: FloatArray
    swings: Swings
    structure: Structure
    zones: Mapping[str, Nearest]
    liquidity: Liquidity
    periods: tuple[tuple[FloatArray, IntArray], ...]
    sessions: tuple[tuple[IntArray, FloatArray], ...]
    given_back: FloatArray
    deepest: FloatArray

    @property
    def bar(self) -> IntArray:
        """Numbers of the bars."""
        return np.arange(self.first, self.first + len(self.close))

    def above(self, level: FloatArray) -> FloatArray:
        """Return how far ``level`` lies above the close, in average true ranges."""
        return _ratio(level - self.close, self.average_range)

    def below(self, level: FloatArray) -> FloatArray:
        """Return how far ``level`` lies below the close, in average true ranges."""
        return _ratio(self.close - level, self.average_range)

    def age(self, born: IntArray) -> FloatArray:
        """Return the bars since ``born``; NaN where that is negative."""
        return np.where(born >= 0, self.bar - born, np.nan)


def stationary(seen: Observed) -> dict[str, FloatArray]:
    """Return the columns of ``FEATURES``, each of shape (n_bars,)."""
    return {name: np.asarray(values, np.float64) for name, values in _columns(seen)}


def _columns(seen: Observed) -> Iterator[tuple[str, FloatArray | IntArray | BoolArray]]:
    yield from _swing_columns(seen)
    yield "bos", seen.structure.bos
    yield "choch", seen.structure.choch
    yield "structure_direction", seen.structure.direction
    yield "structure_age", seen.age(seen.structure.known_at)
    for name, nearest in seen.zones.items():
        yield from _zone_columns(seen, name, nearest)
    for side, name in enumerate(("high", "low")):
        away = seen.above if side == 0 else seen.below
        yield f"{name}_liquidity_distance", away(seen.liquidity.level[:, side])
        yield f"{name}_liquidity_swings", seen.liquidity.members[:, side]
        yield f"{name}_liquidity_swept", seen.liquidity.swept[:, side]
        yield f"{name}_pools", seen.liquidity.shared[:, side]
    for period, (levels, broken) in zip(PERIODS, seen.periods, strict=True):
        yield f"{period.name}_high_distance", seen.above(levels[:, 0])
        yield f"{period.name}_low_distance", seen.below(levels[:, 1])
        yield f"{period.name}_high_broken", broken[:, 0]
        yield f"{period.name}_low_broken", broken[:, 1]
    for session, (active, levels) in zip(SESSIONS, seen.sessions, strict=True):
        yield f"{session.name}_session", active
        yield f"{session.name}_high_distance", seen.above(levels[:, 0])
        yield f"{session.name}_low_distance", seen.below(levels[:, 1])


def _swing_columns(seen: Observed) -> Iterator[tuple[str, FloatArray | IntArray]]:
    at, level = seen.swings.at, seen.swings.level
    top, bottom = level[:, HIGH], level[:, LOW]
    yield "swing_high_distance", seen.above(top)
    yield "swing_high_age", seen.age(at[:, HIGH])
    yield "swing_low_distance", seen.below(bottom)
    yield "swing_low_age", seen.age(at[:, LOW])
    yield (
        "range_position",
        np.where(top > bottom, _ratio(seen.close - bottom, top - bottom), np.nan),
    )
    yield "retracement_direction", seen.swings.run
    yield "retracement", seen.given_back
    yield "retracement_deepest", seen.deepest


def _zone_columns(
    seen: Observed, name: str, nearest: Nearest
) -> Iterator[tuple[str, FloatArray | IntArray]]:
    for side, word in enumerate(("bullish", "bearish")):
        away = seen.below if side == 0 else seen.above
        near, far, born = nearest.near[:, side], nearest.far[:, side], nearest.born[:, side]
        yield f"{word}_{name}_distance", away(near)
        yield f"{word}_{name}_height", _ratio(np.abs(near - far), seen.average_range)
        yield f"{word}_{name}_age", seen.age(born)
        yield f"{word}_{name}_touched", np.where(born >= 0, nearest.touched[:, side], np.nan)
        yield f"{word}_{name}s", nearest.count[:, side]


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Return ``part / whole``; NaN where ``whole`` is zero, as in a market that never moved."""
    out = np.full(len(part), np.nan)
    np.divide(part, whole, out=out, where=whole > 0.0)
    return out


def _names() -> tuple[str, ...]:
    zones = [
        f"{word}_{name}{part}"
        for name in ("block", "gap")
        for word in ("bullish", "bearish")
        for part in ("_distance", "_height", "_age", "_touched", "s")
    ]
    liquidity = [
        f"{name}_{part}"
        for name in ("high", "low")
        for part in ("liquidity_distance", "liquidity_swings", "liquidity_swept", "pools")
    ]
    periods = [
        f"{period.name}_{part}"
        for period in PERIODS
        for part in ("high_distance", "low_distance", "high_broken", "low_broken")
    ]
    sessions = [
        f"{session.name}_{part}"
        for session in SESSIONS
        for part in ("session", "high_distance", "low_distance")
    ]
    return (
        *("swing_high_distance", "swing_high_age", "swing_low_distance", "swing_low_age"),
        *("range_position", "retracement_direction", "retracement", "retracement_deepest"),
        *("bos", "choch", "structure_direction", "structure_age"),
        *zones,
        *liquidity,
        *periods,
        *sessions,
    )


FEATURES = _names()
