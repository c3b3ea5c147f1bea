"""Bring the newest closed candle, decide on it, write the live signal: the body of the job.

Sensor, schedule and worker all come here. Nothing else inserts a live signal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import dagster as dg

from trading_pipeline import wiring
from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import StaleDataError, SymbolNotListedError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.defs.features.assets import gaps_between
from trading_pipeline.defs.io_managers import StoredTable
from trading_pipeline.defs.market_data.months import refresh_newest, unsettled_months
from trading_pipeline.defs.models.recipe import champion_key
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.wiring import VenueAccess

if TYPE_CHECKING:
    from trading_pipeline.execution.live_signal import LiveSignal
    from trading_pipeline.models.training import TrainedModel

STRATEGY_NAME = "aggregate"


@dataclass(frozen=True, slots=True)
class ClosedCandleDecision:
    """What was decided on one candle, and whether it was written now or before.

    ``refreshed`` is the metadata of the tables that got new candles.
    """

    symbol: Symbol
    month: Month
    refreshed: Mapping[str, Mapping[str, Any]]
    live: "LiveSignal"
    is_new: bool

    def metadata(self) -> Mapping[str, Any]:
        """Return what the UI shows."""
        signal = self.live.signal
        votes = "\n".join(
            f"| {vote.source} | {vote.direction} | {vote.strength:.3f} | {vote.status} | "
            f"{vote.reason} |"
            for vote in signal.votes
        )
        head = "| source | direction | strength | status | reason |\n|---|---|---|---|---|"
        return {
            "symbol": signal.symbol,
            "candle": signal.candle_open_time.isoformat(),
            "direction": signal.direction,
            "strength": signal.strength,
            "status": signal.status.value,
            "reason": signal.reason,
            "signal_id": self.live.signal_id,
            "model_version": self.live.decision.model_version or "none",
            "written_now": self.is_new,
            "votes": dg.MetadataValue.md(f"{head}\n{votes}"),
        }


def close_newest_candle(
    symbol: Symbol,
    settings: Settings,
    lake: Lake,
    venue: VenueAccess,
    expected: datetime | None = None,
) -> ClosedCandleDecision:
    """Decide on the newest closed candle of ``symbol`` and write the live signal, once.

    Parameters
    ----------
    expected : datetime, optional
        Open time of the candle that whoever asks saw closing.

    Raises
    ------
    StaleDataError
        If ``expected`` is not closed by the venue's clock (the fact ``closes_in_s`` says when it
        will be), or the venue has not published the newest candle yet; nothing is decided.
    SymbolNotListedError
        If the symbol is delisted; the message says what the account still holds of it.
    VenueError
        If the venue does not answer.
    """
    timeframe = settings.market.timeframe
    closed_by = venue.closed_by()
    opened = timeframe.last_closed_open(closed_by)
    if expected is not None and opened < expected:
        # A clock that runs ahead would else take the candle before for this one, and skip this.
        raise StaleDataError(
            f"{symbol} {timeframe}: the candle of {expected.isoformat()} is not closed by the "
            f"venue's clock, whose newest is {opened.isoformat()}; check this machine's clock",
            symbol=symbol.key,
            closes_in_s=(expected + timeframe.duration - closed_by).total_seconds(),
        )
    if words := wiring.delisted_words(settings, symbol, opened):
        raise SymbolNotListedError(words, symbol=symbol.key)
    month = Month.of(opened)
    raw = StoredTable(lake, settings, "raw_candles")
    for unsettled in unsettled_months(raw, symbol, month)[:-1]:
        refresh_newest(Cell(symbol, unsettled), settings, lake, venue)
    refreshed = refresh_newest(Cell(symbol, month), settings, lake, venue)
    candles = refreshed.candles
    newest = candles.last_close(symbol, month, month, timeframe)
    if newest != opened + timeframe.duration:
        raise StaleDataError(
            f"{symbol} {timeframe}: the candle of {opened.isoformat()} is closed but the venue "
            f"gave none after {newest.isoformat()}; ask again in a few seconds",
            symbol=symbol.key,
        )
    live = decide_newest(symbol, month, settings, candles, venue)
    with wiring.ledger(settings) as ledger:
        wiring.open_account(settings, ledger, venue.clock().now())
        is_new = ledger.insert_signal(live)
        stored = live if is_new else ledger.signal(live.signal_id)
    assert stored is not None
    return ClosedCandleDecision(symbol, month, refreshed.metadata, stored, is_new)


def decide_newest(
    symbol: Symbol, month: Month, settings: Settings, candles: StoredTable, venue: VenueAccess
) -> "LiveSignal":
    """Decide on the newest candle in the lake; reads, and writes nothing."""
    from trading_pipeline.execution.decide import decide
    from trading_pipeline.execution.live_signal import DecisionInput, LiveSignal

    first = Month.parse(settings.market.history_start)
    history = candles.between(symbol, first, month)
    closed = history["open_time"][-1] + settings.market.timeframe.duration
    decision = decide(
        history,
        gaps_between(candles, symbol, first, month),
        live_model(symbol, settings, closed),
        wiring.decision_recipe(settings),
        symbol=symbol,
        timeframe=settings.market.timeframe,
    )
    return LiveSignal(
        account=wiring.account(settings),
        strategy=STRATEGY_NAME,
        version=wiring.strategy_version(settings),
        signal=decision.signal,
        decision=DecisionInput(
            price=Decimal(str(history["close"][-1])),
            model_version=decision.model_version,
            features=decision.features,
        ),
        recorded_at=venue.clock().now(),
    )


def live_model(symbol: Symbol, settings: Settings, closed: datetime) -> "TrainedModel | None":
    """Return the champion that is effective at ``closed``; None if there is none or it is old."""
    entry = wiring.champions(settings).effective_at(champion_key(settings, symbol), closed)
    if entry is None:
        return None
    model = wiring.models(settings).load(entry.model_key, entry.model_version)
    too_old = timedelta(days=settings.models.max_age_days)
    return None if closed - model.card.trained_until > too_old else model
