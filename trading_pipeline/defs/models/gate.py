"""The gate that a challenger passes before it decides anything."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from trading_pipeline.core.errors import FeatureMismatchError

if TYPE_CHECKING:
    from trading_pipeline.models.training import TrainedModel

GATE_VERSION = 1
_SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether a challenger passes, and why."""

    passed: bool
    reason: str


def judge_challenger(model: "TrainedModel", features: pl.DataFrame) -> GateVerdict:
    """Judge a challenger that was loaded from the store.

    Parameters
    ----------
    model : TrainedModel
        As stored; loading has compared its bytes with the card's SHA-256.
    features : DataFrame
        The newest month of the feature matrix.
    """
    from trading_pipeline.models.training import forecast

    try:
        first, second = forecast(model, features), forecast(model, features)
    except FeatureMismatchError as error:
        return GateVerdict(passed=False, reason=error.message)
    if not first.equals(second):
        return GateVerdict(passed=False, reason="two forecasts of the same rows differ")
    said = first.drop_nulls("p_up").select("p_down", "p_flat", "p_up").to_numpy()
    if len(said) and not (
        np.isfinite(said).all() and np.allclose(said.sum(axis=1), 1.0, atol=_SUM_TOLERANCE)
    ):
        return GateVerdict(passed=False, reason="probabilities are not finite or do not sum to 1")
    return GateVerdict(
        passed=True,
        reason=(
            f"{model.card.version}: artefact, feature schema and {len(said)} forecasts of the "
            "newest month are sound; no edge is asked for"
        ),
    )
