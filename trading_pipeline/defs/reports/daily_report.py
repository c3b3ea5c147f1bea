"""The report of one UTC day, from the ledger."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.month import Month
from trading_pipeline.defs.io_managers import StoredTable
from trading_pipeline.wiring import VenueAccess

if TYPE_CHECKING:
    from trading_pipeline.adapters.storage.ledger import Ledger
    from trading_pipeline.execution.live_signal import LiveSignal
    from trading_pipeline.portfolio.portfolio import PortfolioSnapshot
    from trading_pipeline.reporting.daily import (
        DailyReport,
        EquityHistory,
        FreshnessRow,
        PortfolioLine,
    )

_ZERO = Decimal(0)


def build_daily_report(day: date, settings: Settings, venue: VenueAccess) -> "DailyReport":
    """Build the report of ``day``: what the account did and why, and how fresh the data is."""
    from trading_pipeline.reporting.daily import DailyReport

    start = datetime.combine(day, time(), UTC)
    end = start + timedelta(days=1)
    now = venue.clock().now()
    with wiring.ledger(settings) as ledger:
        account = wiring.open_account(settings, ledger, now)
        snapshots = ledger.snapshots(account, until=end)
        live = ledger.signals(account, since=start, until=end)
        return DailyReport(
            date=day,
            account=account.name,
            mode=account.mode,
            venue_label=venue.label(),
            is_simulated=settings.is_simulated,
            as_of=min(now, end),
            quote=ledger.portfolio(account).currency,
            portfolio=_portfolio_line(snapshots, start),
            positions=_positions(snapshots),
            orders=_orders(ledger, settings, start, end),
            fills=ledger.fills(account, since=start, until=end),
            denials=_denials(ledger, settings, start, end),
            signals=[item.signal for item in live],
            freshness=_freshness(settings, min(now, end)),
            symbols=_lines(live),
            history=_history(snapshots),
            alerts=[*_alerts(settings, ledger, now), *_old_valuation(snapshots, start)],
        )


def _portfolio_line(snapshots: "Sequence[PortfolioSnapshot]", start: datetime) -> "PortfolioLine":
    from trading_pipeline.reporting.daily import PortfolioLine

    if not snapshots:
        return PortfolioLine(equity=None, cash=None)
    newest = snapshots[-1]
    before = [snapshot for snapshot in snapshots if snapshot.taken_at < start]
    opening = before[-1].equity if before else None
    # Without a valuation inside the day its result is unknown, not zero.
    is_of_day = newest.taken_at >= start
    change = None if opening is None or not is_of_day else newest.equity - opening
    return PortfolioLine(
        equity=newest.equity,
        cash=newest.cash,
        realised_pnl=newest.realised_pnl,
        unrealised_pnl=newest.unrealised_pnl,
        fees=newest.fees,
        day_pnl=change,
        day_return=float(change / opening) if change is not None and opening else None,
    )


def _positions(snapshots: "Sequence[PortfolioSnapshot]") -> list[Any]:
    from trading_pipeline.reporting.daily import PositionRow

    if not snapshots:
        return []
    newest = snapshots[-1]
    return [
        PositionRow(
            held.symbol,
            held.quantity,
            held.average_cost,
            held.price,
            held.market_value,
            held.unrealised_pnl,
            float(held.market_value / newest.equity) if newest.equity > _ZERO else None,
        )
        for held in newest.positions
    ]


def _orders(ledger: "Ledger", settings: Settings, start: datetime, end: datetime) -> list[Any]:
    from trading_pipeline.reporting.daily import OrderRow

    return [
        OrderRow(
            order.created_at,
            order.request.symbol,
            order.request.side,
            order.status,
            order.request.quantity,
            order.request.reference_price,
            order.client_order_id,
            order.detail,
        )
        for order in ledger.orders(wiring.account(settings), since=start, until=end)
    ]


def _denials(ledger: "Ledger", settings: Settings, start: datetime, end: datetime) -> list[Any]:
    from trading_pipeline.reporting.daily import DenialRow

    return [
        DenialRow(record.at, record.symbol, record.denied.reason.value, record.denied.detail)
        for record in ledger.denials(wiring.account(settings), since=start, until=end)
    ]


def _freshness(settings: Settings, at: datetime) -> "list[FreshnessRow]":
    from trading_pipeline.reporting.daily import FreshnessRow

    market = settings.market
    candles = StoredTable(wiring.lake(settings), settings, "candles")
    rows = []
    for symbol in market.enabled_symbols:
        months = [month for month in candles.months(symbol) if month <= Month.of(at)]
        newest = None
        if months:
            newest = candles.last_close(symbol, months[0], months[-1], market.timeframe)
        rows.append(
            FreshnessRow(
                symbol,
                market.base_timeframe,
                newest,
                None if newest is None else max(at - newest, timedelta(0)),
                market.timeframe.duration * 2,
            )
        )
    return rows


def _lines(live: "Sequence[LiveSignal]") -> list[Any]:
    from trading_pipeline.reporting.daily import SymbolLine

    newest = {item.symbol: item for item in live}
    return [
        SymbolLine(
            symbol,
            f"{item.signal.candle_open_time:%H:%M} candle: direction {item.signal.direction:+d}, "
            f"strength {item.signal.strength:.2f}. {item.signal.reason}",
        )
        for symbol, item in newest.items()
    ]


def _history(snapshots: "Sequence[PortfolioSnapshot]") -> "EquityHistory | None":
    from trading_pipeline.reporting.daily import EquityHistory

    if len(snapshots) < 2:
        return None
    times = [int(snapshot.taken_at.timestamp() * 1_000_000) for snapshot in snapshots]
    equity = [float(snapshot.equity) for snapshot in snapshots]
    return EquityHistory(np.array(times, dtype=np.int64), np.array(equity))


def _old_valuation(snapshots: "Sequence[PortfolioSnapshot]", start: datetime) -> list[str]:
    if snapshots and snapshots[-1].taken_at >= start:
        return []
    when = f"from {snapshots[-1].taken_at:%Y-%m-%d %H:%M} UTC" if snapshots else "missing"
    return [f"No valuation was taken on this day: the one shown is {when}."]


def _alerts(settings: Settings, ledger: "Ledger", now: datetime) -> list[str]:
    from trading_pipeline.core.orders import OrderStatus

    account = wiring.account(settings)
    state = ledger.state(account, now)
    alerts = []
    if state.kill_switch or wiring.kill_switch(settings).is_engaged() is not False:
        alerts.append("The kill switch is engaged: nothing is sent.")
    if not settings.execution.enabled:
        alerts.append("Execution is switched off: signals are stored, none is executed.")
    stuck = [o for o in state.unresolved if o.status is OrderStatus.QUARANTINED]
    alerts += [f"Order {order.client_order_id} is quarantined: {order.detail}" for order in stuck]
    return alerts
