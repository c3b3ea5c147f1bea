"""The two jobs of the trading chain, each one step in one process."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from trading_pipeline import wiring
from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import StaleDataError, VenueError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.defs.trading.candle_close import close_newest_candle
from trading_pipeline.wiring import VenueAccess

if TYPE_CHECKING:
    from trading_pipeline.adapters.storage.ledger import Ledger

# A machine's clock that runs ahead wakes the job too early: up to ten minutes, it waits.
_LONGEST_WAIT_S = 60.0
_MOST_WAITS = 10
EXECUTES_ORDERS_TAG = "trading/executes_orders"


class ClosedCandle(dg.Config):
    """Which symbol's newest closed candle is decided on.

    ``open_time`` is the candle that is expected (ISO 8601); without it, what the venue has.
    """

    symbol: str
    open_time: str | None = None


@dg.op(
    # Fetching and deciding may be repeated: the first decision on a candle stays.
    retry_policy=dg.RetryPolicy(max_retries=3, delay=2),
    description="Bring the newest closed candle, decide on it, and write the live signal once.",
)
def close_candle(
    context: dg.OpExecutionContext,
    config: ClosedCandle,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[Lake],
    venue: dg.ResourceParam[VenueAccess],
) -> None:
    """Decide on the newest closed candle of one symbol."""
    expected = datetime.fromisoformat(config.open_time) if config.open_time else None
    symbol = Symbol.parse(config.symbol)
    try:
        decided = close_newest_candle(symbol, settings, lake, venue, expected)
    except StaleDataError as error:
        closes_in_s = error.facts.get("closes_in_s")
        if settings.market.now is None and isinstance(closes_in_s, float):
            raise _wait(context, closes_in_s, error) from error
        raise
    for table, metadata in decided.refreshed.items():
        partition = Cell(decided.symbol, decided.month).key
        context.log_event(
            dg.AssetMaterialization(asset_key=table, partition=partition, metadata=dict(metadata))
        )
    context.log_event(
        dg.AssetMaterialization(asset_key="live_signals", metadata=decided.metadata())
    )
    signal = decided.live.signal
    context.log.info(
        "%s %s: direction %d, strength %.3f (%s)%s",
        signal.symbol,
        signal.candle_open_time.isoformat(),
        signal.direction,
        signal.strength,
        signal.reason,
        "" if decided.is_new else "; decided before, nothing written",
    )


@dg.op(
    # Never twice: the ledger keeps the promise, and nothing may repeat the op behind its back.
    retry_policy=dg.RetryPolicy(max_retries=0),
    description="Bring every waiting live signal to its one order, or to the reason for none.",
)
def execute_signals(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[Settings],
    venue: dg.ResourceParam[VenueAccess],
) -> None:
    """Risk check, intent, paper fill: at most one order per signal, however often this runs."""
    from trading_pipeline.execution.execute import execute_pending
    from trading_pipeline.execution.paper import PaperBroker

    if not settings.execution.enabled:
        context.log.warning("execution.enabled is off: nothing is executed")
        return
    clock, instruments = venue.clock(), venue.instruments()
    with wiring.ledger(settings) as ledger:
        account = wiring.open_account(settings, ledger, clock.now())
        outcomes = execute_pending(
            account,
            ledger,
            PaperBroker(wiring.costs(settings), instruments),
            wiring.quotes(settings, venue),
            wiring.risk_limits(settings),
            clock,
            instruments,
            owner=context.run_id,
            kill_switch=wiring.kill_switch(settings),
        )
        _value_account(context, settings, venue, ledger)
    lines = [f"{outcome.signal_id}: {outcome.kind} {outcome.detail}" for outcome in outcomes]
    metadata: dict[str, Any] = {
        "signals": len(outcomes),
        "outcomes": dg.MetadataValue.md("\n".join(f"- {line}" for line in lines) or "none waited"),
    }
    context.log_event(dg.AssetMaterialization(asset_key="order_journal", metadata=metadata))
    for line in lines:
        context.log.info(line)


def _wait(
    context: dg.OpExecutionContext, closes_in_s: float, error: StaleDataError
) -> dg.RetryRequested:
    context.log.warning("%s; the candle closes there in %.1f s", error.message, closes_in_s)
    return dg.RetryRequested(_MOST_WAITS, seconds_to_wait=min(closes_in_s, _LONGEST_WAIT_S))


def _value_account(
    context: dg.OpExecutionContext, settings: Settings, venue: VenueAccess, ledger: "Ledger"
) -> None:
    # Orders are done by now: a price that is missing costs the valuation, not the run.
    from trading_pipeline.execution.valuation import take_snapshot

    try:
        take_snapshot(
            wiring.account(settings), ledger, wiring.quotes(settings, venue), venue.clock()
        )
    except (VenueError, StaleDataError) as error:
        context.log.warning("the account was not valued: %s", error.message)


@dg.job(
    executor_def=dg.in_process_executor,
    tags={"dagster/max_retries": "0"},
    description="A candle closed: fetch it, decide on it, write the live signal.",
)
def candle_close_job() -> None:
    """Decide on the newest closed candle of one symbol."""
    close_candle()


@dg.job(
    executor_def=dg.in_process_executor,
    tags={"dagster/max_retries": "0", EXECUTES_ORDERS_TAG: "true"},
    description="Execute live signals: risk check, intent, paper fill.",
)
def live_execution_job() -> None:
    """Execute every live signal that waits."""
    execute_signals()
