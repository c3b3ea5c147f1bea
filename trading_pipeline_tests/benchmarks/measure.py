"""How a pair is measured: the same result first, then both sides in turn.

A figure is the peer's time divided by ours: above 1 we are faster. Both sides run in one process,
one directly after the other, and who goes first alternates, so that a busy machine slows both; the
figure is the median of the rounds' ratios. Each call allocates its own result. What a call needs
around it (an empty folder) is not timed.
"""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from trading_pipeline.core.errors import DataError

_MAX_ROUNDS = 60


class ResultsDifferError(DataError):
    """Two sides of a benchmark did not compute the same thing, so that timing them says nothing."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is computed, and how often.

    A pair is repeated ``min_rounds`` times (even, so that each side goes first as often as the
    other), and calls of a millisecond further, until ``enough_s`` seconds or 60 rounds are over.
    """

    name: str
    n_bars: int
    n_months: int
    lake_timeframes: tuple[str, ...]
    write_timeframe: str
    chart_bars: int
    dagster_months: int
    n_resampled: int
    min_rounds: int = 8
    enough_s: float = 1.5


FULL = Sizes("full", 1_000_000, 24, ("1h", "1m"), "1m", 17_520, 12, 10_000_000)
QUICK = Sizes("quick", 200_000, 6, ("1h", "5m"), "5m", 8_760, 3, 1_000_000)


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a suite works, and how much it computes."""

    sizes: Sizes
    folder: Path


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: a call without arguments, and what precedes it untimed."""

    name: str
    run: Callable[[], Any]
    reset: Callable[[], None] = _nothing


@dataclass(frozen=True, slots=True)
class Comparison:
    """Our function against a named peer's.

    Parameters
    ----------
    name : str
        ``suite/benchmark``.
    ours, peer : Side
    difference : callable
        Takes both results, ours first; returns how they differ in words, None if they agree.
    goal : float
        The ratio that the project wants.
    note : str
        What a reader must know to judge the figure.
    """

    name: str
    ours: Side
    peer: Side
    difference: Callable[[Any, Any], str | None]
    goal: float
    note: str = ""


class Verdict(StrEnum):
    """What a reading says; a doubt counts against us."""

    WON = "won"
    EVEN = "even"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Reading:
    """A measured comparison; times in seconds, one per round."""

    name: str
    ours: str
    peer: str
    goal: float
    note: str
    ours_s: tuple[float, ...]
    peer_s: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """Peer's time by our time, per round."""
        return [peer / ours for ours, peer in zip(self.ours_s, self.peer_s, strict=True)]

    @property
    def ratio(self) -> float:
        """Median of the rounds' ratios."""
        return statistics.median(self.ratios)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The ratios that a quarter of the rounds stays below, and above."""
        low, _, high = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return low, high

    @property
    def verdict(self) -> Verdict:
        """Lost below 1; won if three quarters of the rounds were; otherwise even."""
        if self.ratio < 1.0:
            return Verdict.LOST
        return Verdict.WON if self.quartiles[0] > 1.0 else Verdict.EVEN

    @property
    def meets_goal(self) -> bool:
        """Whether the median reaches the goal."""
        return self.ratio >= self.goal


def measure(comparison: Comparison, sizes: Sizes) -> Reading:
    """Check that both sides compute the same, then time them in turn.

    Raises
    ------
    ResultsDifferError
        If the results differ; nothing is timed then.
    """
    results = [_untimed(side) for side in (comparison.ours, comparison.peer)]
    found = comparison.difference(*results)
    if found is not None:
        raise ResultsDifferError(
            f"{comparison.name}: {comparison.ours.name} and {comparison.peer.name} must give the "
            f"same result before they are timed: {found}"
        )
    del results
    # What is there already is not looked at again by the collections between calls.
    gc.freeze()
    try:
        ours_s, peer_s = _time(comparison, sizes)
    finally:
        gc.unfreeze()
    return Reading(
        comparison.name,
        comparison.ours.name,
        comparison.peer.name,
        comparison.goal,
        comparison.note,
        tuple(ours_s),
        tuple(peer_s),
    )


def _time(comparison: Comparison, sizes: Sizes) -> tuple[list[float], list[float]]:
    turns: list[tuple[Side, list[float]]] = [(comparison.ours, []), (comparison.peer, [])]
    started = time.perf_counter()
    n_rounds = 0
    while n_rounds < sizes.min_rounds or (
        n_rounds < _MAX_ROUNDS and time.perf_counter() - started < sizes.enough_s
    ):
        for ordered in (turns, turns[::-1]):
            for side, times in ordered:
                times.append(_timed(side))
        n_rounds += 2
    return turns[0][1], turns[1][1]


def _untimed(side: Side) -> Any:
    side.reset()
    return side.run()


def _timed(side: Side) -> float:
    side.reset()
    gc.collect()
    started = time.perf_counter()
    result = side.run()
    took = time.perf_counter() - started
    # Kept until the clock stopped: freeing memory is nobody's result.
    del result
    return took
