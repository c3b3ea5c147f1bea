"""What the trading chain leaves on the lineage; the ledger itself is not a Dagster store."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.candles import OPEN_TIME_TYPE
from trading_pipeline.core.fingerprint import fingerprint
from trading_pipeline.defs.blueprints import pipeline_asset
from trading_pipeline.defs.io_managers import Made, RangeOutput
from trading_pipeline.defs.partitions import Cell, PartitionSet
from trading_pipeline.wiring import VenueAccess

live_signals = dg.AssetSpec(
    "live_signals",
    group_name="trading",
    deps=["candles", "champion"],
    kinds={"sql"},
    description=(
        "Signals that may become orders, in the ledger: written once, at the candle's close, by "
        "candle_close_job only, with every vote and the feature row that the decision saw."
    ),
)

order_journal = dg.AssetSpec(
    "order_journal",
    group_name="trading",
    deps=["live_signals", "signals"],
    kinds={"sql"},
    description=(
        "Orders, their history and their fills, in the ledger. Written before anything is sent. "
        "The lake's research signals are upstream for comparison; none of them is ever executed."
    ),
)

PORTFOLIO_SCHEMA: dict[str, pl.DataType] = {
    "taken_at": OPEN_TIME_TYPE,
    "symbol": pl.String(),
    "quantity": pl.String(),
    "average_cost": pl.String(),
    "price": pl.String(),
    "market_value": pl.String(),
    "unrealised_pnl": pl.String(),
}


@pipeline_asset(
    "trading", PartitionSet.NONE, deps=["order_journal"], kinds={"sql"}, code_version="1"
)
def portfolio_snapshot(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    venue: dg.ResourceParam[VenueAccess],
) -> RangeOutput:
    """The paper account at current prices: one row per open position; decimals as text.

    The valuation is also stored in the ledger, where the daily report reads it.
    """
    from trading_pipeline.execution.valuation import take_snapshot

    account = wiring.account(settings)
    with wiring.ledger(settings) as ledger:
        wiring.open_account(settings, ledger, venue.clock().now())
        snapshot = take_snapshot(account, ledger, wiring.quotes(settings, venue), venue.clock())
    rows = [
        (
            snapshot.taken_at,
            position.symbol.key,
            str(position.quantity),
            str(position.average_cost),
            str(position.price),
            str(position.market_value),
            str(position.unrealised_pnl),
        )
        for position in snapshot.positions
    ]
    summary = {
        "account": account.name,
        "equity": str(snapshot.equity),
        "cash": str(snapshot.cash),
        "realised_pnl": str(snapshot.realised_pnl),
        "unrealised_pnl": str(snapshot.unrealised_pnl),
        "fees": str(snapshot.fees),
    }

    def make(_: Cell) -> Made:
        return Made(pl.DataFrame(rows, schema=PORTFOLIO_SCHEMA, orient="row"), summary)

    def describe(_: Cell, __: pl.DataFrame, notes: Mapping[str, Any]) -> Mapping[str, Any]:
        return dict(notes)

    return RangeOutput(
        context, lambda _: fingerprint(snapshot.taken_at, summary, len(rows)), make, describe
    )
