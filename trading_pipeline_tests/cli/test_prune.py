"""``trading data prune`` on a small lake: what it shows, what it asks for, what it deletes."""

import os
import pty
import time
from pathlib import Path

import pytest

from trading_pipeline.adapters.storage.lake import Lake, month_address
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.cli.desk import TRADING, Desk, assert_refused, assert_untouched, tree

MONTHS = [Month(2023, number) for number in (1, 2, 3)]
PROFILE = "market: {venue: trial, history_start: 2023-03}\nlog_level: ERROR\n"


@pytest.fixture
def filled(tmp_path: Path) -> Desk:
    """Return a machine with three old months, of which the last is in use, and an old report."""
    machine = Desk.furnished(tmp_path).with_profile("small", PROFILE)
    lake = Lake(machine.lake("small"))
    for month in MONTHS:
        address = month_address("candles", "trial", Symbol("BTC", "USDT"), Timeframe("1h"), month)
        lake.commit(address, make_candles(5, start=month.start), fingerprint="x")
    report = machine.root / "small" / "reports" / "old.pdf"
    report.parent.mkdir(parents=True)
    report.write_bytes(b"x" * 2_000_000)
    then = time.time() - 1000 * 86_400
    os.utime(report, (then, then))
    return machine


def stored(desk: Desk) -> list[str]:
    lake = Lake(desk.lake("small"))
    return [dict(address.columns)["month"] for address in lake.addresses("candles")]


def test_a_dry_run_shows_what_would_go_and_deletes_nothing(filled: Desk):
    before = tree(filled.root)
    done = filled.succeed("data", "prune", "--older-than", "12m", "--dry-run")
    assert_untouched(before, tree(filled.root))
    assert max(map(len, done.out.splitlines())) <= 80
    assert "Would go" in done.out
    assert "reports: 1 files, 2.00 MB" in done.out
    assert "raise its market.history_start to 2023-04" in done.out.replace("\n", " ")
    shown = filled.succeed("data", "prune", "--older-than", "12m", "--dry-run", "--json").json
    assert shown["partitions"] == [
        {
            "table": "candles",
            "symbol": "BTC-USDT",
            "first_month": "2023-01",
            "last_month": "2023-02",
            "partitions": 2,
            "rows": 10,
            "bytes": shown["partitions"][0]["bytes"],
        }
    ]
    assert shown["files"]["reports"] == {"files": 1, "bytes": 2_000_000}
    assert [row["last_month"] for row in shown["in_use"]] == ["2023-03"]
    assert "deleted" not in shown


def test_nothing_is_deleted_unasked_where_nobody_can_be_asked(filled: Desk):
    before = tree(filled.root)
    done = filled.run("data", "prune", "--older-than", "12m")
    assert done.code == 1
    assert "deleting needs --yes" in done.err
    assert_untouched(before, tree(filled.root))


def test_yes_deletes_what_the_dry_run_showed(filled: Desk):
    done = filled.succeed("data", "prune", "--older-than", "12m", "--yes", "--json").json
    assert done["deleted"] == {
        "partitions": 2,
        "files": {"reports": 1, "logs": 0},
        "runs": 0,
        "stream_events": 0,
        "orphan_parts": 0,
    }
    assert stored(filled) == ["2023-03"]
    again = filled.succeed("data", "prune", "--older-than", "12m", "--yes")
    assert "Nothing of that age can go." in again.out


@pytest.mark.parametrize(("answer", "left"), [("n", 3), ("y", 1)])
def test_a_person_at_a_terminal_is_asked(filled: Desk, answer: str, left: int):
    command = [str(TRADING), "data", "prune", "--older-than", "12m"]
    process, terminal = pty.fork()
    if process == 0:  # the child: a terminal is its standard input
        os.execve(command[0], command, filled.environment({}))
    seen = b""
    while b"for good?" not in seen:
        seen += os.read(terminal, 1024)
    os.write(terminal, f"{answer}\n".encode())
    try:
        while os.read(terminal, 1024):
            pass
    except OSError:
        pass  # Linux says so when the other side has closed
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == (0 if answer == "y" else 130)
    assert len(stored(filled)) == left


def test_a_table_that_is_wholly_in_use_is_refused_with_what_to_change(filled: Desk):
    lake = filled.root / "profiles" / "small.yaml"
    lake.write_text(PROFILE.replace("2023-03", "2023-01"))
    done = filled.run("data", "prune", "--older-than", "12m", "--table", "candles", "--yes")
    assert_refused(done, "DataError", "history of profile small", "history_start to 2023-04")
    assert len(stored(filled)) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 1, "say how old: --older-than 24m, or set storage.retention"),
        (["--older-than", "2y"], 2, "such as 24m or 90d, was '2y'"),
        (["--older-than", "12m", "--table", "candels"], 1, "did you mean candles"),
    ],
)
def test_what_cannot_be_done_is_said(filled: Desk, arguments: list[str], code: int, words: str):
    done = filled.run("data", "prune", *arguments)
    assert done.code == code
    assert words in done.err.replace("\n", " ")


def test_the_settings_may_say_how_long_each_kind_is_kept(filled: Desk):
    profile = filled.root / "profiles" / "small.yaml"
    profile.write_text(PROFILE + "storage: {retention: {reports: 90d}}\n")
    shown = filled.succeed("data", "prune", "--dry-run", "--json").json
    assert shown["partitions"] == shown["in_use"] == []
    assert shown["files"] == {"reports": {"files": 1, "bytes": 2_000_000}}
