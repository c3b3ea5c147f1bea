"""Data quality between the domain, the notes of a partition and the metadata of the UI."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from trading_pipeline.core.month import Month
from trading_pipeline.market_data.gaps import Gap, GapClass
from trading_pipeline.market_data.quality import QualityReport
from trading_pipeline.reporting.quality import GapRow


def notes_of(quality: QualityReport) -> dict[str, Any]:
    """Return a quality report as JSON."""
    return {
        "expected": quality.expected,
        "present": quality.present,
        "explained": quality.explained,
        "unexplained": quality.unexplained,
        "dropped": dict(quality.dropped),
        "gaps": [
            {
                "start": gap.start.isoformat(),
                "end": gap.end.isoformat(),
                "n_bars": gap.n_bars,
                "kind": gap.kind.value,
            }
            for gap in quality.gaps
        ],
    }


def gaps_from(notes: Mapping[str, Any]) -> tuple[Gap, ...]:
    """Return the gaps in the notes of a ``candles`` partition; none if it was never made."""
    return tuple(
        Gap(
            datetime.fromisoformat(gap["start"]),
            datetime.fromisoformat(gap["end"]),
            gap["n_bars"],
            GapClass(gap["kind"]),
        )
        for gap in notes.get("gaps", ())
    )


def gap_rows(notes: Mapping[str, Any]) -> tuple[GapRow, ...]:
    """Return the gaps in the notes of a ``candles`` partition as reports show them."""
    return tuple(
        GapRow(gap.start, gap.end, gap.n_bars, gap.kind.value, gap.kind.is_explained)
        for gap in gaps_from(notes)
    )


def quality_from(
    month: Month,
    notes: Mapping[str, Any],
    first: datetime | None = None,
    last: datetime | None = None,
) -> QualityReport:
    """Return the quality report in the notes of a ``candles`` partition."""
    return QualityReport(
        month=month,
        expected=notes["expected"],
        present=notes["present"],
        missing=notes["explained"] + notes["unexplained"],
        explained=notes["explained"],
        unexplained=notes["unexplained"],
        dropped=notes["dropped"],
        first=first,
        last=last,
        gaps=gaps_from(notes),
    )


def quality_metadata(quality: QualityReport) -> dict[str, Any]:
    """Return what the UI shows of a quality report."""
    return {
        "expected": quality.expected,
        "present": quality.present,
        "missing": quality.missing,
        "missing, explained": quality.explained,
        "missing, unexplained": quality.unexplained,
        "dropped_rows": quality.n_dropped,
        "gaps": dg.MetadataValue.md(_gap_table(quality.gaps)),
    }


def _gap_table(gaps: tuple[Gap, ...]) -> str:
    if not gaps:
        return "none"
    rows = [f"| {gap.start:%Y-%m-%d %H:%M} | {gap.n_bars} | {gap.kind} |" for gap in gaps]
    return "\n".join(["| from (UTC) | bars | class |", "| --- | --- | --- |", *rows])
