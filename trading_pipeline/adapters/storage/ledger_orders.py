"""SQL of orders, their history and fills."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from trading_pipeline.adapters.storage import ledger_schema as tables
from trading_pipeline.adapters.storage.ledger_sql import (
    account_row,
    insert_new,
    lock_account,
    lost_lease,
    within,
)
from trading_pipeline.core.errors import LedgerError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.orders import Fill, OrderRequest, OrderStatus, Side
from trading_pipeline.execution.crash_points import CrashHook, CrashPoint
from trading_pipeline.execution.order import (
    AccountId,
    BrokerAnswer,
    Order,
    OrderEvent,
    check_transition,
    settle,
)
from trading_pipeline.execution.planner import came_back
from trading_pipeline.execution.ports import Lease, LeaseLost

_orders = tables.orders
_fill = tables.fill
_denial = tables.signal_denial


def load(connection: Connection, *conditions: sa.ColumnElement[bool]) -> tuple[Order, ...]:
    """Return the orders that fulfil ``conditions``, oldest first."""
    rows = connection.execute(
        sa.select(_orders, tables.account.c.name, tables.account.c.mode)
        .join(tables.account, tables.account.c.account_id == _orders.c.account_id)
        .where(*conditions)
        .order_by(_orders.c.sequence)
    )
    return tuple(_order(row) for row in rows)


def by_id(connection: Connection, client_order_id: str) -> Order | None:
    """Return one order; None if there is none."""
    found = load(connection, _orders.c.client_order_id == client_order_id)
    return found[0] if found else None


def of_signal(connection: Connection, signal_id: str) -> tuple[Order, ...]:
    """Return the orders of a signal, first attempt first."""
    return load(connection, _orders.c.signal_id == signal_id)


def of_account(
    connection: Connection,
    account: AccountId,
    statuses: frozenset[OrderStatus] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> tuple[Order, ...]:
    """Return the orders created in ``[since, until)``, oldest first."""
    conditions = [_orders.c.account_id == account_row(connection, account).account_id]
    if statuses is not None:
        conditions.append(_orders.c.status.in_([status.value for status in statuses]))
    return load(connection, *conditions, *within(_orders.c.created_at, since, until))


def locked(connection: Connection, client_order_id: str) -> Order:
    """Return an order that nobody else can change until the transaction ends.

    Raises
    ------
    LedgerError
        If there is no such order.
    """
    account_id = connection.execute(
        sa.select(_orders.c.account_id).where(_orders.c.client_order_id == client_order_id)
    ).scalar()
    if account_id is None:
        raise LedgerError(f"there is no order {client_order_id}")
    lock_account(connection, account_id)
    order = by_id(connection, client_order_id)
    assert order is not None
    return order


def insert_intent(connection: Connection, order: Order, lease: Lease) -> bool | LeaseLost:
    """Store an INTENT; False if it, a live order of the signal or a denial exists."""
    lost = lost_lease(connection, lease)
    if lost is not None:
        return lost
    denied = sa.select(_denial.c.signal_id).where(_denial.c.signal_id == order.signal_id)
    if connection.execute(denied).first() is not None:
        return False
    if came_back(order, of_signal(connection, order.signal_id)) is not None:
        return False
    is_new = insert_new(
        connection,
        _orders,
        client_order_id=order.client_order_id,
        signal_id=order.signal_id,
        account_id=account_row(connection, order.account).account_id,
        leg=order.leg,
        attempt=order.attempt,
        symbol=order.request.symbol.key,
        created_at=order.created_at,
        **_changing(order),
    )
    if is_new:
        _record_event(connection, order)
    return is_new


def begin_sending(
    connection: Connection, order: Order, request: OrderRequest, at: datetime
) -> Order:
    """Write SENDING with the request as it was sized last."""
    sized = replace(order, request=request, sent_at=at)
    return step(connection, sized, OrderStatus.SENDING, "", at)


def count_miss(connection: Connection, client_order_id: str, at: datetime) -> Order:
    """Count that the venue did not know the order."""
    order = locked(connection, client_order_id)
    missed = replace(order, misses=order.misses + 1, updated_at=at)
    write(connection, missed, before=order.status)
    return missed


def step(
    connection: Connection,
    order: Order,
    status: OrderStatus,
    detail: str,
    at: datetime,
) -> Order:
    """Write the order's next state and its event; ``order`` may carry other changed fields."""
    moved = replace(order, status=status, detail=detail, updated_at=at)
    write(connection, moved, before=order.status)
    _record_event(connection, moved)
    return moved


def write(connection: Connection, order: Order, *, before: OrderStatus) -> None:
    """Write the order's changing columns if its state is still ``before``.

    Raises
    ------
    LedgerError
        If it is not.
    """
    result = connection.execute(
        sa.update(_orders)
        .where(
            _orders.c.client_order_id == order.client_order_id,
            _orders.c.status == before.value,
        )
        .values(**_changing(order))
    )
    if result.rowcount != 1:
        raise LedgerError(f"order {order.client_order_id} is not {before} any more: read it again")


def apply_answer(
    connection: Connection,
    client_order_id: str,
    answer: BrokerAnswer,
    venue: str,
    at: datetime,
    crash_point: CrashHook,
) -> Order:
    """Book the answer's new fills and the state that follows."""
    order = locked(connection, client_order_id)
    result = settle(order, _booked(connection, order, answer, venue), answer)
    if result.status is not order.status:
        check_transition(client_order_id, order.status, result.status)
    elif not result.new_fills:
        return order
    account_id = account_row(connection, order.account).account_id
    for fill in result.new_fills:
        connection.execute(
            sa.insert(_fill).values(
                account_id=account_id,
                venue=venue,
                symbol=fill.symbol.key,
                trade_id=fill.trade_id,
                client_order_id=client_order_id,
                side=fill.side.value,
                quantity=fill.quantity,
                price=fill.price,
                fee=fill.fee,
                executed_at=fill.executed_at,
                booked_at=at,
            )
        )
        crash_point(CrashPoint.FILL_HALF_BOOKED)
    filled = replace(order, filled_quantity=result.filled_quantity)
    return step(connection, filled, result.status, result.detail, at)


def fills(connection: Connection, *conditions: sa.ColumnElement[bool]) -> tuple[Fill, ...]:
    """Return the fills that fulfil ``conditions``, in booking order."""
    rows = connection.execute(sa.select(_fill).where(*conditions).order_by(_fill.c.sequence))
    return tuple(
        Fill(
            trade_id=row.trade_id,
            client_order_id=row.client_order_id,
            symbol=Symbol.parse(row.symbol),
            side=Side(row.side),
            quantity=row.quantity,
            price=row.price,
            fee=row.fee,
            executed_at=row.executed_at,
        )
        for row in rows
    )


def fills_of_account(
    connection: Connection,
    account: AccountId,
    since: datetime | None = None,
    until: datetime | None = None,
) -> tuple[Fill, ...]:
    """Return the fills executed in ``[since, until)``, in booking order."""
    account_id = account_row(connection, account).account_id
    return fills(
        connection, _fill.c.account_id == account_id, *within(_fill.c.executed_at, since, until)
    )


def events(connection: Connection, client_order_id: str) -> tuple[OrderEvent, ...]:
    """Return the order's history, oldest first."""
    event = tables.order_event
    rows = connection.execute(
        sa.select(event)
        .where(event.c.client_order_id == client_order_id)
        .order_by(event.c.sequence)
    )
    return tuple(
        OrderEvent(row.client_order_id, row.at, OrderStatus(row.status), row.detail) for row in rows
    )


def _booked(
    connection: Connection, order: Order, answer: BrokerAnswer, venue: str
) -> tuple[Fill, ...]:
    named = [fill.trade_id for fill in answer.fills]
    return fills(
        connection,
        _fill.c.venue == venue,
        _fill.c.symbol == order.request.symbol.key,
        sa.or_(
            _fill.c.client_order_id == order.client_order_id,
            _fill.c.trade_id.in_(named),
        ),
    )


def _changing(order: Order) -> dict[str, object]:
    return {
        "side": order.request.side.value,
        "quantity": order.request.quantity,
        "reference_price": order.request.reference_price,
        "status": order.status.value,
        "detail": order.detail,
        "filled_quantity": order.filled_quantity,
        "misses": order.misses,
        "updated_at": order.updated_at,
        "sent_at": order.sent_at,
    }


def _record_event(connection: Connection, order: Order) -> None:
    connection.execute(
        sa.insert(tables.order_event).values(
            client_order_id=order.client_order_id,
            at=order.updated_at,
            status=order.status.value,
            detail=order.detail,
        )
    )


def _order(row: Row[Any]) -> Order:
    return Order(
        signal_id=row.signal_id,
        account=AccountId(row.name, row.mode),
        leg=row.leg,
        attempt=row.attempt,
        request=OrderRequest(
            client_order_id=row.client_order_id,
            symbol=Symbol.parse(row.symbol),
            side=Side(row.side),
            quantity=row.quantity,
            reference_price=row.reference_price,
        ),
        status=OrderStatus(row.status),
        detail=row.detail,
        created_at=row.created_at,
        updated_at=row.updated_at,
        sent_at=row.sent_at,
        filled_quantity=row.filled_quantity,
        misses=row.misses,
    )
