"""The live model of each symbol: a challenger every night, and the champion that decides."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import polars as pl

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.candles import OPEN_TIME_TYPE
from trading_pipeline.core.errors import ModelError
from trading_pipeline.core.fingerprint import fingerprint
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.defs.blueprints import months, pipeline_asset, same_symbol
from trading_pipeline.defs.io_managers import Made, RangeOutput, StoredTable
from trading_pipeline.defs.metadata import row_metadata
from trading_pipeline.defs.models.gate import GATE_VERSION, judge_challenger
from trading_pipeline.defs.models.recipe import (
    ModelRecipe,
    challenger_key,
    champion_key,
    model_row,
    refused_row,
)
from trading_pipeline.defs.partitions import Cell, PartitionSet
from trading_pipeline.wiring import VenueAccess

_MOMENT = timedelta(microseconds=1)
CHAMPION_SCHEMA: dict[str, pl.DataType] = {
    "model_version": pl.String(),
    "effective_from": OPEN_TIME_TYPE,
    "recorded_at": OPEN_TIME_TYPE,
    "change": pl.String(),
    "reason": pl.String(),
}


@pipeline_asset(
    "models",
    PartitionSet.SYMBOL,
    reads={"feature_matrix": months(), "labels": months()},
    kinds={"xgboost"},
    code_version="1",
)
def xgboost_model(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    feature_matrix: StoredTable,
    labels: StoredTable,
) -> RangeOutput:
    """Challenger: the fold's recipe on the newest months, up to the last mature label.

    The artefact (UBJ) and its card are in the model store; every version stays, because a
    rollback may need it. It decides nothing until it is champion.
    """
    recipe = ModelRecipe.of(settings, feature_matrix, labels)
    store = wiring.models(settings)

    def window(symbol: Symbol) -> tuple[tuple[Month, Month], datetime]:
        made = [m for m in labels.months(symbol) if labels.manifest(Cell(symbol, m)) is not None]
        if not made:
            raise ModelError(f"{symbol} has no labels; materialise labels first", symbol=symbol.key)
        newest = made[-1]
        until = datetime.fromisoformat(labels.notes(Cell(symbol, newest))["data_end"])
        # Strictly before: a label that ended with the newest candle is known and may train.
        return (newest.shift(-settings.walk_forward.train_months), newest), until + _MOMENT

    def mark(cell: Cell) -> str:
        span, until = window(cell.named_symbol)
        return recipe.fingerprint(cell.named_symbol, span, until)

    def make(cell: Cell) -> Made:
        symbol = cell.named_symbol
        span, until = window(symbol)
        try:
            model = recipe.train(symbol, span, until, recipe.fingerprint(symbol, span, until))
        except ModelError as error:
            return Made(refused_row(error.message), {"refused": error.message})
        store.save(challenger_key(settings, symbol), model)
        return Made(model_row(model.card), {"version": model.card.version})

    def describe(_: Cell, rows: pl.DataFrame, notes: Mapping[str, Any]) -> Mapping[str, Any]:
        if "refused" in notes:
            return {"refused": notes["refused"]}
        return row_metadata(rows.row(0, named=True))

    return RangeOutput(context, mark, make, describe)


@pipeline_asset(
    "models",
    PartitionSet.SYMBOL,
    reads={
        "xgboost_model": same_symbol(),
        "walk_forward_results": same_symbol(),
        "feature_matrix": months(),
    },
    code_version=str(GATE_VERSION),
)
def champion(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    venue: dg.ResourceParam[VenueAccess],
    xgboost_model: StoredTable,
    walk_forward_results: StoredTable,
    feature_matrix: StoredTable,
) -> RangeOutput:
    """Which model decides live, from when on: a history, so that the past is never rewritten.

    A challenger is promoted if its stored artefact passes the gate: bytes as on its card, the
    schema of today's features, finite probabilities that sum to one, twice the same. The gate
    does not ask for an edge yet; whether there is one is shown here and in every report.
    """
    store, history = wiring.models(settings), wiring.champions(settings)

    def mark(cell: Cell) -> str:
        symbol = cell.named_symbol
        newest = feature_matrix.months(symbol)[-1:]
        return fingerprint(
            GATE_VERSION,
            xgboost_model.content(cell),
            walk_forward_results.content(cell),
            [feature_matrix.content(Cell(symbol, month)) for month in newest],
        )

    def make(cell: Cell) -> Made:
        symbol = cell.named_symbol
        key = challenger_key(settings, symbol)
        notes = xgboost_model.notes(cell)
        if "refused" in notes:
            verdict = f"no challenger: {notes['refused']}"
        else:
            newest = feature_matrix.months(symbol)[-1]
            model = store.load(key, notes["version"])
            judged = judge_challenger(model, feature_matrix.rows(Cell(symbol, newest)))
            verdict = judged.reason
            if judged.passed:
                history.promote(
                    champion_key(settings, symbol),
                    model_key=key,
                    version=model.card.version,
                    effective_from=_effective_from(
                        model.card.trained_until,
                        venue.clock().now(),
                        settings,
                        is_first=not history.entries(champion_key(settings, symbol)),
                    ),
                    reason=judged.reason,
                    recorded_at=venue.clock().now(),
                )
        rows = [
            (e.model_version, e.effective_from, e.recorded_at, e.change.value, e.reason)
            for e in history.entries(champion_key(settings, symbol))
        ]
        table = pl.DataFrame(rows, schema=CHAMPION_SCHEMA, orient="row")
        return Made(table, {"gate": verdict})

    def describe(cell: Cell, rows: pl.DataFrame, notes: Mapping[str, Any]) -> Mapping[str, Any]:
        shown: dict[str, Any] = {"gate": notes["gate"], "promotions": rows.height}
        if not rows.is_empty():
            shown["champion"] = rows["model_version"][-1]
            shown["effective_from"] = str(rows["effective_from"][-1])
        return shown

    return RangeOutput(context, mark, make, describe)


def _effective_from(
    trained_until: datetime, now: datetime, settings: Settings, *, is_first: bool
) -> datetime:
    # It saw no candle that closed after this instant.
    trained = settings.market.timeframe.floor(trained_until)
    # What a standing champion decided until now stays its own.
    return trained if is_first else max(trained, now)
