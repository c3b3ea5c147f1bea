"""Scores of probability forecasts over three classes, beside what no skill at all would score."""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.core.errors import DataError

CLASSES = (-1, 0, 1)
"""Down, flat, up: the order of the columns of every probability array."""

_SMALLEST = 1e-15
_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class Scores:
    """How good a forecast was on ``n_rows`` labels; fractions, never percent.

    Parameters
    ----------
    n_rows : int
        Labels with a forecast.
    accuracy : float
        Share of labels that are the most probable class; of equal ones the first counts.
    train_base_rate : float
        Accuracy, on these labels, of always saying the majority class **of training**: the
        benchmark that was available before the test. The smaller class wins a tie.
    test_base_rate : float
        Share of the majority class of these labels: the best that any constant could have done.
    balanced_accuracy : float
        Mean of the recalls of the classes that occur.
    log_loss : float
        Mean of -ln(probability of what happened), in nats; probabilities are cut at 1e-15.
    train_log_loss : float
        The same for always saying the class frequencies of training.
    brier : float
        Mean of the squared distance to what happened, summed over classes: 0 to 2.
    """

    n_rows: int
    accuracy: float
    train_base_rate: float
    test_base_rate: float
    balanced_accuracy: float
    log_loss: float
    train_log_loss: float
    brier: float

    def to_dict(self) -> dict[str, float]:
        """Return the scores by name."""
        return asdict(self)


def score(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, train_labels: npt.ArrayLike
) -> Scores:
    """Score probabilities against what happened.

    Parameters
    ----------
    probabilities : array-like of shape (n_rows, 3)
        Over ``CLASSES``; finite, not negative, each row sums to 1.
    labels : array-like of shape (n_rows,)
        Classes that happened, in {-1, 0, 1}.
    train_labels : array-like of shape (n_train,)
        Labels that the forecaster was trained on, in {-1, 0, 1}.

    Raises
    ------
    DataError
        If there are no rows, shapes differ, a label is no class, or a row is no distribution.

    Examples
    --------
    >>> score([[0.2, 0.2, 0.6], [0.5, 0.2, 0.3]], [1, 1], [0, 1, 1]).accuracy
    0.5
    """
    happened, trained = (
        _class_numbers("labels", labels),
        _class_numbers("train_labels", train_labels),
    )
    p = _distributions(probabilities, len(happened))
    train_frequency, test_frequency = _frequencies(trained), _frequencies(happened)
    return Scores(
        n_rows=len(happened),
        accuracy=float(np.mean(p.argmax(axis=1) == happened)),
        train_base_rate=float(test_frequency[train_frequency.argmax()]),
        test_base_rate=float(test_frequency.max()),
        balanced_accuracy=_balanced_accuracy(p.argmax(axis=1), happened),
        log_loss=_log_loss(p, happened),
        train_log_loss=_log_loss(np.broadcast_to(train_frequency, p.shape), happened),
        brier=float(np.mean(np.sum((p - np.eye(len(CLASSES))[happened]) ** 2, axis=1))),
    )


def _class_numbers(name: str, labels: npt.ArrayLike) -> IntArray:
    values = np.asarray(labels)
    if values.ndim != 1 or not len(values):
        raise DataError(f"{name} must have the shape (n_rows,) with a row, was {values.shape}")
    if not np.isin(values, CLASSES).all():
        raise DataError(f"{name} must be in {CLASSES}, had {sorted(set(values.tolist()))[:10]}")
    return values.astype(np.int64) - CLASSES[0]


def _distributions(probabilities: npt.ArrayLike, n_rows: int) -> FloatArray:
    p = np.asarray(probabilities, dtype=np.float64)
    if p.shape != (n_rows, len(CLASSES)):
        raise DataError(
            f"probabilities must have the shape {(n_rows, len(CLASSES))}, was {p.shape}"
        )
    is_distribution = (p >= 0.0).all(axis=1) & (np.abs(p.sum(axis=1) - 1.0) <= _TOLERANCE)
    if not is_distribution.all():
        row = int(np.argmin(is_distribution))
        raise DataError(f"probabilities must sum to 1, row {row} was {p[row].tolist()}", row=row)
    return p


def _frequencies(class_numbers: IntArray) -> FloatArray:
    return np.bincount(class_numbers, minlength=len(CLASSES)) / len(class_numbers)


def _balanced_accuracy(said: IntArray, happened: IntArray) -> float:
    recalls = [np.mean(said[happened == number] == number) for number in np.unique(happened)]
    return float(np.mean(recalls))


def _log_loss(p: FloatArray, happened: IntArray) -> float:
    of_what_happened = p[np.arange(len(happened)), happened]
    return float(-np.mean(np.log(np.maximum(of_what_happened, _SMALLEST))))
