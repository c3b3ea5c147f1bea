"""SQL of accounts: opening, lease, controls, state, valuations."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from trading_pipeline.adapters.storage import ledger_orders
from trading_pipeline.adapters.storage import ledger_schema as tables
from trading_pipeline.adapters.storage.ledger_sql import (
    account_row,
    insert_new,
    lock_account,
    replace_row,
    within,
)
from trading_pipeline.core.errors import LedgerError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.execution.order import EXPOSED, AccountId
from trading_pipeline.execution.ports import Account, AccountState, Lease
from trading_pipeline.portfolio.portfolio import Portfolio, PortfolioSnapshot, PositionValue
from trading_pipeline.risk.pre_trade import RiskState

_state = tables.system_state
_snapshot = tables.portfolio_snapshot


def open_account(
    connection: Connection, account: AccountId, currency: str, cash: Decimal, at: datetime
) -> Account:
    """Open the account, or return it as it was opened before."""
    Portfolio.opened(currency, cash)
    is_new = insert_new(
        connection,
        tables.account,
        name=account.name,
        mode=account.mode,
        currency=currency,
        initial_cash=cash,
        opened_at=at,
    )
    row = account_row(connection, account)
    if is_new:
        connection.execute(
            sa.insert(_state).values(
                account_id=row.account_id,
                kill_switch=False,
                risk_state=RiskState.ACTIVE.value,
                reason="opened",
                changed_at=at,
                lease_token=0,
                lease_owner="",
            )
        )
    if row.currency != currency:
        raise LedgerError(
            f"account {account.name} is kept in {row.currency}, not in {currency}; "
            f"choose another execution.account"
        )
    return _account(row)


def accounts(connection: Connection) -> tuple[Account, ...]:
    """Return every account, in the order of opening."""
    rows = connection.execute(sa.select(tables.account).order_by(tables.account.c.account_id))
    return tuple(_account(row) for row in rows)


def find(connection: Connection, account: AccountId) -> Account:
    """Return one account as it was opened."""
    return _account(account_row(connection, account))


def take_lease(connection: Connection, account: AccountId, owner: str, at: datetime) -> Lease:
    """Take the account over; every earlier lease ends."""
    account_id = account_row(connection, account).account_id
    token = lock_account(connection, account_id).lease_token + 1
    connection.execute(
        sa.update(_state)
        .where(_state.c.account_id == account_id)
        .values(lease_token=token, lease_owner=owner, leased_at=at)
    )
    return Lease(account, token, owner)


def state(connection: Connection, account: AccountId, at: datetime) -> AccountState:
    """Return the account as this transaction sees it."""
    row = account_row(connection, account)
    controls = connection.execute(
        sa.select(_state).where(_state.c.account_id == row.account_id)
    ).one()
    orders = tables.orders
    recent = connection.execute(
        sa.select(sa.func.count())
        .select_from(orders)
        .where(orders.c.account_id == row.account_id, orders.c.sent_at > at - timedelta(minutes=1))
    ).scalar_one()
    opened = connection.execute(
        sa.select(tables.day_open.c.equity).where(
            tables.day_open.c.account_id == row.account_id,
            tables.day_open.c.day == at.astimezone(UTC).date(),
        )
    ).scalar()
    booked = ledger_orders.fills_of_account(connection, account)
    return AccountState(
        account=_account(row),
        portfolio=Portfolio.from_fills(row.currency, row.initial_cash, booked),
        unresolved=ledger_orders.of_account(connection, account, statuses=EXPOSED),
        kill_switch=controls.kill_switch,
        risk_state=RiskState(controls.risk_state),
        day_open_equity=opened,
        orders_last_minute=recent,
    )


def set_controls(
    connection: Connection,
    account: AccountId,
    what: str,
    reason: str,
    at: datetime,
    **values: object,
) -> None:
    """Change the account's controls and write down who wanted it and why."""
    account_id = account_row(connection, account).account_id
    lock_account(connection, account_id)
    connection.execute(
        sa.update(_state)
        .where(_state.c.account_id == account_id)
        .values(reason=reason, changed_at=at, **values)
    )
    connection.execute(
        sa.insert(tables.system_event).values(
            account_id=account_id, at=at, what=what, reason=reason
        )
    )


def record_day_open(
    connection: Connection, account: AccountId, day: date, equity: Decimal, at: datetime
) -> Decimal:
    """Store the day's opening equity and return it; the first value of a day stays."""
    table = tables.day_open
    account_id = account_row(connection, account).account_id
    insert_new(connection, table, account_id=account_id, day=day, equity=equity, recorded_at=at)
    stored: Decimal = connection.execute(
        sa.select(table.c.equity).where(table.c.account_id == account_id, table.c.day == day)
    ).scalar_one()
    return stored


def record_snapshot(
    connection: Connection, account: AccountId, snapshot: PortfolioSnapshot
) -> None:
    """Store a valuation; one of the same instant is replaced."""
    replace_row(
        connection,
        _snapshot,
        {
            "account_id": account_row(connection, account).account_id,
            "taken_at": snapshot.taken_at,
        },
        currency=snapshot.currency,
        cash=snapshot.cash,
        equity=snapshot.equity,
        realised_pnl=snapshot.realised_pnl,
        unrealised_pnl=snapshot.unrealised_pnl,
        fees=snapshot.fees,
        positions=json.dumps([_position_row(position) for position in snapshot.positions]),
    )


def snapshots(
    connection: Connection, account: AccountId, since: datetime | None, until: datetime | None
) -> tuple[PortfolioSnapshot, ...]:
    """Return the valuations in ``[since, until)``, oldest first."""
    account_id = account_row(connection, account).account_id
    rows = connection.execute(
        sa.select(_snapshot)
        .where(_snapshot.c.account_id == account_id, *within(_snapshot.c.taken_at, since, until))
        .order_by(_snapshot.c.taken_at)
    )
    return tuple(
        PortfolioSnapshot(
            taken_at=row.taken_at,
            currency=row.currency,
            cash=row.cash,
            equity=row.equity,
            realised_pnl=row.realised_pnl,
            unrealised_pnl=row.unrealised_pnl,
            fees=row.fees,
            positions=tuple(_position_value(entry) for entry in json.loads(row.positions)),
        )
        for row in rows
    )


def _account(row: Row[Any]) -> Account:
    return Account(AccountId(row.name, row.mode), row.currency, row.initial_cash, row.opened_at)


def _position_row(position: PositionValue) -> dict[str, str]:
    return {
        "symbol": position.symbol.key,
        "quantity": str(position.quantity),
        "average_cost": str(position.average_cost),
        "price": str(position.price),
        "market_value": str(position.market_value),
        "unrealised_pnl": str(position.unrealised_pnl),
    }


def _position_value(entry: dict[str, str]) -> PositionValue:
    return PositionValue(
        symbol=Symbol.parse(entry["symbol"]),
        quantity=Decimal(entry["quantity"]),
        average_cost=Decimal(entry["average_cost"]),
        price=Decimal(entry["price"]),
        market_value=Decimal(entry["market_value"]),
        unrealised_pnl=Decimal(entry["unrealised_pnl"]),
    )
