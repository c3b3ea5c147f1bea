"""The demo killed in the middle, again and again, by SIGKILL."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from trading_pipeline_tests.cli.conftest import FilesDemo
from trading_pipeline_tests.cli.desk import QUICK, Desk, Done, commits, contents, manifests

# Table and number of its partitions at whose commit the command is killed, in walking order.
MOMENTS = (("feature_matrix", 1), ("backtest_results", 1))
SYMBOL = "symbol=ETH-USDT"
# Its rows name the folder of the report, which is each machine's own.
REPORTS = "backtest_report_pdf"


@dataclass(frozen=True)
class Killed:
    """A machine whose demo was killed at every moment and then ended once."""

    desk: Desk
    done: Done
    kept: int
    remade: list[str]


@pytest.fixture(scope="module")
def killed(files_demo: FilesDemo, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    machine = Desk.furnished(tmp_path_factory.mktemp("killed"), QUICK)
    lake, ledger = machine.lake("candles"), machine.root / "candles" / "ledger.sqlite"
    command = ("demo", files_demo.candles, "--symbol", "ETH-USDT", "--json")
    moments = [_committed(lake, table, count) for table, count in MOMENTS]
    before: dict[Path, tuple[int, int, str]] = {}
    remade: list[str] = []
    for moment in [*moments, lambda: _n_orders(ledger) > 0]:
        machine.kill_when(moment, *command)
        now = commits(lake)
        remade += _changed(before, now)
        before = now
    done = machine.succeed(*command)
    return Killed(machine, done, len(before), remade + _changed(before, commits(lake)))


def _committed(lake: Path, table: str, count: int) -> Callable[[], bool]:
    return lambda: len(manifests(lake, table)) >= count


def _n_orders(ledger: Path) -> int:
    if not ledger.is_file():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
            return int(connection.execute("select count(*) from orders").fetchone()[0])
    except sqlite3.OperationalError:  # before its schema is there
        return 0


def _changed(
    before: dict[Path, tuple[int, int, str]], after: dict[Path, tuple[int, int, str]]
) -> list[str]:
    return [
        f"{path}: {kept} became {after.get(path)}"
        for path, kept in before.items()
        if after.get(path) != kept
    ]


def test_what_was_committed_before_a_kill_is_not_made_again(killed: Killed):
    assert killed.kept > 20
    assert killed.remade == []


def test_the_lake_ends_byte_for_byte_as_that_of_an_undisturbed_run(
    killed: Killed, files_demo: FilesDemo
):
    lakes = [killed.desk.lake("candles"), files_demo.desk.lake("candles")]
    ended, undisturbed = (
        {name: parts for name, parts in contents(lake).items() if SYMBOL in name} for lake in lakes
    )
    reports = [name for name in undisturbed if name.startswith(REPORTS)]
    assert len(reports) == 1
    for name in reports:
        del ended[name], undisturbed[name]
    assert ended == undisturbed
    first, second = (_report(lake) for lake in lakes)
    assert first.drop("path").equals(second.drop("path"))


def _report(lake: Path) -> pl.DataFrame:
    (manifest,) = [path for path in manifests(lake, REPORTS) if SYMBOL in str(path)]
    (part,) = json.loads(manifest.read_text())["parts"]
    return pl.read_parquet(manifest.parent / part["name"])


def test_the_figures_and_the_decision_end_as_undisturbed(killed: Killed, files_demo: FilesDemo):
    both = [killed.done.json, files_demo.done.json]
    ended, undisturbed = ([_of_ether(one[key]) for key in ("summary", "paper")] for one in both)
    # The outcome says the quantity: the other demo had paid for a second symbol by then.
    assert ended[1].pop("outcome").startswith("filled: buy")
    assert undisturbed[1].pop("outcome").startswith("filled: buy")
    assert ended == undisturbed


def _of_ether(rows: list[dict[str, Any]]) -> dict[str, Any]:
    (row,) = [dict(row) for row in rows if row["symbol"] == "ETH/USDT"]
    return row


def test_a_kill_after_the_order_was_written_makes_no_second_order(killed: Killed):
    account = killed.desk.succeed("portfolio", "show", "--json").json
    found = [(order["symbol"], order["side"], order["status"]) for order in account["orders"]]
    assert found == [("ETH/USDT", "buy", "filled")]


def test_no_run_is_left_as_if_it_still_went_on(killed: Killed):
    database = next((killed.desk.root / "candles" / "dagster").rglob("runs.db"))
    with closing(sqlite3.connect(database)) as connection:
        states = dict(connection.execute("select status, count(*) from runs group by status"))
    assert set(states) == {"SUCCESS", "FAILURE"}
    assert states["FAILURE"] <= len(MOMENTS) + 1  # a kill between two runs abandons none
