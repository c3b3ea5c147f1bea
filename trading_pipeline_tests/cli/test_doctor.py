"""The doctor: every examination passes on a sound machine, and each fails on its own illness."""

import json
import shutil
from pathlib import Path

from trading_pipeline.adapters.exchanges.simulated.profile import serve_demo
from trading_pipeline_tests.cli.conftest import FilesDemo
from trading_pipeline_tests.cli.desk import Desk, Done

EXAMINED = ["configuration", "storage", "lake", "ledger", "exchange", "clock", "signals", "dagster"]


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
