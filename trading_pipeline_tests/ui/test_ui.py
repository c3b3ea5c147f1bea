"""The Dagster UI on what an import made, in a real browser, and a backfill started through it."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from trading_pipeline_tests.adapters.files.writers import plain_csv
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.cli.desk import Desk, manifests

pytestmark = pytest.mark.browser
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MONTHS = ("2024-01|BTC-USDT", "2024-02|BTC-USDT")
_BACKFILL = """
mutation Backfill($parameters: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $parameters) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
_STATUS = """
query Status($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    __typename
    ... on PartitionBackfill { status error { message } }
  }
}
"""
_FAILURES = "{ runsOrError(filter: {statuses: [FAILURE]}) { ... on Runs { results { runId } } } }"


@dataclass(frozen=True)
class Ui:
    """A webserver and daemon that run."""

    desk: Desk
    url: str
    process: "subprocess.Popen[str]"

    def ask(self, query: str, **variables: object) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=60) as reply:
            answer = json.load(reply)
        assert "errors" not in answer, answer
        return answer["data"]


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    if not CHROMIUM.is_file():
        pytest.skip(f"{CHROMIUM} is not installed; apt-get install chromium")
    folder = tmp_path_factory.mktemp("ui")
    machine = Desk.furnished(folder / "machine")
    path = plain_csv(make_candles(24 * 45), folder / "BTC_USDT-1h.csv")
    machine.succeed("data", "import", path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = machine.start("ui", "--port", port)
    try:
        running = Ui(machine, f"http://127.0.0.1:{port}", process)
        _wait_for_code_location(running)
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def _wait_for_code_location(ui: Ui) -> None:
    deadline = time.monotonic() + 120
    while True:
        assert ui.process.poll() is None, ui.process.communicate()
        try:
            found = ui.ask(
                "{ repositoriesOrError { ... on RepositoryConnection { nodes { id } } } }"
            )
            if found["repositoriesOrError"].get("nodes"):
                return
        except OSError as error:  # it does not listen yet
            last = str(error)
        else:
            last = "no code location yet"
        assert time.monotonic() < deadline, last
        time.sleep(0.5)


@pytest.fixture(scope="module")
def page(ui: Ui, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("chromium"),
            executable_path=CHROMIUM,
            headless=True,
            args=FLAGS,
            viewport={"width": 1600, "height": 1000},
        )
        yield context.new_page()
        context.close()


def _keep_picture(page: Any, name: str) -> None:
    if folder := os.environ.get("SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_the_graph_shows_assets_by_group(ui: Ui, page: Any):
    page.goto(f"{ui.url}/asset-groups")
    for group in ("market_data", "features", "models"):
        page.get_by_text(group, exact=True).first.wait_for(timeout=60_000)
    _keep_picture(page, "graph")


def test_the_page_of_candles_shows_what_was_made(ui: Ui, page: Any):
    page.goto(f"{ui.url}/assets/candles?view=partitions&partition=2024-01%7CBTC-USDT")
    page.get_by_text("missing_unexplained").or_(page.get_by_text("unexplained")).first.wait_for(
        timeout=60_000
    )
    _keep_picture(page, "candles-partition")
    page.goto(f"{ui.url}/assets/candles?view=overview")
    page.get_by_text("Validated candles").or_(page.get_by_text("candles")).first.wait_for(
        timeout=60_000
    )
    _keep_picture(page, "candles-overview")


def test_a_backfill_of_two_months_succeeds(ui: Ui, page: Any):
    lake = ui.desk.lake("candles")
    assert manifests(lake, "indicator_features") == []
    parameters = {"partitionNames": MONTHS, "assetSelection": [{"path": ["indicator_features"]}]}
    launched = ui.ask(_BACKFILL, parameters=parameters)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    deadline = time.monotonic() + 180
    status = ""
    while status != "COMPLETED_SUCCESS":
        found = ui.ask(_STATUS, id=launched["backfillId"])["partitionBackfillOrError"]
        status = found["status"]
        assert "FAIL" not in status, found
        assert time.monotonic() < deadline, found
        time.sleep(1)
    made = [path.parent.name for path in manifests(lake, "indicator_features")]
    assert made == ["month=2024-01", "month=2024-02"]
    page.goto(f"{ui.url}/overview/backfills")
    page.get_by_text(launched["backfillId"]).first.wait_for(timeout=60_000)
    _keep_picture(page, "backfills")
    assert ui.ask(_FAILURES)["runsOrError"]["results"] == []


def test_sigterm_ends_every_process(ui: Ui):
    assert len(_processes_of(ui.desk)) >= 3  # the command, the webserver, the daemon
    ui.process.send_signal(signal.SIGTERM)
    out, err = ui.process.communicate(timeout=60)
    assert ui.process.returncode == 0, err
    assert ui.url in out
    deadline = time.monotonic() + 20
    while _processes_of(ui.desk):
        assert time.monotonic() < deadline, _processes_of(ui.desk)
        time.sleep(0.2)


def _processes_of(desk: Desk) -> dict[int, str]:
    mark = f"TRADING__STORAGE__ROOT={desk.root}".encode()
    found: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it ended meanwhile, or is another user's
            continue
    return found
