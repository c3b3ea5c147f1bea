"""What came out: a table for people, a file for programs."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from trading_pipeline import __version__
from trading_pipeline_tests.benchmarks.measure import Reading, Sizes, Verdict
from trading_pipeline_tests.benchmarks.suites import NotTimed

_COLOURS = {Verdict.WON: "green", Verdict.EVEN: "yellow", Verdict.LOST: "bold red"}


def table_of(results: Sequence[Reading | NotTimed], sizes: Sizes) -> Table:
    """Return the table that is printed: one row per benchmark, lost ones as lost."""
    table = Table(
        title=f"Ratios of one run, {sizes.name} sizes: the peer's time divided by ours, "
        "above 1 we are faster",
        title_justify="left",
        caption="Median of the rounds, with the middle half of them in brackets; both sides were "
        "checked for the same result first. Times hold for this machine and this run only."
        + _load_warning(),
        caption_justify="left",
    )
    table.add_column("benchmark", no_wrap=True)
    table.add_column("peer", overflow="fold")
    for name in ("ours ms", "peer ms", "ratio", "goal", "rounds"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("result", no_wrap=True)
    for result in results:
        table.add_row(*(_row(result) if isinstance(result, Reading) else _why(result)))
    return table


def notes_of(results: Sequence[Reading | NotTimed]) -> list[str]:
    """Return what must be known to judge the figures, said once per group of rows."""
    grouped: dict[str, list[str]] = {}
    for result in results:
        if isinstance(result, Reading):
            grouped.setdefault(result.note, []).append(result.name)
    return [f"{', '.join(names)}: {note}" for note, names in grouped.items()]


def write_results(
    path: Path, results: Sequence[Reading | NotTimed], sizes: Sizes, only: str | None
) -> None:
    """Write every round of every benchmark, and where they ran, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "sizes": sizes.name,
        "only": only,
        "trading_pipeline": __version__,
        "python": platform.python_version(),
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
        "load_average_after": _load_average(),
        "benchmarks": [_plain(result) for result in results],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def _load_warning() -> str:
    load, cores = _load_average(), os.cpu_count() or 1
    if load is None or load <= cores + 1:
        return ""
    return f" OTHERS WERE BUSY: the load average was {load:.1f} on {cores} cores; run it again."


def _load_average() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _row(reading: Reading) -> list[str]:
    low, high = reading.quartiles
    verdict = reading.verdict
    goal = "" if reading.meets_goal else ", goal missed"
    return [
        reading.name,
        reading.peer,
        f"{_median_ms(reading.ours_s):,.2f}",
        f"{_median_ms(reading.peer_s):,.2f}",
        f"{reading.ratio:.2f} ({low:.2f}-{high:.2f})",
        f"{reading.goal:.2f}",
        str(len(reading.ours_s)),
        f"[{_COLOURS[verdict]}]{verdict}[/]{goal}",
    ]


def _why(result: NotTimed) -> list[str]:
    return [result.name, result.reason, "", "", "", "", "", f"[bold yellow]{result.outcome}[/]"]


def _plain(result: Reading | NotTimed) -> dict[str, Any]:
    if isinstance(result, NotTimed):
        return {"name": result.name, "outcome": result.outcome, "reason": result.reason}
    return {
        "name": result.name,
        "outcome": result.verdict.value,
        "ours": result.ours,
        "peer": result.peer,
        "note": result.note,
        "ratio": round(result.ratio, 4),
        "ratio_quartiles": [round(value, 4) for value in result.quartiles],
        "goal": round(result.goal, 4),
        "meets_goal": result.meets_goal,
        "ours_median_ms": _median_ms(result.ours_s),
        "peer_median_ms": _median_ms(result.peer_s),
        "ours_ms": [1e3 * seconds for seconds in result.ours_s],
        "peer_ms": [1e3 * seconds for seconds in result.peer_s],
    }


def _median_ms(seconds: Sequence[float]) -> float:
    return 1e3 * statistics.median(seconds)
