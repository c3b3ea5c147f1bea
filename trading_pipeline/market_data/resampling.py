"""Longer candles from shorter ones, from closed bars only, and how to join them.

A bar of the longer timeframe exists once it is closed by the source's clock and every base candle
that it lacks is explained (a halt, a listing within the bar). It then says what the exchange says:
first open, highest high, lowest low, last close, and the exact decimal sum of the volumes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import polars as pl

from trading_pipeline.core.candles import (
    CANDLE_SCHEMA,
    OPEN_TIME_TYPE,
    CandleArrays,
    FloatArray,
    IntArray,
    candle_arrays,
)
from trading_pipeline.core.errors import CandleSchemaError, ConfigError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.gaps import Gap

RESAMPLED_SCHEMA: dict[str, pl.DataType] = {**CANDLE_SCHEMA, "n_bars": pl.Int32()}
"""Columns of :attr:`Resampled.candles`; ``n_bars`` counts the base candles in the bar."""

MIXED_SCHEMA: dict[str, pl.DataType] = {
    "timeframe": pl.String(),
    "open_time": OPEN_TIME_TYPE,
    "close_time": OPEN_TIME_TYPE,
    **{name: kind for name, kind in RESAMPLED_SCHEMA.items() if name != "open_time"},
}
"""Columns of a table of several timeframes; a bar is known from its ``close_time`` on."""

_VALUES = ("open", "high", "low", "close", "volume")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Open times, then rows open, high, low, close, volume, then base candles per bar.
_Bars: TypeAlias = tuple[IntArray, FloatArray, IntArray]


class LeftOutReason(StrEnum):
    """Why a bar of the longer timeframe does not exist."""

    NOT_CLOSED = "not closed yet"
    UNEXPLAINED = "base candles are missing without explanation"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A bar that could not be made.

    ``n_bars`` base candles are there; ``n_missing`` are missing without explanation (for a bar
    that is not closed: have not come yet).
    """

    open_time: datetime
    n_bars: int
    n_missing: int
    reason: LeftOutReason


@dataclass(frozen=True, slots=True)
class Resampled:
    """Bars of the longer timeframe.

    Parameters
    ----------
    candles : DataFrame
        In ``RESAMPLED_SCHEMA``, unique, ascending.
    left_out : tuple of LeftOut
        Bars that hold a base candle or an unexplained gap and could not be made, oldest first.
    """

    candles: pl.DataFrame
    left_out: tuple[LeftOut, ...]


def resample(
    candles: pl.DataFrame,
    base: Timeframe,
    target: Timeframe,
    *,
    closed_until: datetime,
    gaps: Sequence[Gap] | None = None,
) -> Resampled:
    """Return the bars of ``target`` that the candles of ``base`` make up.

    A bar depends on nothing but its own candles and gaps: the bars of a prefix are a prefix of the
    bars, and candles cut between two bars give the same as candles in one piece.

    Parameters
    ----------
    candles : DataFrame
        Closed candles in the contract of ``core.candles``, cut between two bars.
    closed_until : datetime
        What closed by then, by the source's clock, is known; later bars are left out.
    gaps : sequence of Gap, optional
        All gaps of the range, from :func:`~trading_pipeline.market_data.gaps.find_gaps`. A base
        candle that is missing outside of them is before the symbol's listing or after its end,
        and not waited for. Left out, nobody judged the holes: every one is unexplained.

    Raises
    ------
    ConfigError
        If ``target`` is not a longer multiple of ``base``.
    CandleSchemaError
        If open times are not unique, ascending and on the grid of ``base``.

    Notes
    -----
    Volumes of at most eight decimals are summed exactly, to the float nearest to the decimal sum;
    other volumes are summed as floats, in their order.
    """
    base.check_makes_up(target)
    arrays = candle_arrays(candles)
    _check_grid(arrays.open_time, base)
    times, values, n_bars = _bars(arrays, base, target)
    length, end = target.microseconds, _us(closed_until)
    is_closed = times + length <= end
    missing = length // base.microseconds - n_bars
    absent: dict[int, int] = {}
    if gaps is not None:
        absent = _lost(gaps, base, target)
        missing = np.where(is_closed, 0, missing)
        for at in np.flatnonzero(np.isin(times, list(absent))):
            missing[at] = absent.pop(int(times[at])) if is_closed[at] else missing[at]
    is_made = is_closed & (missing == 0)
    n_made = int(np.count_nonzero(is_made))
    # Nearly always all bars but the last: a view instead of seven copies.
    made = slice(n_made) if is_made[:n_made].all() else is_made
    frame = pl.DataFrame(
        [
            pl.Series("open_time", times[made]).cast(OPEN_TIME_TYPE),
            *(pl.Series(name, values[row][made]) for row, name in enumerate(_VALUES)),
            pl.Series("n_bars", n_bars[made].astype(np.int32)),
        ]
    )
    left_out = [
        _left_out(int(times[at]), int(n_bars[at]), int(missing[at]), is_closed=bool(is_closed[at]))
        for at in np.flatnonzero(~is_made)
    ]
    left_out += [
        _left_out(at, 0, n, is_closed=True) for at, n in absent.items() if at + length <= end
    ]
    return Resampled(frame, tuple(sorted(left_out, key=lambda bar: bar.open_time)))


def mixed(by_timeframe: Mapping[Timeframe, pl.DataFrame]) -> pl.DataFrame:
    """Return the bars of several timeframes as one table, shortest first, in ``MIXED_SCHEMA``."""
    frames = [
        by_timeframe[timeframe].with_columns(
            pl.lit(timeframe.name).alias("timeframe"),
            (pl.col("open_time") + timeframe.duration).alias("close_time"),
        )
        for timeframe in sorted(by_timeframe, key=lambda each: each.seconds)
    ]
    if not frames:
        return pl.DataFrame(schema=MIXED_SCHEMA)
    return pl.concat([frame.select(list(MIXED_SCHEMA)) for frame in frames])


def join_closed(
    lower: pl.DataFrame,
    higher: pl.DataFrame,
    lower_timeframe: Timeframe,
    higher_timeframe: Timeframe,
) -> pl.DataFrame:
    """Return ``lower`` with the newest bar of ``higher`` that had closed at each row's own close.

    Parameters
    ----------
    lower, higher : DataFrame
        With ``open_time``, unique and ascending. Columns of ``higher`` come with the suffix of its
        timeframe: ``open_time_4h``, ``close_4h``.

    Returns
    -------
    DataFrame
        The rows of ``lower``; null where no bar of ``higher`` had closed yet. A bar that is
        missing is not waited for: the one before it stands, and ``open_time_4h`` says how old.

    Raises
    ------
    ConfigError
        If ``higher_timeframe`` is not longer than ``lower_timeframe``.

    Examples
    --------
    >>> day = datetime(2024, 1, 1, tzinfo=UTC)
    >>> hours = pl.DataFrame({"open_time": [day.replace(hour=2), day.replace(hour=3)]})
    >>> bars = pl.DataFrame({"open_time": [day], "close": [7.0]})
    >>> join_closed(hours, bars, Timeframe("1h"), Timeframe("4h"))["close_4h"].to_list()
    [None, 7.0]
    """
    if higher_timeframe.seconds <= lower_timeframe.seconds:
        raise ConfigError(
            f"the higher timeframe must be longer than {lower_timeframe}, was {higher_timeframe}"
        )
    suffix = f"_{higher_timeframe}"
    key = "_known_at"
    bars = higher.rename({name: f"{name}{suffix}" for name in higher.columns})
    bars = bars.with_columns((pl.col(f"open_time{suffix}") + higher_timeframe.duration).alias(key))
    rows = lower.with_columns((pl.col("open_time") + lower_timeframe.duration).alias(key))
    return rows.join_asof(bars, on=key, strategy="backward", coalesce=True).drop(key)


def _check_grid(open_time: IntArray, base: Timeframe) -> None:
    from trading_pipeline.market_data._resampling import first_disorder

    at = first_disorder(open_time, base.microseconds)
    if at >= 0:
        raise CandleSchemaError(
            f"candles of {base} must be unique, ascending and on the grid of {base}; row {at} "
            f"opens at {_EPOCH + int(open_time[at]) * _MICROSECOND}",
            row=at,
        )


def _bars(arrays: CandleArrays, base: Timeframe, target: Timeframe) -> _Bars:
    """Return every bar that holds a candle."""
    from trading_pipeline.market_data._resampling import aggregate

    times, length = arrays.open_time, target.microseconds
    if not len(times):
        return np.empty(0, np.int64), np.empty((5, 0)), np.empty(0, np.int64)
    most = min(len(times), int(times[-1] // length - times[0] // length) + 1)
    out_time, n_bars = np.empty(most, np.int64), np.empty(most, np.int64)
    out = np.empty((5, most))
    made = aggregate(
        times,
        arrays.open,
        arrays.high,
        arrays.low,
        arrays.close,
        arrays.volume,
        base.microseconds,
        length,
        out_time,
        out,
        n_bars,
    )
    return out_time[:made], out[:, :made], n_bars[:made]


def _lost(gaps: Sequence[Gap], base: Timeframe, target: Timeframe) -> dict[int, int]:
    """Count, by the open time of the bar, the base candles that are missing unexplained."""
    found: dict[int, int] = {}
    length = target.microseconds
    for gap in gaps:
        if gap.kind.is_explained:
            continue
        start, stop = _us(gap.start), _us(gap.end)
        for bucket in range(start // length * length, stop, length):
            inside = min(stop, bucket + length) - max(start, bucket)
            found[bucket] = found.get(bucket, 0) + inside // base.microseconds
    return found


def _left_out(open_time: int, n_bars: int, n_missing: int, *, is_closed: bool) -> LeftOut:
    reason = LeftOutReason.UNEXPLAINED if is_closed else LeftOutReason.NOT_CLOSED
    return LeftOut(_EPOCH + open_time * _MICROSECOND, n_bars, n_missing, reason)


def _us(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND
