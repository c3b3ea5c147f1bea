"""What the order path needs from the world."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Protocol, TypeAlias

from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.orders import Fill, OrderRequest, OrderStatus
from trading_pipeline.execution.live_signal import LiveSignal
from trading_pipeline.execution.order import AccountId, BrokerAnswer, Order, OrderEvent
from trading_pipeline.portfolio.portfolio import Portfolio, PortfolioSnapshot
from trading_pipeline.risk.pre_trade import Denied, RiskState


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it was opened."""

    account: AccountId
    currency: str
    initial_cash: Decimal
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class AccountState:
    """The account at one instant, read in one transaction.

    ``unresolved`` are the orders in ``order.EXPOSED``; ``day_open_equity`` is None until it was
    recorded for the day in UTC.
    """

    account: Account
    portfolio: Portfolio
    unresolved: tuple[Order, ...]
    kill_switch: bool
    risk_state: RiskState
    day_open_equity: Decimal | None
    orders_last_minute: int


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to send for an account; ``token`` grows with each taker, only the newest holds."""

    account: AccountId
    token: int
    owner: str


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """Another executor took the account over; nothing was written."""

    owner: str


@dataclass(frozen=True, slots=True)
class DenialRecord:
    """A signal that made no order, and why; ``client_order_id`` if an intent existed."""

    signal_id: str
    symbol: Symbol
    denied: Denied
    at: datetime
    client_order_id: str | None = None


Guard: TypeAlias = Callable[[AccountState], OrderRequest | Denied]


class SignalStore(Protocol):
    """Live signals: first write wins, never updated."""

    def insert_signal(self, signal: LiveSignal) -> bool:
        """Store ``signal`` with its votes; False if the candle was already decided."""
        ...

    def signal(self, signal_id: str) -> LiveSignal | None:
        """Return the signal; None if there is none."""
        ...

    def pending_signals(self, account: AccountId) -> tuple[LiveSignal, ...]:
        """Return the signals without a denial and without a settled order, oldest first."""
        ...

    def newer_signal(self, signal: LiveSignal) -> str | None:
        """Return the id of a later candle's signal of the same stream; None if it is newest."""
        ...

    def deny_signal(
        self, signal_id: str, denied: Denied, lease: Lease, at: datetime
    ) -> bool | LeaseLost:
        """Record that the signal makes no order; False if a denial or a live order exists."""
        ...

    def denial(self, signal_id: str) -> DenialRecord | None:
        """Return the denial of the signal or of its intent; None if there is none."""
        ...


class OrderStore(Protocol):
    """The write-ahead record of orders, their history and fills."""

    def orders_of_signal(self, signal_id: str) -> tuple[Order, ...]:
        """Return the orders of a signal, first attempt first."""
        ...

    def order(self, client_order_id: str) -> Order | None:
        """Return the order; None if there is none."""
        ...

    def insert_intent(self, order: Order, lease: Lease) -> bool | LeaseLost:
        """Store an INTENT; False if the same or a live order of the signal, or a denial, exists."""
        ...

    def begin_sending(
        self, client_order_id: str, lease: Lease, at: datetime, guard: Guard
    ) -> Order | LeaseLost:
        """Check again and commit SENDING, or DENIED, in one transaction.

        ``guard`` sees the account as it is inside the transaction, which no other writer can
        change. An attempt whose predecessor came back is denied. The order returned carries the
        request as the guard sized it last.

        Raises
        ------
        LedgerError
            If the order is not an INTENT: somebody else has sent it.
        """
        ...

    def apply_answer(
        self, client_order_id: str, answer: BrokerAnswer, venue: str, at: datetime
    ) -> Order:
        """Book new fills and the new state in one transaction; needs no lease, may be repeated."""
        ...

    def mark_unknown(self, client_order_id: str, detail: str, at: datetime) -> Order:
        """Step from SENDING to UNKNOWN; an order that is further already stays as it is."""
        ...

    def change_status(
        self, client_order_id: str, status: OrderStatus, detail: str, at: datetime
    ) -> Order:
        """Step to ``status`` by the state machine; nothing happens if it is there already.

        Raises
        ------
        LedgerError
            If there is no such step.
        """
        ...

    def record_miss(self, client_order_id: str, at: datetime) -> Order:
        """Count that the venue did not know the order."""
        ...

    def orders(
        self,
        account: AccountId,
        *,
        statuses: frozenset[OrderStatus] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[Order, ...]:
        """Return the orders created in ``[since, until)``, oldest first."""
        ...

    def order_events(self, client_order_id: str) -> tuple[OrderEvent, ...]:
        """Return the order's history, oldest first."""
        ...

    def fills(
        self, account: AccountId, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Fill, ...]:
        """Return the fills executed in ``[since, until)``, in booking order."""
        ...


class AccountStore(Protocol):
    """The account: its opening, lease, controls and value over time."""

    def open_account(
        self, account: AccountId, currency: str, initial_cash: Decimal, at: datetime
    ) -> Account:
        """Open the account, or return it as it was opened before.

        Raises
        ------
        LedgerError
            If it was opened in another currency.
        """
        ...

    def take_lease(self, account: AccountId, owner: str, at: datetime) -> Lease:
        """Take the account over; every earlier lease ends."""
        ...

    def state(self, account: AccountId, at: datetime) -> AccountState:
        """Return the account as it is.

        Raises
        ------
        LedgerError
            If it was never opened.
        """
        ...

    def set_kill_switch(
        self, account: AccountId, *, engaged: bool, reason: str, at: datetime
    ) -> None:
        """Engage or release the kill switch."""
        ...

    def set_risk_state(
        self, account: AccountId, state: RiskState, *, reason: str, at: datetime
    ) -> None:
        """Set what the account may do."""
        ...

    def record_day_open(
        self, account: AccountId, day: date, equity: Decimal, at: datetime
    ) -> Decimal:
        """Store the day's opening equity and return it; the first value of a day stays."""
        ...

    def record_snapshot(self, account: AccountId, snapshot: PortfolioSnapshot) -> None:
        """Store a valuation; one of the same instant is replaced."""
        ...


class ExecutionStore(SignalStore, OrderStore, AccountStore, Protocol):
    """All that the executor writes to; the SQL ledger and ``memory.MemoryStore`` are such."""


class Broker(Protocol):
    """A venue that takes orders."""

    @property
    def venue(self) -> str:
        """Name under which fills are unique (venue, symbol, trade id)."""
        ...

    @property
    def proof_horizon(self) -> timedelta:
        """Time after sending from which an order that the venue does not know cannot arrive."""
        ...

    def place(self, request: OrderRequest, *, sent_at: datetime) -> BrokerAnswer:
        """Send the order, exactly once, without retries.

        The request is stamped with ``sent_at`` and a receive window within the proof horizon, so
        that the venue itself refuses it when it arrives later.

        REJECTED is answered only for refusals that prove that nothing was placed.

        Raises
        ------
        VenueError
            For everything else: whether the order was placed is unknown.
        """
        ...

    def find(self, request: OrderRequest, *, sent_at: datetime) -> BrokerAnswer | None:
        """Return what became of an order, by its client id; None if neither it nor a trade exists.

        Raises
        ------
        VenueError
            If the venue does not answer; that is not None.
        """
        ...


class QuoteSource(Protocol):
    """Something that knows current prices."""

    def quote(self, symbol: Symbol) -> Decimal:
        """Return the last price.

        Raises
        ------
        VenueError
            If there is none.
        """
        ...


class KillSwitch(Protocol):
    """A switch outside the ledger, such as a file."""

    def is_engaged(self) -> bool | None:
        """Tell whether it is engaged; None if that cannot be read."""
        ...
