from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from trading_pipeline.core.errors import DataError
from trading_pipeline.core.month import Month
from trading_pipeline.market_data.gaps import Gap, GapClass
from trading_pipeline.market_data.quality import QualityReport
from trading_pipeline.reporting.daily import EquityHistory, FreshnessRow
from trading_pipeline.reporting.quality import DataQuality, GapRow
from trading_pipeline.reporting.report import EquityCurve, trades_of
from trading_pipeline_tests.report_builders import (
    BTC,
    HOUR,
    START,
    make_backtest_report,
    make_trade,
)


def test_a_curve_needs_one_value_per_time():
    with pytest.raises(DataError, match="3 times, 2 strategy and 3 buy-and-hold"):
        EquityCurve(np.arange(3), np.ones(2), np.ones(3))
    with pytest.raises(DataError, match="ascend"):
        EquityCurve(np.array([2, 1]), np.ones(2), np.ones(2))
    with pytest.raises(DataError, match="2 times and 1 values"):
        EquityHistory(np.arange(2), np.ones(1))


def test_a_curve_is_made_from_a_column_of_instants():
    times = pl.Series([START, START + HOUR], dtype=pl.Datetime("us", "UTC"))
    curve = EquityCurve.of(times, np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    assert (np.diff(curve.time_us) == 3_600_000_000).all()
    assert curve.time_us[0] == int(START.timestamp()) * 1_000_000


def test_trades_are_read_from_a_frame():
    trades = (make_trade(0, return_=0.02), make_trade(1, return_=-0.01, exit_reason="stop_loss"))
    frame = pl.DataFrame(
        [{name: getattr(trade, name) for name in trade.__dataclass_fields__} for trade in trades]
    )
    assert trades_of(frame) == trades
    assert trades_of(frame.clear()) == ()


def test_a_trades_frame_without_a_column_is_refused_by_name():
    with pytest.raises(DataError, match="pnl"):
        trades_of(pl.DataFrame({"entry_time": []}))


def test_a_report_must_not_end_before_its_start():
    report = make_backtest_report(n_bars=10, n_trades=0)
    with pytest.raises(DataError, match="must not end before its start"):
        replace(report, end=report.start - timedelta(hours=1))


def test_quality_reports_add_up_and_a_gap_over_the_seam_is_one_gap():
    january, february = Month(2023, 1), Month(2023, 2)
    before = Gap(january.end - 2 * HOUR, january.end, 2, GapClass.UNEXPLAINED)
    after = Gap(february.start, february.start + HOUR, 1, GapClass.UNEXPLAINED)
    halt = Gap(after.end, after.end + HOUR, 1, GapClass.LISTED_HALT)
    reports = [
        QualityReport(february, 672, 670, 2, 1, 1, {"null": 1}, None, None, (after, halt)),
        QualityReport(january, 744, 742, 2, 0, 2, {"null": 2, "dust": 0}, None, None, (before,)),
    ]
    quality = DataQuality.of(reports)
    assert [row.month for row in quality.months] == [january, february]
    assert (quality.expected, quality.present) == (1416, 1412)
    assert (quality.explained, quality.unexplained, quality.dropped) == (1, 3, 3)
    assert quality.months[0].missing == 2
    assert quality.dropped_by_reason == {"null": 3}
    assert quality.gaps == (
        GapRow(before.start, after.end, 3, "unexplained", is_explained=False),
        GapRow(halt.start, halt.end, 1, "listed halt", is_explained=True),
    )


def test_data_of_unknown_age_counts_as_stale():
    limit = HOUR
    assert FreshnessRow(BTC, "1h", None, None, limit).is_stale
    assert FreshnessRow(BTC, "1h", START, None, limit).is_stale
    assert FreshnessRow(BTC, "1h", START, timedelta(minutes=61), limit).is_stale
    assert not FreshnessRow(BTC, "1h", START, limit, limit).is_stale
