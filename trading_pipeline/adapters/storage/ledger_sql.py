"""Small SQL parts that the ledger's files share."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Row

from trading_pipeline.adapters.storage import ledger_schema as tables
from trading_pipeline.core.errors import LedgerError
from trading_pipeline.execution.order import AccountId
from trading_pipeline.execution.ports import Lease, LeaseLost


def insert_new(connection: Connection, table: sa.Table, **values: object) -> bool:
    """Insert a row; False, and nothing changed, if one of its unique keys exists."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(**values).on_conflict_do_nothing()
    return connection.execute(statement).rowcount == 1


def replace_row(
    connection: Connection, table: sa.Table, keys: dict[str, object], **values: object
) -> None:
    """Insert a row, or give the row of the same primary key other values."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(**keys, **values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=list(keys), set_=dict(values))
    )


def account_row(connection: Connection, account: AccountId) -> Row[Any]:
    """Return the row of an opened account.

    Raises
    ------
    LedgerError
        If it was never opened.
    """
    row = connection.execute(
        sa.select(tables.account).where(
            tables.account.c.name == account.name, tables.account.c.mode == account.mode
        )
    ).first()
    if row is None:
        raise LedgerError(f"account {account.name} ({account.mode}) was never opened")
    return row


def lock_account(connection: Connection, account_id: int) -> Row[Any]:
    """Return the account's controls, and let no other transaction write to it until the end."""
    state = tables.system_state
    return connection.execute(
        sa.select(state).where(state.c.account_id == account_id).with_for_update()
    ).one()


def lost_lease(connection: Connection, lease: Lease) -> LeaseLost | None:
    """Lock the lease's account; tell who took it over, None if the lease is the newest."""
    account_id = account_row(connection, lease.account).account_id
    controls = lock_account(connection, account_id)
    return None if controls.lease_token == lease.token else LeaseLost(controls.lease_owner)


def within(
    column: sa.Column[Any], since: datetime | None, until: datetime | None
) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of ``[since, until)``."""
    conditions: list[sa.ColumnElement[bool]] = []
    if since is not None:
        conditions.append(column >= since)
    if until is not None:
        conditions.append(column < until)
    return conditions
