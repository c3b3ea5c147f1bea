"""The row of one symbol in ``performance_summary``."""

from typing import Any

import polars as pl

from trading_pipeline.config import Settings
from trading_pipeline.core.candles import OPEN_TIME_TYPE
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.defs.io_managers import StoredTable
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.defs.reports.backtest_report import judge
from trading_pipeline.defs.validation.fold_scores import fold_of

SUMMARY_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "candles": pl.Int64(),
    "missing": pl.Int64(),
    "unexplained": pl.Int64(),
    "dropped": pl.Int64(),
    "folds": pl.Int64(),
    "accuracy": pl.Float64(),
    "base_rate": pl.Float64(),
    "start": OPEN_TIME_TYPE,
    "end": OPEN_TIME_TYPE,
    "total_return": pl.Float64(),
    "sharpe": pl.Float64(),
    "max_drawdown": pl.Float64(),
    "n_trades": pl.Int64(),
    "buy_hold_return": pl.Float64(),
    "verdict": pl.String(),
}


def summary_row(
    symbol: Symbol,
    settings: Settings,
    backtest_results: StoredTable,
    walk_forward_results: StoredTable,
    candles: StoredTable,
) -> dict[str, Any]:
    """Return the summary of one symbol: the aggregate of its signals against holding it."""
    from trading_pipeline.reporting.verdict import pooled_score

    notes = [candles.notes(Cell(symbol, month)) for month in candles.months(symbol)]
    manifests = [candles.manifest(Cell(symbol, month)) for month in candles.months(symbol)]
    scores = walk_forward_results.rows(Cell(symbol))
    found = [fold_of(row) for row in scores.iter_rows(named=True)]
    pooled = pooled_score(found)
    rows = {row["strategy"]: row for row in backtest_results.rows(Cell(symbol)).to_dicts()}
    own, held = rows["signals"], rows["buy_and_hold"]
    verdict = judge(settings, own, held, found)
    return {
        "symbol": symbol.pair,
        "candles": sum(manifest.n_rows for manifest in manifests if manifest),
        "missing": sum(note["explained"] + note["unexplained"] for note in notes),
        "unexplained": sum(note["unexplained"] for note in notes),
        "dropped": sum(sum(note["dropped"].values()) for note in notes),
        "folds": sum(fold.is_scored for fold in found),
        "accuracy": pooled.accuracy if pooled else None,
        "base_rate": pooled.base_rate if pooled else None,
        "start": own["start"],
        "end": own["end"],
        "total_return": own["total_return"],
        "sharpe": own["sharpe"],
        "max_drawdown": own["max_drawdown"],
        "n_trades": own["n_trades"],
        "buy_hold_return": held["total_return"],
        "verdict": f"{verdict.headline} {' '.join(verdict.reasons)}",
    }
