"""The ledger's tables, and the two types that keep money and time exact in both databases."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import types
from sqlalchemy.engine import Dialect

from trading_pipeline.core.errors import LedgerError

REVISION = "0001"
"""Newest migration; a test holds it equal to the folder of migrations."""


class ExactDecimal(types.TypeDecorator[Decimal]):
    """A ``Decimal`` without any rounding: text in SQLite, unconstrained NUMERIC in PostgreSQL."""

    impl = types.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        """Choose the column type of the database."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(types.Numeric(asdecimal=True))
        return dialect.type_descriptor(types.Text())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | str | None:
        """Refuse what is not a finite ``Decimal``."""
        if value is None:
            return None
        if not isinstance(value, Decimal) or not value.is_finite():
            raise LedgerError(f"the ledger keeps finite Decimals, was given {value!r}")
        return value if dialect.name == "postgresql" else format(value, "f")

    def process_result_value(self, value: Decimal | str | None, dialect: Dialect) -> Decimal | None:
        """Return the stored number."""
        return None if value is None else Decimal(value)


class UtcInstant(types.TypeDecorator[datetime]):
    """A timezone-aware instant: sortable text in SQLite, timestamptz in PostgreSQL."""

    impl = types.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        """Choose the column type of the database."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(types.DateTime(timezone=True))
        return dialect.type_descriptor(types.Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        """Refuse naive instants, and write UTC with a fixed width."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise LedgerError(f"the ledger keeps timezone-aware instants, was given {value}")
        utc = value.astimezone(UTC)
        if dialect.name == "postgresql":
            return utc
        return utc.isoformat(timespec="microseconds")

    def process_result_value(
        self, value: datetime | str | None, dialect: Dialect
    ) -> datetime | None:
        """Return the instant in UTC."""
        if value is None:
            return None
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return instant.astimezone(UTC)


metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

Sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

account = sa.Table(
    "account",
    metadata,
    sa.Column("account_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("initial_cash", ExactDecimal, nullable=False),
    sa.Column("opened_at", UtcInstant, nullable=False),
    sa.UniqueConstraint("name", "mode"),
)

system_state = sa.Table(
    "system_state",
    metadata,
    sa.Column("account_id", sa.ForeignKey("account.account_id"), primary_key=True),
    sa.Column("kill_switch", sa.Boolean, nullable=False),
    sa.Column("risk_state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("changed_at", UtcInstant, nullable=False),
    sa.Column("lease_token", sa.Integer, nullable=False),
    sa.Column("lease_owner", sa.Text, nullable=False),
    sa.Column("leased_at", UtcInstant),
)

system_event = sa.Table(
    "system_event",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("account_id", sa.ForeignKey("account.account_id"), nullable=False),
    sa.Column("at", UtcInstant, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

live_signal = sa.Table(
    "live_signal",
    metadata,
    sa.Column("signal_id", sa.Text, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.account_id"), nullable=False),
    sa.Column("strategy", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("symbol", sa.Text, nullable=False),
    sa.Column("timeframe", sa.Text, nullable=False),
    sa.Column("candle_open_time", UtcInstant, nullable=False),
    sa.Column("direction", sa.SmallInteger, nullable=False),
    sa.Column("strength", sa.Double, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("known_at", UtcInstant, nullable=False),
    sa.Column("recorded_at", UtcInstant, nullable=False),
    sa.UniqueConstraint(
        "account_id",
        "strategy",
        "symbol",
        "timeframe",
        "candle_open_time",
        name="uq_live_signal_candle",  # the conventional name is too long for PostgreSQL
    ),
)

vote = sa.Table(
    "vote",
    metadata,
    sa.Column("signal_id", sa.ForeignKey("live_signal.signal_id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("direction", sa.SmallInteger, nullable=False),
    sa.Column("strength", sa.Double, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

decision_input = sa.Table(
    "decision_input",
    metadata,
    sa.Column("signal_id", sa.ForeignKey("live_signal.signal_id"), primary_key=True),
    sa.Column("price", ExactDecimal, nullable=False),
    sa.Column("model_version", sa.Text),
    sa.Column("features", sa.Text, nullable=False),
)

signal_denial = sa.Table(
    "signal_denial",
    metadata,
    sa.Column("signal_id", sa.ForeignKey("live_signal.signal_id"), primary_key=True),
    sa.Column("client_order_id", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("at", UtcInstant, nullable=False),
)

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("client_order_id", sa.Text, nullable=False, unique=True),
    sa.Column("signal_id", sa.ForeignKey("live_signal.signal_id"), nullable=False),
    sa.Column("account_id", sa.ForeignKey("account.account_id"), nullable=False),
    sa.Column("leg", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("symbol", sa.Text, nullable=False),
    sa.Column("side", sa.Text, nullable=False),
    sa.Column("quantity", ExactDecimal, nullable=False),
    sa.Column("reference_price", ExactDecimal, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("filled_quantity", ExactDecimal, nullable=False),
    sa.Column("misses", sa.Integer, nullable=False),
    sa.Column("created_at", UtcInstant, nullable=False),
    sa.Column("updated_at", UtcInstant, nullable=False),
    sa.Column("sent_at", UtcInstant),
    sa.UniqueConstraint("signal_id", "leg", "attempt"),
    sa.Index(None, "account_id", "status"),
)

order_event = sa.Table(
    "order_event",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("client_order_id", sa.ForeignKey("orders.client_order_id"), nullable=False),
    sa.Column("at", UtcInstant, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Index(None, "client_order_id"),
)

fill = sa.Table(
    "fill",
    metadata,
    sa.Column("sequence", Sequence, primary_key=True, autoincrement=True),
    sa.Column("account_id", sa.ForeignKey("account.account_id"), nullable=False),
    sa.Column("venue", sa.Text, nullable=False),
    sa.Column("symbol", sa.Text, nullable=False),
    sa.Column("trade_id", sa.Text, nullable=False),
    sa.Column("client_order_id", sa.ForeignKey("orders.client_order_id"), nullable=False),
    sa.Column("side", sa.Text, nullable=False),
    sa.Column("quantity", ExactDecimal, nullable=False),
    sa.Column("price", ExactDecimal, nullable=False),
    sa.Column("fee", ExactDecimal, nullable=False),
    sa.Column("executed_at", UtcInstant, nullable=False),
    sa.Column("booked_at", UtcInstant, nullable=False),
    sa.UniqueConstraint("venue", "symbol", "trade_id"),
    sa.Index(None, "client_order_id"),
)

day_open = sa.Table(
    "day_open",
    metadata,
    sa.Column("account_id", sa.ForeignKey("account.account_id"), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("equity", ExactDecimal, nullable=False),
    sa.Column("recorded_at", UtcInstant, nullable=False),
)

portfolio_snapshot = sa.Table(
    "portfolio_snapshot",
    metadata,
    sa.Column("account_id", sa.ForeignKey("account.account_id"), primary_key=True),
    sa.Column("taken_at", UtcInstant, primary_key=True),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("cash", ExactDecimal, nullable=False),
    sa.Column("equity", ExactDecimal, nullable=False),
    sa.Column("realised_pnl", ExactDecimal, nullable=False),
    sa.Column("unrealised_pnl", ExactDecimal, nullable=False),
    sa.Column("fees", ExactDecimal, nullable=False),
    sa.Column("positions", sa.Text, nullable=False),
)
