"""Settings and arguments that are refused: one message that says what, where and what to do."""

import socket
from pathlib import Path

import pytest

from trading_pipeline.cli.main import main
from trading_pipeline_tests.cli.desk import (
    Desk,
    assert_refused,
    assert_untouched,
    tree,
)


def test_an_unknown_key_in_the_file_names_the_file_and_the_nearest_key(desk: Desk):
    path = desk.home / "config.yaml"
    path.write_text(path.read_text().replace("  base_timeframe: 1h", "  base_timefram: 1h"))
    done = desk.run("data", "list")
    assert_refused(
        done, "ConfigError", str(path), "market.base_timefram", "did you mean base_timeframe"
    )


def test_a_file_that_is_not_yaml_is_named(desk: Desk):
    path = desk.home / "config.yaml"
    path.write_text("market: [")
    assert_refused(desk.run("data", "list"), "ConfigError", str(path), "readable YAML")


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("TRADING__MARKET__BASE_TIMEFRAM", "1h", ["did you mean base_timeframe"]),
        ("TRADING__MARKETS__VENUE", "binance", ["TRADING__MARKETS__VENUE", "did you mean market"]),
        ("TRADING__MARKET__BASE_TIMEFRAME", "7h", ["7h", "6h", "8h"]),
        ("TRADING__SIGNALS__WEIGHTS", "rsi=1", ["JSON", "rsi=1"]),
        ("TRADING_PROFILE", "nowhere", ["no profile 'nowhere'", "none was written yet"]),
    ],
)
def test_a_bad_variable_is_named_with_its_value(
    desk: Desk, variable: str, value: str, words: list[str]
):
    done = desk.run("data", "list", **{variable: value})
    assert_refused(done, "ConfigError", *words)
    assert not desk.root.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dem"], ["unknown command 'dem'", "did you mean demo"]),
        (["demo", "--fast"], ["No such option", "--fast"]),
        (["demo", "--timeframe", "7x", "x.csv"], ["7x", "1h", "--timeframe"]),
        (["demo", "--symbol", "BTC", "x.csv"], ["BTC", "--symbol"]),
        (["data", "history", "--from", "2024-13"], ["2024-13", "--from"]),
        (["data", "import"], ["Missing argument"]),
        (["backtest", "run", "--from", "yesterday"], ["yesterday", "--from"]),
        (["backtest", "run", "--balance", "-5"], ["-5", "x>0"]),
        (["ui", "--port", "99999"], ["99999", "--port"]),
    ],
)
def test_wrong_usage_says_what_was_wrong(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
):
    # Wrong usage ends before a setting is read, so one interpreter serves every case.
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    shown = capsys.readouterr()
    assert stop.value.code == 2
    assert shown.out == ""
    assert shown.err.count("Error: ") == 1
    for word in words:
        assert word in shown.err


def test_wrong_usage_ends_the_process_with_code_2(desk: Desk):
    done = desk.run("dem")
    assert (done.code, done.out) == (2, "")
    assert "did you mean demo" in done.err
    assert "Traceback" not in done.err


PROFILE = """
market: {venue: simulated, symbols: {BTC-USDT: {}}, history_start: 2024-10, history_end: 2026-10}
"""


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (["run", "fetsch"], "DataError", ["unknown stage 'fetsch'", "did you mean fetch"]),
        (["run", "--symbol", "BTX-USDT"], "ConfigError", ["BTX-USDT", "did you mean BTC-USDT"]),
        (
            ["data", "history", "--symbol", "SOL-USDT"],
            "SymbolNotListedError",
            ["does not list SOL/USDT", "BTC/USDT"],
        ),
        (
            ["data", "history", "--from", "2025-05", "--to", "2025-04"],
            "ConfigError",
            ["2025-05", "2025-04", "oldest first"],
        ),
        (
            ["run", "--from", "2020-01", "--to", "2024-11"],
            "ConfigError",
            ["2024-10 (market.history_start)", "2020-01"],
        ),
        (
            ["data", "history", "--from", "2026-09", "--to", "2031-01"],
            "ConfigError",
            ["2026-10", "2031-01"],
        ),
        (
            ["backtest", "run", "--strategy", "rsy"],
            "ConfigError",
            ["unknown strategy 'rsy'", "did you mean rsi"],
        ),
        (["backtest", "run", "--symbol", "SOL-USDT"], "ConfigError", ["SOL-USDT"]),
        (["backtest", "run"], "DataError", ["BTC/USDT has no signals yet", "trading run"]),
        (["profile", "use", "kep"], "ConfigError", ["no profile 'kep'", "kept"]),
        (["--profile", "other", "data", "list"], "ConfigError", ["no profile 'other'", "kept"]),
    ],
)
def test_what_the_profile_does_not_know_is_refused_before_anything_is_written(
    desk: Desk, arguments: list[str], kind: str, words: list[str]
):
    desk.with_profile("kept", PROFILE)
    before = tree(desk.root)
    assert_refused(desk.run(*arguments), kind, *words)
    after = tree(desk.root)
    # Dagster's own home may be opened; no candle, order or profile is.
    assert_untouched(
        before, {name: text for name, text in after.items() if "/dagster/" not in name}
    )


def test_a_taken_port_names_the_option(desk: Desk):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        done = desk.run("ui", "--port", port)
    assert_refused(done, "ConfigError", f"127.0.0.1:{port}", "--port")


def test_a_home_without_dagster_yaml_says_which_file_is_missing(desk: Desk):
    (desk.home / "dagster.yaml").unlink()
    done = desk.run("ui", "--port", 3999)
    assert_refused(done, "ConfigError", str(desk.home / "dagster.yaml"))


def test_a_storage_root_that_is_a_file_is_refused(desk: Desk, tmp_path: Path):
    root = tmp_path / "taken"
    root.write_text("not a folder")
    done = desk.run("demo", TRADING__STORAGE__ROOT=str(root))
    assert_refused(done, "ConfigError", str(root), "storage.root")
    assert root.read_text() == "not a folder"
