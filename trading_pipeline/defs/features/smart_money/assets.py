"""Smart-money features, by month and symbol."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.fingerprint import fingerprint
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.defs.blueprints import months, pipeline_asset
from trading_pipeline.defs.io_managers import Made, RangeOutput, StoredTable
from trading_pipeline.defs.metadata import picture
from trading_pipeline.defs.partitions import Cell, last_month, rows_of

if TYPE_CHECKING:
    from trading_pipeline.smart_money.reading import MarketReading

_SHOWN_BARS = 168
# Indicators of the settings that are drawn with it.
_DRAWN = ("ema", "rsi")
_PICTURE_PX, _MOST_BYTES = 1000, 60_000
_VERSION = 1


@pipeline_asset("features", reads={"candles": months(-1, 0)}, kinds={"numba"}, code_version="1")
def smart_money_features(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    candles: StoredTable,
) -> RangeOutput:
    """Swings, breaks of structure, order blocks, gaps, liquidity, sessions of one symbol and month.

    Nothing is drawn with hindsight: a swing enters the bar at whose close it is known, and no row
    is rewritten. Distances are in average true ranges, ages in bars; null where there is nothing
    (no block waits, no swing is known). Computed from the start of the history: a month that is
    made alone equals, bit for bit, the same month of a full run. The log of events is stored
    beside it as `smart_money_events`.
    """
    chosen = wiring.smart_money_settings(settings)
    first, last = Month.parse(settings.market.history_start), last_month(context)

    @cache
    def whole(symbol: Symbol) -> "MarketReading":
        from trading_pipeline.smart_money.reading import read_market

        return read_market(candles.between(symbol, first, last), chosen)

    def mark(cell: Cell) -> str:
        seen = candles.contents(cell.named_symbol, first, cell.named_month)
        return fingerprint(_VERSION, settings.smart_money.model_dump(mode="json"), seen)

    def make(cell: Cell) -> Made:
        reading = whole(cell.named_symbol)
        events = reading.events_between(cell.named_month.start, cell.named_month.end)
        rows = rows_of(reading.features, cell.named_month)
        return Made(rows, {"events": events.height}, {"smart_money_events": events})

    def describe(cell: Cell, rows: pl.DataFrame, notes: Mapping[str, Any]) -> Mapping[str, Any]:
        told: dict[str, Any] = {"events": notes["events"]}
        if rows.is_empty():
            return told
        from trading_pipeline.adapters.reports.market_picture import market_png
        from trading_pipeline.adapters.reports.market_view import market_view

        view = market_view(
            whole(cell.named_symbol),
            title=cell.named_symbol.pair,
            subtitle=f"{settings.market.venue}, {settings.market.base_timeframe}",
            last=rows["open_time"][-1],
            n_bars=_SHOWN_BARS,
            requests=[r for r in wiring.indicator_requests(settings) if r.indicator in _DRAWN],
        )
        drawn = market_png(view, width_px=_PICTURE_PX, most_bytes=_MOST_BYTES)
        return told | {"plot": picture(drawn)}

    return RangeOutput(context, mark, make, describe)
