"""Indicators, features and labels, by month and symbol."""

from collections.abc import Mapping
from functools import cache
from math import ceil
from typing import Any

import dagster as dg
import polars as pl

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.fingerprint import Fingerprintable, fingerprint
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.defs.blueprints import months, pipeline_asset
from trading_pipeline.defs.io_managers import Made, RangeOutput, StoredTable
from trading_pipeline.defs.market_data.quality_notes import gaps_from
from trading_pipeline.defs.metadata import picture
from trading_pipeline.defs.partitions import Cell, last_month, rows_of
from trading_pipeline.market_data.gaps import Gap, GapClass, blocked_rows

_SHORTEST_MONTH_S = 28 * 86_400


@pipeline_asset("features", reads={"candles": months(-1, 0)}, kinds={"numba"}, code_version="1")
def indicator_features(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    candles: StoredTable,
) -> RangeOutput:
    """Technical indicators of one symbol and month; null during their warm-up.

    Computed from the start of the history, because moving averages of Wilder and the EMA remember
    everything: a month that is made alone equals, bit for bit, the same month of a full run.
    """
    from trading_pipeline.indicators.catalog import indicator_frame

    requests = wiring.indicator_requests(settings)
    recipe = {request.name: dict(request.parameters) for request in requests}
    first, last = Month.parse(settings.market.history_start), last_month(context)

    @cache
    def whole(symbol: Symbol) -> pl.DataFrame:
        return indicator_frame(candles.between(symbol, first, last), requests)

    def mark(cell: Cell) -> str:
        seen = candles_seen(candles, cell.named_symbol, first, cell.named_month)
        return fingerprint(1, recipe, seen)

    return RangeOutput(
        context, mark, lambda cell: Made(rows_of(whole(cell.named_symbol), cell.named_month))
    )


@pipeline_asset(
    "features",
    reads={"candles": months(-1, 0), "indicator_features": months()},
    kinds={"polars"},
    code_version="1",
)
def feature_matrix(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    candles: StoredTable,
    indicator_features: StoredTable,
) -> RangeOutput:
    """What models see: stationary features of one symbol and month, one row per candle.

    No column is a price or another level without a scale. A row is null in every feature during
    the warm-up, and where a window would reach over an unexplained gap.
    """
    from trading_pipeline.features.build import build_features, feature_reach
    from trading_pipeline.indicators.catalog import longest_window

    timeframe = settings.market.timeframe
    requests, options = wiring.indicator_requests(settings), wiring.feature_settings(settings)
    reach = max(longest_window(requests), feature_reach(options) + 1)
    back = months_of(reach, timeframe)
    recipe = {
        "features": settings.features.model_dump(mode="json"),
        "indicators": settings.indicators.model_dump(mode="json"),
    }

    def mark(cell: Cell) -> str:
        symbol, month = cell.named_symbol, cell.named_month
        seen = candles_seen(candles, symbol, month.shift(-back), month)
        indicators = indicator_features.contents(symbol, month.shift(-back), month)
        return fingerprint(1, recipe, seen, indicators)

    def make(cell: Cell) -> Made:
        symbol, month = cell.named_symbol, cell.named_month
        known = candles.between(symbol, month.shift(-back), month)
        blocked = blocked_rows(
            known["open_time"],
            gaps_between(candles, symbol, month.shift(-back), month),
            reach,
            timeframe,
        )
        indicators = indicator_features.between(symbol, month.shift(-back), month)
        rows = rows_of(build_features(known, indicators, blocked, options), month)
        is_null = rows.select(pl.any_horizontal(pl.exclude("open_time").is_null())).to_series()
        n_blocked = int(blocked[known["open_time"].dt.epoch("us").to_numpy() >= _us(month)].sum())
        return Made(rows, {"null_rows": int(is_null.sum()), "blocked_rows": n_blocked})

    def describe(_: Cell, rows: pl.DataFrame, notes: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "features": len(rows.columns) - 1,
            "rows_without_features": notes["null_rows"],
            "rows_blocked_by_gaps": notes["blocked_rows"],
        }

    return RangeOutput(context, mark, make, describe)


@pipeline_asset("features", reads={"candles": months(-1, 1)}, kinds={"numba"}, code_version="1")
def labels(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    candles: StoredTable,
) -> RangeOutput:
    """Triple-barrier labels of one symbol and month: which barrier the price touches first.

    The labels of a month read candles of the next one. A label whose outcome is still open is
    `immature` (null) and finishes when the next month arrives; one that touches an unexplained
    gap is `dropped`. Every label knows when it ended.
    """
    from trading_pipeline.features.labels import triple_barrier_labels

    timeframe, barriers = settings.market.timeframe, wiring.triple_barrier(settings)
    back = months_of(barriers.reach_bars, timeframe)
    ahead = months_of(barriers.horizon, timeframe)

    def mark(cell: Cell) -> str:
        symbol, month = cell.named_symbol, cell.named_month
        seen = candles_seen(candles, symbol, month.shift(-back), month.shift(ahead))
        return fingerprint(1, barriers.to_dict(), seen)

    def make(cell: Cell) -> Made:
        symbol, month = cell.named_symbol, cell.named_month
        first, last = month.shift(-back), month.shift(ahead)
        found = triple_barrier_labels(
            candles.between(symbol, first, last),
            barriers,
            timeframe,
            gaps_unexplained=gaps_between(candles, symbol, first, last),
        )
        rows = rows_of(found, month)
        data_end = candles.last_close(symbol, first, last, timeframe)
        return Made(rows, {"data_end": data_end.isoformat()})

    def describe(_: Cell, rows: pl.DataFrame, __: Mapping[str, Any]) -> Mapping[str, Any]:
        from trading_pipeline.adapters.reports.pictures import counts_picture

        counts = label_counts(rows)
        if not any(counts.values()):
            return counts
        return counts | {"plot": picture(counts_picture(counts, title="Labels of the month"))}

    return RangeOutput(context, mark, make, describe)


def months_of(bars: int, timeframe: Timeframe) -> int:
    """Return the months that ``bars`` of ``timeframe`` may touch, at least 1."""
    return max(1, ceil(bars * timeframe.seconds / _SHORTEST_MONTH_S))


def candles_seen(
    candles: StoredTable, symbol: Symbol, first: Month, last: Month
) -> dict[str, Fingerprintable]:
    """Return what features and labels see of a range of months: rows and gaps.

    What people are told beside them, such as the evidence of a gap, makes nothing again.
    """
    manifests = [candles.manifest(Cell(symbol, month)) for month in first.until(last)]
    gaps = gaps_between(candles, symbol, first, last)
    return {
        "rows": [found.whole_sha256 if found else None for found in manifests],
        "gaps": [[gap.start, gap.end, gap.n_bars, gap.kind.value] for gap in gaps],
    }


def gaps_between(
    candles: StoredTable, symbol: Symbol, first: Month, last: Month
) -> tuple[Gap, ...]:
    """Return the gaps of a range of months; a month that was never made is one unexplained gap."""
    made = [month for month in candles.months(symbol) if first <= month <= last]
    if not made:
        return ()
    gaps: list[Gap] = []
    for month in made[0].until(made[-1]):
        if month in made:
            gaps.extend(gaps_from(candles.notes(Cell(symbol, month))))
        else:
            n_bars = (month.end - month.start) // candles.timeframe.duration
            gaps.append(Gap(month.start, month.end, n_bars, GapClass.UNEXPLAINED))
    return tuple(gaps)


def label_counts(rows: pl.DataFrame) -> dict[str, int]:
    """Return how many labels are down, flat, up, immature and dropped."""
    by_value = {"down": -1, "flat": 0, "up": 1}
    counts = {name: int((rows["label"] == value).sum()) for name, value in by_value.items()}
    return counts | {
        status: int((rows["status"] == status).sum()) for status in ("immature", "dropped")
    }


def _us(month: Month) -> int:
    return int(month.start.timestamp()) * 1_000_000
