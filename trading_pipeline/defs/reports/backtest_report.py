"""The backtest report of one symbol, from the stored tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.defs.io_managers import StoredTable
from trading_pipeline.defs.market_data.quality_notes import quality_from
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.defs.validation.fold_scores import fold_of

if TYPE_CHECKING:
    from trading_pipeline.reporting.report import BacktestReport, EquityCurve, TradeStatistics
    from trading_pipeline.reporting.verdict import Fold, Performance, Verdict

_FILL_RULE = "market orders at the open of the next candle that exists"
_PERFORMANCE_FIELDS = (
    "total_return",
    "annual_return",
    "volatility",
    "sharpe",
    "sortino",
    "max_drawdown",
    "exposure",
    "final_equity",
)


@dataclass(frozen=True, slots=True)
class ReportTables:
    """What the report is made from."""

    backtest_results: StoredTable
    walk_forward_results: StoredTable
    candles: StoredTable

    def contents(self, symbol: Symbol) -> list[str | None]:
        """Return the content fingerprints of everything that the report reads."""
        whole = [
            t.content(Cell(symbol)) for t in (self.backtest_results, self.walk_forward_results)
        ]
        return [
            *whole,
            *(self.candles.content(Cell(symbol, m)) for m in self.candles.months(symbol)),
        ]


def build_report(
    symbol: Symbol, settings: Settings, tables: ReportTables, venue_label: str, as_of: datetime
) -> "BacktestReport":
    """Build the report of the aggregated signals of ``symbol``."""
    from trading_pipeline.reporting.curves import monthly_returns
    from trading_pipeline.reporting.quality import DataQuality
    from trading_pipeline.reporting.report import BacktestReport, SourceLine, trades_of

    results = tables.backtest_results
    rows = {row["strategy"]: row for row in results.rows(Cell(symbol)).to_dicts()}
    own, held = rows["signals"], rows["buy_and_hold"]
    curve = equity_curve(results.beside("backtest_equity").rows(Cell(symbol)), "signals")
    trades = results.beside("backtest_trades").rows(Cell(symbol))
    scores = tables.walk_forward_results.rows(Cell(symbol))
    found = [fold_of(row) for row in scores.iter_rows(named=True)]
    bar = settings.market.timeframe.duration
    return BacktestReport(
        title="Walk-forward backtest",
        symbol=symbol,
        timeframe=settings.market.timeframe,
        venue_label=venue_label,
        is_simulated=settings.is_simulated,
        start=own["start"],
        end=own["end"] + bar,
        as_of=as_of,
        strategy=performance_of(own, settings),
        buy_hold=performance_of(held, settings),
        curve=curve,
        monthly=monthly_returns(curve),
        trades=trades_of(trades.filter(pl.col("strategy") == "signals")),
        trade_statistics=_statistics(own, settings),
        folds=found,
        quality=DataQuality.of(
            [
                quality_from(month, tables.candles.notes(Cell(symbol, month)))
                for month in tables.candles.months(symbol)
            ]
        ),
        assumptions=_assumptions(settings, results.notes(Cell(symbol))["window"]),
        verdict=judge(settings, own, held, found),
        lineage=_lineage(symbol, tables, settings, scores),
        comparison=[
            SourceLine(name, performance_of(row, settings), row["n_trades"])
            for name, row in rows.items()
            if name != "buy_and_hold"
        ],
    )


def judge(
    settings: Settings, own: Mapping[str, Any], held: Mapping[str, Any], found: "Sequence[Fold]"
) -> "Verdict":
    """Return what the evidence of one symbol allows to say."""
    from trading_pipeline.reporting.verdict import verdict

    return verdict(
        performance_of(own, settings),
        performance_of(held, settings),
        found,
        own["n_trades"],
        period=own["end"] - own["start"],
        label_horizon=settings.labels.horizon,
        is_simulated=settings.is_simulated,
    )


def performance_of(row: Mapping[str, Any], settings: Settings) -> "Performance":
    """Return a row of ``backtest_results`` as reports show it."""
    from trading_pipeline.reporting.verdict import Performance

    return Performance(
        **{name: row[name] for name in _PERFORMANCE_FIELDS},
        max_drawdown_duration=settings.market.timeframe.duration * row["max_drawdown_bars"],
    )


def equity_curve(equity: pl.DataFrame, strategy: str) -> "EquityCurve":
    """Return the curve of one strategy beside buy-and-hold."""
    from trading_pipeline.reporting.report import EquityCurve

    own = equity.filter(pl.col("strategy") == strategy)
    held = equity.filter(pl.col("strategy") == "buy_and_hold")
    return EquityCurve.of(own["open_time"], own["equity"].to_numpy(), held["equity"].to_numpy())


def _statistics(row: Mapping[str, Any], settings: Settings) -> "TradeStatistics":
    from trading_pipeline.reporting.report import TradeStatistics

    names = ("win_rate", "profit_factor", "expectancy", "average_win", "average_loss")
    bars = row["average_bars"]
    return TradeStatistics(
        n_trades=row["n_trades"],
        **{name: row[name] for name in (*names, "best", "worst", "total_fees")},
        average_holding=None if bars is None else settings.market.timeframe.duration * bars,
    )


def _assumptions(settings: Settings, window: str) -> Any:  # noqa: ANN401  loaded lazily
    from trading_pipeline.reporting.report import Assumptions

    risk, costs = settings.risk, settings.backtest
    return Assumptions(
        initial_balance=costs.initial_balance,
        taker_fee_bps=costs.taker_fee_bps,
        slippage_bps=costs.slippage_bps,
        fill_rule=_FILL_RULE,
        sizing=f"{wiring.position_fraction(settings):.1%} of equity per position, set at its entry",
        stop_loss=risk.stop_loss_pct,
        take_profit=risk.take_profit_pct,
        allow_short=risk.allow_short,
        notes=(
            f"The window is {window}.",
            "Inside a bar the stop comes before the target; a gap through the stop fills at the "
            "open.",
            "An abstaining signal keeps what is held.",
            "Buy-and-hold invests everything once, with the same fee and slippage.",
            "Folds are retrained monthly; the live model is retrained nightly by the same recipe.",
            "Paper trading leaves positions by signal only: its stops are not placed yet.",
        ),
    )


def _lineage(
    symbol: Symbol, tables: ReportTables, settings: Settings, scores: pl.DataFrame
) -> list[Any]:
    from trading_pipeline import __version__
    from trading_pipeline.reporting.report import LineageEntry

    entries = [
        LineageEntry("package", __version__),
        LineageEntry("settings of the decision", wiring.strategy_version(settings)),
        LineageEntry("backtest inputs", _mark(tables.backtest_results, symbol)),
        LineageEntry("walk-forward inputs", _mark(tables.walk_forward_results, symbol)),
    ]
    versions = scores["model_version"].drop_nulls()
    if len(versions):
        entries.append(LineageEntry("newest fold's model", versions[-1]))
    return entries


def _mark(table: StoredTable, symbol: Symbol) -> str:
    manifest = table.manifest(Cell(symbol))
    return manifest.fingerprint[:16] if manifest else "none"
