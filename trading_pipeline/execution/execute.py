"""One signal, at most one order, however often and wherever this runs or dies.

Each step is committed before the next one begins, and each is found again by its key: the signal
by its candle, the intent by (signal, leg, attempt), the one request by the step from INTENT to
SENDING that only one transaction can make, the fill by its trade id. Sending needs the account's
newest lease; booking what the venue says does not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from decimal import Decimal
from enum import StrEnum

from trading_pipeline.core.clock import Clock
from trading_pipeline.core.errors import LedgerError, VenueError
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.orders import OrderRequest, OrderStatus
from trading_pipeline.execution.crash_points import CrashHook, CrashPoint, survive
from trading_pipeline.execution.live_signal import LiveSignal
from trading_pipeline.execution.order import RESOLVABLE, SETTLED, AccountId, Order
from trading_pipeline.execution.planner import equity_of, intent, plan, replan
from trading_pipeline.execution.ports import (
    AccountState,
    Broker,
    ExecutionStore,
    KillSwitch,
    Lease,
    LeaseLost,
    QuoteSource,
)
from trading_pipeline.execution.resolve import recover, resolve
from trading_pipeline.risk.limits import RiskLimits
from trading_pipeline.risk.pre_trade import Denial, Denied


class OutcomeKind(StrEnum):
    """How far a signal has come."""

    FILLED = "filled"
    DENIED = "denied"
    ENDED = "ended"
    UNRESOLVED = "unresolved"
    QUARANTINED = "quarantined"
    LEASE_LOST = "lease_lost"


@dataclass(frozen=True, slots=True)
class ExecutionOutcome:
    """What became of one signal.

    FILLED, DENIED and ENDED (refused, canceled or expired at the venue) are final; UNRESOLVED is
    to be run again; QUARANTINED waits for a person; LEASE_LOST means that another executor works
    on the account.
    """

    signal_id: str
    kind: OutcomeKind
    detail: str
    order: Order | None = None
    denied: Denied | None = None


@dataclass(frozen=True, slots=True)
class _Desk:
    store: ExecutionStore
    broker: Broker
    quotes: QuoteSource
    limits: RiskLimits
    clock: Clock
    instruments: Mapping[Symbol, Instrument]
    kill_switch: KillSwitch | None
    crash_point: CrashHook

    def switch(self) -> bool | None:
        return False if self.kill_switch is None else self.kill_switch.is_engaged()

    def prices(self, symbols: Sequence[Symbol]) -> dict[Symbol, Decimal]:
        found: dict[Symbol, Decimal] = {}
        for symbol in dict.fromkeys(symbols):
            try:
                found[symbol] = self.quotes.quote(symbol)
            except VenueError:
                # Without a price the check denies; it says which one is missing.
                continue
        return found


def execute_signal(
    signal_id: str,
    store: ExecutionStore,
    broker: Broker,
    quotes: QuoteSource,
    limits: RiskLimits,
    clock: Clock,
    instruments: Mapping[Symbol, Instrument],
    *,
    lease: Lease | None = None,
    kill_switch: KillSwitch | None = None,
    crash_point: CrashHook = survive,
) -> ExecutionOutcome:
    """Bring a live signal to its order, or to the reason why it makes none.

    Safe to repeat at any time, also after the process was killed at any point: a signal that is
    done is only read, an unfinished one goes on where it stopped.

    Parameters
    ----------
    lease : Lease or None
        The caller's lease on the account; without one a new lease is taken.
    kill_switch : KillSwitch or None
        A switch besides the one in the ledger; either stops.

    Raises
    ------
    LedgerError
        If there is no such signal or account, or the ledger cannot be read: nothing is sent.
    """
    desk = _Desk(store, broker, quotes, limits, clock, instruments, kill_switch, crash_point)
    live = store.signal(signal_id)
    if live is None:
        raise LedgerError(
            f"there is no live signal {signal_id}; only the candle-close job writes them",
            signal_id=signal_id,
        )
    done = _finished(desk, live)
    if done is not None:
        return done
    held = lease or store.take_lease(live.account, "execute_signal", clock.now())
    recover(store, broker, clock, live.account, crash_point=crash_point)
    return _finished(desk, live) or _advance(desk, live, held)


def execute_pending(
    account: AccountId,
    store: ExecutionStore,
    broker: Broker,
    quotes: QuoteSource,
    limits: RiskLimits,
    clock: Clock,
    instruments: Mapping[Symbol, Instrument],
    *,
    owner: str = "execute_pending",
    kill_switch: KillSwitch | None = None,
    crash_point: CrashHook = survive,
) -> tuple[ExecutionOutcome, ...]:
    """Execute every signal of ``account`` that is not finished, oldest first, under one lease."""
    desk = _Desk(store, broker, quotes, limits, clock, instruments, kill_switch, crash_point)
    lease = store.take_lease(account, owner, clock.now())
    recover(store, broker, clock, account, crash_point=crash_point)
    return tuple(
        _finished(desk, live) or _advance(desk, live, lease)
        for live in store.pending_signals(account)
    )


def _finished(desk: _Desk, live: LiveSignal) -> ExecutionOutcome | None:
    orders = desk.store.orders_of_signal(live.signal_id)
    settled = [order for order in orders if order.status in SETTLED]
    if settled:
        # A late fill outweighs the denial of the attempt after it.
        sent = [order for order in settled if order.status is not OrderStatus.DENIED]
        return _outcome(desk, (sent or settled)[-1])
    denial = desk.store.denial(live.signal_id)
    if denial is not None:
        return _denied(live, denial.denied)
    return None


def _advance(desk: _Desk, live: LiveSignal, lease: Lease) -> ExecutionOutcome:
    orders = desk.store.orders_of_signal(live.signal_id)
    last = orders[-1] if orders else None
    if last is not None and last.status in RESOLVABLE:
        return _outcome(desk, last)
    if last is None or last.status is OrderStatus.NOT_PLACED:
        intended = _intend(desk, live, lease, attempt=len(orders) + 1)
        if isinstance(intended, ExecutionOutcome):
            return intended
        last = intended
    return _send(desk, live, last, lease)


def _intend(desk: _Desk, live: LiveSignal, lease: Lease, attempt: int) -> Order | ExecutionOutcome:
    now = desk.clock.now()
    state = desk.store.state(live.account, now)
    prices = _prices(desk, live, state)
    state = _with_day_open(desk, state, prices)
    newer = desk.store.newer_signal(live)
    if newer is not None:
        decided: OrderRequest | Denied = Denied(
            Denial.SUPERSEDED, f"signal {newer} of a later candle came first"
        )
    else:
        decided = plan(
            live,
            state,
            prices,
            desk.instruments,
            desk.limits,
            now,
            attempt=attempt,
            kill_switch=desk.switch(),
        )
    if isinstance(decided, Denied):
        return _deny(desk, live, decided, lease)
    order = intent(live, decided, attempt, now)
    desk.crash_point(CrashPoint.BEFORE_INTENT)
    written = desk.store.insert_intent(order, lease)
    if isinstance(written, LeaseLost):
        return _lease_lost(live, written)
    desk.crash_point(CrashPoint.AFTER_INTENT)
    if written:
        return order
    return _finished(desk, live) or ExecutionOutcome(
        live.signal_id, OutcomeKind.UNRESOLVED, "another run wrote this order first"
    )


def _send(desk: _Desk, live: LiveSignal, order: Order, lease: Lease) -> ExecutionOutcome:
    now = desk.clock.now()
    before = desk.store.state(live.account, now)
    prices = _prices(desk, live, before)
    _with_day_open(desk, before, prices)

    def guard(state: AccountState) -> OrderRequest | Denied:
        decided = replan(
            live,
            order,
            state,
            prices,
            desk.instruments,
            desk.limits,
            now,
            kill_switch=desk.switch(),
        )
        desk.crash_point(CrashPoint.CHECKED_NOT_SENDING)
        return decided

    sending = desk.store.begin_sending(order.client_order_id, lease, now, guard)
    if isinstance(sending, LeaseLost):
        return _lease_lost(live, sending)
    if sending.status is not OrderStatus.SENDING:
        return _outcome(desk, sending)
    desk.crash_point(CrashPoint.AFTER_SENDING)
    return _outcome(desk, _place(desk, sending))


def _place(desk: _Desk, order: Order) -> Order:
    assert order.sent_at is not None
    horizon = desk.broker.proof_horizon
    if horizon and desk.clock.now() > order.sent_at + horizon:
        # Others may have taken it for not placed by now: sending it would be a second order.
        return desk.store.mark_unknown(
            order.client_order_id, "not sent: the process stood still", desk.clock.now()
        )
    try:
        answer = desk.broker.place(order.request, sent_at=order.sent_at)
    except VenueError as error:
        unknown = desk.store.mark_unknown(order.client_order_id, error.message, desk.clock.now())
        desk.crash_point(CrashPoint.AFTER_UNKNOWN)
        return resolve(unknown, desk.store, desk.broker, desk.clock, crash_point=desk.crash_point)
    desk.crash_point(CrashPoint.AFTER_ANSWER)
    applied = desk.store.apply_answer(
        order.client_order_id, answer, desk.broker.venue, desk.clock.now()
    )
    desk.crash_point(CrashPoint.AFTER_APPLY)
    return applied


def _deny(desk: _Desk, live: LiveSignal, denied: Denied, lease: Lease) -> ExecutionOutcome:
    desk.crash_point(CrashPoint.BEFORE_DENIAL)
    written = desk.store.deny_signal(live.signal_id, denied, lease, desk.clock.now())
    if isinstance(written, LeaseLost):
        return _lease_lost(live, written)
    desk.crash_point(CrashPoint.AFTER_DENIAL)
    if written:
        return _denied(live, denied)
    return _finished(desk, live) or ExecutionOutcome(
        live.signal_id, OutcomeKind.UNRESOLVED, "another run works on this signal"
    )


def _prices(desk: _Desk, live: LiveSignal, state: AccountState) -> dict[Symbol, Decimal]:
    held = [position.symbol for position in state.portfolio.open_positions]
    return desk.prices([live.symbol, *held])


def _with_day_open(
    desk: _Desk, state: AccountState, prices: Mapping[Symbol, Decimal]
) -> AccountState:
    """Record the first equity of the UTC day that is known, if none is recorded yet."""
    now = desk.clock.now()
    if state.day_open_equity is not None:
        return state
    equity = equity_of(state.portfolio, prices, now)
    if equity is None:
        return state
    day = now.astimezone(UTC).date()
    recorded = desk.store.record_day_open(state.account.account, day, equity, now)
    return replace(state, day_open_equity=recorded)


def _outcome(desk: _Desk, order: Order) -> ExecutionOutcome:
    match order.status:
        case OrderStatus.FILLED:
            kind = OutcomeKind.FILLED
        case OrderStatus.DENIED:
            record = desk.store.denial(order.signal_id)
            denied = None if record is None else record.denied
            return ExecutionOutcome(
                order.signal_id, OutcomeKind.DENIED, order.detail, order, denied
            )
        case OrderStatus.QUARANTINED:
            kind = OutcomeKind.QUARANTINED
        case OrderStatus.REJECTED | OrderStatus.CANCELED | OrderStatus.EXPIRED:
            kind = OutcomeKind.ENDED
        case _:
            kind = OutcomeKind.UNRESOLVED
    detail = order.detail or f"order {order.client_order_id} is {order.status}"
    return ExecutionOutcome(order.signal_id, kind, detail, order)


def _denied(live: LiveSignal, denied: Denied) -> ExecutionOutcome:
    return ExecutionOutcome(live.signal_id, OutcomeKind.DENIED, denied.detail, denied=denied)


def _lease_lost(live: LiveSignal, lost: LeaseLost) -> ExecutionOutcome:
    return ExecutionOutcome(
        live.signal_id, OutcomeKind.LEASE_LOST, f"{lost.owner} took the account over"
    )
