"""``trading data sql`` on a small lake: answers, tables, files, and what is refused."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trading_pipeline.adapters.storage.lake import Lake, month_address
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.cli.desk import Desk, assert_refused, assert_untouched, tree

N = 48


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Return a machine with two symbols' candles and no more; tests only read it."""
    machine = Desk.furnished(tmp_path_factory.mktemp("sql"))
    machine.with_profile("small", "market: {venue: trial, history_start: 2024-01}\n")
    lake = Lake(machine.lake("small"))
    notes = {
        "expected": N,
        "present": N,
        "explained": 0,
        "unexplained": 0,
        "dropped": {},
        "gaps": [],
    }
    for seed, name in enumerate(("BTC-USDT", "ETH-USDT"), start=1):
        symbol, month = Symbol.parse(name), Month.parse("2024-01")
        address = month_address("candles", "trial", symbol, Timeframe("1h"), month)
        lake.commit(address, make_candles(N, seed=seed), fingerprint="x", notes=notes)
    return machine


def test_without_a_query_the_tables_are_listed(desk: Desk):
    shown = desk.succeed("data", "sql").out
    assert max(map(len, shown.splitlines())) <= 80
    assert "candles" in shown
    listed = {row["table"]: row for row in desk.succeed("data", "sql", "--json").json["tables"]}
    assert list(listed) == ["candles", "coverage"]
    assert listed["candles"]["rows"] == 2 * N
    assert {"open_time", "close", "symbol", "month"} <= set(listed["candles"]["columns"])


def test_an_answer_fits_the_terminal_and_says_what_it_leaves_out(desk: Desk):
    shown = desk.succeed("data", "sql", "select *, close AS again FROM candles").out
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown
    assert "not shown, for want of room:" in shown
    assert "the first 20 rows; --limit shows more" in shown
    few = desk.succeed("data", "sql", "select symbol, count(*) AS n from candles group by 1").out
    assert "2 rows" in few


def test_json_has_every_row_with_times_as_text_and_no_infinite_number(desk: Desk):
    query = (
        "SELECT open_time, volume / 0 AS x, INTERVAL 90 MINUTE AS span, sum(1) OVER () AS n "
        "FROM candles WHERE symbol = 'BTC-USDT' ORDER BY open_time"
    )
    answer = desk.succeed("data", "sql", query, "--json").json
    assert answer["n_rows"] == len(answer["rows"]) == N
    assert answer["rows"][0] == {
        "open_time": "2024-01-01T00:00:00+00:00", "x": None, "span": 5400.0, "n": N,
    }  # fmt: skip
    assert desk.succeed("data", "sql", query, "--json", "--limit", "3").json["n_rows"] == 3


def test_csv_has_every_row(desk: Desk, tmp_path: Path):
    file = tmp_path / "out.csv"
    query = "SELECT open_time, close, [1, 2] AS pair FROM candles ORDER BY symbol, open_time"
    done = desk.succeed("data", "sql", query, "--csv", file)
    assert "96 rows in" in done.out.replace("\n", "")
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert [float(row["close"]) for row in rows[:N]] == make_candles(N)["close"].to_list()
    assert datetime.fromisoformat(rows[0]["open_time"]) == datetime(2024, 1, 1, tzinfo=UTC)
    assert json.loads(rows[0]["pair"]) == [1, 2]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT * FROM candels", ["unknown table 'candels'", "did you mean candles"]),
        ("SELECT clse FROM candles", ["unknown column 'clse'", "did you mean close"]),
        ("SELEC 1", ["syntax error"]),
        ("SELECT 1; SELECT 2", ["one SELECT", "SELECT and SELECT"]),
        ("COPY candles TO 'stolen.csv'", ["one SELECT", "was COPY"]),
        ("ATTACH 'other.db'", ["was ATTACH"]),
        ("SELECT * FROM read_csv('home/config.yaml')", ["no files, no network"]),
    ],
)
def test_what_cannot_be_answered_is_refused_with_what_to_type(desk: Desk, query: str, words: list):
    before = tree(desk.folder)
    assert_refused(desk.run("data", "sql", query), "QueryError", *words)
    assert_untouched(before, tree(desk.folder))


def test_a_csv_file_without_a_folder_is_refused(desk: Desk, tmp_path: Path):
    done = desk.run("data", "sql", "SELECT 1 AS one", "--csv", tmp_path / "no" / "out.csv")
    assert_refused(done, "StorageError", "in a folder that exists")
    assert desk.run("data", "sql", "--csv", "x.csv").code == 2


def test_a_machine_without_candles_says_so_calmly(tmp_path: Path):
    done = Desk.furnished(tmp_path).succeed("data", "sql")
    assert "holds no table yet" in done.out
