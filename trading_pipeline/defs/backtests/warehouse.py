"""The warehouse: marts in one DuckDB file, built beside and swapped in whole."""

from pathlib import Path

from trading_pipeline.adapters.storage.lake import Lake

MARTS = (
    "backtest_results",
    "backtest_trades",
    "backtest_equity",
    "walk_forward_results",
    "fold_models",
    "signals",
)
"""Backtests, their trades and equity, walk-forward scores, folds, signals: tables of the lake."""


def build_warehouse(lake: Lake, path: Path) -> dict[str, int]:
    """Build the warehouse from the lake and swap it in; return rows per table.

    Readers that have the old file open keep it; nobody sees a half-built one, because across
    processes DuckDB allows either one writer or many readers of a file.
    """
    from dagster_duckdb import DuckDBResource

    from trading_pipeline.adapters.storage.coverage import COVERAGE, coverage
    from trading_pipeline.adapters.storage.warehouse import publish_marts

    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.building")
    beside.unlink(missing_ok=True)
    stored = lake.tables()
    present = [table for table in MARTS if table in stored]
    made = {COVERAGE: coverage(lake)} if "candles" in stored else {}
    with DuckDBResource(database=str(beside)).get_connection() as connection:
        rows = publish_marts(connection, lake, present, made)
    beside.replace(path)
    return rows
