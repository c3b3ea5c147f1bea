"""Calendar grids: a year per row, a month per column, coloured by value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reportlab.lib.colors import Color, white
from reportlab.platypus import Table, TableStyle

from trading_pipeline.adapters.reports.fonts import BOLD, REGULAR
from trading_pipeline.adapters.reports.theme import (
    CAUTION_TINT,
    INK,
    LOSS,
    MUTED,
    PANEL,
    WIDTH,
    shade,
)
from trading_pipeline.core.month import Month
from trading_pipeline.reporting.curves import compound
from trading_pipeline.reporting.formats import is_number, percent, signed_percent
from trading_pipeline.reporting.quality import QualityRow

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class GridCell:
    """What stands in the cell of a month."""

    text: str
    background: Color | None = None
    colour: Color = INK


def returns_grid(returns: Sequence[tuple[Month, float | None]], *, width: float = WIDTH) -> Table:
    """Return monthly returns, coloured by sign and size, with the chained return of each year."""
    sizes = sorted(abs(value) for _, value in returns if is_number(value))
    # The largest months would wash out all others: full colour starts at the 90th percentile.
    extreme = sizes[int(0.9 * (len(sizes) - 1))] if sizes else 0.0
    cells = {
        month: GridCell(signed_percent(value), *shade(value, extreme))
        if is_number(value)
        else GridCell(signed_percent(value), colour=MUTED)
        for month, value in returns
    }
    years = {
        year: signed_percent(compound([value for month, value in returns if month.year == year]))
        for year in {month.year for month in cells}
    }
    return _grid(cells, years, "Year", width)


def coverage_grid(rows: Sequence[QualityRow], *, width: float = WIDTH) -> Table:
    """Return the share of bars that exist; colour only where bars are missing."""
    cells = {row.month: GridCell(*_coverage(row)) for row in rows}
    years = {}
    for year in {month.year for month in cells}:
        present = sum(row.present for row in rows if row.month.year == year)
        expected = sum(row.expected for row in rows if row.month.year == year)
        years[year] = _share(present, expected)
    return _grid(cells, years, "Year", width)


def _coverage(row: QualityRow) -> tuple[str, Color, Color]:
    text = _share(row.present, row.expected)
    if row.unexplained:
        return text, LOSS, white
    if row.explained:
        return text, CAUTION_TINT, INK
    return text, PANEL, INK


def _share(present: int, expected: int) -> str:
    if not expected:
        return "n/a"
    # 99.96 % must not read as complete.
    digits = 0 if present == expected else 1
    return percent(min(present / expected, 0.999) if present < expected else 1.0, digits)


def _grid(
    cells: Mapping[Month, GridCell], years: Mapping[int, str], last_header: str, width: float
) -> Table:
    rows: list[list[str]] = [["", *_MONTHS, last_header]]
    commands = list(_STYLE)
    for row, year in enumerate(sorted(years), start=1):
        line = [str(year)]
        for number in range(1, 13):
            cell = cells.get(Month(year, number), GridCell(""))
            line.append(cell.text)
            place = ((number, row), (number, row))
            commands.append(("TEXTCOLOR", *place, cell.colour))
            if cell.background is not None:
                commands.append(("BACKGROUND", *place, cell.background))
        rows.append([*line, years[year]])
    first, last = width * 0.065, width * 0.095
    widths = [first, *([(width - first - last) / 12] * 12), last]
    table = Table(rows, colWidths=widths, rowHeights=15, repeatRows=1, hAlign="LEFT")
    table.setStyle(TableStyle(commands))
    return table


_STYLE: list[tuple[Any, ...]] = [
    ("FONTNAME", (0, 0), (-1, -1), REGULAR),
    ("FONTSIZE", (0, 0), (-1, -1), 6.4),
    ("ALIGN", (0, 0), (-1, -1), "CENTER"),
    ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
    ("TEXTCOLOR", (0, 0), (-1, 0), MUTED),
    ("TEXTCOLOR", (0, 1), (-1, -1), INK),
    ("FONTNAME", (-1, 1), (-1, -1), BOLD),
    ("FONTNAME", (0, 1), (0, -1), BOLD),
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("RIGHTPADDING", (0, 0), (-1, -1), 0),
    ("TOPPADDING", (0, 0), (-1, -1), 1.5),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
    ("INNERGRID", (1, 1), (-2, -1), 1.2, white),
]
