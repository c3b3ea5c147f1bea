"""One equity curve and its trades in numbers."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.performance.drawdowns import drawdowns
from trading_pipeline.performance.ratios import calmar, sharpe, sortino, volatility
from trading_pipeline.performance.returns import annual_return, simple_returns, total_return
from trading_pipeline.performance.trades import TradeStatistics, trade_statistics


@dataclass(frozen=True, slots=True)
class PerformanceSummary:
    """Performance after costs. Fractions; None where a number does not exist.

    Parameters
    ----------
    start, end : datetime
        Open times of the first and last bar.
    n_bars : int
    initial_equity, final_equity : float
        Quote currency.
    total_return, annual_return, volatility : float
        The first over the whole curve, the others per year.
    sharpe, sortino, calmar : float or None
        Per year; see ``ratios`` for the definitions and where they are None.
    max_drawdown : float
        Deepest loss from a peak, at most 0.
    max_drawdown_bars, max_drawdown_duration : int, timedelta
        Longest stretch below a peak, not always the deepest one.
    exposure : float
        Bars of trades (entry to exit) over all bars.
    trades : TradeStatistics
    """

    start: datetime
    end: datetime
    n_bars: int
    initial_equity: float
    final_equity: float
    total_return: float
    annual_return: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown: float
    max_drawdown_bars: int
    max_drawdown_duration: timedelta
    exposure: float
    trades: TradeStatistics


def summarise(
    equity: FloatArray, open_time: pl.Series, trades: pl.DataFrame, bars_per_year: float
) -> PerformanceSummary:
    """Return the summary of one account.

    Parameters
    ----------
    equity : ndarray of shape (n_bars,)
        Quote currency at the close of each bar, finite, positive at its start.
    open_time : Series of shape (n_bars,)
    trades : DataFrame
        ``pnl``, ``return_``, ``fees``, ``bars`` of each trade.
    bars_per_year : float
        ``Timeframe.bars_per_year``.

    Raises
    ------
    DataError
        If the equity is unusable, lengths differ, or a column of trades is missing.
    """
    returns = simple_returns(equity)
    stretches = drawdowns(equity, open_time)
    deepest = min((stretch.depth for stretch in stretches), default=0.0)
    per_year = annual_return(equity, bars_per_year)
    statistics = trade_statistics(trades)
    return PerformanceSummary(
        start=open_time[0],
        end=open_time[-1],
        n_bars=len(equity),
        initial_equity=float(equity[0]),
        final_equity=float(equity[-1]),
        total_return=total_return(equity),
        annual_return=per_year,
        volatility=volatility(returns, bars_per_year),
        sharpe=sharpe(returns, bars_per_year),
        sortino=sortino(returns, bars_per_year),
        calmar=calmar(per_year, deepest),
        max_drawdown=deepest,
        max_drawdown_bars=max((stretch.bars for stretch in stretches), default=0),
        max_drawdown_duration=max(
            (stretch.duration for stretch in stretches), default=timedelta(0)
        ),
        exposure=float(trades["bars"].sum()) / len(equity),
        trades=statistics,
    )
