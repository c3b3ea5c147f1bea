"""From signals to what the engine is told on each candle."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.core.errors import DataError
from trading_pipeline.signals.signal import SignalStatus

DirectionArray: TypeAlias = npt.NDArray[np.int8]

HOLD = 2
"""Keep whatever is held: what an abstention means to the account, in a backtest as in live."""


def signal_directions(
    candles: pl.DataFrame, signals: pl.DataFrame
) -> tuple[DirectionArray, FloatArray]:
    """Return direction and strength for every candle.

    Parameters
    ----------
    candles : DataFrame
        Candle contract.
    signals : DataFrame
        ``open_time``, ``direction``, ``strength``, ``status`` of one source (or of the
        aggregate); rows without a candle do not matter.

    Returns
    -------
    ndarray of int8, ndarray of float64, both of shape (n_bars,)
        Direction in {-1, 0, 1}, or :data:`HOLD` (and strength 0) where the source abstained or
        said nothing.

    Raises
    ------
    DataError
        If a candle has two signals: choose one source first.
    """
    if signals["open_time"].n_unique() != len(signals):
        raise DataError(
            "a backtest needs one signal per candle, but some candles have several; "
            "filter the signals to one source or aggregate them first"
        )
    active = signals.filter(pl.col("status") == SignalStatus.ACTIVE.value)
    aligned = candles.select("open_time").join(
        active.select("open_time", "direction", "strength"),
        on="open_time",
        how="left",
        maintain_order="left",
    )
    return (
        aligned["direction"].fill_null(HOLD).cast(pl.Int8).to_numpy(),
        aligned["strength"].fill_null(0.0).to_numpy(),
    )
