"""Backtests by symbol, and one table over all of them."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

from trading_pipeline import wiring
from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline.config import Settings
from trading_pipeline.core.fingerprint import fingerprint
from trading_pipeline.defs.backtests.evidence import Evidence
from trading_pipeline.defs.backtests.summary import SUMMARY_SCHEMA, summary_row
from trading_pipeline.defs.backtests.warehouse import build_warehouse
from trading_pipeline.defs.blueprints import folds, months, pipeline_asset, same_symbol
from trading_pipeline.defs.io_managers import Made, RangeOutput, StoredTable
from trading_pipeline.defs.metadata import picture, row_metadata
from trading_pipeline.defs.partitions import Cell, PartitionSet
from trading_pipeline.wiring import VenueAccess

AGGREGATE = "signals"


@pipeline_asset(
    "backtests",
    PartitionSet.SYMBOL,
    reads={
        "candles": months(),
        "strategy_signals": months(),
        "forecast_signals": months(),
        "signals": months(),
        "fold_models": folds(),
    },
    kinds={"numba"},
    code_version="1",
)
def backtest_results(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    venue: dg.ResourceParam[VenueAccess],
    candles: StoredTable,
    strategy_signals: StoredTable,
    forecast_signals: StoredTable,
    signals: StoredTable,
    fold_models: StoredTable,
) -> RangeOutput:
    """Every signal source and their aggregate through an account of its own, and buy-and-hold.

    One row per strategy. The window is out of sample: it starts with the first fold (with the
    first candle where no fold exists). A signal executes at the next candle's open, after fees and
    slippage; stop-loss and take-profit are taken inside the bar, the stop first. Trades and equity
    are in the tables `backtest_trades` and `backtest_equity`.
    """
    from trading_pipeline.backtest.comparison import compare

    evidence = Evidence(settings, candles, strategy_signals, forecast_signals, signals, fold_models)
    options = wiring.backtest_settings(settings)

    def mark(cell: Cell) -> str:
        rules = venue.instrument(cell.named_symbol)
        return fingerprint(
            1,
            settings.backtest.model_dump(),
            settings.risk.model_dump(),
            [rules.tick_size, rules.lot_size, rules.min_quantity, rules.min_notional],
            evidence.contents(cell.named_symbol),
        )

    def make(cell: Cell) -> Made:
        symbol = cell.named_symbol
        window = evidence.window(symbol)
        found = compare(
            window.candles,
            {**window.by_source, AGGREGATE: window.aggregate},
            venue.instrument(symbol),
            options,
            settings.market.timeframe,
        )
        companions = {"backtest_trades": found.trades(), "backtest_equity": found.equity()}
        return Made(found.metrics(), {"window": window.reason}, companions)

    def describe(cell: Cell, rows: pl.DataFrame, notes: Mapping[str, Any]) -> Mapping[str, Any]:
        from trading_pipeline.adapters.reports.pictures import equity_picture
        from trading_pipeline.defs.reports.backtest_report import equity_curve

        own = rows.row(by_predicate=pl.col("strategy") == AGGREGATE, named=True)
        equity = candles.beside("backtest_equity").rows(cell)
        title = f"{cell.named_symbol}: signals against buy-and-hold"
        plot = equity_picture(equity_curve(equity, AGGREGATE), title=title)
        return {"window": notes["window"], **row_metadata(own), "plot": picture(plot)}

    return RangeOutput(context, mark, make, describe)


@pipeline_asset(
    "backtests",
    PartitionSet.NONE,
    reads={
        "backtest_results": same_symbol(),
        "walk_forward_results": same_symbol(),
        "candles": months(),
    },
    kinds={"duckdb"},
    code_version="1",
)
def performance_summary(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[Lake],
    backtest_results: StoredTable,
    walk_forward_results: StoredTable,
    candles: StoredTable,
) -> RangeOutput:
    """One row per symbol: candles, gaps, folds, accuracy beside the base rate, return and risk.

    Making it also publishes the warehouse: a DuckDB file with backtests, trades, folds and scores
    for SQL, built beside the old one and swapped in whole.
    """
    symbols = [
        symbol
        for symbol in settings.market.enabled_symbols
        if backtest_results.manifest(Cell(symbol)) is not None
    ]

    def mark(_: Cell) -> str:
        return fingerprint(
            1,
            [
                [
                    symbol.key,
                    backtest_results.content(Cell(symbol)),
                    walk_forward_results.content(Cell(symbol)),
                    [candles.content(Cell(symbol, month)) for month in candles.months(symbol)],
                ]
                for symbol in symbols
            ],
        )

    def make(_: Cell) -> Made:
        rows = [
            summary_row(symbol, settings, backtest_results, walk_forward_results, candles)
            for symbol in symbols
        ]
        published = build_warehouse(lake, wiring.warehouse_path(settings))
        return Made(pl.DataFrame(rows, schema=SUMMARY_SCHEMA), {"warehouse": published})

    def describe(_: Cell, rows: pl.DataFrame, notes: Mapping[str, Any]) -> Mapping[str, Any]:
        shown: dict[str, Any] = {f"warehouse: {k}": n for k, n in notes["warehouse"].items()}
        for row in rows.iter_rows(named=True):
            shown[row["symbol"]] = row["verdict"]
        return shown

    path = wiring.warehouse_path(settings)
    return RangeOutput(context, mark, make, describe, lambda _: path.is_file())
