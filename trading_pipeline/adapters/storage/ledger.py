"""The SQL ledger: what was decided, ordered and filled; the memory of the order path.

SQLite in WAL mode with full synchronisation by default, PostgreSQL by URL. Each method is one
transaction; writers to one account wait for each other. See ``execution.ports`` for the promises.
"""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy.engine import Engine

from trading_pipeline.adapters.storage import (
    ledger_accounts,
    ledger_orders,
    ledger_signals,
)
from trading_pipeline.adapters.storage.ledger_engine import open_engine, reading, shown, writing
from trading_pipeline.adapters.storage.ledger_sql import lost_lease
from trading_pipeline.core.orders import Fill, OrderStatus
from trading_pipeline.execution.crash_points import CrashHook, survive
from trading_pipeline.execution.live_signal import LiveSignal
from trading_pipeline.execution.order import (
    AccountId,
    BrokerAnswer,
    Order,
    OrderEvent,
    check_transition,
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


def open_ledger(url: str, *, crash_point: CrashHook = survive) -> "Ledger":
    """Return the ledger at ``url``, created or migrated as needed.

    Parameters
    ----------
    url : str
        ``sqlite:///folder/file.db`` or ``postgresql://user@host/database``.
    crash_point : callable
        Called inside transactions at the points that crash tests name.

    Raises
    ------
    ConfigError
        If ``url`` is not of SQLite or PostgreSQL.
    LedgerError
        If the database cannot be reached or was written by a newer version.
    """
    return Ledger(open_engine(url), crash_point)


class Ledger:
    """An ``ExecutionStore`` in SQL, with what reports and the command line read besides."""

    def __init__(self, engine: Engine, crash_point: CrashHook = survive) -> None:
        self._engine = engine
        self._crash_point = crash_point

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @property
    def address(self) -> str:
        """The database's URL without a password."""
        return shown(self._engine)

    def insert_signal(self, signal: LiveSignal) -> bool:
        """Store ``signal`` with its votes; False if the candle was already decided."""
        with writing(self._engine) as connection:
            return ledger_signals.insert(connection, signal, self._crash_point)

    def signal(self, signal_id: str) -> LiveSignal | None:
        """Return the signal; None if there is none."""
        with reading(self._engine) as connection:
            return ledger_signals.by_id(connection, signal_id)

    def signals(
        self, account: AccountId, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[LiveSignal, ...]:
        """Return the signals known in ``[since, until)``, oldest candle first."""
        with reading(self._engine) as connection:
            return ledger_signals.of_account(connection, account, since, until)

    def pending_signals(self, account: AccountId) -> tuple[LiveSignal, ...]:
        """Return the signals without a denial and without a settled order, oldest first."""
        with reading(self._engine) as connection:
            return ledger_signals.pending(connection, account)

    def newer_signal(self, signal: LiveSignal) -> str | None:
        """Return the id of a later candle's signal of the same stream; None if it is newest."""
        with reading(self._engine) as connection:
            return ledger_signals.newer(connection, signal)

    def deny_signal(
        self, signal_id: str, denied: Denied, lease: Lease, at: datetime
    ) -> bool | LeaseLost:
        """Record that the signal makes no order; False if a denial or a live order exists."""
        with writing(self._engine) as connection:
            return ledger_signals.deny(connection, signal_id, denied, lease, at)

    def denial(self, signal_id: str) -> DenialRecord | None:
        """Return the denial of the signal or of its intent; None if there is none."""
        with reading(self._engine) as connection:
            return ledger_signals.denial_of(connection, signal_id)

    def denials(
        self, account: AccountId, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[DenialRecord, ...]:
        """Return the account's denials in ``[since, until)``, oldest first."""
        with reading(self._engine) as connection:
            return ledger_signals.denials_of_account(connection, account, since, until)

    def orders_of_signal(self, signal_id: str) -> tuple[Order, ...]:
        """Return the orders of a signal, first attempt first."""
        with reading(self._engine) as connection:
            return ledger_orders.of_signal(connection, signal_id)

    def order(self, client_order_id: str) -> Order | None:
        """Return the order; None if there is none."""
        with reading(self._engine) as connection:
            return ledger_orders.by_id(connection, client_order_id)

    def insert_intent(self, order: Order, lease: Lease) -> bool | LeaseLost:
        """Store an INTENT; False if the same or a live order of the signal, or a denial, exists."""
        with writing(self._engine) as connection:
            return ledger_orders.insert_intent(connection, order, lease)

    def begin_sending(
        self, client_order_id: str, lease: Lease, at: datetime, guard: Guard
    ) -> Order | LeaseLost:
        """Check again and commit SENDING, or DENIED, in one transaction.

        Raises
        ------
        LedgerError
            If the order is not an INTENT: somebody else has sent it.
        """
        with writing(self._engine) as connection:
            lost = lost_lease(connection, lease)
            if lost is not None:
                return lost
            order = ledger_orders.locked(connection, client_order_id)
            check_transition(client_order_id, order.status, OrderStatus.SENDING)
            others = ledger_orders.of_signal(connection, order.signal_id)
            decided = came_back(order, others) or guard(
                ledger_accounts.state(connection, order.account, at)
            )
            if isinstance(decided, Denied):
                ledger_signals.record_denial(
                    connection, order.signal_id, decided, at, client_order_id
                )
                return ledger_orders.step(connection, order, OrderStatus.DENIED, decided.detail, at)
            return ledger_orders.begin_sending(connection, order, decided, at)

    def apply_answer(
        self, client_order_id: str, answer: BrokerAnswer, venue: str, at: datetime
    ) -> Order:
        """Book new fills and the new state in one transaction; may be repeated."""
        with writing(self._engine) as connection:
            return ledger_orders.apply_answer(
                connection, client_order_id, answer, venue, at, self._crash_point
            )

    def mark_unknown(self, client_order_id: str, detail: str, at: datetime) -> Order:
        """Step from SENDING to UNKNOWN; an order that is further already stays as it is."""
        with writing(self._engine) as connection:
            order = ledger_orders.locked(connection, client_order_id)
            if order.status is not OrderStatus.SENDING:
                return order
            return ledger_orders.step(connection, order, OrderStatus.UNKNOWN, detail, at)

    def change_status(
        self, client_order_id: str, status: OrderStatus, detail: str, at: datetime
    ) -> Order:
        """Step to ``status`` by the state machine; nothing happens if it is there already.

        Raises
        ------
        LedgerError
            If there is no such step.
        """
        with writing(self._engine) as connection:
            order = ledger_orders.locked(connection, client_order_id)
            if order.status is status:
                return order
            check_transition(client_order_id, order.status, status)
            return ledger_orders.step(connection, order, status, detail, at)

    def record_miss(self, client_order_id: str, at: datetime) -> Order:
        """Count that the venue did not know the order."""
        with writing(self._engine) as connection:
            return ledger_orders.count_miss(connection, client_order_id, at)

    def orders(
        self,
        account: AccountId,
        *,
        statuses: frozenset[OrderStatus] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[Order, ...]:
        """Return the orders created in ``[since, until)``, oldest first."""
        with reading(self._engine) as connection:
            return ledger_orders.of_account(connection, account, statuses, since, until)

    def order_events(self, client_order_id: str) -> tuple[OrderEvent, ...]:
        """Return the order's history, oldest first."""
        with reading(self._engine) as connection:
            return ledger_orders.events(connection, client_order_id)

    def fills(
        self, account: AccountId, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Fill, ...]:
        """Return the fills executed in ``[since, until)``, in booking order."""
        with reading(self._engine) as connection:
            return ledger_orders.fills_of_account(connection, account, since, until)

    def open_account(
        self, account: AccountId, currency: str, initial_cash: Decimal, at: datetime
    ) -> Account:
        """Open the account, or return it as it was opened before.

        Raises
        ------
        LedgerError
            If it was opened in another currency.
        """
        with writing(self._engine) as connection:
            return ledger_accounts.open_account(connection, account, currency, initial_cash, at)

    def accounts(self) -> tuple[Account, ...]:
        """Return every account, in the order of opening."""
        with reading(self._engine) as connection:
            return ledger_accounts.accounts(connection)

    def take_lease(self, account: AccountId, owner: str, at: datetime) -> Lease:
        """Take the account over; every earlier lease ends."""
        with writing(self._engine) as connection:
            return ledger_accounts.take_lease(connection, account, owner, at)

    def state(self, account: AccountId, at: datetime) -> AccountState:
        """Return the account as it is, read in one transaction.

        Raises
        ------
        LedgerError
            If it was never opened.
        """
        with reading(self._engine) as connection:
            return ledger_accounts.state(connection, account, at)

    def portfolio(self, account: AccountId) -> Portfolio:
        """Return cash and positions, rebuilt from all fills."""
        with reading(self._engine) as connection:
            row = ledger_accounts.find(connection, account)
            booked = ledger_orders.fills_of_account(connection, account)
        return Portfolio.from_fills(row.currency, row.initial_cash, booked)

    def set_kill_switch(
        self, account: AccountId, *, engaged: bool, reason: str, at: datetime
    ) -> None:
        """Engage or release the kill switch, and keep the reason."""
        what = "kill switch engaged" if engaged else "kill switch released"
        with writing(self._engine) as connection:
            ledger_accounts.set_controls(connection, account, what, reason, at, kill_switch=engaged)

    def set_risk_state(
        self, account: AccountId, state: RiskState, *, reason: str, at: datetime
    ) -> None:
        """Set what the account may do, and keep the reason."""
        with writing(self._engine) as connection:
            ledger_accounts.set_controls(
                connection, account, f"risk state {state}", reason, at, risk_state=state.value
            )

    def record_day_open(
        self, account: AccountId, day: date, equity: Decimal, at: datetime
    ) -> Decimal:
        """Store the day's opening equity and return it; the first value of a day stays."""
        with writing(self._engine) as connection:
            return ledger_accounts.record_day_open(connection, account, day, equity, at)

    def record_snapshot(self, account: AccountId, snapshot: PortfolioSnapshot) -> None:
        """Store a valuation; one of the same instant is replaced."""
        with writing(self._engine) as connection:
            ledger_accounts.record_snapshot(connection, account, snapshot)

    def snapshots(
        self, account: AccountId, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[PortfolioSnapshot, ...]:
        """Return the valuations in ``[since, until)``, oldest first."""
        with reading(self._engine) as connection:
            return ledger_accounts.snapshots(connection, account, since, until)
