"""Opening the ledger's database: durable SQLite or PostgreSQL, migrated to the newest schema."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError, StatementError

from trading_pipeline.adapters.storage.ledger_schema import REVISION
from trading_pipeline.core.errors import ConfigError, LedgerError

_BUSY_MS = 30_000
_MIGRATIONS = Path(__file__).parent / "migrations"
# Any number that nothing else in the database uses as an advisory lock.
_MIGRATION_LOCK = 7_204_118_993


def open_engine(url: str) -> Engine:
    """Return an engine for ``url`` whose schema is the newest.

    SQLite runs in WAL mode with ``synchronous=FULL``: a committed row survives power loss.

    Raises
    ------
    ConfigError
        If ``url`` is not of SQLite or PostgreSQL.
    LedgerError
        If the database cannot be reached, or was written by a newer version of this package.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        engine = _sqlite(parsed)
    else:
        try:
            engine = sa.create_engine(parsed, pool_pre_ping=True)
        except ImportError as error:
            raise ConfigError(
                "a PostgreSQL ledger needs psycopg2: pip install 'trading-pipeline[postgres]'"
            ) from error
    try:
        _migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Yield a connection with one consistent view of the ledger."""
    with _translated(engine):
        isolation = {} if _is_sqlite(engine) else {"isolation_level": "REPEATABLE READ"}
        with engine.connect().execution_options(**isolation) as connection, connection.begin():
            yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Yield a connection whose transaction commits at the end, or not at all."""
    with (
        _translated(engine),
        engine.connect().execution_options(writes=True) as connection,
        connection.begin(),
    ):
        yield connection


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            "storage.database_url is written as sqlite:///data/ledger.db or "
            "postgresql://user@host/database; what was given is no such address"
        ) from error
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg2")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigError(
            f"storage.database_url must be of sqlite or postgresql, was {parsed.drivername}"
        )
    return parsed


def _sqlite(url: URL) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise ConfigError(
            "the ledger must survive the process: give SQLite a file, as in "
            "sqlite:///data/ledger.db"
        )
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url)

    @event.listens_for(engine, "connect")
    def _configure(raw: sqlite3.Connection, _record: object) -> None:
        # The driver's own transactions begin late and commit before DDL; ours begin below.
        raw.isolation_level = None
        cursor = raw.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes its lock first: upgrading a read lock later fails at once if another
        # process wrote in between, whatever the timeout is.
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _migrate(engine: Engine) -> None:
    with _translated(engine):
        if _revision(engine) == REVISION:
            return
        if _is_sqlite(engine):
            _write_ahead(engine)
    with writing(engine) as connection:
        if not _is_sqlite(engine):
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        _upgrade(connection)


def _write_ahead(engine: Engine) -> None:
    raw = engine.raw_connection()
    try:
        # The mode is kept in the file, so one process sets it once.
        raw.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        raw.close()


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return None if found is None else str(found)


def _upgrade(connection: Connection) -> None:
    # Alembic takes 0.2 s to import; an up-to-date ledger does not need it.
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise LedgerError(
            f"the ledger at {shown(connection.engine)} was written by a newer version of "
            f"trading-pipeline: upgrade the package ({error})"
        ) from error


def shown(engine: Engine) -> str:
    """Return the database's address without its password."""
    return engine.url.render_as_string(hide_password=True)


def _is_sqlite(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite"


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise LedgerError(
            f"the ledger at {shown(engine)} did not answer as needed: {error.orig}. Check the "
            f"database and storage.database_url; nothing was written",
        ) from error
    except SQLAlchemyError as error:
        if isinstance(error, StatementError) and isinstance(error.orig, LedgerError):
            raise error.orig from error
        raise LedgerError(f"the ledger at {shown(engine)} failed: {error}") from error
