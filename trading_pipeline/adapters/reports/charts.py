"""The charts of the reports: vector shapes, no bitmaps."""

from collections.abc import Sequence

import numpy as np
from reportlab.graphics.shapes import Drawing

from trading_pipeline.adapters.reports.plot import Plot, empty_chart, new_plot
from trading_pipeline.adapters.reports.theme import (
    BENCHMARK,
    GAIN,
    INK,
    LOSS,
    MUTED,
    WIDTH,
)
from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.reporting.axes import log_ticks, nice_step, nice_ticks, time_ticks
from trading_pipeline.reporting.curves import drawdown, moment, thin
from trading_pipeline.reporting.formats import number, percent, points, signed_percent
from trading_pipeline.reporting.report import EquityCurve
from trading_pipeline.reporting.verdict import Fold

LOG_FROM_RATIO = 5.0
_COLUMNS = 700


def equity_chart(
    curve: EquityCurve, *, width: float = WIDTH, height: float = 190.0, is_log: bool | None = None
) -> Drawing:
    """Return equity against buy-and-hold.

    The scale is logarithmic if ``is_log``; if that is None, where the highest value is at least
    five times the lowest. Values that are not positive have no logarithm and are then left out.
    """
    series = ((BENCHMARK, curve.buy_hold, 0.8), (GAIN, curve.strategy, 1.2))
    known = np.concatenate([values[np.isfinite(values)] for _, values, _ in series])
    if len(curve) < 2 or not len(known):
        return empty_chart(width, "No equity to draw yet")
    low, high = float(known.min()), float(known.max())
    if is_log is None:
        is_log = low > 0 and high / low >= LOG_FROM_RATIO
    if is_log:
        known = known[known > 0]
        if not len(known):
            return empty_chart(width, "No equity above zero to draw")
        low, high = float(known.min()), float(known.max())
    y_range = _padded(low, high, is_log=is_log)
    ticks = log_ticks(*y_range) if is_log else ()
    ticks = ticks if len(ticks) > 1 else nice_ticks(*y_range, 6)
    digits = 0 if high - low >= 20 else 2
    lines = []
    for colour, values, stroke in series:
        shown = np.where(values > 0, values, np.nan) if is_log else values
        lines.append((colour, stroke, *thin(curve.time_us, shown, _COLUMNS)))
    ends = [
        (float(value[-1]), number(float(value[-1]), digits), colour)
        for colour, _, _, value in lines
        if len(value)
    ]
    plot = _time_plot(
        curve.time_us,
        y_range,
        (width, height),
        [(value, number(value, digits)) for value in ticks],
        end_words=[words for _, words, _ in ends],
        is_log=is_log,
    )
    for colour, stroke, time, value in lines:
        plot.line(time, value, strokeColor=colour, strokeWidth=stroke)
    plot.end_labels(ends)
    plot.legend([("Strategy, after costs", GAIN), ("Buy and hold, after costs", BENCHMARK)])
    if is_log:
        plot.text(plot.right, plot.top + 8, "logarithmic scale", textAnchor="end")
    return plot.drawing


def drawdown_chart(curve: EquityCurve, *, width: float = WIDTH, height: float = 130.0) -> Drawing:
    """Return the loss from the last peak: an area for the strategy, a line for buy-and-hold."""
    own, held = drawdown(curve.strategy), drawdown(curve.buy_hold)
    known = np.concatenate([own[np.isfinite(own)], held[np.isfinite(held)]])
    if len(curve) < 2 or not len(known):
        return empty_chart(width, "No drawdown to draw yet")
    deepest = min(float(known.min()), -0.01)
    y_range = (deepest * 1.06, 0.0)
    digits = 0 if deepest < -0.05 else 1
    lows = [
        (float(np.nanmin(loss)), f"low {percent(float(np.nanmin(loss)))}", colour)
        for loss, colour in ((own, LOSS), (held, BENCHMARK))
        if np.isfinite(loss).any()
    ]
    plot = _time_plot(
        curve.time_us,
        y_range,
        (width, height),
        [(tick, percent(tick, digits)) for tick in nice_ticks(*y_range, 5)],
        end_words=[words for _, words, _ in lows],
    )
    time, value = thin(curve.time_us, held, _COLUMNS)
    plot.line(time, value, strokeColor=BENCHMARK, strokeWidth=0.7)
    time, value = thin(curve.time_us, own, _COLUMNS)
    plot.area(time, value, 0.0, fillColor=LOSS, fillOpacity=0.28)
    plot.line(time, value, strokeColor=LOSS, strokeWidth=0.9)
    plot.legend([("Strategy", LOSS), ("Buy and hold", BENCHMARK)])
    plot.end_labels(lows)
    return plot.drawing


def accuracy_chart(
    folds: Sequence[Fold], *, width: float = WIDTH, height: float = 150.0
) -> Drawing:
    """Return each fold's accuracy as a bar from its base rate: up is better than the rule."""
    scored = [fold for fold in folds if fold.is_scored]
    if not scored:
        return empty_chart(width, "No walk-forward fold has been scored yet")
    leads = [(fold.accuracy or 0.0) - (fold.base_rate or 0.0) for fold in scored]
    reach = max(max(abs(lead) for lead in leads) * 1.1, 0.01)
    digits = 0 if reach >= 0.05 else 1
    plot = new_plot(
        width,
        height,
        # A lone bar across the whole page would look like a banner.
        (0.0, float(max(len(scored), 8))),
        (-reach, reach),
        y_ticks=[(tick, points(tick, digits)) for tick in nice_ticks(-reach, reach, 6)],
    )
    for i, lead in enumerate(leads):
        plot.bar(i + 0.1, i + 0.9, 0.0, lead, GAIN if lead > 0 else LOSS)
    plot.horizontal(0.0, strokeColor=INK)
    step = max(1, -(-len(scored) // 12))
    plot.x_ticks(
        [(i + 0.5, f"{fold.month.start:%b %Y}") for i, fold in enumerate(scored) if i % step == 0]
    )
    plot.legend([("Accuracy above the base rate", GAIN), ("At or below it", LOSS)])
    return plot.drawing


def return_histogram(
    returns: Sequence[float], *, width: float = WIDTH, height: float = 150.0
) -> Drawing:
    """Return how many trades ended with which return; losses left of zero, gains right of it."""
    values = np.array([value for value in returns if np.isfinite(value)])
    if not len(values):
        return empty_chart(width, "No trade has been closed")
    step, edges = _bins(values)
    counts, _ = np.histogram(values, edges)
    tallest = float(counts.max()) * 1.12
    plot = new_plot(
        width,
        height,
        (float(edges[0]), float(edges[-1])),
        (0.0, tallest),
        y_ticks=[
            (tick, number(tick, 0)) for tick in nice_ticks(0.0, tallest, 5) if tick == int(tick)
        ],
    )
    for start, n in zip(edges[:-1], counts, strict=True):
        plot.bar(start, start + step, 0.0, float(n), GAIN if start >= -step / 4 else LOSS)
    digits = 0 if step >= 0.01 else 1 if step >= 0.001 else 2
    ticks = nice_ticks(float(edges[0]), float(edges[-1]), 10)
    plot.x_ticks([(tick, signed_percent(tick, digits)) for tick in ticks])
    _mark_mean(plot, float(values.mean()))
    plot.legend([("Gain after costs", GAIN), ("Loss after costs", LOSS)])
    return plot.drawing


def history_chart(
    time_us: IntArray, equity: FloatArray, *, width: float = WIDTH, height: float = 105.0
) -> Drawing:
    """Return equity snapshots of an account as a line."""
    time, value = thin(time_us, equity, _COLUMNS)
    if len(time) < 2:
        return empty_chart(width, "Fewer than two equity snapshots so far")
    low, high = float(value.min()), float(value.max())
    y_range = _padded(low, high, is_log=False)
    digits = 0 if high - low >= 20 else 2
    end = number(float(value[-1]), digits)
    plot = _time_plot(
        time_us,
        y_range,
        (width, height),
        [(tick, number(tick, digits)) for tick in nice_ticks(*y_range, 5)],
        end_words=[end],
        legend_space=8.0,
    )
    plot.area(time, value, plot.y_range[0], fillColor=GAIN, fillOpacity=0.10)
    plot.line(time, value, strokeColor=GAIN, strokeWidth=1.2)
    plot.end_labels([(float(value[-1]), end, GAIN)])
    return plot.drawing


def _time_plot(
    time_us: IntArray,
    y_range: tuple[float, float],
    size: tuple[float, float],
    y_ticks: Sequence[tuple[float, str]],
    *,
    end_words: Sequence[str],
    is_log: bool = False,
    legend_space: float = 18.0,
) -> Plot:
    x_range = (float(time_us[0]), float(time_us[-1]))
    plot = new_plot(
        *size,
        x_range,
        y_range,
        y_ticks=y_ticks,
        is_log=is_log,
        end_words=end_words,
        legend_space=legend_space,
    )
    ticks = time_ticks(*x_range, 8)
    if not ticks:
        ticks = tuple((at, f"{moment(int(at)):%d %b %Y}") for at in x_range)
    plot.x_ticks(ticks)
    return plot


def _padded(low: float, high: float, *, is_log: bool) -> tuple[float, float]:
    if is_log:
        return low / 1.06, high * 1.06
    room = (high - low) * 0.06 or abs(high) * 0.01 or 1.0
    return low - room, high + room


def _bins(values: FloatArray) -> tuple[float, FloatArray]:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    step = nice_step(low, high, 36) if high - low > 1e-9 else 0.01
    first, last = np.floor(low / step - 1e-9), np.ceil(high / step + 1e-9)
    return step, np.arange(first, last + 1) * step


def _mark_mean(plot: Plot, mean: float) -> None:
    x = plot.x(mean)
    at = np.array([mean, mean])
    plot.line(
        at, np.array(plot.y_range), strokeColor=MUTED, strokeWidth=0.7, strokeDashArray=[2, 2]
    )
    is_left = x > (plot.left + plot.right) / 2
    plot.text(
        x - 3 if is_left else x + 3,
        plot.top - 6,
        f"mean {signed_percent(mean, 2)}",
        textAnchor="end" if is_left else "start",
    )
