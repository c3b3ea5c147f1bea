"""What a report says about the candles behind it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from trading_pipeline.core.month import Month
from trading_pipeline.market_data.gaps import Gap
from trading_pipeline.market_data.quality import QualityReport


@dataclass(frozen=True, slots=True)
class QualityRow:
    """Candles of one month: ``missing = explained + unexplained = expected - present``."""

    month: Month
    expected: int
    present: int
    explained: int
    unexplained: int
    dropped: int

    @property
    def missing(self) -> int:
        """Bars that should exist and do not."""
        return self.explained + self.unexplained


@dataclass(frozen=True, slots=True)
class GapRow:
    """A run of missing bars, ``end`` exclusive."""

    start: datetime
    end: datetime
    n_bars: int
    kind: str
    is_explained: bool
    evidence: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class DataQuality:
    """What is known about the candles behind the report."""

    months: tuple[QualityRow, ...] = ()
    gaps: tuple[GapRow, ...] = ()
    dropped_by_reason: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, reports: Sequence[QualityReport]) -> Self:
        """Return what the quality reports of consecutive months say together.

        A gap that was cut at a month's end is one gap again.
        """
        ordered = sorted(reports, key=lambda report: report.month)
        dropped: Counter[str] = Counter()
        for report in ordered:
            dropped.update(report.dropped)
        rows = (
            QualityRow(
                report.month,
                report.expected,
                report.present,
                report.explained,
                report.unexplained,
                report.n_dropped,
            )
            for report in ordered
        )
        return cls(
            tuple(rows),
            tuple(_joined(gap for report in ordered for gap in report.gaps)),
            {reason: n for reason, n in sorted(dropped.items()) if n},
        )

    @property
    def expected(self) -> int:
        """Bars that the period has."""
        return sum(row.expected for row in self.months)

    @property
    def present(self) -> int:
        """Bars that exist."""
        return sum(row.present for row in self.months)

    @property
    def explained(self) -> int:
        """Missing bars with a known cause."""
        return sum(row.explained for row in self.months)

    @property
    def unexplained(self) -> int:
        """Missing bars without a known cause."""
        return sum(row.unexplained for row in self.months)

    @property
    def dropped(self) -> int:
        """Rows of the source that were refused."""
        return sum(row.dropped for row in self.months)


def _row_of(gap: Gap) -> GapRow:
    kind = gap.kind
    return GapRow(gap.start, gap.end, gap.n_bars, kind.value, kind.is_explained, gap.evidence)


def _joined(gaps: Iterable[Gap]) -> list[GapRow]:
    rows: list[GapRow] = []
    for gap in gaps:
        kind = gap.kind.value
        if rows and rows[-1].end == gap.start and rows[-1].kind == kind:
            n_bars = rows[-1].n_bars + gap.n_bars
            rows[-1] = replace(rows[-1], end=gap.end, n_bars=n_bars)
        else:
            rows.append(_row_of(gap))
    return rows
