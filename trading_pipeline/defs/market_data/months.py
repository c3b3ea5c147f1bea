"""How a month of candles is fetched and validated: for the assets, and for the candle job."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl

from trading_pipeline import wiring
from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline.config import Settings
from trading_pipeline.core.candles import conform, empty_candles
from trading_pipeline.core.fingerprint import Fingerprintable, fingerprint
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.defs.io_managers import REVISIONS, Made, StoredTable, commit, make_and_commit
from trading_pipeline.defs.market_data.gap_repair import QUARANTINE, GapRepair
from trading_pipeline.defs.market_data.quality_notes import (
    gap_rows,
    gap_table,
    notes_of,
    proofs_from,
    quality_from,
    quality_metadata,
)
from trading_pipeline.defs.metadata import picture, standard_metadata
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.market_data.gaps import find_gaps
from trading_pipeline.market_data.quality import assess
from trading_pipeline.market_data.revisions import count_revisions
from trading_pipeline.wiring import VenueAccess

GAPS = "candle_gaps"
"""Table of missing bars with class and evidence; unexplained ones are in quarantine."""


class RawMonths:
    """Months of candles as the source gives them; the source's clock is read once.

    Parameters
    ----------
    settings : Settings
    venue : VenueAccess
    stored : StoredTable
        The stored ``raw_candles``.
    ask_again : bool
        Ask about known gaps once more.
    """

    def __init__(
        self,
        settings: Settings,
        venue: VenueAccess,
        stored: StoredTable,
        *,
        ask_again: bool = False,
    ) -> None:
        self._venue = venue
        self._universe = wiring.universe(settings)
        self._repair = GapRepair(settings, venue, stored, ask_again=ask_again)
        self._timeframe = settings.market.timeframe
        self._source = venue.source()
        self._closed_until = self._timeframe.floor(venue.closed_by())

    def mark(self, cell: Cell) -> str:
        """Return the input fingerprint: what the source has, under which names, until when."""
        content = self._source.fingerprint(cell.named_symbol, self._timeframe)
        name, timeframe = self._source.name, self._timeframe.name
        asked: list[Fingerprintable] = [
            [symbol.key, since, until]
            for symbol, since, until in self._names(
                cell.named_symbol, cell.named_month.start, cell.named_month.end
            )
        ]
        return fingerprint(2, name, cell.key, timeframe, content, self._as_of(cell), asked)

    def make(self, cell: Cell, *, since: datetime | None = None) -> Made:
        """Fetch a month, or only what opened from ``since`` on."""
        symbol, month = cell.named_symbol, cell.named_month
        start = month.start if since is None else max(since, month.start)
        # What closes while months are fetched belongs to the next time, or the notes were wrong.
        fetched = self._fetch(symbol, start, self._as_of(cell))
        if since is None:
            made = self._repair.apply(cell, fetched, self._as_of(cell))
        else:
            made = self._repair.newest(cell, fetched, since)
        notes = {
            "source": self._source.name,
            "as_of": self._as_of(cell).isoformat(),
            "dropped": self._venue.dropped_rows(symbol, month),
            "sources": self._venue.source_counts(symbol, month, fetched.height),
            **made.notes,
        }
        # A venue is asked again and merged; files are the whole truth about their months.
        is_venue = self._source.fingerprint(symbol, self._timeframe) is None
        return Made(
            made.rows,
            notes,
            companions={QUARANTINE: made.quarantine},
            merge=is_venue,
            revisions=made.revisions,
            notes_after=newest_notes,
        )

    def _fetch(self, symbol: Symbol, start: datetime, end: datetime) -> pl.DataFrame:
        parts = [
            self._source.candles(name, self._timeframe, since, until)
            for name, since, until in self._names(symbol, start, end)
        ]
        return pl.concat([empty_candles(), *parts])

    def _names(
        self, symbol: Symbol, start: datetime, end: datetime
    ) -> Iterator[tuple[Symbol, datetime, datetime]]:
        listing = self._universe.listing(symbol)
        return listing.names(*listing.clip(start, end))

    def describe(self, _: Cell, __: pl.DataFrame, notes: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the UI shows of a month."""
        dropped = notes["dropped"]
        return {
            "source": notes["source"],
            "asked_until": notes["as_of"],
            "dropped_rows": sum(dropped.values()),
            "gaps_asked_about": len(notes.get("asked", ())),
            **({"repair": stopped} if (stopped := notes.get("repair_stopped")) else {}),
            **{f"rows from {name}": n for name, n in notes.get("sources", {}).items()},
            **{f"dropped: {reason}": n for reason, n in dropped.items()},
        }

    def _as_of(self, cell: Cell) -> datetime:
        month = cell.named_month
        return max(month.start, min(month.end, self._closed_until))


def newest_notes(stored: Mapping[str, Any], new: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the notes of who asked the source last: a slow writer turns no clock back."""
    return stored if stored.get("as_of", "") > new["as_of"] else new


class ValidatedMonths:
    """Months of candles with every missing bar classed.

    Parameters
    ----------
    settings : Settings
    raw : StoredTable
        The stored ``raw_candles``.
    newest : Month, optional
        The month that is shown with the coverage of the whole history; without it none is.
    """

    def __init__(self, settings: Settings, raw: StoredTable, newest: Month | None = None) -> None:
        self._settings = settings
        self._market = settings.market
        self._newest = newest
        self._universe = wiring.universe(settings)
        self._raw = raw
        self._revisions = raw.beside(REVISIONS)
        self._quarantine = raw.beside(QUARANTINE)

    def mark(self, cell: Cell) -> str:
        """Return the input fingerprint: own candles, those of the other symbols, the listing."""
        witnesses = self._witnesses(cell)
        return fingerprint(
            2,
            self._raw.content(cell),
            {other.key: self._raw.content(other) for other in witnesses},
            self._listed(cell),
            self._universe.listing(cell.named_symbol).delisted,
            self._revisions.content(cell),
            self._quarantine.content(cell),
        )

    def make(self, cell: Cell) -> Made:
        """Validate a month."""
        month, timeframe = cell.named_month, self._market.timeframe
        listing = self._universe.listing(cell.named_symbol)
        stored = conform(self._raw.rows(cell))
        alive = listing.alive_rows(stored)
        notes = self._raw.notes(cell)
        as_of = datetime.fromisoformat(notes["as_of"])
        # Another writer may have added rows since the notes were read; they come the next time.
        rows = alive.filter(pl.col("open_time") + timeframe.duration <= as_of)
        others: dict[Symbol, list[pl.Series]] = {}
        for other in self._witnesses(cell):
            others.setdefault(other.named_symbol, []).append(self._raw.rows(other)["open_time"])
        gaps = find_gaps(
            rows["open_time"],
            timeframe,
            month.start,
            month.end,
            venue=self._market.venue,
            others=[pl.concat(parts) for parts in others.values()],
            proofs=proofs_from(notes),
            listed=self._listed(cell),
            delisted=listing.delisted,
            now=as_of,
        )
        outside = {"outside its listing": len(stored) - len(alive)}
        repaired, revised = self._changes(cell)
        quality = assess(
            rows,
            timeframe,
            month,
            gaps,
            {**notes["dropped"], **outside},
            as_of,
            repaired=repaired,
            revised=revised,
            quarantined=self._n_quarantined(cell),
        )
        told = {**notes_of(quality), "as_of": notes["as_of"]}
        return Made(rows, told, companions={GAPS: gap_table(quality.gaps)})

    def _changes(self, cell: Cell) -> tuple[int, int]:
        if self._revisions.manifest(cell) is None:
            return 0, 0
        return count_revisions(self._revisions.rows(cell))

    def _n_quarantined(self, cell: Cell) -> int:
        manifest = self._quarantine.manifest(cell)
        return manifest.n_rows if manifest else 0

    def describe(self, cell: Cell, rows: pl.DataFrame, notes: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the UI shows of a month: counts, gaps, a picture."""
        from trading_pipeline.adapters.reports.pictures import close_picture

        shown = quality_metadata(quality_from(cell.named_month, notes))
        if cell.month == self._newest:
            shown |= self._whole_history(cell.named_month)
        if rows.is_empty():
            return shown
        title = f"{cell.named_symbol} {self._market.timeframe}, {cell.named_month}"
        return shown | {"plot": picture(close_picture(rows, gap_rows(notes), title=title))}

    def _whole_history(self, last: Month) -> dict[str, Any]:
        from trading_pipeline.adapters.reports.coverage_picture import coverage_picture

        symbols, first = self._market.enabled_symbols, Month.parse(self._market.history_start)
        found = wiring.coverage(self._settings, symbols, first, last)
        title = f"Missing {self._market.timeframe} candles by month, {self._market.venue}"
        return {"coverage": picture(coverage_picture(found, title=title))}

    def _witnesses(self, cell: Cell) -> list[Cell]:
        # A gap at the edge of a month needs candles beyond it to be seen from both sides.
        near = list(cell.named_month.shift(-1).until(cell.named_month.shift(1)))
        return [
            Cell(symbol, month)
            for symbol in self._market.enabled_symbols
            for month in near
            if symbol != cell.symbol and self._raw.manifest(Cell(symbol, month)) is not None
        ]

    def _listed(self, cell: Cell) -> datetime | None:
        listed = self._universe.listing(cell.named_symbol).listed
        if listed is not None:
            return listed
        first = Month.parse(self._market.history_start)
        return self._raw.first_open_time(cell.named_symbol, first, cell.named_month)


def unsettled_months(raw: StoredTable, symbol: Symbol, newest: Month) -> list[Month]:
    """Return the months up to ``newest`` that may lack candles, oldest first.

    A stored month is settled once its source was asked beyond its end. What lies between the
    newest stored month and ``newest``, such as an outage over a month's end, was never asked for.
    """
    stored = [month for month in raw.months(symbol) if month < newest]
    asked = {month: raw.notes(Cell(symbol, month)).get("as_of", "") for month in stored}
    unfinished = [month for month in stored if asked[month] < month.end.isoformat()]
    unseen = list(stored[-1].shift(1).until(newest.shift(-1))) if stored else []
    return [*unfinished, *unseen, newest]


@dataclass(frozen=True, slots=True)
class RefreshedMonth:
    """The tables of a month after a refresh, and what the UI is told where something was new."""

    candles: StoredTable
    metadata: Mapping[str, Mapping[str, Any]]


def refresh_newest(
    cell: Cell, settings: Settings, lake: Lake, venue: VenueAccess
) -> RefreshedMonth:
    """Bring what closed since the newest stored candle of a month, and validate the month."""
    raw = StoredTable(lake, settings, "raw_candles")
    months = RawMonths(settings, venue, raw)
    stored, mark = raw.manifest(cell), months.mark(cell)
    metadata: dict[str, Mapping[str, Any]] = {}
    if stored is None or stored.fingerprint != mark:
        since = datetime.fromisoformat(stored.last) if stored and stored.last else None
        made = months.make(cell, since=None if settings.market.candle_files else since)
        if stored is not None and since is not None:
            made = replace(made, notes=_with_new_rows(stored.notes, made, since))
        # Not the mark of a whole fetch: the refresh is to ask for corrections all the same.
        kept = commit(lake, raw, cell, made, mark if since is None else fingerprint("newest", mark))
        shown = months.describe(cell, made.rows, kept.notes)
        metadata["raw_candles"] = {**standard_metadata(kept, is_current=False), **shown}
    validated = ValidatedMonths(settings, StoredTable(lake, settings, "raw_candles"))
    table = StoredTable(lake, settings, "candles")
    before = table.manifest(cell)
    if before is None or before.fingerprint != validated.mark(cell):

        def make() -> Made:
            # Made again, it is made from the candles that are there by then.
            stored = StoredTable(lake, settings, "raw_candles")
            return ValidatedMonths(settings, stored).make(cell)

        made, kept = make_and_commit(lake, table, cell, make, validated.mark(cell))
        shown = validated.describe(cell, made.rows, kept.notes)
        metadata["candles"] = {**standard_metadata(kept, is_current=False), **shown}
    return RefreshedMonth(StoredTable(lake, settings, "candles"), metadata)


def _with_new_rows(before: Mapping[str, Any], made: Made, since: datetime) -> Mapping[str, Any]:
    """Return the notes of ``made`` with the sources of the whole month, not of its end alone."""
    new = made.rows.filter(pl.col("open_time") > since).height
    known = dict(before.get("sources", {}))
    for name in made.notes["sources"] if new and known else ():
        known[name] = known.get(name, 0) + new
        break
    return {**made.notes, "sources": known or made.notes["sources"]}
