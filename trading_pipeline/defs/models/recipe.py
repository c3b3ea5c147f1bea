"""How a model is trained from stored features and labels: one recipe for folds and challengers."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

import polars as pl

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.candles import OPEN_TIME_TYPE
from trading_pipeline.core.fingerprint import fingerprint
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.defs.io_managers import StoredTable

if TYPE_CHECKING:
    from trading_pipeline.models.card import ModelCard
    from trading_pipeline.models.training import TrainedModel

MODEL_ROW_SCHEMA: dict[str, pl.DataType] = {
    "version": pl.String(),
    "train_first": OPEN_TIME_TYPE,
    "train_last": OPEN_TIME_TYPE,
    "labels_end": OPEN_TIME_TYPE,
    "trained_until": OPEN_TIME_TYPE,
    "n_rows": pl.Int64(),
    "n_down": pl.Int64(),
    "n_flat": pl.Int64(),
    "n_up": pl.Int64(),
    "n_features": pl.Int64(),
    "schema_hash": pl.String(),
    "artefact_sha256": pl.String(),
    "in_sample_accuracy": pl.Float64(),
    "refused": pl.String(),
}


@dataclass(frozen=True, slots=True)
class ModelRecipe:
    """Trains on the features and labels of a window of months."""

    settings: Settings
    features: StoredTable
    labels: StoredTable

    @classmethod
    def of(cls, settings: Settings, features: StoredTable, labels: StoredTable) -> "ModelRecipe":
        """Return the recipe for the active settings."""
        return cls(settings, features, labels)

    def training_months(self, month: Month) -> tuple[Month, Month]:
        """Return the first and the last month that a model for ``month`` is trained on."""
        return wiring.walk_forward(self.settings).training_months(month)

    def fingerprint(self, symbol: Symbol, window: tuple[Month, Month], until: datetime) -> str:
        """Return the fingerprint of everything that training reads.

        Of the labels only those that ended before ``until`` count, so that candles of the test
        month do not change the model.
        """
        first, last = window
        settings = self.settings
        return fingerprint(
            1,
            settings.models.xgboost.model_dump(),
            settings.models.seed,
            settings.walk_forward.model_dump(),
            settings.labels.model_dump(),
            version("xgboost-cpu"),
            until,
            self.features.contents(symbol, first, last),
            _digest(self._usable_labels(symbol, window, until)),
        )

    def train(
        self, symbol: Symbol, window: tuple[Month, Month], until: datetime, mark: str
    ) -> "TrainedModel":
        """Train on ``window``, purged before ``until``.

        Raises
        ------
        ModelError
            If there are too few usable rows or a single class; the message counts.
        """
        from trading_pipeline.models.training import train

        first, last = window
        settings, timeframe = self.settings, self.settings.market.timeframe
        return train(
            self.features.between(symbol, first, last),
            self.labels.between(symbol, first, last),
            forecaster=wiring.forecaster(settings),
            symbol=symbol.key,
            timeframe=timeframe,
            label_settings=wiring.triple_barrier(settings),
            until=until,
            embargo=wiring.walk_forward(settings).embargo(timeframe),
            min_rows=settings.walk_forward.min_train_rows,
            fingerprint=mark,
        )

    def _usable_labels(
        self, symbol: Symbol, window: tuple[Month, Month], until: datetime
    ) -> pl.DataFrame:
        from trading_pipeline.validation.walk_forward import purge

        timeframe = self.settings.market.timeframe
        found = self.labels.between(symbol, *window)
        embargo = wiring.walk_forward(self.settings).embargo(timeframe)
        return found.filter(pl.Series(purge(found, until, embargo)))


def fold_key(settings: Settings, symbol: Symbol, month: Month) -> tuple[str, ...]:
    """Return where the model store keeps the fold of ``month``."""
    market = settings.market
    return ("folds", market.venue, symbol.key, market.base_timeframe, month.key)


def challenger_key(settings: Settings, symbol: Symbol) -> tuple[str, ...]:
    """Return where the model store keeps the challengers of a symbol."""
    market = settings.market
    return ("xgboost", market.venue, symbol.key, market.base_timeframe)


def champion_key(settings: Settings, symbol: Symbol) -> str:
    """Return the name of a symbol's champion history: a model of 1h candles decides no others."""
    return ".".join((settings.market.venue, symbol.key, settings.market.base_timeframe))


def model_row(card: "ModelCard") -> pl.DataFrame:
    """Return the row of a trained model, for tables and metadata."""
    row = {
        "version": card.version,
        "train_first": card.train_first,
        "train_last": card.train_last,
        "labels_end": card.labels_end,
        "trained_until": card.trained_until,
        "n_rows": card.n_rows,
        "n_down": card.class_counts["-1"],
        "n_flat": card.class_counts["0"],
        "n_up": card.class_counts["1"],
        "n_features": len(card.feature_names),
        "schema_hash": card.schema_hash,
        "artefact_sha256": card.artefact_sha256,
        "in_sample_accuracy": card.scores["in_sample_accuracy"],
        "refused": None,
    }
    return pl.DataFrame([row], schema=MODEL_ROW_SCHEMA)


def refused_row(reason: str) -> pl.DataFrame:
    """Return the row of a model that was refused, with the reason."""
    empty = dict.fromkeys(MODEL_ROW_SCHEMA)
    return pl.DataFrame([{**empty, "n_rows": 0, "refused": reason}], schema=MODEL_ROW_SCHEMA)


def _digest(frame: pl.DataFrame) -> str:
    columns = frame.select(pl.exclude("status").to_physical())
    return hashlib.sha256(columns.to_numpy().tobytes()).hexdigest()
