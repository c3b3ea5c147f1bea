"""SQL of live signals, their votes and inputs, and of signals that make no order."""

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from trading_pipeline.adapters.storage import ledger_schema as tables
from trading_pipeline.adapters.storage.ledger_sql import (
    account_row,
    insert_new,
    lost_lease,
    within,
)
from trading_pipeline.core.errors import LedgerError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.orders import OrderStatus
from trading_pipeline.execution.crash_points import CrashHook, CrashPoint
from trading_pipeline.execution.live_signal import DecisionInput, LiveSignal
from trading_pipeline.execution.order import SETTLED, AccountId
from trading_pipeline.execution.ports import DenialRecord, Lease, LeaseLost
from trading_pipeline.risk.pre_trade import Denial, Denied
from trading_pipeline.signals.signal import Signal, SignalStatus, Vote

_signal = tables.live_signal
_denial = tables.signal_denial


def insert(connection: Connection, live: LiveSignal, crash_point: CrashHook) -> bool:
    """Store a signal with votes and input; False if its candle was already decided."""
    decided = live.signal
    is_new = insert_new(
        connection,
        _signal,
        signal_id=live.signal_id,
        account_id=account_row(connection, live.account).account_id,
        strategy=live.strategy,
        version=live.version,
        symbol=live.symbol.key,
        timeframe=decided.timeframe,
        candle_open_time=decided.candle_open_time,
        direction=decided.direction,
        strength=decided.strength,
        status=decided.status.value,
        reason=decided.reason,
        known_at=decided.known_at,
        recorded_at=live.recorded_at,
    )
    if not is_new:
        return False
    crash_point(CrashPoint.SIGNAL_HALF_WRITTEN)
    if decided.votes:
        connection.execute(sa.insert(tables.vote), _vote_rows(live))
    connection.execute(
        sa.insert(tables.decision_input).values(
            signal_id=live.signal_id,
            price=live.decision.price,
            model_version=live.decision.model_version,
            features=json.dumps(dict(live.decision.features), allow_nan=False),
        )
    )
    return True


def load(connection: Connection, *conditions: sa.ColumnElement[bool]) -> tuple[LiveSignal, ...]:
    """Return the signals that fulfil ``conditions``, oldest candle first."""
    rows = connection.execute(
        sa.select(
            _signal,
            tables.account.c.name.label("account_name"),
            tables.account.c.mode.label("account_mode"),
            tables.decision_input.c.price,
            tables.decision_input.c.model_version,
            tables.decision_input.c.features,
        )
        .join(tables.account, tables.account.c.account_id == _signal.c.account_id)
        .join(tables.decision_input, tables.decision_input.c.signal_id == _signal.c.signal_id)
        .where(*conditions)
        .order_by(_signal.c.candle_open_time, _signal.c.symbol, _signal.c.strategy)
    ).all()
    votes = _votes(connection, conditions)
    return tuple(_live_signal(row, votes.get(row.signal_id, ())) for row in rows)


def by_id(connection: Connection, signal_id: str) -> LiveSignal | None:
    """Return one signal; None if there is none."""
    found = load(connection, _signal.c.signal_id == signal_id)
    return found[0] if found else None


def pending(connection: Connection, account: AccountId) -> tuple[LiveSignal, ...]:
    """Return the signals without a denial and without a settled order, oldest first."""
    denied = sa.exists().where(_denial.c.signal_id == _signal.c.signal_id)
    settled = sa.exists().where(
        tables.orders.c.signal_id == _signal.c.signal_id,
        tables.orders.c.status.in_([status.value for status in SETTLED]),
    )
    account_id = account_row(connection, account).account_id
    return load(connection, _signal.c.account_id == account_id, ~denied, ~settled)


def of_account(
    connection: Connection, account: AccountId, since: datetime | None, until: datetime | None
) -> tuple[LiveSignal, ...]:
    """Return the signals known in ``[since, until)``, oldest candle first."""
    account_id = account_row(connection, account).account_id
    return load(
        connection,
        _signal.c.account_id == account_id,
        *within(_signal.c.known_at, since, until),
    )


def newer(connection: Connection, live: LiveSignal) -> str | None:
    """Return the id of the newest signal of the same stream with a later candle."""
    account_id = account_row(connection, live.account).account_id
    return connection.execute(
        sa.select(_signal.c.signal_id)
        .where(
            _signal.c.account_id == account_id,
            _signal.c.strategy == live.strategy,
            _signal.c.symbol == live.symbol.key,
            _signal.c.timeframe == live.signal.timeframe,
            _signal.c.candle_open_time > live.signal.candle_open_time,
        )
        .order_by(_signal.c.candle_open_time.desc())
        .limit(1)
    ).scalar()


def deny(
    connection: Connection, signal_id: str, denied: Denied, lease: Lease, at: datetime
) -> bool | LeaseLost:
    """Record a denial; False if one, or a live order, exists."""
    lost = lost_lease(connection, lease)
    if lost is not None:
        return lost
    ordered = connection.execute(
        sa.select(sa.func.count())
        .select_from(tables.orders)
        .where(
            tables.orders.c.signal_id == signal_id,
            tables.orders.c.status != OrderStatus.NOT_PLACED.value,
        )
    ).scalar_one()
    if ordered:
        return False
    return record_denial(connection, signal_id, denied, at)


def record_denial(
    connection: Connection,
    signal_id: str,
    denied: Denied,
    at: datetime,
    client_order_id: str | None = None,
) -> bool:
    """Write a denial; the first one of a signal stays."""
    return insert_new(
        connection,
        _denial,
        signal_id=signal_id,
        client_order_id=client_order_id,
        reason=denied.reason.value,
        detail=denied.detail,
        at=at,
    )


def denials(
    connection: Connection, *conditions: sa.ColumnElement[bool]
) -> tuple[DenialRecord, ...]:
    """Return the denials that fulfil ``conditions``, oldest first."""
    rows = connection.execute(
        sa.select(_denial, _signal.c.symbol)
        .join(_signal, _signal.c.signal_id == _denial.c.signal_id)
        .where(*conditions)
        .order_by(_denial.c.at, _signal.c.symbol)
    )
    return tuple(
        DenialRecord(
            signal_id=row.signal_id,
            symbol=Symbol.parse(row.symbol),
            denied=Denied(Denial(row.reason), row.detail),
            at=row.at,
            client_order_id=row.client_order_id,
        )
        for row in rows
    )


def denial_of(connection: Connection, signal_id: str) -> DenialRecord | None:
    """Return the denial of one signal; None if there is none."""
    found = denials(connection, _denial.c.signal_id == signal_id)
    return found[0] if found else None


def denials_of_account(
    connection: Connection, account: AccountId, since: datetime | None, until: datetime | None
) -> tuple[DenialRecord, ...]:
    """Return the account's denials in ``[since, until)``, oldest first."""
    account_id = account_row(connection, account).account_id
    return denials(
        connection, _signal.c.account_id == account_id, *within(_denial.c.at, since, until)
    )


def _vote_rows(live: LiveSignal) -> list[dict[str, object]]:
    return [
        {
            "signal_id": live.signal_id,
            "position": position,
            "source": vote.source,
            "direction": vote.direction,
            "strength": vote.strength,
            "status": vote.status.value,
            "reason": vote.reason,
        }
        for position, vote in enumerate(live.signal.votes)
    ]


def _votes(
    connection: Connection, conditions: tuple[sa.ColumnElement[bool], ...]
) -> dict[str, tuple[Vote, ...]]:
    vote = tables.vote
    rows = connection.execute(
        sa.select(vote)
        .join(_signal, _signal.c.signal_id == vote.c.signal_id)
        .where(*conditions)
        .order_by(vote.c.signal_id, vote.c.position)
    )
    votes: dict[str, tuple[Vote, ...]] = {}
    for row in rows:
        opinion = Vote(
            row.source, row.direction, row.strength, SignalStatus(row.status), row.reason
        )
        votes[row.signal_id] = (*votes.get(row.signal_id, ()), opinion)
    return votes


def _live_signal(row: Row[Any], votes: tuple[Vote, ...]) -> LiveSignal:
    live = LiveSignal(
        account=AccountId(row.account_name, row.account_mode),
        strategy=row.strategy,
        version=row.version,
        signal=Signal(
            symbol=row.symbol,
            timeframe=row.timeframe,
            candle_open_time=row.candle_open_time,
            direction=row.direction,
            strength=row.strength,
            status=SignalStatus(row.status),
            reason=row.reason,
            known_at=row.known_at,
            votes=votes,
        ),
        decision=DecisionInput(row.price, row.model_version, json.loads(row.features)),
        recorded_at=row.recorded_at,
    )
    if live.signal_id != row.signal_id:
        raise LedgerError(
            f"live signal {row.signal_id} was changed after it was written: its candle now gives "
            f"{live.signal_id}. Restore the ledger from a backup"
        )
    return live
