"""Missing bars, and which of them are explained.

A gap is explained if it is a listed halt, if every other symbol of the venue is silent in it, or
if a second source lacks it too. Explained gaps never block; an unexplained gap blocks the rows
within the longest finite window after it. Nothing is filled.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import polars as pl

from trading_pipeline.core.candles import BoolArray, IntArray
from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.halts import halted_intervals

OpenTimes: TypeAlias = pl.Series | IntArray
"""Open times, ascending: a Datetime series in UTC, or int64 microseconds since 1970."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class GapClass(StrEnum):
    """What is known about missing bars; the first that fits, in this order."""

    LISTED_HALT = "listed halt"
    VENUE_SILENT = "venue silent"
    SECOND_SOURCE = "second source agrees"
    UNEXPLAINED = "unexplained"

    @property
    def is_explained(self) -> bool:
        """Whether the hole is the truth and blocks nothing."""
        return self is not GapClass.UNEXPLAINED


@dataclass(frozen=True, slots=True)
class Gap:
    """A run of ``n_bars`` missing bars of one class: ``start <= open_time < end``, UTC."""

    start: datetime
    end: datetime
    n_bars: int
    kind: GapClass


def find_gaps(
    open_times: OpenTimes,
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    *,
    venue: str,
    others: Sequence[OpenTimes] = (),
    second_source: OpenTimes | None = None,
    listed: datetime | None = None,
    now: datetime | None = None,
) -> tuple[Gap, ...]:
    """Return the runs of missing bars, oldest first; a partly explained gap is split.

    Parameters
    ----------
    open_times : Series or ndarray of shape (n_bars,)
        Open times of the symbol, on the timeframe's grid; rows outside the range are allowed.
    start, end : datetime
        Bars with ``start <= open_time < end`` are asked for.
    venue : str
        Whose listed halts count, such as ``binance``.
    others : sequence of Series or ndarray
        Open times, in the same timeframe, of other symbols of the venue. A bar is silent when
        none of them has it and at least one of them has candles both before and after it.
    second_source : Series or ndarray, optional
        Open times of the same symbol elsewhere. It agrees when it lacks the bar and has candles
        both before and after it.
    listed : datetime, optional
        Open time of the symbol's first candle ever; bars before it are no gaps. Left out, it is
        the first of ``open_times``: pass it when these are only a part of the history.
    now : datetime, optional
        Bars that are not closed by then are not missing.

    Notes
    -----
    Classes use knowledge of after the gap, which is fit for judging data, never for features.
    """
    times = _epoch_us(open_times, "open_times")
    first = _us(listed) if listed is not None else (int(times[0]) if len(times) else None)
    if first is None:
        return ()
    step = timeframe.microseconds
    begin = max(_us(start), first)
    begin += -begin % step
    stop = _us(end) if now is None else min(_us(end), _us(now) // step * step)
    expected = np.arange(begin, max(begin, stop), step, dtype=np.int64)
    missing = expected[~np.isin(expected, times)]
    kinds = _classify(missing, timeframe, venue, others, second_source)
    return tuple(_runs(missing, kinds, step))


def blocked_rows(
    open_times: OpenTimes, gaps: Sequence[Gap], reach_bars: int, timeframe: Timeframe
) -> BoolArray:
    """Mark the rows whose look-back window would reach over an unexplained gap.

    A row is marked while fewer than ``reach_bars`` candles lie between the end of the gap and the
    row. Bars that are missing for an explained reason are not counted as candles, so that the
    answer for a row does not depend on where the table starts.

    Parameters
    ----------
    open_times : Series or ndarray of shape (n_bars,)
        Ascending, without rows inside ``gaps``.
    gaps : sequence of Gap
        All gaps of the symbol that may matter, explained ones included.
    reach_bars : int
        Longest finite window in bars, at least 0; 0 marks nothing.

    Returns
    -------
    ndarray of bool, shape (n_bars,)
    """
    if reach_bars < 0:
        raise ConfigError(f"reach_bars must be at least 0 bars, was {reach_bars}")
    times = _epoch_us(open_times, "open_times")
    marked = np.zeros(len(times), dtype=np.bool_)
    ordered = sorted(gaps, key=lambda gap: gap.start)
    starts = np.array([_us(gap.start) for gap in ordered], dtype=np.int64)
    lost = np.concatenate([[0], np.cumsum([gap.n_bars for gap in ordered], dtype=np.int64)])
    for number, gap in enumerate(ordered):
        if gap.kind.is_explained:
            continue
        from_here = int(np.searchsorted(times, _us(gap.end)))
        later = times[from_here:]
        lost_since = lost[np.searchsorted(starts, later)] - lost[number + 1]
        seen = (later - _us(gap.end)) // timeframe.microseconds - lost_since
        marked[from_here:] |= seen < reach_bars
    return marked


def _classify(
    missing: IntArray,
    timeframe: Timeframe,
    venue: str,
    others: Sequence[OpenTimes],
    second_source: OpenTimes | None,
) -> list[GapClass]:
    is_halt = np.zeros(len(missing), dtype=np.bool_)
    for halt_start, halt_end in halted_intervals(venue, timeframe):
        bar_end = missing + timeframe.microseconds
        is_halt |= (missing >= _us(halt_start)) & (bar_end <= _us(halt_end))
    is_silent = _silence(missing, [_epoch_us(times, "others") for times in others])
    agreed = [] if second_source is None else [_epoch_us(second_source, "second_source")]
    is_agreed = _silence(missing, agreed)
    return [
        GapClass.LISTED_HALT
        if halted
        else GapClass.VENUE_SILENT
        if silent
        else GapClass.SECOND_SOURCE
        if absent
        else GapClass.UNEXPLAINED
        for halted, silent, absent in zip(is_halt, is_silent, is_agreed, strict=True)
    ]


def _silence(missing: IntArray, witnesses: Sequence[IntArray]) -> BoolArray:
    witnessed = np.zeros(len(missing), dtype=np.bool_)
    contradicted = np.zeros(len(missing), dtype=np.bool_)
    for times in witnesses:
        if len(times):
            witnessed |= (times[0] < missing) & (missing < times[-1])
            contradicted |= np.isin(missing, times)
    return witnessed & ~contradicted


def _runs(missing: IntArray, kinds: Sequence[GapClass], step: int) -> Iterator[Gap]:
    begin = 0
    for here in range(1, len(missing) + 1):
        is_same_run = (
            here < len(missing)
            and missing[here] - missing[here - 1] == step
            and kinds[here] is kinds[begin]
        )
        if not is_same_run:
            yield Gap(
                start=_EPOCH + int(missing[begin]) * _MICROSECOND,
                end=_EPOCH + int(missing[here - 1] + step) * _MICROSECOND,
                n_bars=here - begin,
                kind=kinds[begin],
            )
            begin = here


def _epoch_us(times: OpenTimes, name: str) -> IntArray:
    values = times.dt.epoch("us").to_numpy() if isinstance(times, pl.Series) else times
    if len(values) > 1 and not bool((values[1:] > values[:-1]).all()):
        raise DataError(f"{name} must be ascending without repeats; sort and clean them first")
    return values


def _us(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND
