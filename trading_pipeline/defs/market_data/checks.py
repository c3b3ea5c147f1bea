"""What must hold of candles before anything reads them."""

import dagster as dg

from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline.config import Settings
from trading_pipeline.defs.blueprints import pipeline_check
from trading_pipeline.defs.check_runs import Judgement, judge_partitions
from trading_pipeline.defs.io_managers import StoredTable
from trading_pipeline.defs.market_data.quality_notes import quality_from, quality_metadata
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.market_data.quality import check_candles
from trading_pipeline.wiring import VenueAccess


@pipeline_check("candles", blocking=True)
def candles_keep_the_contract(
    context: dg.AssetCheckExecutionContext,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
    venue: dg.ResourceParam[VenueAccess],
) -> dg.AssetCheckResult:
    """Stored candles are unique, ascending, consistent, on the grid and closed."""
    table, now = StoredTable(lake, settings, "candles"), venue.clock().now()

    def judge(cell: Cell) -> Judgement:
        findings = check_candles(table.rows(cell), settings.market.timeframe, now)
        broken = [finding.message for finding in findings if finding.is_blocking]
        return Judgement(not broken, "; ".join(broken) or "every claim holds")

    return judge_partitions(context, judge)


@pipeline_check("candles", blocking=False)
def candles_have_no_unexplained_gaps(
    context: dg.AssetCheckExecutionContext,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
) -> dg.AssetCheckResult:
    """Every missing bar is explained.

    A failure does not stop the month: the features and labels that an unexplained gap can reach
    are null, and only those.
    """
    table = StoredTable(lake, settings, "candles")

    def judge(cell: Cell) -> Judgement:
        quality = quality_from(cell.named_month, table.notes(cell))
        return Judgement(
            quality.unexplained == 0,
            f"{quality.unexplained} of {quality.expected} bars are missing without explanation",
            quality_metadata(quality),
        )

    return judge_partitions(context, judge)
