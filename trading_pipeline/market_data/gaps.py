"""Missing bars, and which of them are explained.

A gap is explained if it is a listed halt, if every other symbol of the venue is silent in it, if
a second source lacks it too, or if nobody traded in it. Explained gaps never block; an unexplained
gap blocks the rows within the longest finite window after it. Nothing is filled here; what may
fill a hole is decided in ``market_data.repair``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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

NOBODY_ASKED = "nobody was asked"
"""Evidence of an unexplained gap that no proof is about."""

_Judged: TypeAlias = "tuple[GapClass, str]"
# A single symbol may be thin, and is silent often while the venue trades.
_ENOUGH = 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class GapClass(StrEnum):
    """What is known about missing bars; the first that fits, in this order."""

    LISTED_HALT = "listed halt"
    VENUE_SILENT = "venue silent"
    SECOND_SOURCE = "second source agrees"
    NO_TRADE = "no trade"
    UNEXPLAINED = "unexplained"

    @property
    def is_explained(self) -> bool:
        """Whether the hole is the truth and blocks nothing."""
        return self is not GapClass.UNEXPLAINED


@dataclass(frozen=True, slots=True)
class Gap:
    """A run of ``n_bars`` missing bars of one class: ``start <= open_time < end``, UTC.

    ``evidence`` says in words what the class rests on; gaps are equal whatever the words.
    """

    start: datetime
    end: datetime
    n_bars: int
    kind: GapClass
    evidence: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Proof:
    """What asking about missing bars with ``start <= open_time < end`` (UTC) found.

    ``is_contradiction`` says that the venue's own trades lie there: then neither the silence of
    other symbols nor a second source without the candle explains the hole. ``traded_elsewhere``
    says that another venue has candles there: then the silence of a single symbol does not either.
    """

    start: datetime
    end: datetime
    kind: GapClass
    evidence: str
    is_contradiction: bool = False
    traded_elsewhere: bool = False


def find_gaps(
    open_times: OpenTimes,
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    *,
    venue: str,
    others: Sequence[OpenTimes] = (),
    second_source: OpenTimes | None = None,
    proofs: Sequence[Proof] = (),
    listed: datetime | None = None,
    delisted: datetime | None = None,
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
        none of them has it and at least one of them has candles both before and after it; two
        where a proof says that another venue has candles there.
    second_source : Series or ndarray, optional
        Open times of the same symbol elsewhere. It agrees when it lacks the bar and has candles
        both before and after it.
    proofs : sequence of Proof
        What asking about earlier gaps of the series found; of two about one bar the later counts.
    listed : datetime, optional
        Open time of the symbol's first candle ever; bars before it are no gaps. Left out, it is
        the first of ``open_times``: pass it when these are only a part of the history.
    delisted : datetime, optional
        Bars from then on are no gaps.
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
    stop = stop if delisted is None else min(stop, _us(delisted))
    expected = np.arange(begin, max(begin, stop), step, dtype=np.int64)
    missing = expected[~np.isin(expected, times)]
    judged = _classify(missing, timeframe, venue, others, second_source, proofs)
    return tuple(_runs(missing, judged, step))


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
    proofs: Sequence[Proof],
) -> list[_Judged]:
    halts = np.zeros(len(missing), dtype=np.int64)
    intervals = halted_intervals(venue, timeframe)
    for number, (halt_start, halt_end) in enumerate(intervals, start=1):
        bar_end = missing + timeframe.microseconds
        halts[(missing >= _us(halt_start)) & (bar_end <= _us(halt_end))] = number
    n_silent = _silence(missing, [_epoch_us(times, "others") for times in others])
    agreed = [] if second_source is None else [_epoch_us(second_source, "second_source")]
    n_agreed = _silence(missing, agreed)
    asked = np.zeros(len(missing), dtype=np.int64)
    for number, proof in enumerate(proofs, start=1):
        asked[(missing >= _us(proof.start)) & (missing < _us(proof.end))] = number
    silent = (GapClass.VENUE_SILENT, _silent_words(len(others)))
    second = (GapClass.SECOND_SOURCE, "the second source lacks it too")
    judged = []
    for halt, quiet, absent, number in zip(
        halts.tolist(), n_silent.tolist(), n_agreed.tolist(), asked.tolist(), strict=True
    ):
        found = proofs[number - 1] if number else None
        if halt:
            judged.append((GapClass.LISTED_HALT, _halt_words(intervals[halt - 1])))
        elif found is not None and found.is_contradiction:
            judged.append((found.kind, found.evidence))
        elif quiet >= _ENOUGH or (quiet and not (found is not None and found.traded_elsewhere)):
            judged.append(silent)
        elif absent:
            judged.append(second)
        elif found is not None:
            judged.append((found.kind, found.evidence))
        else:
            judged.append((GapClass.UNEXPLAINED, NOBODY_ASKED))
    return judged


def _halt_words(interval: tuple[datetime, datetime]) -> str:
    return f"listed, {interval[0]:%Y-%m-%d %H:%M} to {interval[1]:%Y-%m-%d %H:%M} UTC"


def _silent_words(n_others: int) -> str:
    if n_others == 1:
        return "the other symbol of the venue is silent too"
    return f"all {n_others} other symbols of the venue are silent too"


def _silence(missing: IntArray, witnesses: Sequence[IntArray]) -> IntArray:
    """Return how many witnesses are silent at each bar; 0 where one of them is not."""
    witnessed = np.zeros(len(missing), dtype=np.int64)
    contradicted = np.zeros(len(missing), dtype=np.bool_)
    for times in witnesses:
        if len(times):
            witnessed += (times[0] < missing) & (missing < times[-1])
            contradicted |= np.isin(missing, times)
    return np.where(contradicted, 0, witnessed)


def _runs(missing: IntArray, judged: Sequence[_Judged], step: int) -> Iterator[Gap]:
    begin = 0
    for here in range(1, len(missing) + 1):
        is_same_run = (
            here < len(missing)
            and missing[here] - missing[here - 1] == step
            and judged[here] == judged[begin]
        )
        if not is_same_run:
            yield Gap(
                start=_EPOCH + int(missing[begin]) * _MICROSECOND,
                end=_EPOCH + int(missing[here - 1] + step) * _MICROSECOND,
                n_bars=here - begin,
                kind=judged[begin][0],
                evidence=judged[begin][1],
            )
            begin = here


def _epoch_us(times: OpenTimes, name: str) -> IntArray:
    values = times.dt.epoch("us").to_numpy() if isinstance(times, pl.Series) else times
    if len(values) > 1 and not bool((values[1:] > values[:-1]).all()):
        raise DataError(f"{name} must be ascending without repeats; sort and clean them first")
    return values


def _us(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND
