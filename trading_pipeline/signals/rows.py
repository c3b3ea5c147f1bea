"""Signal rows: the one place that stamps, clips and abstains."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.core.errors import DataError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.signals.signal import SIGNAL_SCHEMA, SignalStatus, Vote


def signal_rows(
    open_time: pl.Series,
    source: str,
    direction: npt.NDArray[np.int8],
    strength: FloatArray,
    reason: pl.Series,
    abstained: pl.Series,
    *,
    timeframe: Timeframe,
    latency: timedelta = timedelta(0),
) -> pl.DataFrame:
    """Return the signals of one source.

    Parameters
    ----------
    open_time : Series of shape (n_bars,)
        Open times of the closed candles.
    source : str
        Who has the opinion.
    direction : ndarray of int8, shape (n_bars,)
        In {-1, 0, 1}; ignored where the source abstains.
    strength : ndarray of shape (n_bars,)
        In [0, 1]; ignored where the source abstains.
    reason : Series of String
        Why, in a few words.
    abstained : Series of Boolean
        Where the source has no opinion: direction and strength become 0.
    timeframe : Timeframe
    latency : timedelta
        From the close of the candle to the decision; ``known_at`` is the close plus it.

    Returns
    -------
    DataFrame
        In ``SIGNAL_SCHEMA``.

    Raises
    ------
    DataError
        If an opinion is out of range.
    """
    active = ~abstained.to_numpy()
    in_range = np.isin(direction, (-1, 0, 1)) & (strength >= 0) & (strength <= 1)
    if not (in_range | ~active).all():
        row = int(np.argmin(in_range | ~active))
        raise DataError(
            f"{source} must give direction -1, 0 or 1 and strength in [0, 1], gave "
            f"{direction[row]} and {strength[row]} at {open_time[row]}"
        )
    known_after = timeframe.duration + latency
    return pl.DataFrame({"open_time": open_time}).select(
        pl.col("open_time"),
        pl.lit(source).alias("source"),
        pl.Series("direction", np.where(active, direction, 0), dtype=pl.Int8),
        pl.Series("strength", np.where(active, strength, 0.0), dtype=pl.Float64),
        pl.when(abstained)
        .then(pl.lit(SignalStatus.ABSTAINED.value))
        .otherwise(pl.lit(SignalStatus.ACTIVE.value))
        .alias("status"),
        reason.alias("reason"),
        (pl.col("open_time") + known_after).cast(SIGNAL_SCHEMA["known_at"]).alias("known_at"),
    )


def votes_of(rows: pl.DataFrame) -> tuple[Vote, ...]:
    """Return the rows of one candle as votes, by source.

    Raises
    ------
    DataError
        If the rows belong to several candles.
    """
    if rows["open_time"].n_unique() > 1:
        raise DataError(
            f"votes belong to one candle, these have {rows['open_time'].n_unique()} open times; "
            "filter the signals to one open_time"
        )
    return tuple(
        Vote(
            source=row["source"],
            direction=row["direction"],
            strength=row["strength"],
            status=SignalStatus(row["status"]),
            reason=row["reason"],
        )
        for row in rows.sort("source").iter_rows(named=True)
    )


def empty_signals() -> pl.DataFrame:
    """Return a signal frame without rows."""
    return pl.DataFrame(schema=SIGNAL_SCHEMA)


def stack_signals(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the signals of several sources as one frame, by candle and source."""
    return pl.concat([empty_signals(), *frames]).sort("open_time", "source")
