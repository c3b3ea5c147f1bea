"""Empty ledgers for tests: SQLite files, and schemas of their own in PostgreSQL."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from trading_pipeline.adapters.storage import ledger_schema as tables

_VARIABLE = "TRADING_TEST_POSTGRES_URL"
_DEFAULT = "postgresql://127.0.0.1:5432/test"


@contextmanager
def postgres_schema() -> Iterator[str]:
    """Yield the URL of an empty schema and drop it afterwards; skip where there is no server."""
    base = sa.make_url(os.environ.get(_VARIABLE, _DEFAULT)).set(drivername="postgresql+psycopg2")
    name = f"ledger_test_{uuid4().hex[:12]}"
    engine = sa.create_engine(base, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            connection.execute(sa.schema.CreateSchema(name))
    except OperationalError as error:
        if os.environ.get(_VARIABLE):
            raise
        pytest.skip(f"no PostgreSQL at {base}; set {_VARIABLE} ({error.orig})")
    try:
        url = base.update_query_dict({"options": f"-csearch_path={name}"})
        yield url.render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(sa.schema.DropSchema(name, cascade=True))


def empty_tables(url: str) -> None:
    """Delete every row of a PostgreSQL ledger."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    names = [table.name for table in reversed(tables.metadata.sorted_tables)]
    with engine.begin() as connection:
        connection.exec_driver_sql(";".join(f"DELETE FROM {name}" for name in names))
