"""Pictures of data quality: the heat map of coverage, and the page of one symbol."""

from collections.abc import Sequence
from datetime import timedelta
from io import BytesIO
from textwrap import shorten

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from trading_pipeline.adapters.reports.pictures import small_png
from trading_pipeline.core.month import Month
from trading_pipeline.reporting.coverage import Coverage, CoverageCell, CoverageState
from trading_pipeline.reporting.quality import GapRow

_INK, _MUTED, _RULE = "#16202c", "#5c6876", "#cfd6de"
# Blue against orange stays apart for every common colour blindness; red and green do not.
STATE_COLOURS = {
    CoverageState.COMPLETE: "#b7d0ec",
    CoverageState.REPAIRED: "#1f5fa8",
    CoverageState.EXPLAINED: "#f6d58b",
    CoverageState.UNEXPLAINED: "#c2480c",
    CoverageState.BROKEN: "#16202c",
    CoverageState.NOT_FETCHED: "#ffffff",
    CoverageState.NOT_LISTED: "#eef1f4",
}
_ON_DARK = (CoverageState.REPAIRED, CoverageState.UNEXPLAINED, CoverageState.BROKEN)
_LEGEND_ORDER = tuple(STATE_COLOURS)
# Below this many months each cell says how many bars are missing.
_MONTHS_WITH_NUMBERS = 72
_MOST_MONTHS = 120
_MOST_GAPS = 16
_WIDTH, _TABLE_FROM = 8.6, 4.2


def coverage_picture(coverage: Coverage, *, title: str) -> bytes:
    """Return the heat map month x symbol as a PNG; of a long history the newest ten years."""
    months = coverage.months[-_MOST_MONTHS:]
    height = 1.3 + 0.34 * max(len(coverage.symbols), 1)
    figure = Figure(figsize=(_WIDTH, height), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    _title(axes, title, pad=19)
    _heat_map(axes, coverage, months)
    _legend(axes, {cell.state for cell in coverage.all_cells()})
    return small_png(figure)


def quality_page(coverage: Coverage, symbol: str, *, timeframe: str, venue: str) -> bytes:
    """Return everything that is known about the candles of one symbol as one page, a PNG.

    Totals, the coverage of every month, where in time the gaps lie, and the gaps that matter most
    with class and evidence: unexplained ones first, then the longest.
    """
    cells = coverage.row(symbol)
    gaps = [gap for cell in cells for gap in cell.gaps]
    shown = sorted(gaps, key=lambda gap: (gap.is_explained, -gap.n_bars, gap.start))[:_MOST_GAPS]
    # In inches from the top, so that a longer list moves nothing but the end of the page.
    table_inches = 0.22 * (max(len(shown), 1) + 2)
    height = _TABLE_FROM + table_inches + 0.15
    figure = Figure(figsize=(_WIDTH, height), dpi=110)
    head, heat, line, table = (
        figure.add_axes((0.06, 1 - (top + inches) / height, 0.915, inches / height))
        for top, inches in ((0.15, 0.85), (1.55, 0.5), (2.75, 1.0), (_TABLE_FROM, table_inches))
    )
    one = Coverage(coverage.months, (symbol,), coverage.cells)
    _head(head, cells, f"{symbol}, {timeframe} candles of {venue}")
    _heat_map(heat, one, coverage.months[-_MOST_MONTHS:])
    heat.set_yticks([])
    _title(heat, "Missing bars by month (+: repaired)", pad=19)
    _legend(heat, {cell.state for cell in cells})
    _missing_bars(line, cells)
    _gap_list(table, shown, len(gaps))
    return _png(figure)


def _heat_map(axes: Axes, coverage: Coverage, months: Sequence[Month]) -> None:
    has_numbers = len(months) <= _MONTHS_WITH_NUMBERS
    size = 7.0 if len(months) <= 30 else 5.2
    for row, symbol in enumerate(coverage.symbols):
        for cell in coverage.row(symbol):
            if cell.month not in months:
                continue
            column = months.index(cell.month)
            state = cell.state
            empty = state is CoverageState.NOT_FETCHED
            axes.add_patch(
                Rectangle(
                    (column + 0.04, row + 0.08),
                    0.92,
                    0.84,
                    facecolor=STATE_COLOURS[state],
                    edgecolor=_RULE if empty else "none",
                    linewidth=0.6,
                    hatch="////" if empty else None,
                )
            )
            text = _number(cell)
            if has_numbers and text:
                colour = "white" if state in _ON_DARK else _INK
                axes.text(
                    column + 0.5, row + 0.52, text, ha="center", va="center",
                    fontsize=size, color=colour,
                )  # fmt: skip
    axes.set_xlim(0, max(len(months), 1))
    axes.set_ylim(len(coverage.symbols), 0)
    axes.set_yticks([row + 0.5 for row in range(len(coverage.symbols))], coverage.symbols)
    _month_ticks(axes, months, offset=0.5)
    axes.tick_params(labelsize=8, colors=_MUTED, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _number(cell: CoverageCell) -> str:
    if cell.broken:
        return "bad"
    if not cell.missing:
        return f"+{cell.repaired}" if cell.repaired else ""
    return str(cell.missing) if cell.missing < 1000 else f"{cell.missing // 1000}k"


def _month_ticks(axes: Axes, months: Sequence[Month], *, offset: float) -> None:
    every = 1 if len(months) <= 14 else 3 if len(months) <= 42 else 12
    ticks: list[float] = []
    labels: list[str] = []
    for place, month in enumerate(months):
        is_begun = place == 0 and (month.number - 1) % every and month.number <= 13 - every // 2
        if (month.number - 1) % every and not is_begun:
            continue
        is_first = not ticks or month.number == 1
        ticks.append(place + offset)
        name = f"{month.start:%b}"
        year = str(month.year)
        labels.append(year if every == 12 else f"{name}\n{year}" if is_first else name)
    axes.set_xticks(ticks, labels)


def _legend(axes: Axes, states: set[CoverageState]) -> None:
    patches = [
        Patch(
            facecolor=STATE_COLOURS[state],
            edgecolor=_RULE,
            linewidth=0.6,
            hatch="////" if state is CoverageState.NOT_FETCHED else None,
            label=state.value,
        )
        for state in _LEGEND_ORDER
        if state in states
    ]
    axes.legend(
        handles=patches,
        loc="lower right",
        bbox_to_anchor=(1.005, 1.0),
        bbox_transform=axes.transAxes,
        fontsize=7,
        frameon=False,
        ncols=len(patches),
        handlelength=1.2,
        columnspacing=1.2,
        borderaxespad=0.1,
        labelcolor=_MUTED,
    )


def _title(axes: Axes, title: str, pad: float = 9) -> None:
    text = title.replace("$", r"\$")
    axes.set_title(text, fontsize=9, loc="left", color=_INK, fontweight="bold", pad=pad)


def _head(axes: Axes, cells: Sequence[CoverageCell], title: str) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    made = [cell for cell in cells if cell.is_made]
    expected, present = sum(c.expected for c in made), sum(c.present for c in made)
    share = f"{present / expected:.4%}" if expected else "n/a"
    axes.text(0, 0.93, title, fontsize=13, fontweight="bold", color=_INK, va="top")
    span = f"{cells[0].month} to {cells[-1].month}" if cells else "no months"
    axes.text(1, 0.9, span, fontsize=9, color=_MUTED, va="top", ha="right")
    tiles = [
        ("expected", f"{expected:,}"),
        ("present", f"{present:,}"),
        ("coverage", share),
        ("explained", f"{sum(c.explained for c in made):,}"),
        ("unexplained", f"{sum(c.unexplained for c in made):,}"),
        ("repaired", f"{sum(c.repaired for c in made):,}"),
        ("revised", f"{sum(c.revised for c in made):,}"),
        ("quarantined", f"{sum(c.quarantined for c in made):,}"),
    ]
    for number, (name, value) in enumerate(tiles):
        x = number / len(tiles)
        is_bad = name == "unexplained" and value != "0"
        colour = STATE_COLOURS[CoverageState.UNEXPLAINED] if is_bad else _INK
        axes.text(x, 0.30, value, fontsize=11, fontweight="bold", color=colour, va="center")
        axes.text(x, 0.02, name, fontsize=7, color=_MUTED, va="center")


def _missing_bars(axes: Axes, cells: Sequence[CoverageCell]) -> None:
    _title(axes, "How many bars are missing")
    places = range(len(cells))
    explained = [cell.explained for cell in cells]
    axes.bar(
        places, explained, width=0.8, color=STATE_COLOURS[CoverageState.EXPLAINED],
        label="explained",
    )  # fmt: skip
    axes.bar(
        places, [cell.unexplained for cell in cells], bottom=explained, width=0.8,
        color=STATE_COLOURS[CoverageState.UNEXPLAINED], label="unexplained",
    )  # fmt: skip
    axes.set_xlim(-0.5, max(len(cells), 1) - 0.5)
    axes.set_ylim(0, max(1, max((cell.missing for cell in cells), default=0)) * 1.12)
    _month_ticks(axes, [cell.month for cell in cells], offset=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    axes.tick_params(labelsize=8, colors=_MUTED, length=2)
    axes.grid(axis="y", color="#e7ebf0", linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_RULE)


def _gap_list(axes: Axes, gaps: Sequence[GapRow], n_gaps: int) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    rows = max(len(gaps), 1) + 2
    axes.set_ylim(rows, 0)
    more = f": {len(gaps)} of {n_gaps:,}, unexplained first, then the longest" if gaps else ""
    axes.text(0, 0.5, f"Gaps{more}", fontsize=9, fontweight="bold", color=_INK, va="center")
    names = ("from (UTC)", "lasts", "bars", "class", "evidence")
    columns = tuple(zip((0.0, 0.15, 0.235, 0.30, 0.435), names, strict=True))
    for x, name in columns:
        axes.text(x, 1.5, name, fontsize=7.5, color=_MUTED, va="center")
    axes.plot([0, 1], [1.98, 1.98], color=_RULE, linewidth=0.8)
    if not gaps:
        axes.text(0, 2.5, "none: every expected bar is there", fontsize=8, color=_INK, va="center")
    for number, gap in enumerate(gaps):
        y = number + 2.5
        colour = _INK if gap.is_explained else STATE_COLOURS[CoverageState.UNEXPLAINED]
        words = (
            f"{gap.start:%Y-%m-%d %H:%M}",
            _length(gap.end - gap.start),
            f"{gap.n_bars:,}",
            gap.kind,
            shorten(gap.evidence, 92, placeholder=" ..."),
        )
        for (x, _), text in zip(columns, words, strict=True):
            axes.text(x, y, text.replace("$", r"\$"), fontsize=7.2, color=colour, va="center")


def _length(time: timedelta) -> str:
    hours, minutes = divmod(int(time.total_seconds()) // 60, 60)
    if hours >= 48:
        return f"{hours / 24:.1f} days"
    return (
        f"{hours} h" if not minutes else f"{hours} h {minutes} min" if hours else f"{minutes} min"
    )


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_figure(buffer, format="png")
    return buffer.getvalue()
