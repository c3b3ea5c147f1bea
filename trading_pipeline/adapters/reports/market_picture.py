"""A market at a glance: candles with smart-money zones, volume, oscillators; PNG or HTML.

No global state of matplotlib is touched, so that steps may draw at the same time.
"""

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.resources import files
from io import BytesIO, StringIO
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

from trading_pipeline.adapters.reports.market_drawing import (
    BEAR,
    BULL,
    DOWN,
    GAP_BEAR,
    GAP_BULL,
    GRID,
    INK,
    MUTED,
    PAPER,
    UP,
    Tag,
    draw_marks,
)
from trading_pipeline.adapters.reports.market_marks import Marks
from trading_pipeline.core.candles import CandleArrays, FloatArray

_LINES = ("#1f5fa8", "#e08a00", "#7a3fb0", "#0b8a7d", "#9a5b2d", "#44546a")
_RIGHT_ROOM = 0.09


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines in a panel of their own below the price, with levels that guide the eye."""

    title: str
    lines: Mapping[str, FloatArray]
    guides: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class MarketView:
    """What a picture shows.

    Attributes
    ----------
    title, subtitle : str
    candles : CandleArrays
        The bars that are shown, n_bars of them.
    first : int
        Number of the first of them since the start of the history, as ``marks`` count.
    marks : Marks, optional
        Smart money; None draws none.
    overlays : mapping of str to ndarray of shape (n_bars,)
        Lines over the candles.
    levels : mapping of str to ndarray of shape (n_bars,)
        Levels that hold for a while, as steps.
    panels : sequence of Panel
        Oscillators.
    """

    title: str
    subtitle: str
    candles: CandleArrays
    first: int
    marks: Marks | None = None
    overlays: Mapping[str, FloatArray] = field(default_factory=dict)
    levels: Mapping[str, FloatArray] = field(default_factory=dict)
    panels: Sequence[Panel] = ()


def market_png(view: MarketView, *, width_px: int = 1600, most_bytes: int | None = None) -> bytes:
    """Return the picture as PNG; colours are given up before it exceeds ``most_bytes``."""
    drawn = BytesIO()
    figure = _draw(view, 14.0)
    FigureCanvasAgg(figure).print_figure(drawn, format="png", dpi=width_px / 14.0)
    if most_bytes is None:
        return drawn.getvalue()
    picture = Image.open(drawn).convert("RGB")
    content = b""
    for n_colours in (64, 24, 10):
        buffer = BytesIO()
        picture.quantize(n_colours).save(buffer, format="png", optimize=True)
        content = buffer.getvalue()
        if len(content) <= most_bytes:
            break
    return content


def market_html(view: MarketView) -> str:
    """Return one HTML file with the picture as vectors and a crosshair that reads the bars.

    It loads nothing from anywhere.
    """
    figure, drawn = _draw(view, 15.0), StringIO()
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": "market"}):
        FigureCanvasSVG(figure).print_figure(drawn, format="svg", metadata={"Date": None})
    svg = drawn.getvalue()
    svg = svg[svg.index("<svg") :]
    box = figure.axes[0].get_position()
    bottom = figure.axes[-1].get_position()
    left, right = figure.axes[0].get_xlim()
    readings = {
        "left": box.x0,
        "right": box.x1,
        "top": 1.0 - box.y1,
        "bottom": 1.0 - bottom.y0,
        "xlim": [left, right],
        "bars": _bars(view),
        "names": ["open", "high", "low", "close", "volume", *_named(view)],
    }
    page = (files("trading_pipeline.adapters.reports") / "market_page.html").read_text("utf-8")
    # "</" inside the data would end the script.
    data = json.dumps(readings, allow_nan=False).replace("</", "<\\/")
    for mark, text in (
        ("{{title}}", html.escape(f"{view.title}, {view.subtitle}")),
        ("{{picture}}", svg),
        ("{{readings}}", data),
    ):
        page = page.replace(mark, text)
    return page


def _named(view: MarketView) -> dict[str, FloatArray]:
    lines = {**view.overlays, **view.levels}
    for panel in view.panels:
        lines |= panel.lines
    return lines


def _bars(view: MarketView) -> list[list[Any]]:
    candles = view.candles
    columns = [candles.open, candles.high, candles.low, candles.close, candles.volume]
    columns += list(_named(view).values())
    times = candles.open_time.astype("datetime64[us]").astype("datetime64[m]").astype(str)
    return [
        [time.replace("T", " "), *(float(f"{v:.8g}") if np.isfinite(v) else None for v in values)]
        for time, *values in zip(times.tolist(), *columns, strict=True)
    ]


def _draw(view: MarketView, width: float) -> Figure:
    n_panels = len(view.panels)
    heights = [6.0, 1.1, *([1.3] * n_panels)]
    figure = Figure(figsize=(width, 0.95 * sum(heights) + 0.9), facecolor=PAPER)
    grid = figure.add_gridspec(
        len(heights), 1, height_ratios=heights, hspace=0.06, left=0.012, right=0.935,
        top=0.925, bottom=0.045,
    )  # fmt: skip
    price = figure.add_subplot(grid[0])
    others = [figure.add_subplot(grid[i], sharex=price) for i in range(1, len(heights))]
    n_bars = len(view.candles)
    price.set_xlim(-1.0, n_bars * (1.0 + _RIGHT_ROOM))
    for axes in (price, *others):
        _frame(axes)
    _candles(price, view.candles)
    _price_limits(price, view)
    tags = [] if view.marks is None else draw_marks(price, view.marks, view.first, n_bars)
    tags += _overlays(price, view)
    _write_tags(price, n_bars + 0.8, tags)
    _volume(others[0], view.candles)
    for axes, panel in zip(others[1:], view.panels, strict=True):
        _panel(axes, panel)
    _times([price, *others], view.candles)
    figure.text(0.012, 0.965, _plain(view.title), fontsize=15, fontweight="bold", color=INK)
    figure.text(0.012, 0.94, _plain(view.subtitle), fontsize=9.5, color=MUTED)
    _legend(figure, view)
    return figure


def _frame(axes: Axes) -> None:
    axes.yaxis.tick_right()
    axes.tick_params(labelsize=8.5, colors=MUTED, length=0)
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(GRID)


def _candles(axes: Axes, candles: CandleArrays) -> None:
    bars = np.arange(len(candles))
    colours = np.where(candles.close >= candles.open, UP, DOWN).tolist()
    wicks = np.stack(
        [np.stack([bars, candles.low], axis=1), np.stack([bars, candles.high], axis=1)], axis=1
    )
    axes.add_collection(LineCollection(wicks.tolist(), colors=colours, linewidths=0.8, zorder=4))
    low, high = np.minimum(candles.open, candles.close), np.maximum(candles.open, candles.close)
    # A body without height would be invisible.
    least = (candles.high.max() - candles.low.min()) * 0.0008 if len(candles) else 0.0
    high = np.maximum(high, low + least)
    bodies = [
        [(bar - 0.36, a), (bar + 0.36, a), (bar + 0.36, b), (bar - 0.36, b)]
        for bar, a, b in zip(bars.tolist(), low.tolist(), high.tolist(), strict=True)
    ]
    axes.add_collection(PolyCollection(bodies, facecolors=colours, edgecolors="none", zorder=5))


def _price_limits(axes: Axes, view: MarketView) -> None:
    low, high = float(view.candles.low.min()), float(view.candles.high.max())
    room = 0.07 * (high - low) or 0.01 * abs(high) or 1.0
    axes.set_ylim(low - room, high + room)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")


def _write_tags(axes: Axes, bar: float, tags: Sequence[Tag]) -> None:
    """Write words right of the bars, pushed apart where they would overlap."""
    bottom, top = axes.get_ylim()
    apart, last = 0.021 * (top - bottom), float("-inf")
    placed = []
    for level, words, colour in sorted(tags):
        last = max(level, last + apart)
        placed.append((last, words, colour))
    over = max(last - top, 0.0)
    for level, words, colour in placed:
        axes.text(
            bar, level - over, words, ha="left", va="center", fontsize=8, color=colour, zorder=8,
            clip_on=True,
        )  # fmt: skip


def _overlays(axes: Axes, view: MarketView) -> list[Tag]:
    bars = np.arange(len(view.candles))
    for number, values in enumerate(view.overlays.values()):
        colour = _LINES[number % len(_LINES)]
        axes.plot(bars, values, color=colour, linewidth=1.2, zorder=3)
    for values in view.levels.values():
        # A level of its own per period, without the risers between them.
        starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
        ends = np.r_[starts[1:], len(values)]
        axes.hlines(
            values[starts], starts - 0.5, ends - 0.5, color=MUTED, linewidth=0.9,
            linestyles=(0, (1, 2)), zorder=3,
        )  # fmt: skip
    last = float(view.candles.close[-1])
    colour = UP if last >= view.candles.open[-1] else DOWN
    axes.axhline(last, color=colour, linewidth=0.7, linestyle=(0, (1, 1.5)), zorder=3)
    axes.annotate(
        f"{last:,.10g}", (1.0, last), xycoords=("axes fraction", "data"), xytext=(4, 0),
        textcoords="offset points", va="center", fontsize=8.5, color=PAPER, fontweight="bold",
        bbox={"boxstyle": "square,pad=0.25", "facecolor": colour, "edgecolor": "none"}, zorder=9,
    )  # fmt: skip
    low, high = axes.get_ylim()
    newest = {name: float(values[-1]) for name, values in view.levels.items()}
    return [(level, name, MUTED) for name, level in newest.items() if low < level < high]


def _volume(axes: Axes, candles: CandleArrays) -> None:
    colours = np.where(candles.close >= candles.open, UP, DOWN)
    axes.bar(np.arange(len(candles)), candles.volume, width=0.72, color=colours.tolist(), alpha=0.6)
    axes.set_ylim(0, float(candles.volume.max()) * 1.15 or 1.0)
    axes.yaxis.set_major_locator(_few())
    axes.yaxis.set_major_formatter(lambda value, _: _short(value))
    _panel_title(axes, "volume")


def _panel(axes: Axes, panel: Panel) -> None:
    for number, (name, values) in enumerate(panel.lines.items()):
        bars, colour = np.arange(len(values)), _LINES[number % len(_LINES)]
        if name.endswith("_histogram"):
            colours = np.where(values >= 0, UP, DOWN).tolist()
            axes.bar(bars, values, width=0.72, color=colours, alpha=0.45, label=name)
        else:
            axes.plot(bars, values, color=colour, linewidth=1.1, label=name)
    for guide in panel.guides:
        axes.axhline(guide, color=MUTED, linewidth=0.7, linestyle=(0, (4, 3)))
    if len(panel.guides) == 2:
        axes.axhspan(*panel.guides, color=GRID, alpha=0.5, zorder=0)
    axes.yaxis.set_major_locator(_few())
    axes.ticklabel_format(axis="y", style="plain", useOffset=False)
    _panel_title(axes, panel.title)
    if len(panel.lines) > 1:
        axes.legend(fontsize=7, frameon=False, ncols=len(panel.lines), loc="upper right")


def _panel_title(axes: Axes, words: str) -> None:
    axes.text(
        0.004, 0.93, _plain(words), transform=axes.transAxes, ha="left", va="top", fontsize=8.5,
        color=MUTED, fontweight="bold",
    )  # fmt: skip


def _few() -> Any:  # noqa: ANN401  matplotlib's locators have no common public type
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(3, prune="upper")


def _times(panels: Sequence[Axes], candles: CandleArrays) -> None:
    times = candles.open_time.astype("datetime64[us]")
    wanted = 10
    step = max(1, len(candles) // wanted)
    days = times.astype("datetime64[D]")
    starts = np.flatnonzero(np.r_[False, days[1:] != days[:-1]])
    if len(starts) >= 4:
        ticks = starts[:: max(1, round(len(starts) / wanted))]
        labels = [_day(times[place]) for place in ticks]
    else:
        ticks = np.arange(0, len(candles), step)
        labels = [
            str(times[place].astype("datetime64[m]"))[5:].replace("T", " ") for place in ticks
        ]
    for axes in panels[:-1]:
        axes.tick_params(labelbottom=False)
    panels[-1].set_xticks(ticks.tolist(), labels)


def _day(time: np.datetime64) -> str:
    day: date = time.astype("datetime64[D]").item()
    return f"{day.day} {day:%b %Y}"


def _legend(figure: Figure, view: MarketView) -> None:
    handles: list[Any] = [
        Line2D([], [], color=_LINES[i % len(_LINES)], linewidth=2, label=_plain(name))
        for i, name in enumerate(view.overlays)
    ]
    if view.marks is not None:
        names = ("bullish block", "bearish block", "bullish gap", "bearish gap")
        colours = (BULL, BEAR, GAP_BULL, GAP_BEAR)
        handles += [
            Patch(facecolor=colour, alpha=0.45, label=name)
            for name, colour in zip(names, colours, strict=True)
        ]
        handles.append(
            Line2D([], [], color=MUTED, marker="x", linestyle=(0, (4, 2)), label="liquidity, swept")
        )
    if handles:
        figure.legend(
            handles=handles, loc="lower right", bbox_to_anchor=(0.94, 0.955), ncols=len(handles),
            frameon=False, fontsize=8.5, labelcolor=INK, handlelength=1.4, columnspacing=1.3,
            handletextpad=0.5, borderaxespad=0.1,
        )  # fmt: skip


def _short(value: float) -> str:
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _plain(words: str) -> str:
    # "$" would start mathematics.
    return words.replace("$", r"\$")
