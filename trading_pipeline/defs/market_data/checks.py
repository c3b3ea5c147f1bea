"""What must hold of candles before anything reads them."""

import dagster as dg

from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline.config import Settings
from trading_pipeline.defs.blueprints import pipeline_check
from trading_pipeline.defs.check_runs import Judgement, judge_partitions
from trading_pipeline.defs.io_managers import StoredTable
from trading_pipeline.defs.market_data.quality_notes import (
    asked_until,
    quality_from,
    quality_metadata,
)
from trading_pipeline.defs.market_data.resampled import ResampledMonths
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.market_data.quality import check_candles


@pipeline_check("candles", blocking=True)
def candles_keep_the_contract(
    context: dg.AssetCheckExecutionContext,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
) -> dg.AssetCheckResult:
    """Stored candles are unique, ascending, consistent, on the grid and closed.

    Closed by the clock of their source when it was asked, not by that of this machine.
    """
    table = StoredTable(lake, settings, "candles")

    def judge(cell: Cell) -> Judgement:
        # Rows before notes: of a month that is made again meanwhile the notes are as new or newer.
        rows = table.rows(cell)
        as_of = asked_until(table.notes(cell), cell)
        findings = check_candles(rows, settings.market.timeframe, as_of)
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


@pipeline_check("resampled_candles", blocking=True)
def resampled_candles_add_up(
    context: dg.AssetCheckExecutionContext,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
) -> dg.AssetCheckResult:
    """Longer candles have the opens, extremes, closes and volumes of the candles they are made of.

    Worked out a second time by polars; every whole bar that closed exists, and no other bar.
    """
    made = ResampledMonths(settings, StoredTable(lake, settings, "candles"))
    stored = StoredTable(lake, settings, "resampled_candles")

    def judge(cell: Cell) -> Judgement:
        found = made.contradictions(cell, stored)
        return Judgement(not found, "; ".join(found) or "every bar adds up")

    return judge_partitions(context, judge)
