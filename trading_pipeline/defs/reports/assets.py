"""The PDF reports."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.fingerprint import fingerprint
from trading_pipeline.defs.blueprints import months, pipeline_asset, same_symbol
from trading_pipeline.defs.io_managers import Made, RangeOutput, StoredTable
from trading_pipeline.defs.partitions import Cell, PartitionSet
from trading_pipeline.defs.reports.backtest_report import ReportTables, build_report
from trading_pipeline.defs.reports.daily_report import build_daily_report
from trading_pipeline.wiring import VenueAccess

FILE_SCHEMA: dict[str, pl.DataType] = {
    "path": pl.String(),
    "sha256": pl.String(),
    "bytes": pl.Int64(),
}


@pipeline_asset(
    "reports",
    PartitionSet.SYMBOL,
    reads={
        "backtest_results": same_symbol(),
        "walk_forward_results": same_symbol(),
        "candles": months(),
    },
    kinds={"pdf"},
    code_version="1",
)
def backtest_report_pdf(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    venue: dg.ResourceParam[VenueAccess],
    backtest_results: StoredTable,
    walk_forward_results: StoredTable,
    candles: StoredTable,
) -> RangeOutput:
    """The PDF of one symbol's backtest.

    Equity against buy-and-hold, drawdown, monthly returns, trades, fold table, data quality,
    assumptions, and a verdict that says plainly when there is no edge.
    """
    from trading_pipeline.adapters.reports.pdf import write_backtest_report

    tables = ReportTables(backtest_results, walk_forward_results, candles)

    def path_of(cell: Cell) -> Path:
        return wiring.reports_folder(settings) / f"backtest-{cell.named_symbol.key}.pdf"

    def mark(cell: Cell) -> str:
        seen = tables.contents(cell.named_symbol)
        return fingerprint(1, settings.model_dump(mode="json"), seen)

    def make(cell: Cell) -> Made:
        report = build_report(
            cell.named_symbol, settings, tables, venue.label(), venue.clock().now()
        )
        return Made(file_row(write_backtest_report(report, path_of(cell))))

    # A report that somebody deleted is written again.
    return RangeOutput(context, mark, make, describe_file, lambda cell: path_of(cell).is_file())


@pipeline_asset(
    "reports",
    PartitionSet.DAY,
    deps=["order_journal", "portfolio_snapshot"],
    kinds={"pdf"},
    code_version="1",
)
def daily_report_pdf(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    venue: dg.ResourceParam[VenueAccess],
) -> dg.MaterializeResult[None]:
    """The PDF of a UTC day.

    The account, orders, fills, denials, live signals with their votes, and how fresh the data is.
    """
    from trading_pipeline.adapters.reports.pdf import write_daily_report

    day = date.fromisoformat(context.partition_key)
    report = build_daily_report(day, settings, venue)
    path = wiring.reports_folder(settings) / f"daily-{day.isoformat()}.pdf"
    return dg.MaterializeResult(metadata=file_metadata(write_daily_report(report, path)))


def file_row(path: Path) -> pl.DataFrame:
    """Return the row of a written file."""
    import hashlib

    content = path.read_bytes()
    row = (str(path), hashlib.sha256(content).hexdigest(), len(content))
    return pl.DataFrame([row], schema=FILE_SCHEMA, orient="row")


def describe_file(_: Cell, rows: pl.DataFrame, __: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the UI shows of a written file."""
    return file_metadata(Path(rows["path"][0]))


def file_metadata(path: Path) -> dict[str, Any]:
    """Return a file's path, size and time as metadata."""
    stat = path.stat()
    return {
        "path": dg.MetadataValue.path(str(path)),
        "kB": round(stat.st_size / 1000, 1),
        "written": datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(timespec="seconds"),
    }
