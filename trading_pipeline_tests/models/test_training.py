from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from trading_pipeline.core.errors import DataError, FeatureMismatchError, ModelError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.features.build import FeatureSettings, build_features
from trading_pipeline.features.labels import TripleBarrier, triple_barrier_labels
from trading_pipeline.features.schema import schema_hash
from trading_pipeline.indicators.catalog import DEFAULT_REQUESTS, indicator_frame
from trading_pipeline.models.card import ModelCard
from trading_pipeline.models.training import FORECAST_SCHEMA, forecast, train
from trading_pipeline.models.xgboost_model import XGBoostForecaster, XGBoostParameters
from trading_pipeline.validation.scores import score
from trading_pipeline_tests.builders import DEFAULT_START, make_candles, make_learnable

H1 = Timeframe("1h")
HOUR = timedelta(hours=1)
FEW = XGBoostParameters(n_trees=15, max_depth=3, learning_rate=0.3)
END = DEFAULT_START + 800 * HOUR


def trained(features, labels, until=END, **changes):
    options = {
        "forecaster": XGBoostForecaster(FEW, seed=2),
        "symbol": "BTC-USDT",
        "timeframe": H1,
        "label_settings": TripleBarrier(),
        "until": until,
        "min_rows": 100,
        "fingerprint": "inputs",
        **changes,
    }
    return train(features, labels, **options)


def artefact(*arguments, **options) -> bytes:
    return trained(*arguments, **options).forecaster.to_bytes()


def test_a_planted_edge_is_learned_and_shows_out_of_sample():
    features, labels = make_learnable(1600)
    model = trained(features, labels)
    test = forecast(model, features[800:])
    probabilities = test.select("p_down", "p_flat", "p_up").to_numpy()
    scores = score(probabilities, labels["label"][800:], labels["label"][:796])
    assert scores.accuracy > 0.85 > 0.5 > scores.test_base_rate
    assert scores.log_loss < scores.train_log_loss


def test_a_random_walk_offers_no_edge():
    candles = make_candles(5000, seed=8)
    features = build_features(
        candles, indicator_frame(candles, DEFAULT_REQUESTS), None, FeatureSettings()
    )
    barrier = TripleBarrier(upper=4.0, lower=4.0)
    labels = triple_barrier_labels(candles, barrier, H1)
    until = candles["open_time"][3500]
    model = trained(features[:3500], labels, until)
    is_tested = (pl.col("open_time") >= until) & pl.col("label").is_not_null()
    test = forecast(model, features).join(labels, on="open_time").filter(is_tested)
    scores = score(
        test.select("p_down", "p_flat", "p_up").to_numpy(), test["label"], labels["label"][300:3400]
    )
    # 1,476 labels of up to 24 hours are about 100 independent ones: 0.05 is one standard error.
    assert scores.accuracy < scores.test_base_rate + 0.1
    assert scores.log_loss > scores.train_log_loss - 0.02


def test_labels_that_end_at_the_test_or_later_cannot_reach_the_model():
    features, labels = make_learnable(1600)
    another = ((pl.col("label") + 2) % 3 - 1).cast(pl.Int8)

    def forged(where: pl.Expr) -> pl.DataFrame:
        return labels.with_columns(pl.when(where).then(another).otherwise(pl.col("label")))

    honest = artefact(features, labels)
    assert artefact(features, forged(pl.col("label_end") >= END)) == honest
    assert artefact(features[:800], labels[:800]) == honest
    assert artefact(features, forged(pl.col("label_end") == END - HOUR)) != honest


def test_the_card_counts_the_rows_that_were_learned():
    features, labels = make_learnable(1600)
    card = trained(features, labels).card
    # A label ends four hours after its candle opens: the last one that may train is hour 795.
    assert card.n_rows == 796
    assert card.train_first == DEFAULT_START
    assert card.train_last == DEFAULT_START + 795 * HOUR
    assert card.labels_end == END - HOUR
    assert card.trained_until == END
    counts = labels["label"][:796].value_counts()
    assert card.class_counts == {str(k): n for k, n in counts.iter_rows()}
    assert card.feature_names == ("push", "noise")
    assert card.schema_hash == schema_hash(["push", "noise"])
    assert (card.symbol, card.timeframe, card.kind, card.seed) == ("BTC-USDT", "1h", "xgboost", 2)
    assert card.fingerprint == "inputs"
    assert {"numpy", "xgboost"} <= set(card.library_versions)
    assert card.scores["in_sample_accuracy"] > 0.85
    assert card.scores["in_sample_base_rate"] == max(card.class_counts.values()) / 796


def test_an_embargo_moves_the_end_of_training():
    features, labels = make_learnable(900)
    assert trained(features, labels, embargo=10 * HOUR).card.n_rows == 786


def test_equal_inputs_give_equal_models_and_changed_ones_another_version():
    features, labels = make_learnable(900)
    card = trained(features, labels).card
    assert trained(features, labels).card == card
    others = [
        trained(features, labels, END - HOUR).card,
        trained(features, labels, symbol="ETH-USDT").card,
        trained(features, labels, forecaster=XGBoostForecaster(FEW, seed=9)).card,
        trained(features.rename({"noise": "din"}), labels).card,
    ]
    assert len({card.version, *(other.version for other in others)}) == 5
    assert card.version.startswith("xgboost-")


def test_rows_with_a_null_or_without_a_label_are_not_learned():
    features, labels = make_learnable(900)
    holes = pl.int_range(pl.len()).is_between(10, 19)
    part = features.with_columns(pl.when(~holes).then(pl.col("push")).alias("push"))
    assert trained(part, labels).card.n_rows == 786
    immature = labels.with_columns(pl.when(~holes).then(pl.col("label")).alias("label"))
    assert trained(features, immature).card.n_rows == 786
    assert artefact(part, labels) == artefact(features, immature)


def test_too_few_rows_are_refused_with_the_counts():
    features, labels = make_learnable(900)
    with pytest.raises(
        ModelError, match=r"at least 500 rows.*BTC-USDT 1h before .*: 96 rows"
    ) as caught:
        trained(features, labels, DEFAULT_START + 100 * HOUR, min_rows=500)
    assert caught.value.facts == {"n_rows": 96, "min_rows": 500}
    with pytest.raises(ModelError, match=": 0 rows"):
        trained(features, labels, DEFAULT_START)


def test_a_single_class_is_refused_with_the_counts():
    features, labels = make_learnable(900)
    constant = labels.with_columns(label=pl.lit(1, pl.Int8))
    with pytest.raises(ModelError, match=r"two classes.*'-1': 0, '0': 0, '1': 796"):
        trained(features, constant)


def test_two_classes_are_enough():
    features, labels = make_learnable(900)
    model = trained(features, labels.filter(pl.col("label") != 0))
    assert model.card.class_counts["0"] == 0
    assert (forecast(model, features)["p_flat"] == 0).all()


def test_frames_that_cannot_be_matched_are_refused():
    features, labels = make_learnable(900)
    with pytest.raises(DataError, match="features must be unique by open_time"):
        trained(pl.concat([features, features]), labels)
    with pytest.raises(DataError, match="labels must be unique by open_time"):
        trained(features, pl.concat([labels, labels]))
    with pytest.raises(DataError, match="label_end"):
        trained(features, labels.drop("label_end"))
    with pytest.raises(DataError, match="need open_time and a feature"):
        trained(features.select("open_time"), labels)
    with pytest.raises(DataError, match=r"must be Float64, were \{'push': 'Float32'\}"):
        trained(features.cast({"push": pl.Float32}), labels)


def test_a_forecast_has_a_row_for_every_row_and_is_null_where_a_feature_is():
    features, labels = make_learnable(900)
    model = trained(features, labels)
    odd = features.with_columns(
        pl.when(pl.int_range(pl.len()) == 3).then(None)
        .when(pl.int_range(pl.len()) == 5).then(float("nan"))
        .otherwise(pl.col("noise")).alias("noise")
    )  # fmt: skip
    rows = forecast(model, odd)
    assert dict(rows.schema) == FORECAST_SCHEMA
    assert rows["open_time"].equals(features["open_time"])
    for name in ("p_down", "p_flat", "p_up"):
        assert rows[name].is_null().arg_true().to_list() == [3, 5]
        assert rows[name].is_nan().sum() == 0
    assert (rows["model_version"] == model.card.version).all()
    whole = forecast(model, features)
    known = ~rows["p_up"].is_null()
    assert rows.filter(known).equals(whole.filter(known))


def test_no_rows_and_only_null_rows_are_forecast_too():
    features, labels = make_learnable(900)
    model = trained(features, labels)
    assert dict(forecast(model, features[:0]).schema) == FORECAST_SCHEMA
    empty = features[:4].with_columns(push=pl.lit(None, pl.Float64))
    assert forecast(model, empty)["p_up"].to_list() == [None] * 4


def test_one_live_row_is_forecast_like_the_batch():
    features, labels = make_learnable(900)
    model = trained(features, labels)
    batch = forecast(model, features)
    for row in (0, 411, 899):
        assert forecast(model, features[row : row + 1]).equals(batch[row : row + 1])


def test_the_order_of_columns_does_not_matter():
    features, labels = make_learnable(900)
    model = trained(features, labels)
    swapped = features.select("noise", "open_time", "push")
    assert forecast(model, swapped).equals(forecast(model, features))


def test_another_matrix_is_refused_with_the_names():
    features, labels = make_learnable(900)
    model = trained(features, labels)
    with pytest.raises(FeatureMismatchError, match=r"lacks \['noise'\].*unknown \['din'\]"):
        forecast(model, features.rename({"noise": "din"}))


def test_changed_formulas_under_the_same_names_are_refused():
    from dataclasses import replace

    features, labels = make_learnable(900)
    model = trained(features, labels)
    old = replace(model, card=replace(model.card, schema_hash="of older formulas"))
    with pytest.raises(FeatureMismatchError, match="formulas of the features have changed"):
        forecast(old, features)


def test_scores_are_added_to_the_card_only():
    features, labels = make_learnable(900)
    model = trained(features, labels)
    scored = model.with_scores({"accuracy": 0.4})
    assert scored.card.scores == {**model.card.scores, "accuracy": 0.4}
    assert scored.forecaster is model.forecaster
    assert scored.card.version == model.card.version


def test_a_card_survives_json_and_equal_cards_give_equal_text():
    features, labels = make_learnable(900)
    card = trained(features, labels).card
    restored = ModelCard.from_json(card.to_json())
    assert restored == card
    assert restored.to_json() == card.to_json()
    assert TripleBarrier.from_dict(restored.label_settings) == TripleBarrier()
    assert isinstance(restored.trained_until, datetime)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"card_format": 2}',
        '{"card_format": 1}',
        '{"card_format": 1, "x": 2}',
    ],
)
def test_text_that_is_no_card_is_refused(text):
    with pytest.raises(ModelError, match="not a model card"):
        ModelCard.from_json(text)


def test_training_reads_no_row_order():
    features, labels = make_learnable(900)
    order = np.random.default_rng(1).permutation(900)
    assert artefact(features[order], labels[order[::-1]]) == artefact(features, labels)
