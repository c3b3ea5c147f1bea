"""Zones, breaks, pools and swings over the candles of a chart, and the chart's colours."""

from typing import TypeAlias

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from trading_pipeline.adapters.reports.market_marks import Line, Marks, Zone
from trading_pipeline.smart_money.events import Concept

INK, MUTED, GRID, PAPER = "#16202c", "#5c6876", "#e7ebf0", "#ffffff"
UP, DOWN = "#2a7f62", "#c2480c"
BULL, BEAR, GAP_BULL, GAP_BEAR = "#1f5fa8", "#8a3b8f", "#5aa9e6", "#d98cb3"

# A level, the words right of it, and their colour.
Tag: TypeAlias = tuple[float, str, str]


def draw_marks(axes: Axes, found: Marks, first: int, n_bars: int) -> list[Tag]:
    """Draw marks over candles; return what stands right of the bars.

    Parameters
    ----------
    axes : Axes
        With its limits; a bar is as wide as 1.
    found : Marks
    first : int
        Number of the bar that is drawn at 0.
    n_bars : int
    """
    end = n_bars - 0.5
    bottom, top = axes.get_ylim()
    tags: list[Tag] = []
    for zone in found.zones:
        if zone.top >= bottom and zone.bottom <= top:
            tags += _zone(axes, zone, first, end)
    for line in found.pools:
        if bottom < line.level < top:
            tags += _pool(axes, line, first, end)
    for line in found.breaks:
        _break(axes, line, first)
    for swing in found.swings:
        axes.plot(
            swing.bar - first, swing.level + swing.direction * 0.012 * (top - bottom),
            marker="v" if swing.direction == 1 else "^", ms=3.6, color=MUTED, zorder=6,
        )  # fmt: skip
    if found.range_levels is not None:
        middle = sum(found.range_levels) / 2
        if bottom < middle < top:
            start = max(0.0, end - 0.2 * end)
            axes.hlines(middle, start, end + 1, color=INK, linewidth=0.8, linestyles=(0, (1, 2)))
            tags.append((middle, "equilibrium", INK))
    return tags


def _zone(axes: Axes, zone: Zone, first: int, end: float) -> list[Tag]:
    is_block = zone.concept is Concept.ORDER_BLOCK
    colour = {
        (True, 1): BULL, (True, -1): BEAR, (False, 1): GAP_BULL, (False, -1): GAP_BEAR
    }[is_block, zone.direction]  # fmt: skip
    left = max(zone.start - first, -1.0)
    is_alive = zone.end is None
    right = end + 1 if zone.end is None else zone.end - first
    axes.add_patch(
        Rectangle(
            (left, zone.bottom), right - left, zone.top - zone.bottom, facecolor=colour,
            alpha=(0.24 if is_alive else 0.1) if is_block else (0.3 if is_alive else 0.14),
            edgecolor=colour, linewidth=0.7 if is_block else 0.0, zorder=1 if is_block else 2,
        )
    )  # fmt: skip
    if not is_alive:
        return []
    words = f"{'bullish' if zone.direction == 1 else 'bearish'} {'block' if is_block else 'gap'}"
    bottom, top = axes.get_ylim()
    return [((min(zone.top, top) + max(zone.bottom, bottom)) / 2, words, colour)]


def _pool(axes: Axes, line: Line, first: int, end: float) -> list[Tag]:
    colour = UP if line.direction == 1 else DOWN
    left, right = max(line.start - first, -1), end + 1 if line.end is None else line.end - first
    axes.hlines(line.level, left, right, color=colour, linewidth=1.0, linestyles=(0, (4, 2)))
    if line.end is None:
        return [(line.level, line.words, colour)]
    axes.plot(right, line.level, marker="x", ms=5, mew=1.3, color=colour, zorder=7)
    return []


def _break(axes: Axes, line: Line, first: int) -> None:
    assert line.end is not None
    colour = UP if line.direction == 1 else DOWN
    left, right = line.start - first, line.end - first
    is_change = line.words == "CHoCH"
    axes.hlines(
        line.level, left, right, color=colour, linewidth=1.1, linestyles="--" if is_change else "-"
    )
    axes.annotate(
        line.words, ((left + right) / 2, line.level), xytext=(0, 3 * line.direction),
        textcoords="offset points", ha="center", va="bottom" if line.direction == 1 else "top",
        fontsize=7.5, color=colour, fontweight="bold" if is_change else "normal", zorder=8,
    )  # fmt: skip
