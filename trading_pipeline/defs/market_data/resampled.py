"""How a month of longer candles is made, and how it is read."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from trading_pipeline.config import Settings
from trading_pipeline.core.fingerprint import fingerprint
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.defs.io_managers import Made, StoredTable
from trading_pipeline.defs.market_data.quality_notes import asked_until, gap_rows, gaps_from
from trading_pipeline.defs.metadata import picture
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.market_data.adding_up import contradictions
from trading_pipeline.market_data.resampling import (
    RESAMPLED_SCHEMA,
    LeftOut,
    LeftOutReason,
    mixed,
    resample,
)

# Bars that could not be made and that the notes name; the others are counted.
_NAMED = 20


class ResampledMonths:
    """Months of longer candles, from the validated ones."""

    def __init__(self, settings: Settings, candles: StoredTable) -> None:
        self._base = settings.market.timeframe
        self._contexts = settings.market.contexts
        self._candles = candles

    def mark(self, cell: Cell) -> str:
        """Return the input fingerprint: the candles with their gaps, and what is made of them."""
        names = [timeframe.name for timeframe in self._contexts]
        return fingerprint(1, self._candles.content(cell), names)

    def make(self, cell: Cell) -> Made:
        """Make every context timeframe of a month; none of their bars crosses a month."""
        rows, notes = self._candles.rows(cell), self._candles.notes(cell)
        as_of, gaps = asked_until(notes, cell), gaps_from(notes)
        made = {
            timeframe: resample(rows, self._base, timeframe, closed_until=as_of, gaps=gaps)
            for timeframe in self._contexts
        }
        table = mixed({timeframe: found.candles for timeframe, found in made.items()})
        told = {
            "base_timeframe": self._base.name,
            "as_of": as_of.isoformat(),
            "rows": {timeframe.name: found.candles.height for timeframe, found in made.items()},
            "left_out": {t.name: _left_out_notes(found.left_out) for t, found in made.items()},
        }
        return Made(table, told)

    def describe(self, cell: Cell, rows: pl.DataFrame, notes: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the UI shows of a month: rows, bars that could not be made, a picture."""
        from trading_pipeline.adapters.reports.pictures import close_picture

        shown: dict[str, Any] = {
            "made from": notes["base_timeframe"],
            "asked_until": notes["as_of"],
        }
        for name, count in notes["rows"].items():
            shown[f"rows, {name}"] = count
            for reason, n in notes["left_out"][name]["counts"].items():
                shown[f"left out, {name}: {reason}"] = n
        shortest = min(notes["rows"], key=lambda name: Timeframe(name).seconds, default=None)
        if shortest is None or rows.is_empty():
            return shown
        title = f"{cell.named_symbol} {shortest} from {notes['base_timeframe']}, {cell.named_month}"
        bars, gaps = of_timeframe(rows, Timeframe(shortest)), gap_rows(self._candles.notes(cell))
        return shown | {"plot": picture(close_picture(bars, gaps, title=title))}

    def contradictions(self, cell: Cell, stored: StoredTable) -> list[str]:
        """Return what the stored bars of a month get wrong about its candles."""
        # Candles may have closed since the bars were made; these are judged by what was there then.
        rows, as_of = stored.rows(cell), datetime.fromisoformat(stored.notes(cell)["as_of"])
        is_closed = pl.col("open_time") + self._base.duration <= as_of
        candles = self._candles.rows(cell).filter(is_closed)
        unknown = set(rows["timeframe"]) - {timeframe.name for timeframe in self._contexts}
        found = [f"{name} is not asked for" for name in sorted(unknown)]
        for timeframe in self._contexts:
            bars = of_timeframe(rows, timeframe)
            found += contradictions(candles, bars, self._base, timeframe, closed_until=as_of)
        return found


def of_timeframe(rows: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
    """Return the bars of one timeframe among rows of ``resampled_candles``."""
    return rows.filter(pl.col("timeframe") == timeframe.name).select(list(RESAMPLED_SCHEMA))


def context_candles(
    resampled: StoredTable, timeframe: Timeframe, symbol: Symbol, first: Month, last: Month
) -> pl.DataFrame:
    """Return the bars of one context timeframe over a range of months, oldest first.

    Raises
    ------
    PartitionNotFoundError
        If no month of the range was materialised.
    """
    return of_timeframe(resampled.between(symbol, first, last), timeframe)


def _left_out_notes(bars: tuple[LeftOut, ...]) -> dict[str, Any]:
    # The bar that still runs is no news, so that it must not push another off the list.
    told = sorted(bars, key=lambda bar: bar.reason is LeftOutReason.NOT_CLOSED)
    return {
        "counts": dict(Counter(bar.reason.value for bar in bars)),
        "named": [
            {
                "open_time": bar.open_time.isoformat(),
                "n_bars": bar.n_bars,
                "n_missing": bar.n_missing,
                "reason": bar.reason.value,
            }
            for bar in told[:_NAMED]
        ],
    }
