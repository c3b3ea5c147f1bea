"""Series that a report derives from equity: drawdowns, monthly returns, thinned lines."""

from datetime import UTC, datetime, timedelta

import numpy as np

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.core.month import Month
from trading_pipeline.reporting.formats import is_number
from trading_pipeline.reporting.report import EquityCurve, MonthlyReturn

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(time_us: int) -> datetime:
    """Return the instant of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=int(time_us))


def drawdown(equity: FloatArray) -> FloatArray:
    """Return the loss from the highest equity so far, shape (n_bars,), at most 0.

    NaN stays NaN and does not move the peak. Causal.
    """
    if not len(equity):
        return np.empty(0)
    peak = np.maximum.accumulate(np.where(np.isnan(equity), -np.inf, equity))
    with np.errstate(invalid="ignore", divide="ignore"):
        loss: FloatArray = np.where(np.isfinite(peak) & (peak > 0), equity / peak - 1.0, np.nan)
    return loss


def monthly_returns(curve: EquityCurve) -> tuple[MonthlyReturn, ...]:
    """Return the return of each calendar month (UTC) that the curve touches, oldest first.

    A month runs from the last equity before it (for the first month: from the first equity) to
    the last equity in it; months are thus chained: they multiply to the total return. ``None``
    where an equity is missing or not positive.
    """
    if not len(curve):
        return ()
    months = curve.time_us.astype("datetime64[us]").astype("datetime64[M]")
    ends = np.append(np.flatnonzero(months[1:] != months[:-1]), len(months) - 1)
    starts = np.concatenate([[0], ends[:-1]])
    return tuple(
        MonthlyReturn(
            Month.of(moment(curve.time_us[end])),
            _change(curve.strategy[start], curve.strategy[end]),
            _change(curve.buy_hold[start], curve.buy_hold[end]),
        )
        for start, end in zip(starts, ends, strict=True)
    )


def _change(before: float, after: float) -> float | None:
    if not is_number(before) or not is_number(after) or before <= 0:
        return None
    return float(after / before - 1.0)


def compound(returns: list[float | None]) -> float | None:
    """Return the chained return; None if there is none or one of them is undefined."""
    known = [value for value in returns if is_number(value)]
    if not known or len(known) != len(returns):
        return None
    return float(np.prod([1.0 + value for value in known]) - 1.0)


def thin(time_us: IntArray, values: FloatArray, n_columns: int) -> tuple[FloatArray, FloatArray]:
    """Return the points that a line needs in ``n_columns`` columns: no peak or trough is lost.

    Of each column the first, lowest, highest and last finite point stay, in order of time.

    Returns
    -------
    time, value : ndarray of shape (n_points,), float64
        At most ``4 * n_columns`` points; those that are not finite are left out.
    """
    is_finite = np.isfinite(values)
    time, value = time_us[is_finite].astype(np.float64), values[is_finite]
    if len(time) <= 4 * n_columns:
        return time, value
    span = (time[-1] - time[0]) or 1.0
    column = np.minimum(((time - time[0]) / span * n_columns).astype(np.int64), n_columns - 1)
    first = np.flatnonzero(np.diff(column, prepend=-1))
    last = np.append(first[1:], len(time)) - 1
    kept: set[int] = set()
    for begin, end in zip(first.tolist(), last.tolist(), strict=True):
        part = value[begin : end + 1]
        kept.update((begin, begin + int(part.argmin()), begin + int(part.argmax()), end))
    index = np.array(sorted(kept), dtype=np.int64)
    return time[index], value[index]
