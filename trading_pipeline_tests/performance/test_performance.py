"""Performance numbers by hand, by loops and by pandas."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.errors import DataError
from trading_pipeline.performance.drawdowns import drawdown_series, drawdowns, max_drawdown
from trading_pipeline.performance.ratios import calmar, sharpe, sortino, volatility
from trading_pipeline.performance.returns import (
    annual_return,
    monthly_returns,
    simple_returns,
    total_return,
)
from trading_pipeline.performance.summary import summarise
from trading_pipeline.performance.trades import trade_statistics

START = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = 8760.0
DAYS = [(1, 1), (1, 31), (2, 28), (4, 1)]
equities = st.lists(st.floats(1.0, 1e6), min_size=2, max_size=60).map(np.array)


def _times(n: int, step: timedelta = timedelta(hours=1)) -> pl.Series:
    return pl.Series([START + k * step for k in range(n)], dtype=pl.Datetime("us", "UTC"))


def _trades(pnl: list[float], bars: list[int] | None = None) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "pnl": pnl,
            "return_": [value / 100 for value in pnl],
            "fees": [1.0] * len(pnl),
            "bars": bars or [2] * len(pnl),
        },
        schema={"pnl": pl.Float64, "return_": pl.Float64, "fees": pl.Float64, "bars": pl.Int64},
    )


def test_returns_by_hand() -> None:
    equity = np.array([100.0, 110.0, 99.0])
    assert simple_returns(equity) == pytest.approx([0.1, -0.1])
    assert total_return(equity) == pytest.approx(-0.01)


def test_a_ruined_account_earns_nothing_more() -> None:
    equity = np.array([100.0, -5.0, -5.0, 20.0])
    assert simple_returns(equity).tolist() == [-1.05, 0.0, 0.0]
    assert annual_return(equity[:3], YEAR) == -1.0


def test_annual_return_compounds() -> None:
    equity = np.array([100.0, 105.0, 110.0])
    assert annual_return(equity, 2.0) == pytest.approx(0.1)
    assert annual_return(equity, 4.0) == pytest.approx(0.21)
    assert annual_return(equity[:1], YEAR) is None
    assert annual_return(np.array([1.0, 1e9]), YEAR) is None


@given(equities)
def test_returns_equal_pandas(equity: np.ndarray) -> None:
    series = pd.Series(equity)
    np.testing.assert_allclose(simple_returns(equity), series.pct_change().dropna(), atol=1e-12)
    np.testing.assert_allclose(drawdown_series(equity), series / series.cummax() - 1, atol=1e-15)


def test_sharpe_by_hand() -> None:
    # Mean 0.02, sample deviation 0.02 over three returns.
    assert sharpe(np.array([0.0, 0.02, 0.04]), 4.0) == pytest.approx(2.0)
    assert volatility(np.array([0.0, 0.02, 0.04]), 4.0) == pytest.approx(0.04)


def test_sortino_by_hand() -> None:
    # Mean 0.01; losses 0.02 squared over four bars: root of 0.0001.
    assert sortino(np.array([0.03, -0.02, 0.03, 0.0]), 4.0) == pytest.approx(2.0)


def test_ratios_without_variation_do_not_exist() -> None:
    assert sharpe(np.full(10, 0.01), YEAR) is None
    assert sharpe(np.zeros(10), YEAR) is None
    assert sharpe(np.full(1000, 0.1) + 1e-17, YEAR) is None
    assert sharpe(np.array([0.01]), YEAR) is None
    assert sortino(np.array([0.01, 0.02]), YEAR) is None
    assert sortino(np.array([-0.01]), YEAR) is None
    assert volatility(np.array([0.01]), YEAR) is None
    assert calmar(0.5, 0.0) is None
    assert calmar(None, -0.5) is None
    assert calmar(0.5, -0.25) == 2.0


def test_drawdowns_by_hand() -> None:
    equity = np.array([100.0, 90.0, 95.0, 100.0, 120.0, 60.0, 90.0])
    assert max_drawdown(equity) == -0.5
    first, second = drawdowns(equity, _times(7))
    assert (first.depth, first.bars) == (pytest.approx(-0.1), 3)
    assert (first.peak, first.trough, first.recovery) == (
        START,
        START + timedelta(hours=1),
        START + timedelta(hours=3),
    )
    assert (second.depth, second.bars, second.recovery) == (-0.5, 2, None)
    assert second.peak == START + timedelta(hours=4)
    assert second.duration == timedelta(hours=2)


def test_a_rising_account_has_no_drawdown() -> None:
    assert drawdowns(np.array([1.0, 2.0, 2.0, 3.0]), _times(4)) == ()
    assert max_drawdown(np.array([1.0, 2.0])) == 0.0


@given(equities)
def test_drawdowns_equal_a_loop_over_pairs(equity: np.ndarray) -> None:
    deepest = min(
        equity[later] / equity[earlier] - 1
        for earlier in range(len(equity))
        for later in range(earlier, len(equity))
    )
    assert max_drawdown(equity) == pytest.approx(min(deepest, 0.0))
    stretches = drawdowns(equity, _times(len(equity)))
    assert min((stretch.depth for stretch in stretches), default=0.0) == max_drawdown(equity)
    assert all(
        earlier.recovery is not None and earlier.recovery <= later.peak
        for earlier, later in pairwise(stretches)
    )


@given(equities, st.integers(1, 59))
def test_drawdowns_are_causal(equity: np.ndarray, cut: int) -> None:
    head = drawdown_series(equity[:cut])
    assert head.tolist() == drawdown_series(equity)[: len(head)].tolist()


def test_monthly_returns_by_hand() -> None:
    times = pl.Series(
        [
            datetime(2026, month, day, tzinfo=UTC)
            for month, day in [(1, 1), (1, 31), (2, 28), (4, 1)]
        ],
        dtype=pl.Datetime("us", "UTC"),
    )
    table = monthly_returns(np.array([100.0, 110.0, 99.0, 198.0]), times)
    assert table["month"].to_list() == ["2026-01", "2026-02", "2026-04"]
    assert table["return_"].to_list() == pytest.approx([0.1, -0.1, 1.0])


@settings(deadline=None)
@given(equities)
def test_months_multiply_to_the_total_return(equity: np.ndarray) -> None:
    table = monthly_returns(equity, _times(len(equity), timedelta(days=9)))
    growth = np.prod(table["return_"].to_numpy() + 1)
    assert growth == pytest.approx(equity[-1] / equity[0], rel=1e-9)


def test_trade_statistics_by_hand() -> None:
    result = trade_statistics(_trades([30.0, -10.0, 0.0, -5.0], [1, 2, 3, 6]))
    assert result.n_trades == 4
    assert result.win_rate == 0.25
    assert result.profit_factor == 2.0
    assert result.expectancy == 3.75
    assert (result.average_win, result.average_loss) == (30.0, -7.5)
    assert (result.best, result.worst) == (0.3, -0.1)
    assert (result.total_fees, result.average_bars) == (4.0, 3.0)


def test_no_trades_have_no_statistics() -> None:
    result = trade_statistics(_trades([]))
    assert result.n_trades == 0
    assert result.total_fees == 0.0
    assert result.win_rate is result.profit_factor is result.expectancy is None
    assert result.best is result.worst is result.average_bars is result.average_win is None


def test_only_wins_have_no_profit_factor() -> None:
    assert trade_statistics(_trades([1.0, 2.0])).profit_factor is None


def test_a_summary_by_hand() -> None:
    equity = np.array([100.0, 110.0, 99.0, 121.0])
    result = summarise(equity, _times(4), _trades([21.0], [2]), bars_per_year=3.0)
    assert (result.start, result.end, result.n_bars) == (START, START + timedelta(hours=3), 4)
    assert (result.initial_equity, result.final_equity) == (100.0, 121.0)
    assert result.total_return == pytest.approx(0.21)
    assert result.annual_return == pytest.approx(0.21)
    assert result.max_drawdown == pytest.approx(-0.1)
    assert (result.max_drawdown_bars, result.max_drawdown_duration) == (2, timedelta(hours=2))
    assert result.calmar == pytest.approx(2.1)
    assert result.exposure == 0.5
    returns = pd.Series(equity).pct_change().dropna()
    assert result.sharpe == pytest.approx(returns.mean() / returns.std() * 3**0.5)
    assert result.volatility == pytest.approx(returns.std() * 3**0.5)
    assert result.trades.win_rate == 1.0


def test_a_summary_of_one_bar_says_what_it_cannot_know() -> None:
    result = summarise(np.array([100.0]), _times(1), _trades([]), YEAR)
    assert result.total_return == 0.0
    assert result.sharpe is result.sortino is result.annual_return is result.calmar is None
    assert result.max_drawdown_duration == timedelta(0)


@pytest.mark.parametrize("equity", [[], [0.0, 1.0], [100.0, float("nan")], [[1.0], [2.0]]])
def test_what_is_no_equity_is_refused(equity: list[float]) -> None:
    with pytest.raises(DataError, match="equity must be a series of finite numbers"):
        summarise(np.array(equity), _times(2), _trades([]), YEAR)


def test_lengths_and_columns_are_checked() -> None:
    equity = np.array([1.0, 2.0])
    with pytest.raises(DataError, match="had 2 and 3"):
        drawdowns(equity, _times(3))
    with pytest.raises(DataError, match="had 2 and 3"):
        monthly_returns(equity, _times(3))
    with pytest.raises(DataError, match=r"trades need the columns \['fees', 'bars'\]"):
        trade_statistics(_trades([1.0]).drop("fees", "bars"))
