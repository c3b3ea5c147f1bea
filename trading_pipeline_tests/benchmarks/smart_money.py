"""Smart money against smartmoneyconcepts, which runs in a process and environment of its own.

The library's labels look into the future, so that equality has limits: swings and gaps must be
the same (but for the two swings that it makes up at the ends), and of its breaks and blocks ours
must have reached nine of ten. ``docs/smart_money.md`` says what is missing and why.
"""

from collections.abc import Callable, Generator
from dataclasses import fields
from pathlib import Path

import numpy as np

from trading_pipeline.core.candles import CandleArrays
from trading_pipeline.smart_money.events import Change, Concept, EventLog
from trading_pipeline.smart_money.settings import SmartMoneySettings
from trading_pipeline.smart_money.tracker import Readings, SmartMoney
from trading_pipeline_tests.benchmarks.inputs import tick_arrays
from trading_pipeline_tests.benchmarks.measure import Bench, Comparison, Side
from trading_pipeline_tests.benchmarks.peers import Worker, peer_python

_PEER = "smartmoneyconcepts==0.0.27"
_N_BARS = 100_000
_GOAL = 50.0
_LENGTH = 5
_REACHED = 0.9
_LINEAR_GOAL = 0.8


def comparisons(bench: Bench) -> Generator[Comparison, None, None]:
    """Yield ours against the library's zones, against all of it, and a long series against ten."""
    n_bars = min(bench.sizes.n_bars, _N_BARS)
    arrays = tick_arrays(n_bars)
    python = peer_python(bench.folder.parent / "peers", _PEER)
    source, target = bench.folder / "candles.npz", bench.folder / "labels.npz"
    np.savez(source, **{field.name: getattr(arrays, field.name) for field in fields(arrays)})
    script = Path(__file__).with_name("smc_worker.py")
    with Worker(python, script, str(source), str(_LENGTH)) as worker:
        for word, what in (
            ("zones", "its swings, gaps, breaks, blocks and liquidity alone"),
            ("all", "all of its functions, three sessions, day and week"),
        ):
            yield Comparison(
                f"smart-money/{word}",
                Side("SmartMoney, every concept and feature", lambda: _follow(arrays)),
                Side(_PEER.replace("==", " "), lambda word=word: worker.ask(word)),  # type: ignore[misc]
                _difference(worker, target),
                _GOAL,
                f"{n_bars:,} bars; against {what}, without its start, in its own process",
            )
    long = tick_arrays(10 * n_bars)
    parts = [_part(long, first, first + n_bars) for first in range(0, 10 * n_bars, n_bars)]
    yield Comparison(
        "smart-money/linear",
        Side(f"one series of {10 * n_bars:,} bars", lambda: [_follow(long)]),
        Side(f"ten series of {n_bars:,} bars", lambda: [_follow(part) for part in parts]),
        _as_many_bars,
        _LINEAR_GOAL,
        "the same bars on both sides, ours on both: 1 is linear",
    )


def _follow(arrays: CandleArrays) -> Readings:
    return SmartMoney(SmartMoneySettings(swing_length=_LENGTH)).update(arrays)


def _part(arrays: CandleArrays, start: int, stop: int) -> CandleArrays:
    return CandleArrays(*(getattr(arrays, field.name)[start:stop] for field in fields(arrays)))


def _as_many_bars(ours: list[Readings], theirs: list[Readings]) -> str | None:
    counts = [sum(len(r.features["bos"]) for r in side) for side in (ours, theirs)]
    return None if counts[0] == counts[1] else f"{counts[0]} against {counts[1]} bars"


def _difference(worker: Worker, target: Path) -> Callable[[Readings, str], str | None]:
    def difference(ours: Readings, _: str) -> str | None:
        worker.ask(f"save {target}")
        theirs = np.load(target)
        log = ours.events
        swings = _keys(log, Concept.SWING, Change.FORMED) - _keys(
            log, Concept.SWING, Change.REPLACED
        )
        last = len(theirs["swings.HighLow"]) - 1
        made_up = {(at, side) for at in (0, last) for side in (1, -1)}
        if swings != _labels(theirs["swings.HighLow"]) - made_up:
            return "swings differ beyond the two that the library makes up"
        if _keys(log, Concept.GAP, Change.CREATED) != _labels(theirs["gaps.FVG"]):
            return "fair value gaps differ"
        for concept, change, name in (
            (Concept.STRUCTURE, Change.BOS, "structure.BOS"),
            (Concept.STRUCTURE, Change.CHOCH, "structure.CHOCH"),
            (Concept.ORDER_BLOCK, Change.CREATED, "blocks.OB"),
        ):
            wanted = _labels(theirs[name])
            reached = len(_keys(log, concept, change) & wanted)
            if reached < _REACHED * len(wanted):
                return f"of {len(wanted)} labels {name} only {reached} were reached"
        return None

    return difference


def _keys(log: EventLog, concept: Concept, change: Change) -> set[tuple[int, int]]:
    chosen = log.of(concept, change)
    return set(zip(chosen.origin.tolist(), chosen.direction.tolist(), strict=True))


def _labels(column: np.ndarray) -> set[tuple[int, int]]:
    places = np.flatnonzero(~np.isnan(column))
    return {(int(place), int(column[place])) for place in places}
