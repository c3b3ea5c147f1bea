import numpy as np
import pytest

from trading_pipeline.core.errors import ConfigError, ModelError
from trading_pipeline.models.kinds import FORECASTERS, restore_forecaster
from trading_pipeline.models.xgboost_model import XGBoostForecaster, XGBoostParameters

FEW = XGBoostParameters(n_trees=20, max_depth=3, learning_rate=0.3)


def problem(n=600, classes=(-1, 0, 1), seed=5):
    rng = np.random.default_rng(seed)
    y = rng.choice(classes, n)
    X = np.column_stack([y + 0.1 * rng.standard_normal(n), rng.standard_normal((n, 3))])
    return X, y.astype(np.int64)


def test_it_learns_what_is_plain():
    X, y = problem()
    forecaster = XGBoostForecaster(FEW).fit(X, y)
    unseen, expected = problem(seed=6)
    assert (forecaster.predict_proba(unseen).argmax(axis=1) - 1 == expected).mean() > 0.98


@pytest.mark.parametrize("classes", [(-1, 0, 1), (-1, 1), (0, 1), (-1, 0)])
def test_probabilities_sum_to_one_and_absent_classes_have_none(classes):
    X, y = problem(classes=classes)
    probabilities = XGBoostForecaster(FEW).fit(X, y).predict_proba(X)
    assert probabilities.shape == (600, 3)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-6)
    for column, number in enumerate((-1, 0, 1)):
        assert (probabilities[:, column] > 0).all() == (number in classes)
    assert set(probabilities.argmax(axis=1) - 1) == set(classes)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    X, y = problem()
    first, again = (XGBoostForecaster(FEW, seed=3).fit(X, y).to_bytes() for _ in range(2))
    assert first == again
    assert first != XGBoostForecaster(FEW, seed=4).fit(X, y).to_bytes()


def test_the_number_of_threads_changes_no_tree():
    X, y = problem()
    one, two = (XGBoostForecaster(FEW, n_threads=n).fit(X, y) for n in (1, 2))
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


def test_a_row_is_forecast_alike_alone_and_among_others():
    X, y = problem()
    forecaster = XGBoostForecaster(FEW).fit(X, y)
    together = forecaster.predict_proba(X)
    alone = np.vstack([forecaster.predict_proba(X[i : i + 1]) for i in range(0, 600, 37)])
    np.testing.assert_array_equal(alone, together[::37])
    np.testing.assert_array_equal(forecaster.predict_proba(X[::-1]), together[::-1])


def test_no_rows_give_no_forecasts():
    X, y = problem()
    assert XGBoostForecaster(FEW).fit(X, y).predict_proba(X[:0]).shape == (0, 3)


def test_bytes_restore_the_model_its_seed_and_its_parameters():
    X, y = problem(classes=(-1, 1))
    fitted = XGBoostForecaster(FEW, seed=11).fit(X, y)
    restored = restore_forecaster("xgboost", fitted.to_bytes())
    assert isinstance(restored, XGBoostForecaster)
    np.testing.assert_array_equal(restored.predict_proba(X), fitted.predict_proba(X))
    assert (restored.seed, restored.params) == (11, FEW)
    assert restored.to_bytes() == fitted.to_bytes()


def test_the_artefact_is_ubjson_that_xgboost_itself_reads():
    import xgboost

    X, y = problem()
    content = XGBoostForecaster(FEW).fit(X, y).to_bytes()
    booster = xgboost.Booster()
    booster.load_model(bytearray(content))
    assert booster.num_boosted_rounds() == FEW.n_trees
    assert content[:1] == b"{"
    assert b"pickle" not in content


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda _: b"{}",
        lambda _: b"<html></html>",
        lambda content: content[:100],
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2] + b"}",
        lambda content: content + b"x",
    ],
)
def test_bytes_that_are_no_model_are_refused(spoil):
    X, y = problem()
    content = XGBoostForecaster(FEW).fit(X, y).to_bytes()
    with pytest.raises(ModelError, match="not an XGBoost model"):
        restore_forecaster("xgboost", spoil(content))


def test_a_foreign_booster_without_our_marks_is_refused():
    import xgboost

    X, y = problem()
    booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, y), 2)
    with pytest.raises(ModelError, match="not an XGBoost model of this package"):
        restore_forecaster("xgboost", bytes(booster.save_raw("ubj")))


def test_an_unknown_kind_is_refused_with_the_nearest_known_one():
    with pytest.raises(ModelError, match="did you mean xgboost"):
        restore_forecaster("xgbost", b"")


def test_every_kind_is_registered_under_its_own_name():
    assert all(forecaster.kind == name for name, forecaster in FORECASTERS.items())


def test_an_unfitted_model_forecasts_nothing():
    with pytest.raises(ModelError, match="not fitted"):
        XGBoostForecaster().predict_proba(np.zeros((1, 2)))
    with pytest.raises(ModelError, match="not fitted"):
        XGBoostForecaster().to_bytes()


def test_another_number_of_features_is_refused():
    X, y = problem()
    forecaster = XGBoostForecaster(FEW).fit(X, y)
    with pytest.raises(ModelError, match="fitted on 4 features"):
        forecaster.predict_proba(X[:, :3])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X, y: (X, y[:-1]), "X must have the shape"),
        (lambda X, y: (X[:, 0], y), "X must have the shape"),
        (lambda X, y: (np.where(X > 2, np.nan, X), y), "X must be finite, row"),
        (lambda X, y: (np.where(X > 2, np.inf, X), y), "X must be finite, row"),
        (lambda X, y: (X, np.ones_like(y)), r"two or three classes.*had \[1\] in 600 rows"),
        (lambda X, y: (X, y + 1), "two or three classes"),
    ],
)
def test_rows_that_cannot_be_learned_are_refused(spoil, message):
    with pytest.raises(ModelError, match=message):
        XGBoostForecaster(FEW).fit(*spoil(*problem()))


@pytest.mark.parametrize(
    "values",
    [
        {"n_trees": 0},
        {"max_depth": 0},
        {"max_depth": 21},
        {"learning_rate": 0.0},
        {"learning_rate": 1.5},
        {"row_fraction": float("nan")},
        {"feature_fraction": -1.0},
        {"min_child_weight": -1.0},
        {"max_bins": 1},
    ],
)
def test_impossible_parameters_are_refused_by_name(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        XGBoostParameters(**values)


def test_at_least_one_thread_is_needed():
    with pytest.raises(ConfigError, match="n_threads must be at least 1, was 0"):
        XGBoostForecaster(n_threads=0)
