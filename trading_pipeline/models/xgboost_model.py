"""Gradient-boosted trees by XGBoost."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.core.errors import ConfigError, ModelError
from trading_pipeline.validation.scores import CLASSES

if TYPE_CHECKING:
    from xgboost import Booster

# Names of the booster's attributes, in which a model carries what UBJ has no place for.
_CLASSES, _SEED, _PARAMETERS = "trading_classes", "trading_seed", "trading_parameters"


@dataclass(frozen=True, slots=True)
class XGBoostParameters:
    """What the trees may look like.

    Parameters
    ----------
    n_trees : int
        Boosting rounds, at least 1; each grows one tree per class.
    max_depth : int
        Depth of a tree, 1 to 20.
    learning_rate : float
        Share of each tree, in (0, 1].
    row_fraction, feature_fraction : float
        Share of rows and of features that each tree sees, in (0, 1].
    min_child_weight : float
        Least sum of hessians in a leaf, not negative.
    max_bins : int
        Histogram bins per feature, 2 to 1024. Fewer bins are faster: 64 takes half the time of
        256.

    Raises
    ------
    ConfigError
        If a value is out of its range.
    """

    n_trees: int = 100
    max_depth: int = 6
    learning_rate: float = 0.05
    row_fraction: float = 0.8
    feature_fraction: float = 0.8
    min_child_weight: float = 5.0
    max_bins: int = 64

    def __post_init__(self) -> None:
        ranges = {
            "n_trees": (1, 100_000),
            "max_depth": (1, 20),
            "max_bins": (2, 1024),
            "min_child_weight": (0, float("inf")),
        }
        for name, (least, most) in ranges.items():
            if not least <= getattr(self, name) <= most:
                raise ConfigError(
                    f"{name} must lie in {least} .. {most}, was {getattr(self, name)}"
                )
        for name in ("learning_rate", "row_fraction", "feature_fraction"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} must lie in (0, 1], was {getattr(self, name)}")


class XGBoostForecaster:
    """Softmax over the classes that training saw; the others have probability 0.

    Parameters
    ----------
    params : XGBoostParameters
        Shape of the trees.
    seed : int
        Chooses the rows and features of each tree.
    n_threads : int
        Threads of training and prediction, at least 1. One is the default: rows are few, and a
        process per symbol uses the cores better than threads that wait for each other.
    """

    kind: ClassVar[str] = "xgboost"
    suffix: ClassVar[str] = ".ubj"

    def __init__(
        self,
        params: XGBoostParameters | None = None,
        *,
        seed: int = 7,
        n_threads: int = 1,
    ) -> None:
        if n_threads < 1:
            raise ConfigError(f"n_threads must be at least 1, was {n_threads}")
        self.params = params or XGBoostParameters()
        self._seed = seed
        self.n_threads = n_threads
        self._booster: Booster | None = None
        self._classes: tuple[int, ...] = ()

    @property
    def seed(self) -> int:
        """What the sampling of rows and features starts from."""
        return self._seed

    @property
    def parameters(self) -> Mapping[str, int | float]:
        """Shape of the trees, by name."""
        return asdict(self.params)

    @property
    def library_versions(self) -> Mapping[str, str]:
        """Version of XGBoost."""
        import xgboost

        return {"xgboost": xgboost.__version__}

    def fit(self, X: FloatArray, y: IntArray) -> Self:
        """Grow the trees; see ``models.ports.Forecaster``.

        Raises
        ------
        ModelError
            If shapes differ, a value is not finite, a label is no class, or there are fewer than
            two classes.
        """
        import xgboost

        classes = _present_classes(X, y)
        rows = xgboost.QuantileDMatrix(
            X,
            label=np.searchsorted(classes, y),
            max_bin=self.params.max_bins,
            nthread=self.n_threads,
        )
        booster = xgboost.train(self._library_parameters(len(classes)), rows, self.params.n_trees)
        self._keep(booster, classes)
        return self

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """Return probabilities of shape (n_rows, 3); see ``models.ports.Forecaster``."""
        booster = self._fitted()
        probabilities = np.zeros((len(X), len(CLASSES)))
        if len(X):
            if X.shape[1] != booster.num_features():
                raise ModelError(
                    f"the model was fitted on {booster.num_features()} features, X has the shape "
                    f"{X.shape}"
                )
            columns = np.searchsorted(CLASSES, self._classes)
            probabilities[:, columns] = booster.inplace_predict(np.ascontiguousarray(X))
        return probabilities

    def to_bytes(self) -> bytes:
        """Return the fitted trees, their classes, seed and parameters as UBJSON."""
        return bytes(self._fitted().save_raw("ubj"))

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Return the fitted model of :meth:`to_bytes`, with one thread.

        Raises
        ------
        ModelError
            If the bytes are not such a model.
        """
        import json

        import xgboost

        booster = xgboost.Booster()
        try:
            # XGBoost ends the whole process when the bytes stop early, instead of raising.
            if content[:1] + content[-1:] != b"{}":
                raise ValueError("not one whole UBJSON object")
            booster.load_model(bytearray(content))
            attributes = {name: booster.attr(name) for name in (_CLASSES, _SEED, _PARAMETERS)}
            classes = tuple(json.loads(attributes[_CLASSES] or ""))
            model = cls(
                XGBoostParameters(**json.loads(attributes[_PARAMETERS] or "")),
                seed=int(attributes[_SEED] or ""),
            )
        except (xgboost.core.XGBoostError, ValueError, TypeError) as error:
            raise ModelError(
                f"{len(content)} bytes are not an XGBoost model of this package; train it again"
            ) from error
        model._booster, model._classes = booster, classes
        booster.set_param({"nthread": model.n_threads})
        return model

    def _library_parameters(self, n_classes: int) -> dict[str, Any]:
        return {
            "objective": "multi:softprob",
            "num_class": n_classes,
            "tree_method": "hist",
            "device": "cpu",
            "max_depth": self.params.max_depth,
            "eta": self.params.learning_rate,
            "subsample": self.params.row_fraction,
            "colsample_bytree": self.params.feature_fraction,
            "min_child_weight": self.params.min_child_weight,
            "max_bin": self.params.max_bins,
            "seed": self._seed,
            "nthread": self.n_threads,
            "verbosity": 0,
        }

    def _keep(self, booster: "Booster", classes: IntArray) -> None:
        import json

        self._classes = tuple(int(number) for number in classes)
        booster.set_attr(
            **{
                _CLASSES: json.dumps(self._classes),
                _SEED: str(self._seed),
                _PARAMETERS: json.dumps(asdict(self.params), sort_keys=True),
            }
        )
        self._booster = booster

    def _fitted(self) -> "Booster":
        if self._booster is None:
            raise ModelError("the model is not fitted; call fit first")
        return self._booster


def _present_classes(X: FloatArray, y: IntArray) -> IntArray:
    if X.ndim != 2 or y.shape != (len(X),):
        raise ModelError(
            f"X must have the shape (n_rows, n_features) and y (n_rows,), were {X.shape}, {y.shape}"
        )
    if not np.isfinite(X).all():
        row, column = (int(number) for number in np.argwhere(~np.isfinite(X))[0])
        raise ModelError(f"X must be finite, row {row} column {column} was {X[row, column]}")
    classes: IntArray = np.unique(y).astype(np.int64)
    if len(classes) < 2 or not np.isin(classes, CLASSES).all():
        raise ModelError(
            f"training needs two or three classes of {CLASSES}, had {classes.tolist()} in "
            f"{len(y)} rows"
        )
    return classes
