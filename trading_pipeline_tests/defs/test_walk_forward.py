"""The fold of a month knows nothing of the month, and nothing later changes it."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from trading_pipeline import wiring
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.defs.models.recipe import challenger_key, champion_key
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.defs.walk import stage
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.pipelines import (
    BTC,
    ETH,
    FOLDS,
    HOUR,
    MONTHS,
    NOW,
    START,
    Pipeline,
    copied,
    make_settings,
    open_pipeline,
    whole_history,
    write_candles,
)

PREDICTED = ("features", "walk-forward", "signals")


def other_future(month: Month) -> pl.DataFrame:
    """Return the history of Bitcoin with other candles from ``month`` on."""
    n = (MONTHS[-1].end - START) // HOUR
    other = make_candles(n, seed=99, start=START, price=250.0)
    return pl.concat(
        [
            whole_history(BTC).filter(pl.col("open_time") < month.start),
            other.filter(pl.col("open_time") >= month.start),
        ]
    )


@pytest.mark.parametrize("changed_from", FOLDS, ids=str)
def test_other_candles_from_a_month_on_leave_its_fold_as_it_is(
    changed_from: Month, batch: Pipeline, tmp_path: Path
):
    files = write_candles(
        tmp_path / "files", {BTC: other_future(changed_from), ETH: whole_history(ETH)}
    )
    with copied(batch, tmp_path / "data", market={"candle_files": files}) as pipeline:
        pipeline.walk(("fetch", "validate", *PREDICTED), first=MONTHS[1], symbols=(BTC,))
        for month in FOLDS:
            seen = [p.manifest("raw_candles", BTC, month) for p in (batch, pipeline)]
            assert (seen[0].content != seen[1].content) == (month >= changed_from)
            stays = month <= changed_from
            folds = [p.manifest("fold_models", BTC, month) for p in (batch, pipeline)]
            assert (folds[0] == folds[1]) == stays
            said = [p.rows("walk_forward_predictions", BTC, month) for p in (batch, pipeline)]
            versions = [set(rows["model_version"]) for rows in said]
            assert (versions[0] == versions[1]) == stays
            assert said[0].equals(said[1], null_equal=True) == (month < changed_from)


@pytest.mark.parametrize("month", FOLDS, ids=str)
def test_every_label_that_a_fold_learned_ended_before_its_month(
    month: Month, symbol: Symbol, batch: Pipeline
):
    fold = batch.rows("fold_models", symbol, month).row(0, named=True)
    features, labels = (batch.history(name, symbol) for name in ("feature_matrix", "labels"))
    complete = set(features.drop_nulls()["open_time"])
    learned: list[tuple[datetime, datetime, int]] = []
    for opened, label, end, _ in labels.iter_rows():
        is_in_window = month.shift(-2).start <= opened < month.start
        if is_in_window and opened in complete and label is not None and end < month.start:
            learned.append((opened, end, label))
    assert fold["n_rows"] == len(learned) > 500
    assert fold["train_first"] == learned[0][0]
    assert fold["train_last"] == learned[-1][0]
    assert fold["labels_end"] == max(end for _, end, _ in learned) < month.start
    assert fold["trained_until"] == month.start
    assert [fold["n_down"], fold["n_flat"], fold["n_up"]] == [
        sum(label == value for _, _, label in learned) for value in (-1, 0, 1)
    ]
    # Labels that were still open at the end of the month exist, and were left out.
    late = labels.filter((pl.col("open_time") < month.start) & (pl.col("label_end") >= month.start))
    assert late.height > 0


@pytest.mark.parametrize("month", FOLDS, ids=str)
def test_predictions_come_from_the_fold_of_their_month(month: Month, batch: Pipeline):
    version = batch.rows("fold_models", BTC, month)["version"][0]
    said = batch.rows("walk_forward_predictions", BTC, month)
    features = batch.rows("feature_matrix", BTC, month)
    assert set(said["model_version"]) == {version}
    assert said["open_time"].equals(features["open_time"])
    assert said.drop_nulls("p_up").height == features.drop_nulls().height


def test_a_newer_champion_changes_no_prediction_and_no_signal(batch: Pipeline, tmp_path: Path):
    with copied(batch, tmp_path / "data") as pipeline:
        history = wiring.champions(pipeline.settings)
        (first,) = history.entries(champion_key(pipeline.settings, BTC))
        store = wiring.models(pipeline.settings)
        card = store.load(challenger_key(pipeline.settings, BTC)).card
        assert first.model_version == card.version
        fold = pipeline.rows("fold_models", BTC, FOLDS[0])["version"][0]
        history.promote(
            champion_key(pipeline.settings, BTC),
            model_key=("folds", "trial", BTC.key, "1h", FOLDS[0].key),
            version=fold,
            effective_from=NOW,
            reason="another model",
            recorded_at=NOW,
        )
        assert history.effective_at(champion_key(pipeline.settings, BTC), NOW).model_version == fold
        before = pipeline.contents()
        for name in ("walk-forward", "signals"):
            pipeline.materialise(stage(name), BTC, FOLDS[-1])
        assert pipeline.contents() == before


def test_months_before_the_first_fold_have_signals_without_a_forecast(batch: Pipeline):
    for month in MONTHS:
        rows = batch.rows("forecast_signals", BTC, month)
        features = batch.rows("feature_matrix", BTC, month).drop_nulls().height
        assert rows.height == batch.rows("candles", BTC, month).height
        assert set(rows["source"]) == {"forecast"}
        active = rows.filter(pl.col("status") == "active").height
        assert active == (features if month in FOLDS else 0)


def test_a_fold_with_too_few_rows_is_refused_and_its_month_abstains(
    batch: Pipeline, tmp_path: Path
):
    strict = {"train_months": 2, "min_train_rows": 5000}
    with copied(batch, tmp_path / "data", walk_forward=strict) as pipeline:
        pipeline.walk(("walk-forward", "signals"), first=FOLDS[0], last=FOLDS[0], symbols=(BTC,))
        fold = pipeline.rows("fold_models", BTC, FOLDS[0]).row(0, named=True)
        assert fold["version"] is None
        assert "training needs at least 5000 rows" in fold["refused"]
        assert pipeline.rows("walk_forward_predictions", BTC, FOLDS[0])["p_up"].is_null().all()
        votes = pipeline.rows("forecast_signals", BTC, FOLDS[0])
        assert set(votes["status"]) == {"abstained"}
        # The rules go on without it.
        assert "active" in set(pipeline.rows("signals", BTC, FOLDS[0])["status"])


def test_scores_are_those_of_the_forecasts_against_the_labels(batch: Pipeline):
    scores = batch.rows("walk_forward_results", ETH)
    assert scores["month"].to_list() == [month.key for month in FOLDS]
    for row in scores.iter_rows(named=True):
        month = Month.parse(row["month"])
        said = batch.rows("walk_forward_predictions", ETH, month)
        labels = {r[0]: r[1] for r in batch.rows("labels", ETH, month).iter_rows()}
        hits = []
        for opened, down, flat, up, _ in said.iter_rows():
            if up is not None and labels[opened] is not None:
                chances = {-1: down, 0: flat, 1: up}
                hits.append(max(chances, key=lambda side: chances[side]) == labels[opened])
        assert row["n_test"] == len(hits)
        assert row["accuracy"] == pytest.approx(sum(hits) / len(hits))


def test_a_market_shorter_than_a_training_window_walks_without_folds(tmp_path: Path):
    n = 24 * 20
    files = write_candles(tmp_path / "files", {BTC: make_candles(n, seed=3, start=START)})
    now = START + n * HOUR
    market = {"history_end": "2024-01", "symbols": {"BTC-USDT": {}}}
    settings = make_settings(tmp_path / "data", files, now=now, market=market)
    with open_pipeline(settings) as pipeline:
        pipeline.walk(last=MONTHS[0])
        row = pipeline.table("performance_summary").rows(Cell()).row(0, named=True)
    assert row["folds"] == 0
    assert row["accuracy"] is None
    assert row["candles"] == n
