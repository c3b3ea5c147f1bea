"""Repair while a month of raw candles is made: what is asked about, and what is kept of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

import polars as pl

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.candles import empty_candles
from trading_pipeline.core.errors import MalformedReplyError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.defs.io_managers import StoredTable
from trading_pipeline.defs.market_data.quality_notes import proof_notes, proofs_from
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.market_data.cleaning import describe_counts, sort_out
from trading_pipeline.market_data.gaps import NOBODY_ASKED, Gap, GapClass, Proof, find_gaps
from trading_pipeline.market_data.repair import (
    NOT_ASKED,
    QUARANTINE_SCHEMA,
    Fill,
    Repair,
    quarantined,
    repair_gaps,
    with_fills,
)
from trading_pipeline.market_data.revisions import Revisions
from trading_pipeline.market_data.universe import Listing
from trading_pipeline.wiring import VenueAccess

QUARANTINE = "quarantined_candles"


@dataclass(frozen=True, slots=True)
class RepairedMonth:
    """A fetched month after repair: its candles, what to note, and what was refused."""

    rows: pl.DataFrame
    notes: Mapping[str, Any]
    quarantine: pl.DataFrame
    revisions: Revisions


class GapRepair:
    """Asks about the gaps of months as they are fetched.

    Parameters
    ----------
    settings : Settings
    venue : VenueAccess
    raw : StoredTable
        The stored ``raw_candles``: what was asked before is not asked again.
    ask_again : bool
        Ask about every gap once more, those that were never asked about first.
    """

    def __init__(
        self, settings: Settings, venue: VenueAccess, raw: StoredTable, *, ask_again: bool = False
    ) -> None:
        self._market = settings.market
        self._universe = wiring.universe(settings)
        self._venue = venue
        self._raw = raw
        self._ask_again = ask_again

    def apply(self, cell: Cell, fetched: pl.DataFrame, as_of: datetime) -> RepairedMonth:
        """Return a whole fetched month with what repair found, or could not find.

        Raises
        ------
        MalformedReplyError
            If more than half of the fetched rows break the candle contract.
        """
        rows, refused = self._sorted_out(cell, fetched)
        gaps = self._open_gaps(cell, rows, as_of)
        known = proofs_from(self._raw.notes(cell))
        chosen = _chosen(gaps, ask_again=self._ask_again)
        found = self._ask(cell, chosen) if chosen else Repair()
        proofs = _still_needed([*_untouched(known, found.proofs), *found.proofs], gaps, found.fills)
        # Asked again, the venue offers the same row again.
        quarantine = pl.concat([refused, found.refused]).unique(maintain_order=True)
        notes = {"asked": proof_notes(proofs), "repair_stopped": found.stopped}
        revisions = Revisions(self._venue.source().name, self._venue.clock().now(), found.fills)
        return RepairedMonth(with_fills(rows, found.fills), notes, quarantine, revisions)

    def newest(self, cell: Cell, fetched: pl.DataFrame, since: datetime) -> RepairedMonth:
        """Return what opened from ``since`` on, sorted out but not repaired: this has to be quick.

        What is known of the month so far stays.
        """
        rows, refused = self._sorted_out(cell, fetched)
        before = self._quarantine_before(cell).filter(pl.col("open_time") < since)
        known = self._raw.notes(cell)
        notes = {name: known[name] for name in ("asked", "repair_stopped") if name in known}
        revisions = Revisions(self._venue.source().name, self._venue.clock().now())
        return RepairedMonth(rows, notes, pl.concat([before, refused]), revisions)

    def _quarantine_before(self, cell: Cell) -> pl.DataFrame:
        table = self._raw.beside(QUARANTINE)
        if table.manifest(cell) is None:
            return pl.DataFrame(schema=QUARANTINE_SCHEMA)
        return table.rows(cell)

    def _sorted_out(self, cell: Cell, fetched: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        rows, dropped = sort_out(fetched, self._market.timeframe)
        if 2 * len(dropped) > len(fetched):
            counts = dict(dropped.group_by("reason").len().iter_rows())
            raise MalformedReplyError(
                f"{self._venue.source().name} answered {len(fetched):,} rows for {cell.key}, of "
                f"which {len(dropped):,} are no candles ({describe_counts(counts)}); nothing of "
                "them is stored, try again later",
                venue=self._market.venue,
                symbol=cell.named_symbol.key,
            )
        return rows, quarantined(dropped, self._venue.source().name)

    def _open_gaps(self, cell: Cell, rows: pl.DataFrame, as_of: datetime) -> tuple[Gap, ...]:
        month, timeframe = cell.named_month, self._market.timeframe
        listing = self._universe.listing(cell.named_symbol)
        stored = self._raw.rows(cell) if self._raw.manifest(cell) is not None else empty_candles()
        times = pl.concat([rows["open_time"], stored["open_time"]]).unique().sort()
        first = Month.parse(self._market.history_start)
        born = self._raw.first_open_time(cell.named_symbol, first, month)
        gaps = find_gaps(
            times,
            timeframe,
            month.start,
            month.end,
            venue=self._market.venue,
            proofs=proofs_from(self._raw.notes(cell)),
            listed=listing.listed or born,
            delisted=listing.delisted,
            now=as_of,
        )
        # What the venue has not published yet is not missing.
        is_over = as_of >= month.end
        return tuple(
            gap
            for gap in gaps
            if gap.kind is not GapClass.LISTED_HALT and (is_over or gap.end < as_of)
        )

    def _ask(self, cell: Cell, gaps: Sequence[Gap]) -> Repair:
        source, timeframe = self._venue.source(), self._market.timeframe
        listing = self._universe.listing(cell.named_symbol)
        is_venue = source.fingerprint(cell.named_symbol, timeframe) is None
        parts = [part for gap in gaps for part in _by_name(gap, listing, timeframe)]
        n_names, left = len({name for name, _ in parts}), self._market.repair_gaps_per_month
        found: list[Repair] = []
        for name, group in groupby(parts, key=lambda part: part[0]):
            mine = [gap for _, gap in group]
            repair = repair_gaps(
                mine,
                name,
                timeframe,
                venue=source if is_venue else None,
                venue_name=source.name,
                second_sources=self._venue.second_sources(),
                trades=self._venue.trades(),
                record=self._venue.record(),
                most=left,
            )
            if repair.stopped and n_names > 1:
                repair = replace(repair, stopped=f"under the name {name}: {repair.stopped}")
            found.append(repair)
            left -= len(mine)
            if repair.stopped:
                break
        return _joined(found)


def _chosen(gaps: Sequence[Gap], *, ask_again: bool) -> list[Gap]:
    """Return the gaps to ask about: those that are new, or that somebody did not answer, first."""
    unasked = [gap for gap in gaps if gap.evidence == NOBODY_ASKED or NOT_ASKED in gap.evidence]
    if not ask_again:
        return unasked
    return [*unasked, *(gap for gap in gaps if gap not in unasked)]


def _by_name(gap: Gap, listing: Listing, timeframe: Timeframe) -> Iterator[tuple[Symbol, Gap]]:
    """Yield the parts of a gap; a bar belongs to the name under which it opened."""
    for name, since, until in listing.names(gap.start, gap.end):
        start, end = _next_open(since, timeframe), _next_open(until, timeframe)
        if start < end:
            n_bars = (end - start) // timeframe.duration
            yield name, replace(gap, start=start, end=end, n_bars=n_bars)


def _next_open(at: datetime, timeframe: Timeframe) -> datetime:
    opened = timeframe.floor(at)
    return opened if opened == at else opened + timeframe.duration


def _joined(repairs: Sequence[Repair]) -> Repair:
    return Repair(
        tuple(fill for repair in repairs for fill in repair.fills),
        tuple(proof for repair in repairs for proof in repair.proofs),
        pl.concat([pl.DataFrame(schema=QUARANTINE_SCHEMA), *(r.refused for r in repairs)]),
        repairs[-1].stopped,
    )


def _untouched(known: Sequence[Proof], found: Sequence[Proof]) -> list[Proof]:
    return [old for old in known if not any(_overlap(old, new) for new in found)]


def _still_needed(
    proofs: Sequence[Proof], gaps: Sequence[Gap], fills: Sequence[Fill]
) -> list[Proof]:
    filled = {at for fill in fills for at in fill.rows["open_time"]}
    return [
        proof
        for proof in proofs
        if any(_overlap(proof, gap) for gap in gaps) and proof.start not in filled
    ]


def _overlap(one: Gap | Proof, other: Gap | Proof) -> bool:
    return one.start < other.end and other.start < one.end
