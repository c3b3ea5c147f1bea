"""Candles that are collected live, in the lake's table of raw candles."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import polars as pl

from trading_pipeline.adapters.storage.lake import Address, Lake, Manifest, month_address
from trading_pipeline.core.candles import CANDLE_SCHEMA, conform, empty_candles
from trading_pipeline.core.fingerprint import fingerprint
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.collecting import Bar
from trading_pipeline.market_data.revisions import REVISION_KEY, Revisions

RAW_CANDLES = "raw_candles"
REVISIONS = "candle_revisions"


class LakeCandles:
    """A ``CollectedCandles`` in the lake, beside what refreshes and backfills write there.

    A month that the collector has written counts as asked for up to its newest candle, which is
    true because a collector goes on where the stored candles end. It keeps the notes of others.

    Parameters
    ----------
    lake : Lake
    venue : str
    timeframe : Timeframe
    source_name : str
        What delivered the candles, for lineage.
    """

    def __init__(self, lake: Lake, venue: str, timeframe: Timeframe, source_name: str) -> None:
        self._lake = lake
        self._venue = venue
        self._timeframe = timeframe
        self._source = source_name

    def newest(self, symbol: Symbol) -> datetime | None:
        """Return the open time of the newest stored candle; None without any."""
        for month in reversed(self._months(symbol)):
            manifest = self._lake.manifest(self._address(RAW_CANDLES, symbol, month))
            if manifest is not None and manifest.last is not None:
                return datetime.fromisoformat(manifest.last)
        return None

    def since(self, symbol: Symbol, start: datetime) -> Sequence[Bar]:
        """Return the stored candles with ``open_time >= start``, oldest first."""
        months = [month for month in self._months(symbol) if month.end > start]
        frames = [
            rows
            for month in months
            if (rows := self._lake.read_if_present(self._address(RAW_CANDLES, symbol, month)))
            is not None
        ]
        rows = pl.concat([empty_candles(), *frames]).filter(pl.col("open_time") >= start)
        return [Bar(*row) for row in rows.iter_rows()]

    def write(self, symbol: Symbol, bars: Sequence[Bar], seen_at: datetime) -> None:
        """Store closed candles by month; revised ones with both values."""
        for month, group in groupby(bars, key=lambda bar: Month.of(bar.open_time)):
            rows = _frame(list(group))
            closed_by = rows["open_time"][-1] + self._timeframe.duration
            self._lake.upsert(
                self._address(RAW_CANDLES, symbol, month),
                rows,
                key="open_time",
                # Never the mark of a refresh: that is to ask the venue all the same.
                fingerprint=fingerprint("collected", closed_by),
                notes=self._notes(closed_by),
                observe=self._keep_revisions(symbol, month, seen_at),
            )

    def _notes(self, closed_by: datetime) -> Callable[[Manifest | None], Mapping[str, Any]]:
        def notes(before: Manifest | None) -> Mapping[str, Any]:
            kept = dict(before.notes) if before is not None else {}
            asked = max(str(kept.get("as_of", "")), closed_by.isoformat())
            return {"dropped": {}, "sources": {}, **kept, "source": self._source, "as_of": asked}

        return notes

    def _keep_revisions(
        self, symbol: Symbol, month: Month, seen_at: datetime
    ) -> Callable[[pl.DataFrame | None, pl.DataFrame], None]:
        revisions = Revisions(self._source, seen_at)

        def observe(stored: pl.DataFrame | None, new: pl.DataFrame) -> None:
            changes = revisions.rows(stored, new)
            if not changes.is_empty():
                self._lake.upsert(
                    self._address(REVISIONS, symbol, month),
                    changes,
                    key=REVISION_KEY,
                    fingerprint="what was seen",
                )

        return observe

    def _months(self, symbol: Symbol) -> list[Month]:
        wanted = {
            "venue": self._venue, "symbol": symbol.key, "timeframe": self._timeframe.name
        }  # fmt: skip
        found = []
        for address in self._lake.addresses(RAW_CANDLES):
            columns = dict(address.columns)
            month = columns.pop("month", None)
            if columns == wanted and month is not None:
                found.append(Month.parse(month))
        return sorted(found)

    def _address(self, table: str, symbol: Symbol, month: Month) -> Address:
        return month_address(table, self._venue, symbol, self._timeframe, month)


def _frame(bars: Sequence[Bar]) -> pl.DataFrame:
    columns = {name: [getattr(bar, name) for bar in bars] for name in CANDLE_SCHEMA}
    return conform(pl.DataFrame(columns, schema=CANDLE_SCHEMA))
