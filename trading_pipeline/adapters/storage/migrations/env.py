"""Runs the ledger's migrations inside the transaction of whoever opens the ledger."""

from alembic import context

from trading_pipeline.adapters.storage.ledger_schema import metadata


def migrate() -> None:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        transactional_ddl=True,
    )
    context.run_migrations()


# Only Alembic brings a configuration; a plain import, such as a test collector's, does nothing.
if hasattr(context, "config"):
    migrate()
