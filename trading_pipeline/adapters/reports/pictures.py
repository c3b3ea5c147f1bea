"""Small PNG pictures for the metadata of assets: where a person would rather look than read.

Each function returns the bytes of a PNG; colours are given up before it exceeds ``MAX_BYTES``. No
global state of matplotlib is touched, so that steps may draw at the same time.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from PIL import Image

from trading_pipeline.core.candles import BoolArray, FloatArray
from trading_pipeline.core.errors import DataError
from trading_pipeline.reporting.curves import thin
from trading_pipeline.reporting.quality import GapRow
from trading_pipeline.reporting.report import EquityCurve
from trading_pipeline.reporting.verdict import Fold

MAX_BYTES = 40_000
_COLOURS = {
    "ink": "#16202c",
    "muted": "#5c6876",
    "grid": "#e7ebf0",
    "gain": "#1f5fa8",
    "loss": "#c2480c",
    "benchmark": "#8a95a3",
    "caution": "#f6b73c",
}
_SIZE = (6.4, 2.7)
_COLUMNS = 500


def close_picture(candles: pl.DataFrame, gaps: Sequence[GapRow] = (), *, title: str) -> bytes:
    """Return the close as a line, with gaps shaded: yellow if explained, orange if not."""
    figure, axes = _figure(title)
    if candles.is_empty():
        return _nothing(figure, axes, "no candles")
    times = candles["open_time"].dt.epoch("us").to_numpy()
    time, close = thin(times, candles["close"].to_numpy(), _COLUMNS)
    axes.plot(_dates(time), close, color=_COLOURS["gain"], linewidth=0.9)
    for gap in gaps:
        # An hour among years would be thinner than a pixel and vanish: the edge keeps it visible.
        colour = _COLOURS["caution"] if gap.is_explained else _COLOURS["loss"]
        # matplotlib takes dates here, its annotations say only numbers.
        edges: list[Any] = [np.datetime64(at.replace(tzinfo=None), "us") for at in _ends(gap)]
        axes.axvspan(*edges, color=colour, alpha=0.6, linewidth=1.0)
    axes.margins(x=0.01)
    return small_png(figure)


def counts_picture(counts: Mapping[str, int], *, title: str) -> bytes:
    """Return how often each value occurs, as horizontal bars in the given order."""
    figure, axes = _figure(title)
    total = sum(counts.values())
    if not total:
        return _nothing(figure, axes, "nothing to count")
    names = list(counts)
    bars = axes.barh(names, [counts[name] for name in names], color=_COLOURS["gain"], height=0.6)
    labels = [f"{counts[name]:,}  ({counts[name] / total:.1%})" for name in names]
    axes.bar_label(bars, labels, padding=4, fontsize=8, color=_COLOURS["ink"])
    axes.invert_yaxis()
    axes.set_xlim(0, max(counts.values()) * 1.25)
    axes.xaxis.set_visible(False)
    axes.grid(visible=False)
    return small_png(figure)


def distribution_picture(values: FloatArray, *, title: str) -> bytes:
    """Return a histogram of the finite values between their 0.5 and 99.5 percentiles."""
    figure, axes = _figure(title)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return _nothing(figure, axes, "no values")
    low, high = np.quantile(finite, [0.005, 0.995])
    axes.hist(finite[(finite >= low) & (finite <= high)], bins=60, color=_COLOURS["gain"])
    axes.set_xlabel(
        f"{len(finite):,} values, {len(values) - len(finite):,} missing; tails of 0.5% cut",
        fontsize=8,
        color=_COLOURS["muted"],
    )
    return small_png(figure)


def fold_picture(folds: Sequence[Fold], *, title: str) -> bytes:
    """Return each fold's accuracy against its base rate."""
    figure, axes = _figure(title)
    scored = [fold for fold in folds if fold.is_scored]
    if not scored:
        return _nothing(figure, axes, "no scored fold")
    months = [np.datetime64(fold.month.key, "M") for fold in scored]
    accuracy = [float(fold.accuracy or 0.0) for fold in scored]
    base = [float(fold.base_rate or 0.0) for fold in scored]
    axes.plot(months, base, color=_COLOURS["benchmark"], label="base rate", marker=".", ms=4)
    axes.plot(months, accuracy, color=_COLOURS["gain"], label="accuracy", marker="o", ms=3)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(fontsize=8, frameon=False, ncols=2, loc="best")
    return small_png(figure)


def equity_picture(curve: EquityCurve, *, title: str) -> bytes:
    """Return equity against buy-and-hold."""
    figure, axes = _figure(title)
    if len(curve) < 2:
        return _nothing(figure, axes, "no equity")
    for label, values, colour in (
        ("buy and hold", curve.buy_hold, _COLOURS["benchmark"]),
        ("strategy", curve.strategy, _COLOURS["gain"]),
    ):
        time, value = thin(curve.time_us, values, _COLUMNS)
        axes.plot(_dates(time), value, color=colour, linewidth=1.0, label=label)
    axes.legend(fontsize=8, frameon=False, ncols=2, loc="best")
    axes.margins(x=0.01)
    return small_png(figure)


def reliability_picture(
    probability: FloatArray, happened: BoolArray, *, title: str, n_bins: int = 10
) -> bytes:
    """Return how often what was given a probability happened; the diagonal is an honest forecast.

    Parameters
    ----------
    probability : ndarray of shape (n_rows,)
        In [0, 1]; rows with NaN are left out.
    happened : ndarray of shape (n_rows,), bool
    title : str
    n_bins : int
        Bins of equal width.

    Raises
    ------
    DataError
        If the lengths differ.
    """
    if len(probability) != len(happened):
        raise DataError(
            f"reliability needs one outcome per probability, had {len(probability)} "
            f"probabilities and {len(happened)} outcomes"
        )
    figure, axes = _figure(title, size=(4.2, 3.6))
    predicted, observed, n_rows = reliability(probability, happened, n_bins)
    axes.plot([0, 1], [0, 1], color=_COLOURS["benchmark"], linewidth=0.8, linestyle="--")
    if not len(predicted):
        return _nothing(figure, axes, "no forecasts")
    axes.plot(predicted, observed, color=_COLOURS["gain"], linewidth=1.0)
    axes.scatter(predicted, observed, s=8 + 80 * n_rows / n_rows.max(), color=_COLOURS["gain"])
    axes.set_xlabel("forecast probability", fontsize=8, color=_COLOURS["muted"])
    axes.set_ylabel("share that happened", fontsize=8, color=_COLOURS["muted"])
    return small_png(figure)


def reliability(
    probability: FloatArray, happened: BoolArray, n_bins: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean probability, share that happened and rows of each bin that has any.

    Bins have equal width over [0, 1]; a probability of 1 belongs to the last.
    """
    is_known = np.isfinite(probability)
    known, outcome = probability[is_known], happened[is_known].astype(np.float64)
    index = np.clip((known * n_bins).astype(np.int64), 0, n_bins - 1)
    n_rows = np.bincount(index, minlength=n_bins).astype(np.float64)
    has_rows = n_rows > 0
    predicted = np.bincount(index, known, n_bins)[has_rows] / n_rows[has_rows]
    observed = np.bincount(index, outcome, n_bins)[has_rows] / n_rows[has_rows]
    return predicted, observed, n_rows[has_rows]


def as_markdown(png: bytes, description: str) -> str:
    """Return Markdown that shows the picture inside Dagster's metadata."""
    text = "".join(letter for letter in description if letter not in "[]()\n")
    return f"![{text}](data:image/png;base64,{base64.b64encode(png).decode()})"


def _figure(title: str, size: tuple[float, float] = _SIZE) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    axes = figure.add_subplot()
    # "$" would start mathematics.
    text = title.replace("$", r"\$")
    axes.set_title(text, fontsize=9, loc="left", color=_COLOURS["ink"], fontweight="bold")
    axes.tick_params(labelsize=8, colors=_COLOURS["muted"], length=2)
    axes.grid(color=_COLOURS["grid"], linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_COLOURS["grid"])
    return figure, axes


def _ends(gap: GapRow) -> tuple[datetime, datetime]:
    return gap.start.astimezone(UTC), gap.end.astimezone(UTC)


def _dates(time_us: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return time_us.astype(np.int64).astype("datetime64[us]")


def _nothing(figure: Figure, axes: Axes, words: str) -> bytes:
    axes.set_axis_off()
    axes.text(0.5, 0.5, words, ha="center", va="center", color=_COLOURS["muted"], fontsize=9)
    return small_png(figure)


def small_png(figure: Figure) -> bytes:
    """Return the figure as a PNG with as few colours as ``MAX_BYTES`` needs."""
    drawn = BytesIO()
    FigureCanvasAgg(figure).print_figure(drawn, format="png")
    picture = Image.open(drawn).convert("RGB")
    content = b""
    # Few colours are all that lines and bars need, and a quarter of the bytes.
    for n_colours in (64, 16, 6):
        buffer = BytesIO()
        picture.quantize(n_colours).save(buffer, format="png", optimize=True)
        content = buffer.getvalue()
        if len(content) <= MAX_BYTES:
            break
    return content
