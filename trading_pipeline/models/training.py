"""Training and forecasting: one function each, for folds, challengers, backtests and live rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from trading_pipeline.core.candles import OPEN_TIME_TYPE, FloatArray, IntArray
from trading_pipeline.core.errors import DataError, FeatureMismatchError, ModelError
from trading_pipeline.core.fingerprint import fingerprint as fingerprint_of
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.features.labels import TripleBarrier
from trading_pipeline.features.schema import schema_hash
from trading_pipeline.models.card import ModelCard
from trading_pipeline.models.ports import Forecaster
from trading_pipeline.validation.scores import CLASSES, score
from trading_pipeline.validation.walk_forward import purge

FORECAST_SCHEMA: dict[str, pl.DataType] = {
    "open_time": OPEN_TIME_TYPE,
    "p_down": pl.Float64(),
    "p_flat": pl.Float64(),
    "p_up": pl.Float64(),
    "model_version": pl.String(),
}


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A fitted model and its card."""

    forecaster: Forecaster
    card: ModelCard

    def with_scores(self, scores: Mapping[str, float]) -> "TrainedModel":
        """Return the same model with further scores on its card, such as those of its test."""
        return replace(self, card=replace(self.card, scores={**self.card.scores, **scores}))


def train(
    features: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    forecaster: Forecaster,
    symbol: str,
    timeframe: Timeframe,
    label_settings: TripleBarrier,
    until: datetime,
    embargo: timedelta = timedelta(0),
    min_rows: int = 500,
    fingerprint: str = "",
) -> TrainedModel:
    """Fit ``forecaster`` to the rows whose label ended before ``until``, and write its card.

    Parameters
    ----------
    features : DataFrame
        ``open_time`` and float64 columns, of the training window only; rows with a null are left
        out.
    labels : DataFrame
        In ``features.labels.LABEL_SCHEMA``; matched by ``open_time``, further rows are ignored.
    forecaster : Forecaster
        Not fitted yet; it is fitted in place.
    symbol : str
        Path-safe key, for the card.
    label_settings : TripleBarrier
        What the labels were made with, for the card.
    until : datetime
        Start of what the model will be tested on. **Rows are purged here**: a label that ended at
        or after ``until - embargo`` is not learned, whatever ``labels`` holds.
    min_rows : int
        Fewest rows to learn from.
    fingerprint : str
        Of all inputs, for the card.

    Raises
    ------
    ModelError
        If fewer than ``min_rows`` rows are left or they have a single class; the message counts.
    DataError
        If the frames lack columns or ``open_time`` repeats.
    """
    names = _feature_names(features)
    rows = _training_rows(features, labels, names, until, embargo)
    y = rows["label"].cast(pl.Int64).to_numpy()
    counts = {str(number): int((y == number).sum()) for number in CLASSES}
    where = f"{symbol} {timeframe} before {until.isoformat()}"
    _refuse_too_little(features, labels, rows.height, counts, min_rows, where)
    X = _matrix(rows, names)
    forecaster.fit(X, y)
    artefact_sha256 = _sha256(forecaster.to_bytes())
    identity = fingerprint_of(artefact_sha256, symbol, timeframe.name, until, schema_hash(names))
    card = ModelCard(
        version=f"{forecaster.kind}-{identity[:12]}",
        kind=forecaster.kind,
        symbol=symbol,
        timeframe=timeframe.name,
        feature_names=names,
        schema_hash=schema_hash(names),
        label_settings=label_settings.to_dict(),
        train_first=rows["open_time"][0],
        train_last=rows["open_time"][-1],
        labels_end=_latest(rows["label_end"]),
        trained_until=until,
        n_rows=rows.height,
        class_counts=counts,
        seed=forecaster.seed,
        parameters=dict(forecaster.parameters),
        library_versions={"numpy": np.__version__, **forecaster.library_versions},
        fingerprint=fingerprint,
        artefact_sha256=artefact_sha256,
        scores=_in_sample(forecaster, X, y),
    )
    return TrainedModel(forecaster, card)


def forecast(model: TrainedModel, features: pl.DataFrame) -> pl.DataFrame:
    """Forecast every row of a feature matrix.

    Parameters
    ----------
    model : TrainedModel
        Model and card.
    features : DataFrame
        ``open_time`` and exactly the features of the card, in any order.

    Returns
    -------
    DataFrame
        ``FORECAST_SCHEMA``, one row per row of ``features``, in order. A row with a null feature
        has null probabilities. A row's forecast does not depend on the other rows.

    Raises
    ------
    FeatureMismatchError
        If the matrix is not the one of the card; the message names the columns.
    """
    names = _feature_names(features)
    card = model.card
    if set(names) != set(card.feature_names) or schema_hash(card.feature_names) != card.schema_hash:
        raise _mismatch(card, names)
    is_complete = features.select(
        pl.all_horizontal(pl.col(name).is_finite().fill_null(value=False) for name in names)
    ).to_series()
    complete = features.filter(is_complete)
    probabilities = np.full((features.height, len(CLASSES)), np.nan)
    probabilities[is_complete.to_numpy()] = model.forecaster.predict_proba(
        _matrix(complete, card.feature_names)
    )
    return pl.DataFrame(
        {
            "open_time": features["open_time"],
            **{
                name: pl.Series(probabilities[:, column], nan_to_null=True, dtype=pl.Float64)
                for column, name in enumerate(("p_down", "p_flat", "p_up"))
            },
            "model_version": pl.repeat(card.version, features.height, eager=True),
        },
        schema=FORECAST_SCHEMA,
    )


def _training_rows(
    features: pl.DataFrame,
    labels: pl.DataFrame,
    names: tuple[str, ...],
    until: datetime,
    embargo: timedelta,
) -> pl.DataFrame:
    allowed = labels.filter(pl.Series(purge(labels, until, embargo)))
    complete = features.filter(
        pl.all_horizontal(pl.col(name).is_finite().fill_null(value=False) for name in names)
    )
    for kind, frame in (("features", features), ("labels", labels)):
        if frame["open_time"].n_unique() != frame.height:
            raise DataError(f"{kind} must be unique by open_time, to be matched row by row")
    return complete.join(
        allowed.select("open_time", "label", "label_end"), on="open_time", how="inner"
    ).sort("open_time")


def _refuse_too_little(
    features: pl.DataFrame,
    labels: pl.DataFrame,
    n_rows: int,
    counts: Mapping[str, int],
    min_rows: int,
    where: str,
) -> None:
    mature = int(labels["label"].is_not_null().sum())
    found = (
        f"{where}: {n_rows} rows with complete features and a label that ended in time, of "
        f"{features.height} feature rows and {mature} mature labels; by label {dict(counts)}"
    )
    if n_rows < min_rows:
        raise ModelError(
            f"training needs at least {min_rows} rows. {found}. Load more history, or lower "
            "walk_forward.min_train_rows",
            n_rows=n_rows,
            min_rows=min_rows,
        )
    if sum(count > 0 for count in counts.values()) < 2:
        raise ModelError(
            f"training needs at least two classes. {found}. Choose other barriers or a longer "
            "window",
            class_counts=dict(counts),
        )


def _mismatch(card: ModelCard, names: tuple[str, ...]) -> FeatureMismatchError:
    lacking = sorted(set(card.feature_names) - set(names))
    unknown = sorted(set(names) - set(card.feature_names))
    if lacking or unknown:
        what = f"the matrix lacks {lacking} and has the unknown {unknown}"
    else:
        what = "the formulas of the features have changed since"
    return FeatureMismatchError(
        f"model {card.version} ({card.symbol} {card.timeframe}) was trained on another feature "
        f"matrix: {what}; retrain it, or restore the settings of indicators and features",
        lacking=lacking,
        unknown=unknown,
    )


def _feature_names(features: pl.DataFrame) -> tuple[str, ...]:
    names = tuple(name for name in features.columns if name != "open_time")
    if "open_time" not in features.columns or not names:
        raise DataError(f"features need open_time and a feature, had {features.columns}")
    wrong = {name: str(features.schema[name]) for name in names}
    wrong = {name: kind for name, kind in wrong.items() if kind != "Float64"}
    if wrong:
        raise DataError(f"features must be Float64, were {wrong}")
    return names


def _matrix(rows: pl.DataFrame, names: tuple[str, ...]) -> FloatArray:
    return np.ascontiguousarray(rows.select(names).to_numpy(), dtype=np.float64)


def _in_sample(forecaster: Forecaster, X: FloatArray, y: IntArray) -> dict[str, float]:
    scores = score(forecaster.predict_proba(X), y, y)
    return {
        "in_sample_accuracy": scores.accuracy,
        "in_sample_base_rate": scores.train_base_rate,
        "in_sample_log_loss": scores.log_loss,
    }


def _latest(ends: pl.Series) -> datetime:
    latest = ends.max()
    assert isinstance(latest, datetime)
    return latest


def _sha256(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()
