"""What must hold of the walk-forward."""

from datetime import datetime

import dagster as dg

from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline.config import Settings
from trading_pipeline.defs.blueprints import pipeline_check
from trading_pipeline.defs.check_runs import Judgement, judge_partitions
from trading_pipeline.defs.io_managers import StoredTable
from trading_pipeline.defs.partitions import Cell, PartitionSet


@pipeline_check("fold_models", PartitionSet.FOLD_SYMBOL, blocking=True)
def folds_saw_nothing_of_their_month(
    context: dg.AssetCheckExecutionContext,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
) -> dg.AssetCheckResult:
    """Every label that a fold was trained on ended before its month began."""
    table = StoredTable(lake, settings, "fold_models")

    def judge(cell: Cell) -> Judgement:
        row = table.rows(cell).row(0, named=True)
        if row["refused"] is not None:
            return Judgement(passed=True, description=f"no fold: {row['refused']}")
        end: datetime = row["labels_end"]
        start = cell.named_month.start
        said = f"the newest label ended {end.isoformat()}, the month began {start.isoformat()}"
        return Judgement(end < start, said)

    return judge_partitions(context, judge)


@pipeline_check("fold_models", PartitionSet.FOLD_SYMBOL, blocking=False)
def folds_are_trained(
    context: dg.AssetCheckExecutionContext,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
) -> dg.AssetCheckResult:
    """The fold had enough usable rows; otherwise the forecast abstains in its month."""
    table = StoredTable(lake, settings, "fold_models")

    def judge(cell: Cell) -> Judgement:
        row = table.rows(cell).row(0, named=True)
        return Judgement(row["refused"] is None, row["refused"] or f"{row['n_rows']} rows")

    return judge_partitions(context, judge, dg.AssetCheckSeverity.WARN)
