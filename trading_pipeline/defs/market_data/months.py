"""How a month of candles is fetched and validated: for the assets, and for the candle job."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline.config import Settings
from trading_pipeline.core.candles import conform
from trading_pipeline.core.fingerprint import fingerprint
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.defs.io_managers import Made, StoredTable, commit
from trading_pipeline.defs.market_data.quality_notes import (
    gap_rows,
    notes_of,
    quality_from,
    quality_metadata,
)
from trading_pipeline.defs.metadata import picture, standard_metadata
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.market_data.gaps import find_gaps
from trading_pipeline.market_data.quality import assess
from trading_pipeline.wiring import VenueAccess


class RawMonths:
    """Months of candles as the source gives them; the source's clock is read once."""

    def __init__(self, settings: Settings, venue: VenueAccess) -> None:
        self._venue = venue
        self._timeframe = settings.market.timeframe
        self._source = venue.source()
        self._closed_until = self._timeframe.floor(self._source.now())

    def mark(self, cell: Cell) -> str:
        """Return the input fingerprint: what the source has, and until when it was asked."""
        content = self._source.fingerprint(cell.named_symbol, self._timeframe)
        name, timeframe = self._source.name, self._timeframe.name
        return fingerprint(1, name, cell.key, timeframe, content, self._as_of(cell))

    def make(self, cell: Cell, *, since: datetime | None = None) -> Made:
        """Fetch a month, or only what opened from ``since`` on."""
        symbol, month = cell.named_symbol, cell.named_month
        start = month.start if since is None else since
        rows = self._source.candles(symbol, self._timeframe, start, month.end)
        notes = {
            "source": self._source.name,
            "as_of": self._as_of(cell).isoformat(),
            "dropped": self._venue.dropped_rows(symbol, month),
        }
        # A venue is asked again and merged; files are the whole truth about their months.
        is_venue = self._source.fingerprint(symbol, self._timeframe) is None
        return Made(rows, notes, merge=is_venue)

    def describe(self, _: Cell, __: pl.DataFrame, notes: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the UI shows of a month."""
        dropped = notes["dropped"]
        return {
            "source": notes["source"],
            "asked_until": notes["as_of"],
            "dropped_rows": sum(dropped.values()),
            **{f"dropped: {reason}": n for reason, n in dropped.items()},
        }

    def _as_of(self, cell: Cell) -> datetime:
        month = cell.named_month
        return max(month.start, min(month.end, self._closed_until))


class ValidatedMonths:
    """Months of candles with every missing bar classed."""

    def __init__(self, settings: Settings, raw: StoredTable) -> None:
        self._market = settings.market
        self._raw = raw

    def mark(self, cell: Cell) -> str:
        """Return the input fingerprint: own candles, those of the other symbols, the listing."""
        witnesses = self._witnesses(cell)
        return fingerprint(
            1,
            self._raw.content(cell),
            {other.key: self._raw.content(other) for other in witnesses},
            self._listed(cell),
        )

    def make(self, cell: Cell) -> Made:
        """Validate a month."""
        month, timeframe = cell.named_month, self._market.timeframe
        rows = conform(self._raw.rows(cell))
        notes = self._raw.notes(cell)
        as_of = datetime.fromisoformat(notes["as_of"])
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
            listed=self._listed(cell),
            now=as_of,
        )
        quality = assess(rows, timeframe, month, gaps, notes["dropped"], as_of)
        return Made(rows, notes_of(quality))

    def describe(self, cell: Cell, rows: pl.DataFrame, notes: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the UI shows of a month: counts, gaps, a picture."""
        from trading_pipeline.adapters.reports.pictures import close_picture

        shown = quality_metadata(quality_from(cell.named_month, notes))
        if rows.is_empty():
            return shown
        title = f"{cell.named_symbol} {self._market.timeframe}, {cell.named_month}"
        return shown | {"plot": picture(close_picture(rows, gap_rows(notes), title=title))}

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
    months = RawMonths(settings, venue)
    stored, mark = raw.manifest(cell), months.mark(cell)
    metadata: dict[str, Mapping[str, Any]] = {}
    if stored is None or stored.fingerprint != mark:
        since = datetime.fromisoformat(stored.last) if stored and stored.last else None
        made = months.make(cell, since=None if settings.market.candle_files else since)
        # Not the mark of a whole fetch: the refresh is to ask for corrections all the same.
        kept = commit(lake, raw, cell, made, mark if since is None else fingerprint("newest", mark))
        shown = months.describe(cell, made.rows, kept.notes)
        metadata["raw_candles"] = {**standard_metadata(kept, is_current=False), **shown}
    validated = ValidatedMonths(settings, StoredTable(lake, settings, "raw_candles"))
    table = StoredTable(lake, settings, "candles")
    before = table.manifest(cell)
    if before is None or before.fingerprint != validated.mark(cell):
        made = validated.make(cell)
        kept = commit(lake, table, cell, made, validated.mark(cell))
        shown = validated.describe(cell, made.rows, kept.notes)
        metadata["candles"] = {**standard_metadata(kept, is_current=False), **shown}
    return RefreshedMonth(StoredTable(lake, settings, "candles"), metadata)
