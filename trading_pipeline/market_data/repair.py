"""What may fill a hole, and what may only speak about it.

The order is fixed: the venue itself is asked once more; then second sources of the same venue,
whose candle fills the hole; then the venue's own trades; then other venues, which are witnesses
and never fill anything. What nobody explains stays a hole and is quarantined.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import polars as pl

from trading_pipeline.core.candles import CANDLE_SCHEMA, empty_candles
from trading_pipeline.core.errors import RateLimitedError, TradingPipelineError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.cleaning import DROPPED_SCHEMA, sort_out
from trading_pipeline.market_data.gaps import Gap, GapClass, Proof
from trading_pipeline.market_data.ports import CandleHistory, SecondSource

T = TypeVar("T")

NOT_ASKED = "could not be asked"
"""Evidence that somebody did not answer: worth another try."""

# A witness must be seen trading before and after the hole; quiet markets have few candles near.
_MARGIN_BARS = 60
QUARANTINE_SCHEMA: dict[str, pl.DataType] = {
    **{name: DROPPED_SCHEMA[name] for name in ("open_time", "reason", "detail")},
    "source": pl.String(),
    **{name: DROPPED_SCHEMA[name] for name in CANDLE_SCHEMA if name != "open_time"},
}
"""Columns of the rows that were refused; values may be null where the source had none."""


class TradeWitness(Protocol):
    """Somebody who knows single trades of the venue."""

    def traded(self, symbol: Symbol, start: datetime, end: datetime) -> bool | None:
        """Tell whether anybody traded with ``start <= time < end``.

        False only if there are trades both before and after and none between; None if it cannot
        be known, for instance because the venue keeps only its newest trades.

        Raises
        ------
        VenueError
            If the venue cannot be asked.
        """
        ...


@dataclass(frozen=True, slots=True)
class Fill:
    """Candles that filled a hole, and who gave them."""

    source: str
    rows: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Repair:
    """What asking about gaps brought.

    Parameters
    ----------
    fills : tuple of Fill
        Candles in the contract that were missing.
    proofs : tuple of Proof
        What is known about the bars that are still missing.
    refused : DataFrame
        Candles that were offered and break the contract, in ``QUARANTINE_SCHEMA``.
    stopped : str
        Why not all gaps were asked about; empty if all were.
    """

    fills: tuple[Fill, ...] = ()
    proofs: tuple[Proof, ...] = ()
    refused: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=QUARANTINE_SCHEMA))
    stopped: str = ""


def repair_gaps(
    gaps: Sequence[Gap],
    symbol: Symbol,
    timeframe: Timeframe,
    *,
    venue: CandleHistory | None,
    venue_name: str,
    second_sources: Sequence[SecondSource] = (),
    trades: TradeWitness | None = None,
    record: str | None = None,
    most: int,
) -> Repair:
    """Ask about gaps, oldest first, at most ``most`` of them; a rate limit ends the asking.

    Parameters
    ----------
    gaps : sequence of Gap
        Runs of missing bars of one symbol.
    symbol : Symbol
        By the name under which the venue traded it then.
    timeframe : Timeframe
    venue : CandleHistory, optional
        The source that left the holes, asked once more; None where asking again is no use.
    venue_name : str
        For lineage.
    second_sources : sequence of SecondSource
        In the order in which they are asked.
    trades : TradeWitness, optional
        The venue's own trades.
    record : str, optional
        Which of the venue's records left the holes (``rest``, ``files``): the same record asked
        again is no second source. None if it was several, which then have to agree by themselves.
    most : int
        Gaps to ask about; the others are left for another time.
    """
    asker = _Asker(symbol, timeframe, venue, venue_name, second_sources, trades, record)
    for number, gap in enumerate(gaps):
        if number == most:
            asker.stopped = f"asked about {most} of {len(gaps)} gaps, the most that one repair asks"
            break
        try:
            asker.ask(gap)
        except RateLimitedError as error:
            asker.stopped = f"asked about {number} of {len(gaps)} gaps: {error.message}"
            break
    return asker.repair()


class _Asker:
    def __init__(
        self,
        symbol: Symbol,
        timeframe: Timeframe,
        venue: CandleHistory | None,
        venue_name: str,
        second_sources: Sequence[SecondSource],
        trades: TradeWitness | None,
        record: str | None,
    ) -> None:
        self._symbol, self._timeframe = symbol, timeframe
        self._venue, self._venue_name = venue, venue_name
        self._same = [other for other in second_sources if other.same_venue]
        self._elsewhere = [other for other in second_sources if not other.same_venue]
        self._trades = trades
        self._record = record
        self._fills: list[Fill] = []
        self._proofs: list[Proof] = []
        self._refused: list[pl.DataFrame] = []
        self.stopped = ""

    def ask(self, gap: Gap) -> None:
        holes = [(gap.start, gap.end)]
        words: list[str] = []
        if self._venue is not None:
            offered = self._offer(self._venue, self._venue_name, gap, words)
            if offered is not None:
                holes = self._fill(holes, offered, self._venue_name)
                words.append(f"{self._venue_name} has none when asked again")
        records = {self._record} - {None}
        for other in self._same:
            if not holes:
                return
            if other.name == self._record and self._venue is not None:
                continue
            offered = self._offer(other.source, other.name, gap, words)
            if offered is None:
                continue
            silent = offered.filter(pl.col("volume") == 0)
            holes = self._fill(holes, offered.filter(pl.col("volume") > 0), other.name)
            holes = self._prove_untraded(holes, silent, other.name)
            if _surrounds(offered, gap):
                records.add(other.name)
                words.append(f"{other.name} of the same venue has none either")
        for start, end in holes:
            self._prove(start, end, list(words), agreed=len(records) > 1)

    def repair(self) -> Repair:
        refused = pl.concat([pl.DataFrame(schema=QUARANTINE_SCHEMA), *self._refused])
        return Repair(tuple(self._fills), tuple(self._proofs), refused, self.stopped)

    def _offer(
        self, source: CandleHistory, name: str, gap: Gap, words: list[str]
    ) -> pl.DataFrame | None:
        """Return the sound candles that a source has around a gap; None if it cannot answer."""
        margin = _MARGIN_BARS * self._timeframe.duration
        read = _answer(
            lambda: source.candles(
                self._symbol, self._timeframe, gap.start - margin, gap.end + margin
            ),
            name,
            words,
        )
        if read is None:
            return None
        sound, refused = sort_out(read, self._timeframe)
        is_here = pl.col("open_time").is_between(gap.start, gap.end, closed="left")
        self._refused.append(quarantined(refused.filter(is_here), name))
        return sound

    def _fill(
        self, holes: list[tuple[datetime, datetime]], offered: pl.DataFrame, name: str
    ) -> list[tuple[datetime, datetime]]:
        inside = _inside(offered, holes)
        if inside.is_empty():
            return holes
        self._fills.append(Fill(name, inside))
        return _without(holes, inside["open_time"], self._timeframe.duration)

    def _prove_untraded(
        self, holes: list[tuple[datetime, datetime]], silent: pl.DataFrame, name: str
    ) -> list[tuple[datetime, datetime]]:
        inside = _inside(silent, holes)["open_time"]
        for open_time in inside:
            end = open_time + self._timeframe.duration
            words = f"{name} of the same venue shows zero volume"
            self._proofs.append(Proof(open_time, end, GapClass.NO_TRADE, words))
        return _without(holes, inside, self._timeframe.duration) if len(inside) else holes

    def _prove(self, start: datetime, end: datetime, words: list[str], *, agreed: bool) -> None:
        traded, elsewhere = self._traded(start, end, words), False
        if traded:
            words.append("but the venue's own trades lie there: its record of candles has a hole")
            kind = GapClass.UNEXPLAINED
        elif agreed:
            kind = GapClass.SECOND_SOURCE
        elif traded is False:
            kind = GapClass.NO_TRADE
        else:
            kind, elsewhere = self._witnessed(start, end, words)
        text = "; ".join(words) or "nobody could be asked"
        self._proofs.append(
            Proof(
                start,
                end,
                kind,
                text,
                is_contradiction=bool(traded),
                traded_elsewhere=elsewhere,
            )
        )

    def _traded(self, start: datetime, end: datetime, words: list[str]) -> bool | None:
        if self._trades is None:
            return None
        trades = self._trades
        traded = _answer(
            lambda: trades.traded(self._symbol, start, end), "the trades endpoint", words
        )
        if traded is False:
            words.append("the venue has trades before and after, and none between")
        return traded

    def _witnessed(self, start: datetime, end: datetime, words: list[str]) -> tuple[GapClass, bool]:
        """Return the class, and whether another venue has candles there."""
        kind = GapClass.UNEXPLAINED
        gap = Gap(start, end, 0, kind)
        for other in self._elsewhere:
            offered = self._offer(other.source, other.name, gap, words)
            if offered is None:
                continue
            n_there = _inside(offered, [(start, end)]).height
            if n_there:
                words.append(
                    f"{other.name}, another venue, has {n_there} candles there (not filled in)"
                )
                return GapClass.UNEXPLAINED, True
            if _surrounds(offered, gap):
                words.append(f"{other.name}, another venue, has none there either")
                kind = GapClass.SECOND_SOURCE
        return kind, False


def quarantined(refused: pl.DataFrame, source: str) -> pl.DataFrame:
    """Return refused rows (``cleaning.DROPPED_SCHEMA``) of ``source`` in ``QUARANTINE_SCHEMA``."""
    return refused.with_columns(pl.lit(source).alias("source")).select(
        pl.col(name).cast(kind) for name, kind in QUARANTINE_SCHEMA.items()
    )


def with_fills(rows: pl.DataFrame, fills: Sequence[Fill]) -> pl.DataFrame:
    """Return ``rows`` with the candles of ``fills``, ascending; of two for one time the first."""
    every = pl.concat([empty_candles(), rows, *(fill.rows for fill in fills)])
    return every.unique("open_time", keep="first", maintain_order=True).sort("open_time")


def _answer(ask: Callable[[], T], name: str, words: list[str]) -> T | None:
    try:
        return ask()
    except RateLimitedError:
        raise
    except TradingPipelineError as error:
        words.append(f"{name} {NOT_ASKED} ({error.message})")
        return None


def _surrounds(candles: pl.DataFrame, gap: Gap) -> bool:
    times = candles["open_time"]
    return bool((times < gap.start).any()) and bool((times >= gap.end).any())


def _inside(candles: pl.DataFrame, holes: Sequence[tuple[datetime, datetime]]) -> pl.DataFrame:
    is_inside = pl.lit(value=False)
    for start, end in holes:
        is_inside |= pl.col("open_time").is_between(start, end, closed="left")
    return candles.filter(is_inside)


def _without(
    holes: Sequence[tuple[datetime, datetime]], times: pl.Series, length: timedelta
) -> list[tuple[datetime, datetime]]:
    """Return what is left of ``holes`` when the bars that open at ``times`` are taken out."""
    left: list[tuple[datetime, datetime]] = []
    for hole_start, end in holes:
        start = hole_start
        for taken in times.sort():
            if start <= taken < end:
                if start < taken:
                    left.append((start, taken))
                start = taken + length
        if start < end:
            left.append((start, end))
    return left
