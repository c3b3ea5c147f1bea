"""The whole demo on the simulated exchange, from nothing, as the README has it."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from pypdf import PdfReader

from trading_pipeline.adapters.exchanges.simulated.profile import DEMO_NOW
from trading_pipeline_tests.cli.conftest import SimulatedDemo
from trading_pipeline_tests.cli.desk import manifests

PAIRS = ["BTC/USDT", "ETH/USDT"]
START = datetime(2024, 10, 1, tzinfo=UTC)


def test_the_demo_prints_both_symbols_and_that_the_market_is_simulated(
    simulated_demo: SimulatedDemo,
):
    out = simulated_demo.done.out
    assert out.startswith("SIMULATED MARKET")
    assert "Results say nothing about any real market" in " ".join(out.split())
    for pair in PAIRS:
        assert re.search(rf"^ ?{pair} +[\d,]+ +\d+ +\d+ +", out, re.MULTILINE)
    assert "…" not in out
    assert "make ui" in out


def summary(demo: SimulatedDemo) -> list[dict[str, Any]]:
    (manifest,) = manifests(demo.desk.lake("demo"), "performance_summary")
    (part,) = json.loads(manifest.read_text())["parts"]
    return pl.read_parquet(manifest.parent / part["name"]).to_dicts()


def test_every_hour_of_two_years_is_a_candle_or_a_counted_gap(simulated_demo: SimulatedDemo):
    hours = (DEMO_NOW - START) // timedelta(hours=1)
    rows = summary(simulated_demo)
    assert [row["symbol"] for row in rows] == PAIRS
    for row in rows:
        assert row["candles"] + row["missing"] == hours
        assert row["folds"] == 13  # 2025-10 to 2026-10


def test_the_printed_figures_are_those_of_the_stored_summary(simulated_demo: SimulatedDemo):
    lines = simulated_demo.done.out.splitlines()
    for row in summary(simulated_demo):
        (line,) = [text for text in lines if re.match(rf" ?{row['symbol']} +[\d,]+ ", text)]
        assert line.split()[1:] == [
            f"{row['candles']:,}",
            f"{row['missing']:,}",
            str(row["folds"]),
            f"{row['accuracy'] * 100:.1f}%",
            f"{row['base_rate'] * 100:.1f}%",
            f"{row['total_return'] * 100:.1f}%",
            f"{row['sharpe']:.2f}",
            f"{row['max_drawdown'] * 100:.1f}%",
            f"{row['n_trades']:,}",
            f"{row['buy_hold_return'] * 100:.1f}%",
        ]


def test_every_page_of_every_report_says_that_the_market_is_simulated(
    simulated_demo: SimulatedDemo,
):
    reports = sorted((simulated_demo.desk.root / "demo" / "reports").iterdir())
    assert [path.name for path in reports] == [
        "backtest-BTC-USDT.pdf",
        "backtest-ETH-USDT.pdf",
        f"daily-{DEMO_NOW:%Y-%m-%d}.pdf",
    ]
    printed = "".join(simulated_demo.done.out.split())
    for path in reports:
        assert str(path) in printed
        for page in PdfReader(path).pages:
            assert "SIMULATED MARKET" in page.extract_text().upper()


def test_paper_decides_on_the_newest_candle_with_one_order_per_symbol_at_most(
    simulated_demo: SimulatedDemo,
):
    newest = DEMO_NOW.replace(minute=0, second=0) - timedelta(hours=1)
    for pair in PAIRS:
        assert f"{pair} {newest:%Y-%m-%d %H:%M}: direction" in simulated_demo.done.out
    account = simulated_demo.desk.succeed("portfolio", "show", "--json").json
    assert account["simulated"] is True
    ordered = [order["symbol"] for order in account["orders"]]
    assert len(ordered) == len(set(ordered)) >= 1
    shown = simulated_demo.desk.succeed("portfolio", "show").out
    assert "SIMULATED MARKET" in shown


def test_the_demo_touches_nothing_but_its_storage(simulated_demo: SimulatedDemo):
    machine = simulated_demo.desk
    assert sorted(path.name for path in machine.folder.iterdir()) == ["home", "storage"]
    assert sorted(path.name for path in machine.home.iterdir()) == [
        "config.yaml",
        "dagster.yaml",
        "workspace.yaml",
    ]
    assert sorted(path.name for path in machine.root.iterdir()) == ["demo", "profiles"]
