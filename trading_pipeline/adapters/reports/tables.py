"""Tables of the reports: quiet rules, figures at the right, a header on every page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reportlab.lib.colors import Color
from reportlab.platypus import Paragraph, Table, TableStyle

from trading_pipeline.adapters.reports.fonts import BOLD, REGULAR, markup, plain
from trading_pipeline.adapters.reports.theme import (
    GRID,
    INK,
    LOSS,
    MUTED,
    PANEL,
    RULE,
    WIDTH,
    style,
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its header, its share of the width, and how its cells stand.

    ``is_text`` and ``is_mono`` cells stand left and wrap, unless ``is_short``; others are figures
    on one line and stand right.
    """

    header: str
    share: float = 1.0
    is_text: bool = False
    is_mono: bool = False
    is_short: bool = False

    @property
    def is_left(self) -> bool:
        """Whether cells stand left."""
        return self.is_text or self.is_mono


def figures_table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    width: float = WIDTH,
    totals: Sequence[str] | None = None,
    marked: Sequence[tuple[int, int]] = (),
) -> Table:
    """Return a table; ``marked`` lists (row, column) cells that are shown as losses.

    Text is escaped here, so that cells may hold anything.
    """
    cells: list[list[Paragraph | str]] = [[plain(column.header) for column in columns]]
    cells += [
        [_cell(column, value) for column, value in zip(columns, row, strict=True)] for row in rows
    ]
    if totals is not None:
        cells.append([plain(value) for value in totals])
    total_share = sum(column.share for column in columns)
    table = Table(
        cells,
        colWidths=[width * column.share / total_share for column in columns],
        repeatRows=1,
        hAlign="LEFT",
    )
    commands = [
        *_BASE,
        *_placing(columns),
        *(("TEXTCOLOR", (column, row + 1), (column, row + 1), LOSS) for row, column in marked),
    ]
    if totals is not None:
        commands += [
            ("LINEABOVE", (0, -1), (-1, -1), 0.7, INK),
            ("FONTNAME", (0, -1), (-1, -1), BOLD),
        ]
    table.setStyle(TableStyle(commands))
    return table


_BASE: list[tuple[Any, ...]] = [
    ("FONTNAME", (0, 0), (-1, -1), REGULAR),
    ("FONTSIZE", (0, 0), (-1, -1), 7.2),
    ("LEADING", (0, 0), (-1, -1), 9.4),
    ("TEXTCOLOR", (0, 0), (-1, 0), MUTED),
    ("TEXTCOLOR", (0, 1), (-1, -1), INK),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
    ("LINEBELOW", (0, 1), (-1, -1), 0.4, GRID),
    ("LINEBELOW", (0, 0), (-1, 0), 0.7, INK),
    ("TOPPADDING", (0, 0), (-1, -1), 2.6),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 3.0),
    ("LEFTPADDING", (0, 0), (-1, -1), 4),
    ("RIGHTPADDING", (0, 0), (-1, -1), 4),
]


def _placing(columns: Sequence[Column]) -> list[tuple[Any, ...]]:
    commands: list[tuple[Any, ...]] = []
    for i, column in enumerate(columns):
        if not column.is_left:
            commands.append(("ALIGN", (i, 0), (i, -1), "RIGHT"))
        elif i and not columns[i - 1].is_left:
            # A text column right after a right-aligned figure needs air between the two.
            commands.append(("LEFTPADDING", (i, 0), (i, -1), 14))
    return commands


def _cell(column: Column, value: str) -> Paragraph | str:
    if column.is_left and not column.is_short:
        return Paragraph(markup(value), style("mono" if column.is_mono else "cell"))
    return plain(value)


def facts_table(
    facts: Sequence[tuple[str, str]], *, width: float = WIDTH, label: float = 0.26
) -> Table:
    """Return a list of (name, text) pairs."""
    cells = [
        [Paragraph(markup(name), style("cell_bold")), Paragraph(markup(text, 1200), style("cell"))]
        for name, text in facts
    ]
    table = Table(cells, colWidths=[width * label, width * (1 - label)], hAlign="LEFT")
    table.setStyle(
        TableStyle(
            [
                ("FONTNAME", (0, 0), (-1, -1), REGULAR),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, GRID),
                ("LEFTPADDING", (0, 0), (-1, -1), 4),
                ("TOPPADDING", (0, 0), (-1, -1), 2.6),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3.0),
            ]
        )
    )
    return table


@dataclass(frozen=True, slots=True)
class Tile:
    """A headline figure with what it is to be compared with."""

    label: str
    value: str
    comparison: str


def tiles(entries: Sequence[Tile], *, width: float = WIDTH) -> Table:
    """Return headline figures side by side."""
    gap = 6.0
    each = (width - gap * (len(entries) - 1)) / len(entries)
    row: list[Any] = []
    for i, tile in enumerate(entries):
        if i:
            row.append("")
        row.append(
            [
                Paragraph(markup(tile.label), style("tile_label")),
                Paragraph(markup(tile.value), style("tile_value")),
                Paragraph(markup(tile.comparison), style("tile_label")),
            ]
        )
    widths = [each if i % 2 == 0 else gap for i in range(2 * len(entries) - 1)]
    table = Table([row], colWidths=widths, hAlign="LEFT")
    commands: list[tuple[Any, ...]] = [
        ("FONTNAME", (0, 0), (-1, -1), REGULAR),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 7),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
        ("TOPPADDING", (0, 0), (-1, -1), 6),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
    ]
    for i in range(0, 2 * len(entries) - 1, 2):
        commands.append(("BACKGROUND", (i, 0), (i, 0), PANEL))
        commands.append(("LINEABOVE", (i, 0), (i, 0), 1.2, RULE))
    table.setStyle(TableStyle(commands))
    return table


def callout(
    headline: str, sentences: Sequence[str], colour: Color, *, width: float = WIDTH
) -> Table:
    """Return a box with a coloured edge: a headline and a bullet per sentence."""
    content = [Paragraph(markup(headline), style("verdict"))]
    content += [
        Paragraph(markup(sentence, 1200), style("reason"), bulletText="•") for sentence in sentences
    ]
    table = Table([["", content]], colWidths=[4, width - 4], hAlign="LEFT")
    table.setStyle(
        TableStyle(
            [
                ("FONTNAME", (0, 0), (-1, -1), REGULAR),
                ("BACKGROUND", (0, 0), (0, 0), colour),
                ("BACKGROUND", (1, 0), (1, 0), PANEL),
                ("LEFTPADDING", (1, 0), (1, 0), 10),
                ("RIGHTPADDING", (1, 0), (1, 0), 10),
                ("TOPPADDING", (0, 0), (-1, -1), 7),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 8),
            ]
        )
    )
    return table
