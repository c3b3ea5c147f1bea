"""Charts of a PDF against the usual way: matplotlib draws a bitmap, reportlab places it.

Both sides set the same captions with the same page renderer and draw the same thinned points. The
peer draws each bitmap once; our renderer lays its story out twice to count the pages, and draws
the charts twice.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.reporting.curves import drawdown, thin
from trading_pipeline.reporting.report import EquityCurve
from trading_pipeline.reporting.verdict import Fold
from trading_pipeline_tests.benchmarks.measure import Bench, Comparison, Side
from trading_pipeline_tests.report_builders import make_curve, make_folds

_COLUMNS, _DPI = 700, 150
_POINTS_PER_INCH = 72.0
# Our charts round places to hundredths of a point.
_TOLERANCE = 1e-3
_COLOURS = ("#8a95a3", "#1f5fa8", "#c2480c")


@dataclass(frozen=True)
class _Inputs:
    curve: EquityCurve
    folds: tuple[Fold, ...]
    returns: FloatArray


@dataclass(frozen=True)
class _Printed:
    content: bytes
    charts: Sequence[Any]


def comparisons(bench: Bench) -> Generator[Comparison, None, None]:
    """Yield the comparison of a document with six charts."""
    import matplotlib as mpl
    import reportlab

    curve = make_curve(bench.sizes.chart_bars)
    returns = np.random.default_rng(5).normal(0.001, 0.02, 300)
    inputs = _Inputs(curve, make_folds(24), returns)
    yield Comparison(
        "pdf/six-charts",
        Side("vector charts", lambda: _print_vectors(inputs)),
        Side(
            f"matplotlib {mpl.__version__} in reportlab {reportlab.__version__}",
            lambda: _print_bitmaps(inputs),
        ),
        _difference,
        4.0,
        f"six charts, {bench.sizes.chart_bars:,} bars; the peer's are bitmaps of {_DPI} dpi, drawn "
        "once; ours are vectors, drawn twice because the renderer counts pages first",
    )


def _print_vectors(inputs: _Inputs) -> _Printed:
    from trading_pipeline.adapters.reports import charts

    drawn: list[Any] = []

    def draw() -> list[Any]:
        curve = inputs.curve
        drawn[:] = [
            charts.equity_chart(curve, is_log=False),
            charts.equity_chart(curve, is_log=True),
            charts.drawdown_chart(curve),
            charts.accuracy_chart(inputs.folds),
            charts.return_histogram(inputs.returns.tolist()),
            charts.history_chart(curve.time_us, curve.strategy),
        ]
        return drawn

    return _Printed(_document(draw), drawn)


def _print_bitmaps(inputs: _Inputs) -> _Printed:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from reportlab.platypus import Image

    figures = _figures(inputs)
    files = [BytesIO() for _ in figures]
    for figure, file in zip(figures, files, strict=True):
        FigureCanvasAgg(figure).print_png(file)  # type: ignore[no-untyped-call]

    def draw() -> list[Any]:
        sizes = [figure.get_size_inches() * _POINTS_PER_INCH for figure in figures]
        # A copy of its buffer: an image closes the file that it was given.
        return [
            Image(BytesIO(file.getvalue()), width, height)
            for file, (width, height) in zip(files, sizes, strict=True)
        ]

    return _Printed(_document(draw), figures)


def _document(draw: Callable[[], Sequence[Any]]) -> bytes:
    from reportlab.platypus import Spacer

    from trading_pipeline.adapters.reports.pages import PageFrame, render, section

    def story() -> list[Any]:
        parts: list[Any] = []
        for i, chart in enumerate(draw(), start=1):
            parts += [*section(f"Chart {i}", "Drawn for a benchmark."), chart, Spacer(0, 8)]
        return parts

    return render(story, PageFrame("Charts", "Charts", "benchmark", "benchmark", is_simulated=True))


def _figures(inputs: _Inputs) -> list[Any]:
    curve = inputs.curve
    series = [thin(curve.time_us, values, _COLUMNS) for values in (curve.buy_hold, curve.strategy)]
    losses = [
        thin(curve.time_us, drawdown(values), _COLUMNS)
        for values in (curve.buy_hold, curve.strategy)
    ]
    return [
        _line_figure(190.0, series),
        _line_figure(190.0, series, is_log=True),
        _line_figure(130.0, losses, is_filled=True),
        _lead_figure(inputs.folds),
        _return_figure(inputs.returns),
        _line_figure(105.0, series[1:], is_filled=True),
    ]


def _new_axes(height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    from trading_pipeline.adapters.reports.theme import WIDTH

    size = (WIDTH / _POINTS_PER_INCH, height / _POINTS_PER_INCH)
    figure = Figure(figsize=size, dpi=_DPI)
    # Fixed margins: the engines that fit a layout draw everything more than once.
    figure.subplots_adjust(left=0.08, right=0.98, bottom=0.16, top=0.95)
    axes = figure.add_subplot()
    axes.tick_params(labelsize=7)
    axes.grid(axis="y", linewidth=0.5)
    return figure, axes


def _line_figure(
    height: float,
    series: Sequence[tuple[FloatArray, FloatArray]],
    *,
    is_log: bool = False,
    is_filled: bool = False,
) -> Any:
    figure, axes = _new_axes(height)
    for (time, value), colour in zip(series, _COLOURS, strict=False):
        dates = time.astype(np.int64).astype("datetime64[us]")
        axes.plot(dates, value, color=colour, linewidth=1.0, label=colour)
        if is_filled and colour == _COLOURS[len(series) - 1]:
            axes.fill_between(dates, value, min(value.min(), 0.0), color=colour, alpha=0.2)
    if is_log:
        axes.set_yscale("log")
    axes.legend(fontsize=7, frameon=False, ncols=2)
    return figure


def _lead_figure(folds: Sequence[Fold]) -> Any:
    figure, axes = _new_axes(150.0)
    leads = [(fold.accuracy or 0.0) - (fold.base_rate or 0.0) for fold in folds]
    colours = [_COLOURS[1] if lead > 0 else _COLOURS[2] for lead in leads]
    axes.bar(range(len(leads)), leads, color=colours)
    axes.set_xticks(range(0, len(folds), 2), [f"{fold.month.start:%b %Y}" for fold in folds[::2]])
    return figure


def _return_figure(returns: FloatArray) -> Any:
    from trading_pipeline.adapters.reports.charts import _bins

    figure, axes = _new_axes(150.0)
    _, edges = _bins(returns)
    counts, _ = np.histogram(returns, edges)
    colours = [_COLOURS[1] if start >= 0 else _COLOURS[2] for start in edges[:-1]]
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=colours)
    axes.plot([returns.mean()] * 2, [0.0, counts.max() * 1.12], color="black", linewidth=0.7)
    return figure


def _difference(ours: _Printed, theirs: _Printed) -> str | None:
    headings = [_headings(side.content) for side in (ours, theirs)]
    if headings[0] != headings[1]:
        return f"the pages hold {headings[0]} against {headings[1]}"
    for i, (drawing, figure) in enumerate(zip(ours.charts, theirs.charts, strict=True), start=1):
        mine, other = _marks_of_drawing(drawing), _marks_of_figure(figure)
        if not mine or [len(mark) for mark in mine] != [len(mark) for mark in other]:
            return f"chart {i} has other marks"
        for a, b in zip(mine, other, strict=True):
            if not float(np.abs(a - b).max()) <= _TOLERANCE:
                return f"a mark of chart {i} stands elsewhere"
    return None


def _headings(content: bytes) -> list[list[str]]:
    """Return the captions of each page, as an independent reader finds them."""
    from pypdf import PdfReader

    pages = [page.extract_text().splitlines() for page in PdfReader(BytesIO(content)).pages]
    return [[line for line in page if line.startswith(("Chart ", "Drawn "))] for page in pages]


def _marks_of_drawing(drawing: Any) -> list[FloatArray]:
    from reportlab.graphics.shapes import PolyLine, Rect

    shapes = drawing.contents
    lines = [np.reshape(shape.points, (-1, 2)) for shape in shapes if isinstance(shape, PolyLine)]
    # Swatches of the legend are two points high; no bar of these inputs is exactly that.
    bars = [shape.height for shape in shapes if isinstance(shape, Rect) and shape.height != 2]
    return [*(_scaled(points) for points in lines), *_heights(bars)]


def _marks_of_figure(figure: Any) -> list[FloatArray]:
    (axes,) = figure.axes
    is_log = axes.get_yscale() == "log"
    lines = [np.asarray(line.get_xydata(), dtype=np.float64) for line in axes.lines]
    for points in lines:
        points[:, 1] = np.log(points[:, 1]) if is_log else points[:, 1]
    return [
        *(_scaled(points) for points in lines),
        *_heights([abs(patch.get_height()) for patch in axes.patches]),
    ]


def _scaled(points: FloatArray) -> FloatArray:
    """Return points between 0 and 1 in both directions, so that only the shape is left."""
    low = points.min(axis=0)
    room = points.max(axis=0) - low
    scaled: FloatArray = (points - low) / np.where(room > 0, room, 1.0)
    return scaled


def _heights(bars: Sequence[float]) -> list[FloatArray]:
    return [np.array(bars) / max(bars)] if bars else []
