"""The frame of a chart: scales, grid, ticks and marks as vector shapes of reportlab."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from reportlab.graphics.shapes import Drawing, Line, Path, PolyLine, Rect, String
from reportlab.lib.colors import Color
from reportlab.pdfbase.pdfmetrics import stringWidth

from trading_pipeline.adapters.reports.fonts import BOLD, REGULAR, plain, register_fonts
from trading_pipeline.adapters.reports.theme import GRID, INK, MUTED, RULE
from trading_pipeline.core.candles import FloatArray

LABEL_SIZE = 6.8


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing with a rectangle of data in it; methods take values, not points on the page."""

    drawing: Drawing
    left: float
    bottom: float
    right: float
    top: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    is_log: bool = False

    def x(self, value: float) -> float:
        """Return the horizontal place of a value, in points."""
        low, high = self.x_range
        return self.left + (value - low) / ((high - low) or 1.0) * (self.right - self.left)

    def y(self, value: float) -> float:
        """Return the vertical place of a value, in points."""
        low, high = (self._scale(bound) for bound in self.y_range)
        share = (self._scale(value) - low) / ((high - low) or 1.0)
        return self.bottom + share * (self.top - self.bottom)

    def _scale(self, value: float) -> float:
        return math.log(value) if self.is_log else value

    def text(self, x: float, y: float, words: str, **options: object) -> None:
        """Write ``words`` at a place in points."""
        settings = {"fontName": REGULAR, "fontSize": LABEL_SIZE, "fillColor": MUTED, **options}
        self.drawing.add(String(x, y, plain(words), **settings))

    def x_ticks(self, ticks: Sequence[tuple[float, str]]) -> None:
        """Draw the base line with ticks and labels below it."""
        self.drawing.add(
            Line(self.left, self.bottom, self.right, self.bottom, strokeColor=RULE, strokeWidth=0.6)
        )
        taken = -math.inf
        for value, label in ticks:
            at = self.x(value)
            half = stringWidth(label, REGULAR, LABEL_SIZE) / 2
            if at - half < taken + 4:
                continue
            taken = at + half
            self.drawing.add(
                Line(at, self.bottom, at, self.bottom - 2.5, strokeColor=RULE, strokeWidth=0.6)
            )
            anchor = "middle" if at + half <= self.drawing.width else "end"
            self.text(at, self.bottom - 10, label, textAnchor=anchor)

    def horizontal(self, value: float, **options: object) -> None:
        """Draw a reference line across the plot."""
        settings = {"strokeColor": MUTED, "strokeWidth": 0.6, **options}
        self.drawing.add(Line(self.left, self.y(value), self.right, self.y(value), **settings))

    def line(self, time: FloatArray, values: FloatArray, **options: object) -> None:
        """Draw a line through points."""
        if len(time) < 2:
            self.dots(time, values, options.get("strokeColor", INK))
            return
        settings = {"strokeLineJoin": 1, "strokeLineCap": 1, "fillColor": None, **options}
        self.drawing.add(PolyLine(self._points(time, values), **settings))

    def area(self, time: FloatArray, values: FloatArray, base: float, **options: object) -> None:
        """Fill between a line and the level ``base``."""
        if len(time) < 2:
            return
        path = Path(strokeColor=None, **options)
        points = self._points(time, values)
        path.moveTo(points[0], self.y(base))
        for i in range(0, len(points), 2):
            path.lineTo(points[i], points[i + 1])
        path.lineTo(points[-2], self.y(base))
        path.closePath()
        self.drawing.add(path)

    def dots(
        self, time: FloatArray, values: FloatArray, colour: Color, radius: float = 1.6
    ) -> None:
        """Draw a small square at each point."""
        places = self._points(time, values)
        for i in range(0, len(places), 2):
            self.drawing.add(
                Rect(
                    places[i] - radius,
                    places[i + 1] - radius,
                    2 * radius,
                    2 * radius,
                    fillColor=colour,
                    strokeColor=None,
                )
            )

    def bar(self, start: float, end: float, base: float, value: float, colour: Color) -> None:
        """Draw a bar between two horizontal values, with half a point of air at each side."""
        x, bottom, top = self.x(start), self.y(min(base, value)), self.y(max(base, value))
        width = max(self.x(end) - x - 1.0, 0.4)
        self.drawing.add(
            Rect(x + 0.5, bottom, width, top - bottom, fillColor=colour, strokeColor=None)
        )

    def end_labels(self, labels: Sequence[tuple[float, str, Color]]) -> None:
        """Write (value, words, colour) right of the plot, pushed apart where they would overlap."""
        gap, last = LABEL_SIZE + 2.2, -math.inf
        places = []
        for value, words, colour in sorted(labels, key=lambda label: label[0]):
            last = max(self.y(value) - 2.4, last + gap)
            places.append((last, words, colour))
        overflow = max(last - (self.top - 2.4), 0.0)
        for place, words, colour in places:
            at = (self.right + 5, place - overflow)
            self.text(*at, words, fillColor=colour, fontName=BOLD)

    def legend(self, entries: Sequence[tuple[str, Color]]) -> None:
        """Write (words, colour) with swatches above the plot, from the left."""
        x, y = self.left, self.top + 8
        for words, colour in entries:
            self.drawing.add(Rect(x, y + 1.6, 11, 2, fillColor=colour, strokeColor=None))
            self.text(x + 15, y, words, fillColor=INK)
            x += 15 + stringWidth(words, REGULAR, LABEL_SIZE) + 16

    def _points(self, time: FloatArray, values: FloatArray) -> list[float]:
        low, high = self.x_range
        across = self.left + (time - low) / ((high - low) or 1.0) * (self.right - self.left)
        bottom, top = (self._scale(bound) for bound in self.y_range)
        level = np.log(values) if self.is_log else values
        up = self.bottom + (level - bottom) / ((top - bottom) or 1.0) * (self.top - self.bottom)
        # Hundredths of a point are far below what is visible and keep the file small.
        return [float(number) for number in np.round(np.column_stack([across, up]).ravel(), 2)]


def new_plot(
    width: float,
    height: float,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    *,
    y_ticks: Sequence[tuple[float, str]],
    is_log: bool = False,
    end_words: Sequence[str] = (),
    legend_space: float = 18.0,
) -> Plot:
    """Return a plot with horizontal grid lines; widths and heights in points.

    Left of it is room for the widest tick label, right of it for the widest of ``end_words``.
    """
    register_fonts()
    left = max((stringWidth(words, REGULAR, LABEL_SIZE) for _, words in y_ticks), default=0.0) + 5
    right = max((stringWidth(words, BOLD, LABEL_SIZE) for words in end_words), default=0.0) + 6
    drawing = _new_drawing(width, height)
    plot = Plot(drawing, left, 16.0, width - right, height - legend_space, x_range, y_range, is_log)
    for value, words in y_ticks:
        at = plot.y(value)
        drawing.add(Line(plot.left, at, plot.right, at, strokeColor=GRID, strokeWidth=0.5))
        plot.text(plot.left - 4, at - 2.4, words, textAnchor="end")
    return plot


def _new_drawing(width: float, height: float) -> Drawing:
    # A drawing opens with Times or Helvetica, not embedded, even where all its text is ours.
    return Drawing(width, height, initialFontName=REGULAR)


def empty_chart(width: float, words: str) -> Drawing:
    """Return a quiet box that says why there is no chart."""
    register_fonts()
    height = 48.0
    drawing = _new_drawing(width, height)
    drawing.add(Rect(0, 0, width, height, fillColor=None, strokeColor=RULE, strokeDashArray=[2, 2]))
    drawing.add(
        String(
            width / 2,
            height / 2 - 3,
            plain(words),
            textAnchor="middle",
            fontName=REGULAR,
            fontSize=8,
            fillColor=MUTED,
        )
    )
    return drawing
