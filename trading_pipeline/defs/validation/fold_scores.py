"""Fold scores between the domain, the lake and the report."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from trading_pipeline.core.month import Month
from trading_pipeline.reporting.verdict import Fold

FOLD_SCORE_SCHEMA: dict[str, pl.DataType] = {
    "month": pl.String(),
    "model_version": pl.String(),
    "n_train": pl.Int64(),
    "n_test": pl.Int64(),
    "accuracy": pl.Float64(),
    "base_rate": pl.Float64(),
    "test_base_rate": pl.Float64(),
    "balanced_accuracy": pl.Float64(),
    "log_loss": pl.Float64(),
    "base_log_loss": pl.Float64(),
    "brier": pl.Float64(),
    "refused": pl.String(),
}


def score_fold(
    month: Month, fold: Mapping[str, Any], predictions: pl.DataFrame, labels: pl.DataFrame
) -> dict[str, Any]:
    """Return the row of one fold: its forecasts against the labels that are mature by now.

    Parameters
    ----------
    fold : mapping
        The row of ``fold_models``.
    predictions, labels : DataFrame
        Of the month; matched by ``open_time``.
    """
    from trading_pipeline.validation.scores import score

    row: dict[str, Any] = dict.fromkeys(FOLD_SCORE_SCHEMA)
    row |= {
        "month": month.key,
        "model_version": fold["version"],
        "n_train": fold["n_rows"],
        "n_test": 0,
        "refused": fold["refused"],
    }
    both = predictions.join(labels, on="open_time").filter(
        pl.col("label").is_not_null() & pl.col("p_up").is_not_null()
    )
    if fold["refused"] is not None or both.is_empty():
        return row
    counts = [fold["n_down"], fold["n_flat"], fold["n_up"]]
    scores = score(
        both.select("p_down", "p_flat", "p_up").to_numpy(),
        both["label"].cast(pl.Int64).to_numpy(),
        np.repeat(np.array([-1, 0, 1], dtype=np.int64), counts),
    )
    return row | {
        "n_test": scores.n_rows,
        "accuracy": scores.accuracy,
        "base_rate": scores.train_base_rate,
        "test_base_rate": scores.test_base_rate,
        "balanced_accuracy": scores.balanced_accuracy,
        "log_loss": scores.log_loss,
        "base_log_loss": scores.train_log_loss,
        "brier": scores.brier,
    }


def fold_of(row: Mapping[str, Any]) -> Fold:
    """Return a row of ``walk_forward_results`` as the report shows it."""
    return Fold(
        Month.parse(row["month"]),
        row["n_train"],
        row["n_test"],
        row["accuracy"],
        row["base_rate"],
        row["log_loss"],
        row["base_log_loss"],
    )
