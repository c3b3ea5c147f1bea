"""Which class restores which kind of model."""

from trading_pipeline.core.errors import ModelError
from trading_pipeline.models.ports import Forecaster
from trading_pipeline.models.xgboost_model import XGBoostForecaster

FORECASTERS: dict[str, type[Forecaster]] = {XGBoostForecaster.kind: XGBoostForecaster}


def restore_forecaster(kind: str, content: bytes) -> Forecaster:
    """Return the fitted model of ``kind`` that ``content`` holds.

    Raises
    ------
    ModelError
        If the kind is unknown or the bytes are not such a model.
    """
    if kind not in FORECASTERS:
        raise ModelError.unknown_name("model kind", kind, sorted(FORECASTERS))
    return FORECASTERS[kind].from_bytes(content)
