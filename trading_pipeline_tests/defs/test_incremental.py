"""What is made month by month, as time passes, equals what is made in one range run."""

import polars as pl
import pytest

from trading_pipeline.core.month import Month
from trading_pipeline.defs.partitions import Cell
from trading_pipeline_tests.pipelines import BTC, ETH, FOLDS, MONTHS, Growth, Pipeline


@pytest.mark.parametrize("month", MONTHS, ids=str)
@pytest.mark.parametrize(
    "table",
    [
        "raw_candles",
        "candles",
        "indicator_features",
        "smart_money_features",
        "feature_matrix",
        "strategy_signals",
        "forecast_signals",
        "signals",
    ],
)
def test_a_month_made_alone_has_the_bytes_of_the_range_run(
    table: str, month: Month, batch: Pipeline, grown: Pipeline
):
    alone, ranged = grown.manifest(table, BTC, month), batch.manifest(table, BTC, month)
    assert [part.sha256 for part in alone.parts] == [part.sha256 for part in ranged.parts]
    assert alone.content == ranged.content
    assert alone.n_rows > 400


@pytest.mark.parametrize("table", ["fold_models", "walk_forward_predictions"])
@pytest.mark.parametrize("month", FOLDS, ids=str)
def test_a_fold_trained_before_its_month_began_is_the_one_of_the_range_run(
    table: str, month: Month, batch: Pipeline, grown: Pipeline
):
    alone, ranged = grown.rows(table, BTC, month), batch.rows(table, BTC, month)
    assert alone.equals(ranged, null_equal=True)


def test_both_kinds_of_gaps_lie_in_what_was_compared(batch: Pipeline):
    table = batch.table("candles")
    kinds = [[gap["kind"] for gap in table.notes(Cell(BTC, month))["gaps"]] for month in MONTHS]
    assert kinds == [[], ["unexplained"], ["venue silent"], []]
    assert [table.notes(Cell(ETH, month))["unexplained"] for month in MONTHS] == [0, 0, 0, 0]


def test_labels_of_a_month_finish_when_the_next_one_arrives(batch: Pipeline, growth: Growth):
    month, before = MONTHS[0], growth.first_labels
    finished = growth.pipeline.rows("labels", BTC, month)
    is_open = before["status"] == "immature"
    assert 0 < is_open.sum() <= 24
    assert before.filter(~is_open).equals(finished.filter(~is_open), null_equal=True)
    assert (finished.filter(is_open)["status"] == "mature").all()
    assert (finished.filter(is_open)["label_end"] > month.end).all()
    assert finished.equals(batch.rows("labels", BTC, month), null_equal=True)


def test_the_newest_labels_are_immature_and_have_no_value(batch: Pipeline):
    labels = batch.rows("labels", BTC, MONTHS[-1])
    newest = labels.filter(pl.col("status") == "immature")
    assert 0 < newest.height <= 24
    assert newest.select("label", "label_end").null_count().row(0) == (newest.height,) * 2
    assert newest["open_time"][-1] == labels["open_time"][-1]
