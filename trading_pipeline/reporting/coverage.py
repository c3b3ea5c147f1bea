"""How complete candles are, month by month and symbol by symbol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from trading_pipeline.core.month import Month
from trading_pipeline.reporting.quality import GapRow


class CoverageState(StrEnum):
    """What a month of one symbol is, worst first."""

    BROKEN = "breaks the contract"
    UNEXPLAINED = "unexplained gaps"
    NOT_FETCHED = "not fetched"
    EXPLAINED = "explained gaps"
    REPAIRED = "complete after repair"
    COMPLETE = "complete"
    NOT_LISTED = "not listed"


@dataclass(frozen=True, slots=True)
class CoverageCell:
    """The counts of one symbol's month, in bars; ``is_made`` is False where nothing is stored."""

    symbol: str
    month: Month
    is_made: bool
    expected: int = 0
    present: int = 0
    explained: int = 0
    unexplained: int = 0
    repaired: int = 0
    revised: int = 0
    quarantined: int = 0
    dropped: int = 0
    broken: tuple[str, ...] = ()
    gaps: tuple[GapRow, ...] = ()

    @property
    def missing(self) -> int:
        """Bars that should exist and do not."""
        return self.explained + self.unexplained

    @property
    def coverage(self) -> float | None:
        """Present over expected bars as a fraction; None if nothing is expected."""
        return self.present / self.expected if self.expected else None

    @property
    def state(self) -> CoverageState:
        """The worst that is true of the month."""
        if not self.is_made:
            return CoverageState.NOT_FETCHED
        if self.broken:
            return CoverageState.BROKEN
        if self.unexplained:
            return CoverageState.UNEXPLAINED
        if not self.expected:
            return CoverageState.NOT_LISTED
        if self.explained:
            return CoverageState.EXPLAINED
        return CoverageState.REPAIRED if self.repaired else CoverageState.COMPLETE


@dataclass(frozen=True, slots=True)
class Coverage:
    """Months of several symbols; every symbol has every month."""

    months: tuple[Month, ...]
    symbols: tuple[str, ...]
    cells: Mapping[tuple[str, Month], CoverageCell] = field(default_factory=dict)

    def row(self, symbol: str) -> Sequence[CoverageCell]:
        """Return the months of ``symbol``, oldest first."""
        return [
            self.cells.get((symbol, month), CoverageCell(symbol, month, is_made=False))
            for month in self.months
        ]

    def all_cells(self) -> Sequence[CoverageCell]:
        """Return every cell, by symbol, oldest first."""
        return [cell for symbol in self.symbols for cell in self.row(symbol)]

    @property
    def is_sound(self) -> bool:
        """Whether no month has an unexplained gap or breaks the contract."""
        bad = (CoverageState.BROKEN, CoverageState.UNEXPLAINED)
        return all(cell.state not in bad for cell in self.all_cells())
