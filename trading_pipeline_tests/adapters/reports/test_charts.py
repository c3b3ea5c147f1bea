import numpy as np
import pytest
from reportlab.graphics.shapes import PolyLine, Rect, String

from trading_pipeline.adapters.reports.charts import (
    accuracy_chart,
    drawdown_chart,
    equity_chart,
    return_histogram,
)
from trading_pipeline.adapters.reports.month_grid import coverage_grid, returns_grid
from trading_pipeline.adapters.reports.plot import new_plot
from trading_pipeline.adapters.reports.theme import GAIN, LOSS, shade
from trading_pipeline.core.month import Month
from trading_pipeline.reporting.quality import QualityRow
from trading_pipeline.reporting.report import EquityCurve
from trading_pipeline_tests.report_builders import make_curve, make_folds

HOUR_US = 3_600_000_000


def texts(drawing):
    return [shape.text for shape in drawing.contents if isinstance(shape, String)]


def lines(drawing):
    return [shape.points for shape in drawing.contents if isinstance(shape, PolyLine)]


def curve_of(strategy, buy_hold=None):
    own = np.asarray(strategy, dtype=np.float64)
    held = own if buy_hold is None else np.asarray(buy_hold, dtype=np.float64)
    return EquityCurve(np.arange(len(own)) * HOUR_US, own, held)


def test_values_stand_at_their_place():
    plot = new_plot(110, 134, (0.0, 10.0), (0.0, 100.0), y_ticks=())
    # The data field is 5..104 points wide and 16..116 points high.
    assert (plot.x(0), plot.x(10), plot.x(5)) == (5, 104, 54.5)
    assert (plot.y(0), plot.y(100), plot.y(25)) == (16, 116, 41)


def test_a_logarithmic_axis_gives_equal_room_to_equal_factors():
    plot = new_plot(110, 134, (0, 1), (1.0, 100.0), y_ticks=(), is_log=True)
    assert plot.y(10) == pytest.approx(66)


def test_a_flat_range_does_not_divide_by_zero():
    plot = new_plot(110, 134, (1.0, 1.0), (2.0, 2.0), y_ticks=())
    assert (plot.x(1.0), plot.y(2.0)) == (5, 16)


def test_equity_is_logarithmic_where_the_range_is_large():
    assert "logarithmic scale" in texts(equity_chart(curve_of([100, 300, 600])))
    assert "logarithmic scale" not in texts(equity_chart(curve_of([100, 300, 400])))
    assert "logarithmic scale" in texts(equity_chart(curve_of([100, 110]), is_log=True))
    assert "logarithmic scale" not in texts(equity_chart(curve_of([100, 600]), is_log=False))


def test_equity_below_zero_has_no_logarithm():
    assert "logarithmic scale" not in texts(equity_chart(curve_of([100, -5, 600])))
    shown = equity_chart(curve_of([100, -5, 600], [1, 2, 3]), is_log=True)
    assert sorted(len(line) // 2 for line in lines(shown)) == [2, 3]
    assert texts(equity_chart(curve_of([-1, -2]), is_log=True)) == ["No equity above zero to draw"]


def test_the_last_equity_is_written_beside_the_line():
    words = texts(equity_chart(curve_of([100, 200, 150], [100, 120, 140])))
    assert {"150", "140"} <= set(words)


def test_a_higher_equity_stands_higher():
    held, own = lines(equity_chart(curve_of([100, 300], [100, 200])))
    assert own[1] == held[1]
    assert own[3] > held[3]


def test_labels_at_the_right_do_not_overlap():
    drawing = equity_chart(curve_of([100, 200], [100, 200.5]))
    places = [s.y for s in drawing.contents if isinstance(s, String) and s.text in {"200", "201"}]
    labels = [y for y in places if y > 100]
    assert len(labels) >= 2
    assert max(labels) - min(labels) > 6.8


def test_the_lowest_drawdowns_are_named():
    words = texts(drawdown_chart(curve_of([100, 80, 120], [100, 50, 100])))
    assert {"low −20.0%", "low −50.0%"} <= set(words)


def test_ten_years_of_hours_are_a_few_thousand_points():
    drawing = equity_chart(make_curve(87_600))
    assert all(len(points) // 2 <= 2_800 for points in lines(drawing))


def test_folds_are_bars_from_their_base_rate():
    folds = [*make_folds(2, lead=0.02), *make_folds(1, lead=-0.01)]
    bars = [
        shape
        for shape in accuracy_chart(folds).contents
        if isinstance(shape, Rect) and shape.height > 2
    ]
    assert [bar.fillColor for bar in bars] == [GAIN, GAIN, LOSS]
    assert bars[0].height == pytest.approx(2 * bars[2].height)
    assert bars[0].y == pytest.approx(bars[2].y + bars[2].height)


def test_every_trade_is_in_the_histogram_once():
    returns = [-0.021, -0.02, -0.0001, 0.0, 0.0001, 0.05, float("nan")]
    drawing = return_histogram(returns)
    bars = [s for s in drawing.contents if isinstance(s, Rect) and s.height > 2.5]
    unit = min(bar.height for bar in bars)
    assert sum(round(bar.height / unit) for bar in bars) == 6
    losses = [bar for bar in bars if bar.fillColor == LOSS]
    assert sum(round(bar.height / unit) for bar in losses) == 3


def test_a_histogram_of_equal_returns_is_drawn():
    assert any("mean" in words for words in texts(return_histogram([0.0, 0.0])))


def test_heat_cells_grow_darker_with_size_and_keep_their_text_readable():
    light, dark = shade(0.01, 0.1), shade(0.2, 0.1)
    assert light[0].red > dark[0].red
    assert light[1] != dark[1]
    assert shade(0.0, 0.0)[0].red > 0.9


def test_a_month_that_lacks_one_bar_does_not_read_as_complete():
    month = Month(2024, 1)
    grid = coverage_grid([QualityRow(month, 10_000, 9_999, 1, 0, 0)])
    assert grid._cellvalues[1][1] == "99.9%"
    assert coverage_grid([QualityRow(month, 744, 744, 0, 0, 0)])._cellvalues[1][1] == "100%"
    assert coverage_grid([QualityRow(month, 0, 0, 0, 0, 0)])._cellvalues[1][1] == "n/a"


def test_years_chain_their_months():
    grid = returns_grid([(Month(2023, 12), 0.5), (Month(2024, 1), 0.1), (Month(2024, 2), 0.1)])
    assert [row[0] for row in grid._cellvalues] == ["", "2023", "2024"]
    assert [row[-1] for row in grid._cellvalues] == ["Year", "+50.0%", "+21.0%"]
    assert grid._cellvalues[2][1:4] == ["+10.0%", "+10.0%", ""]
