"""Accounts, live signals, orders, fills, valuations."""

import sqlalchemy as sa
from alembic import op

from trading_pipeline.adapters.storage.ledger_schema import ExactDecimal, Sequence, UtcInstant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("account_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("initial_cash", ExactDecimal(), nullable=False),
        sa.Column("opened_at", UtcInstant(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account")),
        sa.UniqueConstraint("name", "mode", name=op.f("uq_account_name_mode")),
    )
    op.create_table(
        "day_open",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("equity", ExactDecimal(), nullable=False),
        sa.Column("recorded_at", UtcInstant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.account_id"], name=op.f("fk_day_open_account_id")
        ),
        sa.PrimaryKeyConstraint("account_id", "day", name=op.f("pk_day_open")),
    )
    op.create_table(
        "live_signal",
        sa.Column("signal_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("candle_open_time", UtcInstant(), nullable=False),
        sa.Column("direction", sa.SmallInteger(), nullable=False),
        sa.Column("strength", sa.Double(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("known_at", UtcInstant(), nullable=False),
        sa.Column("recorded_at", UtcInstant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.account_id"], name=op.f("fk_live_signal_account_id")
        ),
        sa.PrimaryKeyConstraint("signal_id", name=op.f("pk_live_signal")),
        sa.UniqueConstraint(
            "account_id",
            "strategy",
            "symbol",
            "timeframe",
            "candle_open_time",
            name="uq_live_signal_candle",
        ),
    )
    op.create_table(
        "portfolio_snapshot",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("taken_at", UtcInstant(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("cash", ExactDecimal(), nullable=False),
        sa.Column("equity", ExactDecimal(), nullable=False),
        sa.Column("realised_pnl", ExactDecimal(), nullable=False),
        sa.Column("unrealised_pnl", ExactDecimal(), nullable=False),
        sa.Column("fees", ExactDecimal(), nullable=False),
        sa.Column("positions", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.account_id"], name=op.f("fk_portfolio_snapshot_account_id")
        ),
        sa.PrimaryKeyConstraint("account_id", "taken_at", name=op.f("pk_portfolio_snapshot")),
    )
    op.create_table(
        "system_event",
        sa.Column("sequence", Sequence, autoincrement=True, nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("at", UtcInstant(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.account_id"], name=op.f("fk_system_event_account_id")
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_system_event")),
    )
    op.create_table(
        "system_state",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("kill_switch", sa.Boolean(), nullable=False),
        sa.Column("risk_state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changed_at", UtcInstant(), nullable=False),
        sa.Column("lease_token", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=False),
        sa.Column("leased_at", UtcInstant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.account_id"], name=op.f("fk_system_state_account_id")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_system_state")),
    )
    op.create_table(
        "decision_input",
        sa.Column("signal_id", sa.Text(), nullable=False),
        sa.Column("price", ExactDecimal(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=True),
        sa.Column("features", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["signal_id"], ["live_signal.signal_id"], name=op.f("fk_decision_input_signal_id")
        ),
        sa.PrimaryKeyConstraint("signal_id", name=op.f("pk_decision_input")),
    )
    op.create_table(
        "orders",
        sa.Column("sequence", Sequence, autoincrement=True, nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("signal_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("leg", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", ExactDecimal(), nullable=False),
        sa.Column("reference_price", ExactDecimal(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("filled_quantity", ExactDecimal(), nullable=False),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcInstant(), nullable=False),
        sa.Column("updated_at", UtcInstant(), nullable=False),
        sa.Column("sent_at", UtcInstant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.account_id"], name=op.f("fk_orders_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["signal_id"], ["live_signal.signal_id"], name=op.f("fk_orders_signal_id")
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_orders")),
        sa.UniqueConstraint("client_order_id", name=op.f("uq_orders_client_order_id")),
        sa.UniqueConstraint(
            "signal_id", "leg", "attempt", name=op.f("uq_orders_signal_id_leg_attempt")
        ),
    )
    op.create_index(
        op.f("ix_orders_account_id_status"), "orders", ["account_id", "status"], unique=False
    )
    op.create_table(
        "signal_denial",
        sa.Column("signal_id", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", UtcInstant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["signal_id"], ["live_signal.signal_id"], name=op.f("fk_signal_denial_signal_id")
        ),
        sa.PrimaryKeyConstraint("signal_id", name=op.f("pk_signal_denial")),
    )
    op.create_table(
        "vote",
        sa.Column("signal_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("direction", sa.SmallInteger(), nullable=False),
        sa.Column("strength", sa.Double(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["signal_id"], ["live_signal.signal_id"], name=op.f("fk_vote_signal_id")
        ),
        sa.PrimaryKeyConstraint("signal_id", "position", name=op.f("pk_vote")),
    )
    op.create_table(
        "fill",
        sa.Column("sequence", Sequence, autoincrement=True, nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", ExactDecimal(), nullable=False),
        sa.Column("price", ExactDecimal(), nullable=False),
        sa.Column("fee", ExactDecimal(), nullable=False),
        sa.Column("executed_at", UtcInstant(), nullable=False),
        sa.Column("booked_at", UtcInstant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.account_id"], name=op.f("fk_fill_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["client_order_id"], ["orders.client_order_id"], name=op.f("fk_fill_client_order_id")
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_fill")),
        sa.UniqueConstraint(
            "venue", "symbol", "trade_id", name=op.f("uq_fill_venue_symbol_trade_id")
        ),
    )
    op.create_index(op.f("ix_fill_client_order_id"), "fill", ["client_order_id"], unique=False)
    op.create_table(
        "order_event",
        sa.Column("sequence", Sequence, autoincrement=True, nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("at", UtcInstant(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_order_id"],
            ["orders.client_order_id"],
            name=op.f("fk_order_event_client_order_id"),
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_order_event")),
    )
    op.create_index(
        op.f("ix_order_event_client_order_id"), "order_event", ["client_order_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_order_event_client_order_id"), table_name="order_event")
    op.drop_table("order_event")
    op.drop_index(op.f("ix_fill_client_order_id"), table_name="fill")
    op.drop_table("fill")
    op.drop_table("vote")
    op.drop_table("signal_denial")
    op.drop_index(op.f("ix_orders_account_id_status"), table_name="orders")
    op.drop_table("orders")
    op.drop_table("decision_input")
    op.drop_table("system_state")
    op.drop_table("system_event")
    op.drop_table("portfolio_snapshot")
    op.drop_table("live_signal")
    op.drop_table("day_open")
    op.drop_table("account")
