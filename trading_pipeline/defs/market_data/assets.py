"""Candles as they came, and candles that can be trusted."""

import dagster as dg

from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline.config import Settings
from trading_pipeline.defs.blueprints import months, pipeline_asset
from trading_pipeline.defs.io_managers import RangeOutput, StoredTable
from trading_pipeline.defs.market_data.months import RawMonths, ValidatedMonths
from trading_pipeline.defs.market_data.resampled import ResampledMonths
from trading_pipeline.defs.partitions import last_month
from trading_pipeline.wiring import VenueAccess


class FetchConfig(dg.Config):
    """How months are fetched.

    With ``ask_again`` whole months are fetched again and every gap in them is asked about once
    more, also where they are complete and settled; what the venue changed since is kept as a
    revision.
    """

    ask_again: bool = False


@pipeline_asset("market_data", kinds={"parquet"}, code_version="1")
def raw_candles(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    venue: dg.ResourceParam[VenueAccess],
    lake: dg.ResourceParam[Lake],
    config: FetchConfig,
) -> RangeOutput:
    """Closed candles of one symbol and month, exactly as the source gave them.

    Grain: one row per candle (`open_time` in UTC, `open`, `high`, `low`, `close` in the quote
    currency, `volume` in the base currency). Closed by the venue's clock. A month of an exchange
    is asked again until it is complete and merged by `open_time`; a month from files is replaced
    when the files change. Gaps are asked about: only another record of the same venue may fill
    one. What changes after it was stored is in `candle_revisions` with both values, what is
    refused in `quarantined_candles`.
    """
    stored = StoredTable(lake, settings, "raw_candles")
    raw = RawMonths(settings, venue, stored, ask_again=config.ask_again)
    return RangeOutput(
        context, raw.mark, raw.make, raw.describe, is_kept=lambda _: not config.ask_again
    )


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

    Same columns as `raw_candles`, within the life of the symbol. A missing bar is explained if it
    is a listed halt of the venue, if every other symbol of the venue is silent in it, if a second
    source lacks it too, or if nobody traded in it; otherwise it is unexplained and in quarantine,
    and blocks the features that would reach over it and the labels that touch it. Every gap with
    its evidence is in `candle_gaps`.
    """
    validated = ValidatedMonths(settings, raw_candles, last_month(context))
    return RangeOutput(context, validated.mark, validated.make, validated.describe)


@pipeline_asset(
    "market_data", reads={"candles": months()}, kinds={"numba", "parquet"}, code_version="1"
)
def resampled_candles(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    candles: StoredTable,
) -> RangeOutput:
    """Candles of the context timeframes (4h and 1d by default), made from the validated ones.

    Grain: one row per `timeframe` and `open_time`; a bar is known from its `close_time` on, and
    `n_bars` counts the candles in it. It exists once it is closed by the source's clock and every
    candle that it lacks is explained; the metadata says which were left out. Volumes are summed
    exactly, so that a bar says what the exchange says.
    """
    resampled = ResampledMonths(settings, candles)
    return RangeOutput(context, resampled.mark, resampled.make, resampled.describe)
