"""Returns of an equity curve."""

import numpy as np
import polars as pl

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.core.errors import DataError

_LARGEST_EXPONENT = 700.0


def checked_equity(equity: FloatArray) -> FloatArray:
    """Return ``equity`` if it is one: not empty, finite, positive at its start.

    Raises
    ------
    DataError
        If it is not.
    """
    if equity.ndim != 1 or not len(equity) or not np.isfinite(equity).all() or equity[0] <= 0:
        raise DataError(
            "equity must be a series of finite numbers that starts above 0, had shape "
            f"{equity.shape}" + (f" and start {equity.flat[0]}" if equity.size else "")
        )
    return equity


def simple_returns(equity: FloatArray) -> FloatArray:
    """Return the return of each bar after the first.

    Parameters
    ----------
    equity : ndarray of shape (n_bars,)
        Finite, positive at its start.

    Returns
    -------
    ndarray of shape (n_bars - 1,)
        ``equity[t] / equity[t - 1] - 1``; 0 from the bar after which nothing was left, because
        an account of 0 or less earns nothing.

    Raises
    ------
    DataError
        If the equity is empty, not finite, or does not start above 0.
    """
    checked_equity(equity)
    before = equity[:-1]
    alive = np.logical_and.accumulate(before > 0)
    result: FloatArray = np.where(alive, equity[1:] / np.where(alive, before, 1.0) - 1.0, 0.0)
    return result


def total_return(equity: FloatArray) -> float:
    """Return the return from the first to the last bar."""
    checked_equity(equity)
    return float(equity[-1] / equity[0]) - 1.0


def annual_return(equity: FloatArray, bars_per_year: float) -> float | None:
    """Return the compound return per year.

    ``(equity[-1] / equity[0]) ** (bars_per_year / (n_bars - 1)) - 1``; -1 if nothing is left,
    None with fewer than two bars or beyond what a float holds.
    """
    growth = total_return(equity) + 1.0
    if len(equity) < 2:
        return None
    if growth <= 0:
        return -1.0
    exponent = bars_per_year / (len(equity) - 1) * np.log(growth)
    return float(np.expm1(exponent)) if exponent < _LARGEST_EXPONENT else None


def monthly_returns(equity: FloatArray, open_time: pl.Series) -> pl.DataFrame:
    """Return the return of each calendar month (UTC) that has bars.

    A month runs from the last bar before it (the first month from the first bar) to its last
    bar, so that the months multiply to the total return.

    Returns
    -------
    DataFrame
        ``month`` such as ``2024-01``, ``return_``; oldest first; null where the month began with
        nothing left.

    Raises
    ------
    DataError
        If the equity is unusable or has another length than ``open_time``.
    """
    checked_equity(equity)
    if len(open_time) != len(equity):
        raise DataError(
            f"equity and open_time need one value per bar, had {len(equity)} and {len(open_time)}"
        )
    months = open_time.dt.convert_time_zone("UTC").dt.strftime("%Y-%m")
    ends = (
        pl.DataFrame({"month": months, "end": equity})
        .group_by("month", maintain_order=True)
        .agg(pl.col("end").last())
    )
    start = pl.col("end").shift(1, fill_value=float(equity[0]))
    return ends.select(
        "month", pl.when(start > 0).then(pl.col("end") / start - 1.0).alias("return_")
    )
