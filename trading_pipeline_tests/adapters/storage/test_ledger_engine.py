"""Opening, migrating and protecting the ledger's database."""

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from trading_pipeline.adapters.storage import ledger_engine, ledger_schema
from trading_pipeline.adapters.storage.ledger import open_ledger
from trading_pipeline.adapters.storage.ledger_engine import open_engine, writing
from trading_pipeline.core.errors import ConfigError, LedgerError
from trading_pipeline_tests.ledgers import postgres_schema
from trading_pipeline_tests.trading_builders import NOW, PAPER, d

_ROOT = Path(__file__).resolve().parents[3]
_OPEN = "import sys; from trading_pipeline.adapters.storage.ledger import open_ledger; "


def assert_matches_metadata(url: str) -> None:
    engine = open_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, ledger_schema.metadata) == []
    engine.dispose()


def test_the_migrations_make_the_declared_tables_on_sqlite(tmp_path):
    assert_matches_metadata(f"sqlite:///{tmp_path}/new/folder/ledger.db")


@pytest.mark.postgres
def test_the_migrations_make_the_declared_tables_on_postgres():
    with postgres_schema() as url:
        assert_matches_metadata(url)


def test_the_named_revision_is_the_newest_migration():
    config = Config()
    config.set_main_option(
        "script_location", str(Path(ledger_engine.__file__).parent / "migrations")
    )
    assert ScriptDirectory.from_config(config).get_current_head() == ledger_schema.REVISION


def test_sqlite_survives_power_loss_by_its_settings(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/ledger.db")
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
    }


def test_money_and_time_are_kept_as_exact_text_in_sqlite(tmp_path):
    path = tmp_path / "ledger.db"
    with open_ledger(f"sqlite:///{path}") as ledger:
        ledger.open_account(PAPER, "USDT", d("10000.10"), NOW)
    raw = sqlite3.connect(path)
    row = raw.execute("SELECT initial_cash, opened_at FROM account").fetchone()
    raw.close()
    assert row == ("10000.10", "2024-03-01T12:00:05.000000+00:00")


def test_a_transaction_that_fails_leaves_nothing(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/ledger.db")
    row = sa.insert(ledger_schema.account).values(
        name="a", mode="paper", currency="USDT", initial_cash=d(1), opened_at=NOW
    )

    def write_the_row_twice() -> None:
        with writing(engine) as connection:
            connection.execute(row)
            connection.execute(row)

    with pytest.raises(LedgerError, match="UNIQUE constraint failed"):
        write_the_row_twice()
    with engine.connect() as connection:
        assert connection.execute(sa.select(ledger_schema.account)).all() == []
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://host/db", "sqlite or postgresql, was mysql"),
        ("not an address", "is no such address"),
        ("sqlite://", "must survive the process"),
        ("sqlite:///:memory:", "must survive the process"),
    ],
)
def test_an_address_that_cannot_hold_a_ledger_is_refused(url, said):
    with pytest.raises(ConfigError, match=said):
        open_ledger(url)


def test_an_unreachable_server_is_a_ledger_error_without_the_password():
    with pytest.raises(LedgerError, match="did not answer") as caught:
        open_ledger("postgresql://user:hunter2@127.0.0.1:1/nowhere")
    assert "hunter2" not in caught.value.message


def test_a_file_that_is_no_database_is_a_ledger_error(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_text("this is not a database, but a letter to the reader" * 40)
    with pytest.raises(LedgerError, match="not a database"):
        open_ledger(f"sqlite:///{path}")


def test_a_ledger_of_a_newer_version_is_refused_and_untouched(tmp_path):
    url = f"sqlite:///{tmp_path}/ledger.db"
    open_ledger(url).close()
    raw = sqlite3.connect(tmp_path / "ledger.db")
    raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.commit()
    with pytest.raises(LedgerError, match="newer version"):
        open_ledger(url)
    assert raw.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
    raw.close()


def test_an_up_to_date_ledger_opens_without_alembic_and_quickly(tmp_path):
    url = f"sqlite:///{tmp_path}/ledger.db"
    open_ledger(url).close()
    started = time.perf_counter()
    open_ledger(url).close()
    assert time.perf_counter() - started < 0.3
    code = f"{_OPEN}open_ledger({url!r}).close(); sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=_ROOT, check=False).returncode == 0


def assert_many_can_open(url: str) -> None:
    code = (
        f"{_OPEN}from trading_pipeline_tests.trading_builders import *; ledger = open_ledger"
        f"({url!r}); ledger.open_account(PAPER, 'USDT', d(10_000), NOW); ledger.close()"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=_ROOT) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    with open_ledger(url) as ledger:
        assert len(ledger.accounts()) == 1


def test_four_processes_can_create_one_sqlite_ledger_at_once(tmp_path):
    assert_many_can_open(f"sqlite:///{tmp_path}/ledger.db")


@pytest.mark.postgres
def test_four_processes_can_create_one_postgres_ledger_at_once():
    with postgres_schema() as url:
        assert_many_can_open(url)
