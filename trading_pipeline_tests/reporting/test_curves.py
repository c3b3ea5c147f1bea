import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trading_pipeline.core.month import Month
from trading_pipeline.reporting.curves import (
    compound,
    drawdown,
    moment,
    monthly_returns,
    thin,
)
from trading_pipeline.reporting.report import EquityCurve, MonthlyReturn

DAY_US = 86_400_000_000
equities = arrays(np.float64, st.integers(0, 60), elements=st.floats(0.01, 1e6))


def microseconds(*instants):
    return np.array([int(instant.timestamp()) * 1_000_000 for instant in instants])


def test_drawdown_is_the_loss_from_the_highest_equity_so_far():
    equity = np.array([100.0, 120.0, 90.0, 120.0, 150.0, 75.0])
    assert drawdown(equity).tolist() == [0.0, 0.0, -0.25, 0.0, 0.0, -0.5]


def test_drawdown_skips_what_does_not_exist():
    result = drawdown(np.array([np.nan, 100.0, np.nan, 50.0]))
    assert np.isnan(result[[0, 2]]).all()
    assert result[[1, 3]].tolist() == [0.0, -0.5]
    assert len(drawdown(np.empty(0))) == 0


@given(equities)
def test_drawdown_equals_the_slow_loop_and_is_causal(equity):
    slow = [equity[i] / max(equity[: i + 1]) - 1 for i in range(len(equity))]
    assert drawdown(equity).tolist() == slow
    half = len(equity) // 2
    assert drawdown(equity[:half]).tolist() == slow[:half]


def test_months_run_from_the_last_equity_before_them():
    times = microseconds(
        datetime(2024, 1, 30, tzinfo=UTC),
        datetime(2024, 1, 31, 23, tzinfo=UTC),
        datetime(2024, 2, 1, tzinfo=UTC),
        datetime(2024, 2, 29, 23, tzinfo=UTC),
        datetime(2024, 4, 1, tzinfo=UTC),
    )
    curve = EquityCurve(
        times,
        np.array([100.0, 110.0, 99.0, 121.0, 242.0]),
        np.array([1.0, 2.0, 2.0, np.nan, 4.0]),
    )
    rows = monthly_returns(curve)
    assert [row.month for row in rows] == [Month(2024, 1), Month(2024, 2), Month(2024, 4)]
    assert [row.strategy for row in rows] == pytest.approx([0.1, 0.1, 1.0])
    assert rows[0].buy_hold == 1.0
    assert rows[1].buy_hold is rows[2].buy_hold is None


def test_a_curve_without_bars_has_no_months():
    nothing = np.empty(0)
    assert monthly_returns(EquityCurve(np.empty(0, np.int64), nothing, nothing)) == ()


def test_a_single_bar_is_a_month_without_change():
    one = np.array([100.0])
    curve = EquityCurve(microseconds(datetime(2024, 1, 5, tzinfo=UTC)), one, one)
    assert monthly_returns(curve) == (MonthlyReturn(Month(2024, 1), 0.0, 0.0),)


@given(arrays(np.float64, st.integers(2, 300), elements=st.floats(1.0, 1e4)))
def test_months_chain_to_the_total_return(equity):
    curve = EquityCurve(np.arange(len(equity)) * DAY_US, equity, equity)
    total = compound([row.strategy for row in monthly_returns(curve)])
    assert total == pytest.approx(equity[-1] / equity[0] - 1, rel=1e-9, abs=1e-9)


def test_a_year_with_an_unknown_month_has_no_return():
    assert compound([0.1, None]) is None
    assert compound([0.1, math.nan]) is None
    assert compound([]) is None
    assert compound([0.1, 0.1]) == pytest.approx(0.21)


@given(arrays(np.float64, st.integers(1, 400), elements=st.floats(-1e6, 1e6)), st.integers(1, 12))
def test_thinning_loses_no_peak_no_trough_and_no_end(values, n_columns):
    times = np.arange(len(values)) * DAY_US
    time, value = thin(times, values, n_columns)
    assert len(value) <= 4 * n_columns
    assert (value.min(), value.max()) == (values.min(), values.max())
    assert (time[0], time[-1]) == (times[0], times[-1])
    assert (np.diff(time) > 0).all()
    assert values[(time / DAY_US).astype(int)].tolist() == value.tolist()


def test_thinning_leaves_out_what_is_not_finite():
    time, value = thin(np.arange(4), np.array([1.0, np.nan, np.inf, 2.0]), 10)
    assert (time.tolist(), value.tolist()) == ([0.0, 3.0], [1.0, 2.0])
    assert len(thin(np.arange(2), np.full(2, np.nan), 10)[0]) == 0


def test_microseconds_are_instants_in_utc():
    assert moment(1_704_067_200_000_000) == datetime(2024, 1, 1, tzinfo=UTC)
