"""From a live signal and the account's state to one order, or a typed denial."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from trading_pipeline.core.errors import StaleDataError
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.orders import OrderRequest, OrderStatus, Side
from trading_pipeline.execution.live_signal import LiveSignal
from trading_pipeline.execution.order import SIGNAL_LEG, Order, client_order_id
from trading_pipeline.execution.ports import AccountState
from trading_pipeline.portfolio.portfolio import Portfolio, value
from trading_pipeline.risk.limits import RiskLimits
from trading_pipeline.risk.pre_trade import Controls, Denial, Denied, assess


def plan(
    live: LiveSignal,
    state: AccountState,
    prices: Mapping[Symbol, Decimal],
    instruments: Mapping[Symbol, Instrument],
    limits: RiskLimits,
    now: datetime,
    *,
    attempt: int,
    kill_switch: bool | None,
) -> OrderRequest | Denied:
    """Return the order of ``live`` in ``state``, sized and checked, or why there is none.

    The same function decides before the intent and again inside the transaction that writes
    SENDING.

    Parameters
    ----------
    prices : Mapping
        Current prices, of the signal's symbol and of all that is held; a missing one denies.
    attempt : int
        Number of the order for this signal, from 1.
    kill_switch : bool or None
        State of the switch outside the ledger; None is unreadable.
    """
    instrument = instruments.get(live.symbol)
    if instrument is None:
        return Denied(Denial.NO_INSTRUMENT, f"the trading rules of {live.symbol} are not known")
    if attempt > limits.max_attempts:
        return Denied(
            Denial.ATTEMPTS_USED_UP,
            f"{limits.max_attempts} attempts did not reach the venue",
        )
    return assess(
        live.signal,
        state.portfolio,
        prices.get(live.symbol),
        instrument,
        limits,
        now,
        _controls(state, prices, now, kill_switch=kill_switch),
        decision_price=live.decision.price,
        order_id=lambda side: _order_id(live, side, attempt),
    )


def intent(live: LiveSignal, request: OrderRequest, attempt: int, now: datetime) -> Order:
    """Return the order that is written down before anything else happens."""
    return Order(
        signal_id=live.signal_id,
        account=live.account,
        leg=SIGNAL_LEG,
        attempt=attempt,
        request=request,
        status=OrderStatus.INTENT,
        detail="",
        created_at=now,
        updated_at=now,
    )


def replan(
    live: LiveSignal,
    order: Order,
    state: AccountState,
    prices: Mapping[Symbol, Decimal],
    instruments: Mapping[Symbol, Instrument],
    limits: RiskLimits,
    now: datetime,
    *,
    kill_switch: bool | None,
) -> OrderRequest | Denied:
    """Return the request that ``order`` may be sent with now, or why it may not.

    An intent whose side the account no longer asks for is outdated.
    """
    planned = plan(
        live,
        state,
        prices,
        instruments,
        limits,
        now,
        attempt=order.attempt,
        kill_switch=kill_switch,
    )
    if isinstance(planned, OrderRequest) and planned.client_order_id != order.client_order_id:
        return Denied(
            Denial.OUTDATED_INTENT,
            f"the intent was to {order.request.side}, the account now asks to {planned.side}",
        )
    return planned


def came_back(order: Order, orders_of_signal: Sequence[Order]) -> Denied | None:
    """Return why ``order`` may not be sent if an earlier attempt of its signal is alive.

    An attempt that was proven not to be placed may still be brought back by a late fill.
    """
    for other in orders_of_signal:
        is_other = other.client_order_id != order.client_order_id
        if is_other and other.status is not OrderStatus.NOT_PLACED:
            return Denied(
                Denial.OUTDATED_INTENT,
                f"order {other.client_order_id} of the same signal is {other.status}",
            )
    return None


def equity_of(
    portfolio: Portfolio, prices: Mapping[Symbol, Decimal], now: datetime
) -> Decimal | None:
    """Return the equity in quote currency; None if something that is held has no price."""
    try:
        return value(portfolio, prices, at=now).equity
    except StaleDataError:
        return None


def _controls(
    state: AccountState,
    prices: Mapping[Symbol, Decimal],
    now: datetime,
    *,
    kill_switch: bool | None,
) -> Controls:
    return Controls(
        kill_switch=True if state.kill_switch else kill_switch,
        risk_state=state.risk_state,
        equity=equity_of(state.portfolio, prices, now),
        day_open_equity=state.day_open_equity,
        unresolved=tuple(order.request for order in state.unresolved),
        orders_last_minute=state.orders_last_minute,
    )


def _order_id(live: LiveSignal, side: Side, attempt: int) -> str:
    return client_order_id(
        live.account,
        live.strategy,
        live.version,
        live.symbol,
        live.signal.timeframe,
        live.signal.candle_open_time,
        side,
        attempt=attempt,
    )
