"""The doctor: every examination passes on a sound machine, and each fails on its own illness."""

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trading_pipeline.adapters.exchanges.simulated.market import SimulatedMarket
from trading_pipeline.adapters.exchanges.simulated.profile import (
    DEMO_BASE_TIMEFRAME,
    demo_listings,
    serve_demo,
)
from trading_pipeline.adapters.exchanges.simulated.server import exchange_app
from trading_pipeline.adapters.exchanges.simulated.serving import serve_in_background
from trading_pipeline_tests.cli.conftest import FilesDemo
from trading_pipeline_tests.cli.desk import Desk, Done

EXAMINED = [
    "configuration", "storage", "lake", "ledger", "live data", "exchange", "clock", "signals",
    "dagster",
]  # fmt: skip


def wrong(done: Done) -> dict[str, str]:
    assert "Traceback" not in done.err
    return {row["what"]: row["detail"] for row in done.json if not row["passed"]}


def test_a_sound_machine_passes_every_examination(files_demo: FilesDemo):
    done = files_demo.desk.succeed("doctor", "--json")
    assert [row["what"] for row in done.json] == EXAMINED
    assert wrong(done) == {}


def test_each_illness_is_found_beside_the_others(files_demo: FilesDemo, desk: Desk):
    """Bytes changed, kill switch, no exchange, an unknown weight, a broken dagster.yaml."""
    shutil.copytree(files_demo.desk.lake("candles"), desk.root / "lake")
    manifest = min((desk.root / "lake" / "candles").rglob("manifest.json"))
    part = manifest.parent / json.loads(manifest.read_text())["parts"][0]["name"]
    part.write_bytes(part.read_bytes()[:-1])
    (desk.root / "KILL_SWITCH").touch()
    (desk.home / "dagster.yaml").write_text("storage: 7\n")
    done = desk.run(
        "doctor",
        "--json",
        TRADING__MARKET__BASE_URL="http://127.0.0.1:9",
        TRADING__SIGNALS__WEIGHTS='{"rsy": 1}',
    )
    assert done.code == 1
    found = wrong(done)
    assert set(found) == {"lake", "ledger", "exchange", "clock", "signals", "dagster"}
    assert part.name in found["lake"]
    assert "kill switch" in found["ledger"]
    assert "binance" in found["exchange"]
    assert "rsy" in found["signals"]
    assert "dagster.yaml" in found["dagster"]


def test_a_configuration_that_is_refused_is_the_only_finding(desk: Desk):
    done = desk.run("doctor", "--json", TRADING__MARKET__BASE_TIMEFRAME="7h")
    assert done.code == 1
    assert list(wrong(done)) == ["configuration"]
    assert "7h" in wrong(done)["configuration"]
    assert not desk.root.exists()


def test_storage_that_is_no_folder_is_found(desk: Desk, tmp_path: Path):
    root = tmp_path / "file"
    root.touch()
    done = desk.run("doctor", "--json", TRADING__STORAGE__ROOT=str(root))
    assert done.code == 1
    assert str(root) in wrong(done)["storage"]


def test_a_clock_that_is_wrong_is_found_though_the_exchange_answers(desk: Desk):
    with serve_demo() as url:  # its clock stands
        done = desk.run("doctor", TRADING__MARKET__BASE_URL=url)
    assert done.code == 1
    lines = done.out.splitlines()
    assert [line.split()[1] for line in lines if line.split()[0] == "wrong"] == ["clock"]
    assert "synchronise it (NTP)" in " ".join(done.out.split())


@pytest.mark.parametrize(("offset_s", "sign"), [(30, "+"), (-30, "-")])
def test_a_clock_half_a_minute_off_is_measured_and_doubted(desk: Desk, offset_s: int, sign: str):
    @dataclass
    class Off:
        def now(self) -> datetime:
            return datetime.now(UTC) + timedelta(seconds=offset_s)

    now = Off().now()
    market = SimulatedMarket(
        demo_listings(),
        DEMO_BASE_TIMEFRAME,
        now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2),
        now,
        seed=1,
    )
    with serve_in_background(exchange_app(market, Off())) as url:
        variables = {"TRADING__MARKET__BASE_URL": url}
        rows = desk.run("doctor", "--json", **variables).json
        (clock,) = [row for row in rows if row["what"] == "clock"]
        assert clock["passed"]
        assert clock["doubtful"]
        measured = float(clock["detail"].partition("machine's: ")[2].split()[0])
        assert measured == pytest.approx(offset_s, abs=1)
        assert f"machine's: {sign}" in clock["detail"]
        gone = json.dumps({"BTC-USDT": {}, "LUNA-USDT": {"delisted": "2022-05-13"}})
        patient = desk.run(
            "doctor",
            "--json",
            **variables,
            TRADING__MARKET__MAX_CLOCK_SKEW_S="60",
            TRADING__MARKET__SYMBOLS=gone,
        )
        (exchange,) = [row for row in patient.json if row["what"] == "exchange"]
        assert exchange["passed"]
        assert "LUNA/USDT is delisted, not asked" in exchange["detail"]
        assert not any(row["doubtful"] for row in patient.json)
