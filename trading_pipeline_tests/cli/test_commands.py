"""What every command prints on a profile that a demo made."""

import json
import shutil
from pathlib import Path

import pytest

from trading_pipeline_tests.cli.candle_folders import N_CANDLES
from trading_pipeline_tests.cli.conftest import FilesDemo
from trading_pipeline_tests.cli.desk import QUICK, Desk, assert_refused, commits

COMMANDS = [
    [],
    ["demo"],
    ["run"],
    ["ui"],
    ["data"],
    ["data", "import"],
    ["data", "history"],
    ["data", "list"],
    ["data", "sql"],
    ["data", "prune"],
    ["backtest"],
    ["backtest", "run"],
    ["portfolio"],
    ["portfolio", "show"],
    ["profile"],
    ["profile", "list"],
    ["profile", "use"],
    ["doctor"],
]


def test_every_command_has_a_help_page(desk: Desk):
    from click.testing import CliRunner

    from trading_pipeline.cli.main import cli

    # One interpreter for all pages; the first is asked of the real script as well.
    for command in COMMANDS:
        shown = CliRunner().invoke(cli, [*command, "--help"], prog_name="trading")
        assert shown.exit_code == 0
        assert shown.output.startswith(f"Usage: {' '.join(['trading', *command])} ")
    page = desk.succeed("--help").out
    assert all(command[0] in page for command in COMMANDS if command)
    assert not desk.root.exists()


@pytest.mark.parametrize(
    "arguments", [["data", "list"], ["profile", "list"], ["portfolio", "show"]]
)
def test_commands_on_a_machine_without_candles_say_so_calmly(desk: Desk, arguments: list[str]):
    done = desk.succeed(*arguments)
    assert done.out.strip()
    assert done.err == ""


def test_list_counts_candles_and_fits_a_plain_terminal(files_demo: FilesDemo):
    done = files_demo.desk.succeed("data", "list")
    assert "…" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    listed = files_demo.desk.succeed("data", "list", "--json").json
    assert listed["profile"] == "candles"
    for row, symbol in zip(listed["candles"], ["BTC-USDT", "ETH-USDT"], strict=True):
        assert (row["symbol"], row["candles"], row["months"]) == (symbol, N_CANDLES, 2)
        assert row["first"][:16] == "2024-01-01T00:00"
        assert row["last"][:16] == "2024-02-29T23:00"
    tables = {row["table"]: row["rows"] for row in listed["tables"]}
    assert tables["candles"] == tables["feature_matrix"] == tables["signals"] == 2 * N_CANDLES


@pytest.mark.parametrize("strategy", ["rsi", "ema_cross", "forecast", "signals"])
def test_backtest_runs_each_source_over_dates_of_ones_own(files_demo: FilesDemo, strategy: str):
    options = ("--strategy", strategy, "--symbol", "ETH-USDT", "--balance", "5000")
    dates = ("--from", "2024-02-02", "--to", "2024-02-20")
    found = files_demo.desk.succeed("backtest", "run", *options, *dates, "--json").json
    assert (found["symbol"], found["simulated"]) == ("ETH/USDT", False)
    own, held = found["strategy"], found["buy_and_hold"]
    assert own["strategy"] == strategy
    candles = files_demo.written["ETH-USDT"]
    window = candles.filter(candles["open_time"].dt.strftime("%m-%d").is_between("02-02", "02-20"))
    for account in (own, held):
        assert account["n_bars"] == window.height == 19 * 24
        assert account["start"][:10] == "2024-02-02"
    # Bought at the second open, sold at no cost but its own; fee and slippage are 15 bps a side.
    gross = window["close"][-1] / window["open"][1] - 1
    assert held["total_return"] == pytest.approx(gross, abs=0.004 * (1 + abs(gross)))
    assert held["final_equity"] == pytest.approx(5000 * (1 + held["total_return"]), rel=1e-9)
    assert own["final_equity"] == pytest.approx(5000 * (1 + own["total_return"]), rel=1e-9)


def test_backtest_says_its_assumptions_and_refuses_dates_without_candles(files_demo: FilesDemo):
    shown = " ".join(files_demo.desk.succeed("backtest", "run").out.split())
    assert "BTC/USDT 1h (binance, from candle files), 2024-02-01 to 2024-02-29 UTC" in shown
    assert "Window: out of sample, from the first fold 2024-02 on" in shown
    assert "fee 10 bps, slippage 5 bps" in shown
    dates = ("--from", "2024-02-10", "--to", "2024-02-01")
    done = files_demo.desk.run("backtest", "run", *dates)
    assert_refused(done, "DataError", "at least two candles", "2024-01-01 to 2024-02-29")


def test_portfolio_shows_what_paper_bought(files_demo: FilesDemo):
    account = files_demo.desk.succeed("portfolio", "show", "--json").json
    assert (account["mode"], account["simulated"]) == ("paper", False)
    held = {row["symbol"]: row for row in account["positions"]}
    assert {row["symbol"]: row["quantity"] for row in account["orders"]} == {
        symbol: row["quantity"] for symbol, row in held.items()
    }
    assert "ETH/USDT" in held
    newest = {
        name.replace("-", "/"): rows["close"][-1] for name, rows in files_demo.written.items()
    }
    worth = float(account["cash"])
    for symbol, row in held.items():
        assert float(row["price"]) == newest[symbol]
        worth += float(row["quantity"]) * newest[symbol]
    assert float(account["equity"]) == pytest.approx(worth, rel=1e-12)
    assert "ETH/USDT" in files_demo.desk.succeed("portfolio", "show").out


def test_run_lists_the_stages_in_order(desk: Desk):
    lines = desk.succeed("run", "--list", COLUMNS="200").out.splitlines()
    names = [line.split()[0] for line in lines]
    assert names[:3] == ["fetch", "validate", "resample"]
    assert names[3:6] == ["features", "walk-forward", "signals"]
    assert sorted(names[6:]) == ["backtest", "summary", "train"]
    assert not desk.root.exists()


def test_a_stage_that_is_up_to_date_is_not_made_again(files_demo: FilesDemo):
    lake = files_demo.desk.lake("candles")
    before = commits(lake)
    files_demo.desk.succeed("run", "features", "--symbol", "ETH-USDT", "--from", "2024-02")
    assert commits(lake) == before


def test_profiles_are_listed_and_switched(desk: Desk):
    desk.with_profile("first", "market: {history_start: 2024-01}\n")
    (desk.root / "profiles" / "second.yaml").write_text("market: {history_start: 2024-02}\n")
    listed = desk.succeed("profile", "list", "--json").json
    assert [(row["profile"], row["active"]) for row in listed] == [
        ("none", False),
        ("first", True),
        ("second", False),
    ]
    assert "second" in desk.succeed("profile", "use", "second").out
    assert "* second" in desk.succeed("profile", "list").out
    once = desk.succeed("--profile", "first", "data", "list", "--json").json
    assert once["profile"] == "first"
    desk.succeed("profile", "use", "none")
    assert desk.succeed("data", "list", "--json").json["profile"] is None


def test_a_lake_whose_bytes_changed_is_not_used(files_demo: FilesDemo, tmp_path: Path):
    machine = Desk.furnished(tmp_path / "copy", QUICK)
    shutil.copytree(files_demo.desk.root, machine.root)
    manifest = min((machine.lake("candles") / "signals").rglob("manifest.json"))
    part = manifest.parent / json.loads(manifest.read_text())["parts"][0]["name"]
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(bytes(content))
    assert_refused(machine.run("backtest", "run"), "LakeCorruptionError", part.name)
