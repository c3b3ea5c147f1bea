"""Walk-forward: the model of each month, what it said, and how good it was."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import ModelError
from trading_pipeline.core.fingerprint import fingerprint
from trading_pipeline.core.month import Month
from trading_pipeline.defs.blueprints import folds, months, pipeline_asset, training_months
from trading_pipeline.defs.io_managers import Made, RangeOutput, StoredTable
from trading_pipeline.defs.metadata import picture, row_metadata
from trading_pipeline.defs.models.recipe import (
    ModelRecipe,
    fold_key,
    model_row,
    refused_row,
)
from trading_pipeline.defs.partitions import Cell, Partitions, PartitionSet
from trading_pipeline.defs.validation.fold_scores import (
    FOLD_SCORE_SCHEMA,
    fold_of,
    score_fold,
)


@pipeline_asset(
    "validation",
    PartitionSet.FOLD_SYMBOL,
    reads={"feature_matrix": training_months(), "labels": training_months()},
    kinds={"xgboost"},
    code_version="1",
)
def fold_models(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    feature_matrix: StoredTable,
    labels: StoredTable,
) -> RangeOutput:
    """The model of one month: trained on labels that ended before the month began, on no other.

    One row per partition says what was trained on what; the artefact (UBJ) and its card are in
    the model store. A fold with too few usable rows is refused: the row says why, and signals of
    that month abstain.
    """
    recipe = ModelRecipe.of(settings, feature_matrix, labels)
    store = wiring.models(settings)

    def make(cell: Cell) -> Made:
        symbol, month = cell.named_symbol, cell.named_month
        key = fold_key(settings, symbol, month)
        mark = recipe.fingerprint(symbol, recipe.training_months(month), month.start)
        try:
            model = recipe.train(symbol, recipe.training_months(month), month.start, mark)
        except ModelError as error:
            return Made(refused_row(error.message), {"refused": error.message})
        store.save(key, model, keep=2)
        context.log.info(
            "%s: trained %s on %d rows", cell.key, model.card.version, model.card.n_rows
        )
        return Made(model_row(model.card), {"version": model.card.version})

    def describe(_: Cell, rows: pl.DataFrame, notes: Mapping[str, Any]) -> Mapping[str, Any]:
        if "refused" in notes:
            return {"refused": notes["refused"]}
        return row_metadata(rows.row(0, named=True))

    return RangeOutput(
        context,
        lambda cell: recipe.fingerprint(
            cell.named_symbol, recipe.training_months(cell.named_month), cell.named_month.start
        ),
        make,
        describe,
    )


@pipeline_asset(
    "validation",
    PartitionSet.FOLD_SYMBOL,
    reads={"fold_models": folds(), "feature_matrix": months()},
    kinds={"xgboost"},
    code_version="1",
)
def walk_forward_predictions(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    fold_models: StoredTable,
    feature_matrix: StoredTable,
) -> RangeOutput:
    """What the fold of a month said about each of its candles: probabilities of down, flat, up.

    Always from the fold of that month, never from the champion. Null where a feature is missing
    or the fold was refused.
    """
    from trading_pipeline.models.training import FORECAST_SCHEMA, forecast

    store = wiring.models(settings)

    def mark(cell: Cell) -> str:
        return fingerprint(1, fold_models.content(cell), feature_matrix.content(cell))

    def make(cell: Cell) -> Made:
        features = feature_matrix.rows(cell)
        notes = fold_models.notes(cell)
        if "refused" in notes:
            silent = features.select("open_time").with_columns(
                pl.lit(None, dtype=kind).alias(name)
                for name, kind in FORECAST_SCHEMA.items()
                if name != "open_time"
            )
            return Made(silent, {"refused": notes["refused"]})
        key = fold_key(settings, cell.named_symbol, cell.named_month)
        return Made(forecast(store.load(key, notes["version"]), features), dict(notes))

    def describe(_: Cell, rows: pl.DataFrame, notes: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "rows_with_forecast": int(rows["p_up"].is_not_null().sum()),
            "fold": notes.get("version", notes.get("refused", "")),
        }

    return RangeOutput(context, mark, make, describe)


@pipeline_asset(
    "validation",
    PartitionSet.SYMBOL,
    reads={
        "walk_forward_predictions": folds(),
        "labels": months(),
        "fold_models": folds(),
    },
    kinds={"polars"},
    code_version="1",
)
def walk_forward_results(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    walk_forward_predictions: StoredTable,
    labels: StoredTable,
    fold_models: StoredTable,
) -> RangeOutput:
    """How good each fold was on the month it had not seen, beside the base rate.

    One row per fold: accuracy and log loss of the forecast, of always saying the majority class
    of training, and of the best constant. Immature and dropped labels do not count.
    """
    partitions = Partitions(settings)

    def months_made(cell: Cell) -> list[Month]:
        last = partitions.last_month or newest_fold(fold_models, cell, partitions.first_fold)
        every = partitions.first_fold.until(last)
        return [
            month
            for month in every
            if walk_forward_predictions.manifest(Cell(cell.symbol, month)) is not None
        ]

    def mark(cell: Cell) -> str:
        return fingerprint(
            1,
            [
                [
                    table.content(Cell(cell.symbol, month))
                    for table in (walk_forward_predictions, labels, fold_models)
                ]
                for month in months_made(cell)
            ],
        )

    def make(cell: Cell) -> Made:
        rows = []
        for month in months_made(cell):
            part = Cell(cell.symbol, month)
            fold = fold_models.rows(part).row(0, named=True)
            rows.append(
                score_fold(month, fold, walk_forward_predictions.rows(part), labels.rows(part))
            )
        return Made(pl.DataFrame(rows, schema=FOLD_SCORE_SCHEMA, orient="row"))

    def describe(cell: Cell, rows: pl.DataFrame, _: Mapping[str, Any]) -> Mapping[str, Any]:
        from trading_pipeline.adapters.reports.pictures import fold_picture
        from trading_pipeline.reporting.verdict import pooled_score

        found = [fold_of(row) for row in rows.iter_rows(named=True)]
        pooled = pooled_score(found)
        if pooled is None:
            return {"folds": len(found), "scored": "no fold has a scored label"}
        return {
            "folds": len(found),
            "accuracy": pooled.accuracy,
            "base_rate": pooled.base_rate,
            "labels": pooled.n_test,
            "plot": picture(fold_picture(found, title=f"{cell.named_symbol}: accuracy by fold")),
        }

    return RangeOutput(context, mark, make, describe)


def newest_fold(fold_models: StoredTable, cell: Cell, first: Month) -> Month:
    """Return the newest month for which a fold was made; ``first`` if none was."""
    made = fold_models.months(cell.named_symbol)
    return made[-1] if made else first
