"""The ledger's promises in memory: for tests and dry runs, lost with the process."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import RLock

from trading_pipeline.core.errors import LedgerError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.orders import Fill, OrderStatus
from trading_pipeline.execution.live_signal import LiveSignal
from trading_pipeline.execution.order import (
    EXPOSED,
    SETTLED,
    AccountId,
    BrokerAnswer,
    Order,
    OrderEvent,
    check_transition,
    settle,
)
from trading_pipeline.execution.planner import came_back
from trading_pipeline.execution.ports import (
    Account,
    AccountState,
    DenialRecord,
    Guard,
    Lease,
    LeaseLost,
)
from trading_pipeline.portfolio.portfolio import Portfolio, PortfolioSnapshot
from trading_pipeline.risk.pre_trade import Denied, RiskState


@dataclass(slots=True)
class _Books:
    account: Account
    lease: Lease
    kill_switch: bool = False
    risk_state: RiskState = RiskState.ACTIVE
    day_opens: dict[date, Decimal] = field(default_factory=dict)
    snapshots: dict[datetime, PortfolioSnapshot] = field(default_factory=dict)


class MemoryStore:
    """An ``ExecutionStore`` in dictionaries; one lock makes each method a transaction."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._accounts: dict[AccountId, _Books] = {}
        self._signals: dict[str, LiveSignal] = {}
        self._denials: dict[str, DenialRecord] = {}
        self._orders: dict[str, Order] = {}
        self._events: list[OrderEvent] = []
        self._fills: dict[tuple[str, Symbol, str], Fill] = {}

    def insert_signal(self, signal: LiveSignal) -> bool:
        """Store ``signal``; False if the candle was already decided."""
        with self._lock:
            self._books(signal.account)
            return self._signals.setdefault(signal.signal_id, signal) is signal

    def signal(self, signal_id: str) -> LiveSignal | None:
        """Return the signal; None if there is none."""
        return self._signals.get(signal_id)

    def pending_signals(self, account: AccountId) -> tuple[LiveSignal, ...]:
        """Return the signals without a denial and without a settled order, oldest first."""
        with self._lock:
            done = set(self._denials) | {
                order.signal_id for order in self._orders.values() if order.status in SETTLED
            }
            open_ = [
                live
                for live in self._signals.values()
                if live.account == account and live.signal_id not in done
            ]
        return tuple(sorted(open_, key=lambda live: (live.signal.candle_open_time, live.symbol)))

    def newer_signal(self, signal: LiveSignal) -> str | None:
        """Return the id of a later candle's signal of the same stream."""
        later = [
            live
            for live in self._signals.values()
            if _stream(live) == _stream(signal)
            and live.signal.candle_open_time > signal.signal.candle_open_time
        ]
        newest = max(later, key=lambda live: live.signal.candle_open_time, default=None)
        return None if newest is None else newest.signal_id

    def deny_signal(
        self, signal_id: str, denied: Denied, lease: Lease, at: datetime
    ) -> bool | LeaseLost:
        """Record that the signal makes no order; False if a denial or a live order exists."""
        with self._lock:
            lost = self._lost(lease)
            if lost is not None:
                return lost
            orders = self.orders_of_signal(signal_id)
            is_live = any(order.status is not OrderStatus.NOT_PLACED for order in orders)
            if signal_id in self._denials or is_live:
                return False
            symbol = self._signals[signal_id].symbol
            self._denials[signal_id] = DenialRecord(signal_id, symbol, denied, at)
            return True

    def denial(self, signal_id: str) -> DenialRecord | None:
        """Return the denial of the signal or of its intent."""
        return self._denials.get(signal_id)

    def orders_of_signal(self, signal_id: str) -> tuple[Order, ...]:
        """Return the orders of a signal, first attempt first."""
        found = [order for order in self._orders.values() if order.signal_id == signal_id]
        return tuple(sorted(found, key=lambda order: order.attempt))

    def order(self, client_order_id: str) -> Order | None:
        """Return the order; None if there is none."""
        return self._orders.get(client_order_id)

    def insert_intent(self, order: Order, lease: Lease) -> bool | LeaseLost:
        """Store an INTENT; False if it, its place or a denial exists."""
        with self._lock:
            lost = self._lost(lease)
            if lost is not None:
                return lost
            others = self.orders_of_signal(order.signal_id)
            taken = {(other.leg, other.attempt) for other in others}
            is_known = order.client_order_id in self._orders or order.signal_id in self._denials
            if is_known or (order.leg, order.attempt) in taken or came_back(order, others):
                return False
            self._write(order)
            return True

    def begin_sending(
        self, client_order_id: str, lease: Lease, at: datetime, guard: Guard
    ) -> Order | LeaseLost:
        """Check again and commit SENDING, or DENIED."""
        with self._lock:
            lost = self._lost(lease)
            if lost is not None:
                return lost
            order = self._known(client_order_id)
            check_transition(client_order_id, order.status, OrderStatus.SENDING)
            others = self.orders_of_signal(order.signal_id)
            decided = came_back(order, others) or guard(self.state(order.account, at))
            if isinstance(decided, Denied):
                record = DenialRecord(
                    order.signal_id, order.request.symbol, decided, at, client_order_id
                )
                self._denials[order.signal_id] = record
                return self._step(order, OrderStatus.DENIED, decided.detail, at)
            sized = replace(order, request=decided, sent_at=at)
            return self._step(sized, OrderStatus.SENDING, "", at)

    def apply_answer(
        self, client_order_id: str, answer: BrokerAnswer, venue: str, at: datetime
    ) -> Order:
        """Book new fills and the new state."""
        with self._lock:
            order = self._known(client_order_id)
            named = {fill.trade_id for fill in answer.fills}
            booked = [
                fill
                for (where, symbol, trade_id), fill in self._fills.items()
                if where == venue
                and symbol == order.request.symbol
                and (fill.client_order_id == client_order_id or trade_id in named)
            ]
            result = settle(order, booked, answer)
            if result.status is not order.status:
                check_transition(client_order_id, order.status, result.status)
            elif not result.new_fills:
                return order
            for fill in result.new_fills:
                self._fills[venue, fill.symbol, fill.trade_id] = fill
            filled = replace(order, filled_quantity=result.filled_quantity)
            return self._step(filled, result.status, result.detail, at)

    def mark_unknown(self, client_order_id: str, detail: str, at: datetime) -> Order:
        """Step from SENDING to UNKNOWN; leave an order that is further as it is."""
        with self._lock:
            order = self._known(client_order_id)
            if order.status is not OrderStatus.SENDING:
                return order
            return self._step(order, OrderStatus.UNKNOWN, detail, at)

    def change_status(
        self, client_order_id: str, status: OrderStatus, detail: str, at: datetime
    ) -> Order:
        """Step to ``status`` by the state machine."""
        with self._lock:
            order = self._known(client_order_id)
            if order.status is status:
                return order
            check_transition(client_order_id, order.status, status)
            return self._step(order, status, detail, at)

    def record_miss(self, client_order_id: str, at: datetime) -> Order:
        """Count that the venue did not know the order."""
        with self._lock:
            order = self._known(client_order_id)
            return self._write(replace(order, misses=order.misses + 1, updated_at=at), event=False)

    def orders(
        self,
        account: AccountId,
        *,
        statuses: frozenset[OrderStatus] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[Order, ...]:
        """Return the orders created in ``[since, until)``, oldest first."""
        with self._lock:
            return tuple(
                order
                for order in self._orders.values()
                if order.account == account
                and (statuses is None or order.status in statuses)
                and _is_within(order.created_at, since, until)
            )

    def order_events(self, client_order_id: str) -> tuple[OrderEvent, ...]:
        """Return the order's history, oldest first."""
        return tuple(e for e in self._events if e.client_order_id == client_order_id)

    def fills(
        self, account: AccountId, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Fill, ...]:
        """Return the fills executed in ``[since, until)``, in booking order."""
        with self._lock:
            return tuple(
                fill
                for fill in self._fills.values()
                if self._orders[fill.client_order_id].account == account
                and _is_within(fill.executed_at, since, until)
            )

    def open_account(
        self, account: AccountId, currency: str, initial_cash: Decimal, at: datetime
    ) -> Account:
        """Open the account, or return it as it was opened before."""
        Portfolio.opened(currency, initial_cash)
        with self._lock:
            new = _Books(Account(account, currency, initial_cash, at), Lease(account, 0, ""))
            books = self._accounts.setdefault(account, new)
        if books.account.currency != currency:
            raise LedgerError(
                f"account {account.name} is kept in {books.account.currency}, not in {currency}; "
                f"choose another execution.account"
            )
        return books.account

    def take_lease(self, account: AccountId, owner: str, at: datetime) -> Lease:
        """Take the account over; every earlier lease ends."""
        with self._lock:
            books = self._books(account)
            books.lease = Lease(account, books.lease.token + 1, owner)
            return books.lease

    def state(self, account: AccountId, at: datetime) -> AccountState:
        """Return the account as it is."""
        with self._lock:
            books = self._books(account)
            orders = self.orders(account)
            recent = [o for o in orders if o.sent_at and o.sent_at > at - timedelta(minutes=1)]
            opened = books.account
            return AccountState(
                account=opened,
                portfolio=Portfolio.from_fills(
                    opened.currency, opened.initial_cash, self.fills(account)
                ),
                unresolved=tuple(order for order in orders if order.status in EXPOSED),
                kill_switch=books.kill_switch,
                risk_state=books.risk_state,
                day_open_equity=books.day_opens.get(at.astimezone(UTC).date()),
                orders_last_minute=len(recent),
            )

    def set_kill_switch(
        self, account: AccountId, *, engaged: bool, reason: str, at: datetime
    ) -> None:
        """Engage or release the kill switch."""
        self._books(account).kill_switch = engaged

    def set_risk_state(
        self, account: AccountId, state: RiskState, *, reason: str, at: datetime
    ) -> None:
        """Set what the account may do."""
        self._books(account).risk_state = state

    def record_day_open(
        self, account: AccountId, day: date, equity: Decimal, at: datetime
    ) -> Decimal:
        """Store the day's opening equity; the first value of a day stays."""
        with self._lock:
            return self._books(account).day_opens.setdefault(day, equity)

    def record_snapshot(self, account: AccountId, snapshot: PortfolioSnapshot) -> None:
        """Store a valuation; one of the same instant is replaced."""
        with self._lock:
            self._books(account).snapshots[snapshot.taken_at] = snapshot

    def snapshots(self, account: AccountId) -> tuple[PortfolioSnapshot, ...]:
        """Return the valuations, oldest first."""
        found = self._books(account).snapshots
        return tuple(found[at] for at in sorted(found))

    def _books(self, account: AccountId) -> _Books:
        if account not in self._accounts:
            raise LedgerError(f"account {account.name} ({account.mode}) was never opened")
        return self._accounts[account]

    def _lost(self, lease: Lease) -> LeaseLost | None:
        current = self._books(lease.account).lease
        return None if current.token == lease.token else LeaseLost(current.owner)

    def _known(self, client_order_id: str) -> Order:
        order = self._orders.get(client_order_id)
        if order is None:
            raise LedgerError(f"there is no order {client_order_id}")
        return order

    def _step(self, order: Order, status: OrderStatus, detail: str, at: datetime) -> Order:
        return self._write(replace(order, status=status, detail=detail, updated_at=at))

    def _write(self, order: Order, *, event: bool = True) -> Order:
        self._orders[order.client_order_id] = order
        if event:
            self._events.append(
                OrderEvent(order.client_order_id, order.updated_at, order.status, order.detail)
            )
        return order


def _stream(live: LiveSignal) -> tuple[object, ...]:
    return (live.account, live.strategy, live.symbol, live.signal.timeframe)


def _is_within(instant: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or instant >= since) and (until is None or instant < until)
