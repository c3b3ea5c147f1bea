"""What must hold of a model before it decides."""

import dagster as dg

from trading_pipeline import wiring
from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline.config import Settings
from trading_pipeline.defs.blueprints import pipeline_check
from trading_pipeline.defs.check_runs import Judgement, judge_partitions
from trading_pipeline.defs.io_managers import StoredTable
from trading_pipeline.defs.models.gate import judge_challenger
from trading_pipeline.defs.models.recipe import challenger_key
from trading_pipeline.defs.partitions import Cell, PartitionSet


@pipeline_check("xgboost_model", PartitionSet.SYMBOL, blocking=True)
def challenger_is_sound(
    context: dg.AssetCheckExecutionContext,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
) -> dg.AssetCheckResult:
    """The stored artefact is the one that was trained, and forecasts today's features."""
    table = StoredTable(lake, settings, "xgboost_model")
    features = StoredTable(lake, settings, "feature_matrix")
    store = wiring.models(settings)

    def judge(cell: Cell) -> Judgement:
        notes = table.notes(cell)
        if "refused" in notes:
            return Judgement(passed=False, description=notes["refused"])
        model = store.load(challenger_key(settings, cell.named_symbol), notes["version"])
        newest = features.months(cell.named_symbol)[-1]
        verdict = judge_challenger(model, features.rows(Cell(cell.symbol, newest)))
        return Judgement(verdict.passed, verdict.reason)

    return judge_partitions(context, judge)


@pipeline_check("champion", PartitionSet.SYMBOL, blocking=False)
def champion_exists(
    context: dg.AssetCheckExecutionContext,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
) -> dg.AssetCheckResult:
    """A champion decides for the symbol; without one the forecast abstains live."""
    table = StoredTable(lake, settings, "champion")

    def judge(cell: Cell) -> Judgement:
        rows = table.rows(cell)
        if rows.is_empty():
            return Judgement(passed=False, description=str(table.notes(cell).get("gate", "none")))
        return Judgement(passed=True, description=f"champion {rows['model_version'][-1]}")

    return judge_partitions(context, judge)
