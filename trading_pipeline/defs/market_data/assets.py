"""Candles as they came, and candles that can be trusted."""

import dagster as dg

from trading_pipeline.config import Settings
from trading_pipeline.defs.blueprints import months, pipeline_asset
from trading_pipeline.defs.io_managers import RangeOutput, StoredTable
from trading_pipeline.defs.market_data.months import RawMonths, ValidatedMonths
from trading_pipeline.wiring import VenueAccess


@pipeline_asset("market_data", kinds={"parquet"}, code_version="1")
def raw_candles(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    venue: dg.ResourceParam[VenueAccess],
) -> RangeOutput:
    """Closed candles of one symbol and month, exactly as the source gave them.

    Grain: one row per candle (`open_time` in UTC, `open`, `high`, `low`, `close` in the quote
    currency, `volume` in the base currency). Closed by the venue's clock. A month of an exchange
    is asked again until it is complete and merged by `open_time`; a month from files is replaced
    when the files change. Nothing is filled.
    """
    raw = RawMonths(settings, venue)
    return RangeOutput(context, raw.mark, raw.make, raw.describe)


@pipeline_asset(
    "market_data",
    reads={"raw_candles": months(-1, 1, every_symbol=True)},
    kinds={"parquet"},
    code_version="1",
)
def candles(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    raw_candles: StoredTable,
) -> RangeOutput:
    """Validated candles of one symbol and month, with every missing bar classed.

    Same columns as `raw_candles`. A missing bar is explained if it is a listed halt of the venue
    or if every other symbol of the venue is silent in it; otherwise it is unexplained, and blocks
    the features that would reach over it and the labels that touch it. Nothing is filled.
    """
    validated = ValidatedMonths(settings, raw_candles)
    return RangeOutput(context, validated.mark, validated.make, validated.describe)
