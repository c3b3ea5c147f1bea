"""Several signal sources, each through an account of its own, on the same candles and costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from trading_pipeline.backtest.benchmark import buy_and_hold
from trading_pipeline.backtest.directions import signal_directions
from trading_pipeline.backtest.engine import run_backtest
from trading_pipeline.backtest.result import TRADE_SCHEMA, BacktestResult
from trading_pipeline.backtest.settings import BacktestSettings
from trading_pipeline.core.candles import OPEN_TIME_TYPE
from trading_pipeline.core.instrument import Instrument
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.performance.summary import PerformanceSummary, summarise

BUY_AND_HOLD = "buy_and_hold"

EQUITY_SCHEMA: dict[str, pl.DataType] = {
    "strategy": pl.String(),
    "open_time": OPEN_TIME_TYPE,
    "equity": pl.Float64(),
}

METRICS_SCHEMA: dict[str, pl.DataType] = {
    "strategy": pl.String(),
    "start": OPEN_TIME_TYPE,
    "end": OPEN_TIME_TYPE,
    "n_bars": pl.Int64(),
    "initial_balance": pl.Float64(),
    "final_equity": pl.Float64(),
    "total_return": pl.Float64(),
    "annual_return": pl.Float64(),
    "volatility": pl.Float64(),
    "sharpe": pl.Float64(),
    "sortino": pl.Float64(),
    "calmar": pl.Float64(),
    "max_drawdown": pl.Float64(),
    "max_drawdown_bars": pl.Int64(),
    "exposure": pl.Float64(),
    "n_trades": pl.Int64(),
    "win_rate": pl.Float64(),
    "profit_factor": pl.Float64(),
    "expectancy": pl.Float64(),
    "average_win": pl.Float64(),
    "average_loss": pl.Float64(),
    "best": pl.Float64(),
    "worst": pl.Float64(),
    "total_fees": pl.Float64(),
    "average_bars": pl.Float64(),
    "skipped_entries": pl.Int64(),
}


@dataclass(frozen=True, slots=True)
class Run:
    """One source's account and its numbers."""

    result: BacktestResult
    summary: PerformanceSummary


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every source's run, and holding the asset, over the same bars."""

    runs: Mapping[str, Run]

    def trades(self) -> pl.DataFrame:
        """Return the trades of all sources: ``strategy`` and the columns of ``TRADE_SCHEMA``."""
        schema = {"strategy": pl.String(), **TRADE_SCHEMA}
        return pl.concat(
            [
                pl.DataFrame(schema=schema),
                *(
                    run.result.trades.select(pl.lit(name).alias("strategy"), *TRADE_SCHEMA)
                    for name, run in self.runs.items()
                ),
            ]
        )

    def equity(self) -> pl.DataFrame:
        """Return the equity of all sources in ``EQUITY_SCHEMA``."""
        return pl.concat(
            [
                pl.DataFrame(
                    {
                        "strategy": pl.repeat(name, len(run.result.equity), eager=True),
                        "open_time": run.result.open_time,
                        "equity": run.result.equity,
                    },
                    schema=EQUITY_SCHEMA,
                )
                for name, run in self.runs.items()
            ]
        )

    def metrics(self) -> pl.DataFrame:
        """Return one row of numbers per source, in ``METRICS_SCHEMA``."""
        rows = [_metrics(name, run) for name, run in self.runs.items()]
        return pl.DataFrame(rows, schema=METRICS_SCHEMA)


def compare(
    candles: pl.DataFrame,
    signals: Mapping[str, pl.DataFrame],
    instrument: Instrument,
    settings: BacktestSettings,
    timeframe: Timeframe,
) -> Comparison:
    """Run every source on ``candles``, and buy-and-hold beside them.

    Parameters
    ----------
    candles : DataFrame
        Candle contract; the window that is judged.
    signals : mapping of str to DataFrame
        Signals of one source each: ``open_time``, ``direction``, ``strength``, ``status``. What a
        source says of a candle is executed at the next candle's open; an abstention holds.
    instrument : Instrument
    settings : BacktestSettings
        For every source; buy-and-hold takes the balance and the costs.
    timeframe : Timeframe
        For the annualisation: a market that never closes.

    Raises
    ------
    DataError
        See :func:`~trading_pipeline.backtest.engine.run_backtest`.
    """
    runs: dict[str, Run] = {}
    for name, rows in signals.items():
        direction, _ = signal_directions(candles, rows)
        # Full size whatever the strength: live sizing does not scale by it either.
        runs[name] = _judged(
            run_backtest(candles, direction, None, instrument, settings), timeframe
        )
    runs[BUY_AND_HOLD] = _judged(buy_and_hold(candles, instrument, settings), timeframe)
    return Comparison(runs)


def _judged(result: BacktestResult, timeframe: Timeframe) -> Run:
    summary = summarise(
        result.equity, result.open_time, result.trades, bars_per_year=timeframe.bars_per_year
    )
    return Run(result, summary)


def _metrics(name: str, run: Run) -> dict[str, Any]:
    result, summary, trades = run.result, run.summary, run.summary.trades
    taken = {field: getattr(trades, field) for field in METRICS_SCHEMA if hasattr(trades, field)}
    measured = {
        field: getattr(summary, field) for field in METRICS_SCHEMA if hasattr(summary, field)
    }
    return {
        "strategy": name,
        "initial_balance": summary.initial_equity,
        "skipped_entries": result.skipped_entries,
        **taken,
        **measured,
        "exposure": result.exposure,
    }
