"""A model's probabilities as a signal source."""

from datetime import timedelta

import numpy as np
import polars as pl

from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.signals.rows import signal_rows

FORECAST_SOURCE = "forecast"
NO_FORECAST = "no forecast"
PROBABILITIES = ("p_down", "p_flat", "p_up")
_TOLERANCE = 1e-3


def forecast_signals(
    forecasts: pl.DataFrame,
    *,
    timeframe: Timeframe,
    min_margin: float = 0.05,
    latency: timedelta = timedelta(0),
    source: str = FORECAST_SOURCE,
) -> pl.DataFrame:
    """Return the signals that ``forecasts`` stand for.

    The direction is that of the likeliest class where it leads the next one by ``min_margin``,
    else 0 (and 0 on a tie). The strength of 1 or -1 is ``|p_up - p_down|``, of 0 it is 0.

    Parameters
    ----------
    forecasts : DataFrame
        ``open_time`` and the probabilities ``p_down, p_flat, p_up``; null where the model had no
        features: the source abstains there.
    timeframe : Timeframe
    min_margin : float
        In [0, 1).
    latency : timedelta
        From the candle's close to the decision.
    source : str

    Returns
    -------
    DataFrame
        In ``SIGNAL_SCHEMA``, one row per forecast, in the same order. Each row depends on its
        own probabilities only.

    Raises
    ------
    ConfigError
        If ``min_margin`` is out of range.
    DataError
        If probabilities are not in [0, 1] or do not add up to 1.
    """
    if not 0 <= min_margin < 1:
        raise ConfigError(f"{source}: min_margin must be in [0, 1), was {min_margin}")
    table = forecasts.select(pl.col(name).cast(pl.Float64) for name in PROBABILITIES)
    absent = table.select(pl.any_horizontal(pl.all().is_null())).to_series()
    shares = table.fill_null(0.0).to_numpy()
    _check(shares[~absent.to_numpy()])
    ranked = np.sort(shares, axis=1)
    margin = ranked[:, 2] - ranked[:, 1]
    is_clear = (margin > 0) & (margin >= min_margin)
    side = np.where(is_clear, np.argmax(shares, axis=1) - 1, 0).astype(np.int8)
    strength = np.where(side != 0, np.minimum(np.abs(shares[:, 2] - shares[:, 0]), 1.0), 0.0)
    reason = (
        pl.when(absent)
        .then(pl.lit(NO_FORECAST))
        .when(~pl.lit(pl.Series(is_clear)))
        .then(pl.lit("no class leads clearly"))
        .when(pl.lit(pl.Series(side)) == 0)
        .then(pl.lit("flat is likeliest"))
        .when(pl.lit(pl.Series(side)) > 0)
        .then(pl.lit("up is likeliest"))
        .otherwise(pl.lit("down is likeliest"))
    )
    return signal_rows(
        forecasts["open_time"],
        source,
        side,
        strength,
        pl.select(reason.alias("reason")).to_series(),
        absent,
        timeframe=timeframe,
        latency=latency,
    )


def _check(shares: np.ndarray) -> None:
    in_range = (shares >= 0) & (shares <= 1)
    adds_up = np.abs(shares.sum(axis=1) - 1) <= _TOLERANCE
    if not (in_range.all() and adds_up.all()):
        row = shares[int(np.argmin(in_range.all(axis=1) & adds_up))]
        raise DataError(
            f"forecasts need probabilities of {', '.join(PROBABILITIES)} in [0, 1] that add up "
            f"to 1, had {row.tolist()}; check the model"
        )
