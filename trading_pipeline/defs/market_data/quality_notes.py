"""Data quality between the domain, the notes of a partition and the metadata of the UI."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg
import polars as pl

from trading_pipeline.core.candles import OPEN_TIME_TYPE
from trading_pipeline.core.errors import DataError
from trading_pipeline.core.month import Month
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.market_data.gaps import Gap, GapClass, Proof
from trading_pipeline.market_data.quality import QualityReport
from trading_pipeline.reporting.quality import GapRow

# An illiquid month of minutes may have thousands of gaps; the unexplained ones are shown first.
_MOST_GAPS = 100

GAP_SCHEMA: dict[str, pl.DataType] = {
    "open_time": OPEN_TIME_TYPE,
    "end_time": OPEN_TIME_TYPE,
    "n_bars": pl.Int64(),
    "class": pl.String(),
    "in_quarantine": pl.Boolean(),
    "evidence": pl.String(),
}
"""Columns of ``candle_gaps``: bars with ``open_time <= t < end_time`` are missing."""


def notes_of(quality: QualityReport) -> dict[str, Any]:
    """Return a quality report as JSON."""
    return {
        "expected": quality.expected,
        "present": quality.present,
        "explained": quality.explained,
        "unexplained": quality.unexplained,
        "repaired": quality.repaired,
        "revised": quality.revised,
        "quarantined": quality.quarantined,
        "dropped": dict(quality.dropped),
        "gaps": [
            {
                "start": gap.start.isoformat(),
                "end": gap.end.isoformat(),
                "n_bars": gap.n_bars,
                "kind": gap.kind.value,
                "evidence": gap.evidence,
            }
            for gap in quality.gaps
        ],
    }


def proof_notes(proofs: Sequence[Proof]) -> list[dict[str, Any]]:
    """Return what asking about gaps found as JSON, for the notes of ``raw_candles``."""
    return [
        {
            "start": proof.start.isoformat(),
            "end": proof.end.isoformat(),
            "kind": proof.kind.value,
            "evidence": proof.evidence,
            "is_contradiction": proof.is_contradiction,
            "traded_elsewhere": proof.traded_elsewhere,
        }
        for proof in proofs
    ]


def proofs_from(notes: Mapping[str, Any]) -> tuple[Proof, ...]:
    """Return the proofs in the notes of a ``raw_candles`` partition; none if nobody was asked."""
    return tuple(
        Proof(
            datetime.fromisoformat(proof["start"]),
            datetime.fromisoformat(proof["end"]),
            GapClass(proof["kind"]),
            proof["evidence"],
            proof["is_contradiction"],
            proof.get("traded_elsewhere", False),
        )
        for proof in notes.get("asked", ())
    )


def gap_table(gaps: Sequence[Gap]) -> pl.DataFrame:
    """Return gaps as rows of the table ``candle_gaps``; an unexplained one is in quarantine."""
    return pl.DataFrame(
        {
            "open_time": [gap.start for gap in gaps],
            "end_time": [gap.end for gap in gaps],
            "n_bars": [gap.n_bars for gap in gaps],
            "class": [gap.kind.value for gap in gaps],
            "in_quarantine": [not gap.kind.is_explained for gap in gaps],
            "evidence": [gap.evidence for gap in gaps],
        },
        schema=GAP_SCHEMA,
    )


def gaps_from(notes: Mapping[str, Any]) -> tuple[Gap, ...]:
    """Return the gaps in the notes of a ``candles`` partition; none if it was never made."""
    return tuple(
        Gap(
            datetime.fromisoformat(gap["start"]),
            datetime.fromisoformat(gap["end"]),
            gap["n_bars"],
            GapClass(gap["kind"]),
            gap.get("evidence", ""),
        )
        for gap in notes.get("gaps", ())
    )


def asked_until(notes: Mapping[str, Any], cell: Cell) -> datetime:
    """Return until when the source of a ``candles`` partition was asked, by its own clock.

    Raises
    ------
    DataError
        If the notes do not say so.
    """
    told = notes.get("as_of")
    if told is None:
        raise DataError(
            f"the candles of {cell.key} do not say until when their source was asked, as an "
            "earlier version wrote them; materialise candles again",
            partition=cell.key,
        )
    return datetime.fromisoformat(told)


def gap_rows(notes: Mapping[str, Any]) -> tuple[GapRow, ...]:
    """Return the gaps in the notes of a ``candles`` partition as reports show them."""
    return tuple(
        GapRow(gap.start, gap.end, gap.n_bars, gap.kind.value, gap.kind.is_explained, gap.evidence)
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
        repaired=notes.get("repaired", 0),
        revised=notes.get("revised", 0),
        quarantined=notes.get("quarantined", 0),
    )


def quality_metadata(quality: QualityReport) -> dict[str, Any]:
    """Return what the UI shows of a quality report."""
    return {
        "expected": quality.expected,
        "present": quality.present,
        "missing": quality.missing,
        "missing, explained": quality.explained,
        "missing, unexplained": quality.unexplained,
        "repaired": quality.repaired,
        "revised": quality.revised,
        "quarantined_rows": quality.quarantined,
        "dropped_rows": quality.n_dropped,
        "gaps": dg.MetadataValue.md(_gap_table(quality.gaps)),
    }


def _gap_table(gaps: tuple[Gap, ...]) -> str:
    if not gaps:
        return "none"
    shown = sorted(gaps, key=lambda gap: (gap.kind.is_explained, gap.start))[:_MOST_GAPS]
    rows = [
        f"| {gap.start:%Y-%m-%d %H:%M} | {gap.n_bars} | {gap.kind} | {gap.evidence} |"
        for gap in shown
    ]
    if len(gaps) > len(shown):
        rows.append(f"| and {len(gaps) - len(shown):,} more | | | in the table `candle_gaps` |")
    head = ["| from (UTC) | bars | class | evidence |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *rows])
