"""A venue that is down, answers garbage, or does not list the symbol: nothing is stored."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from trading_pipeline_tests.cli.desk import Desk, assert_refused, manifests

HISTORY = ("data", "history", "--from", "2024-10", "--to", "2024-10")
SIMULATED = """
market: {venue: simulated, symbols: {%s: {}}, history_start: 2024-10, history_end: 2026-10}
"""


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    class Garbage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Garbage) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_symbol_that_the_venue_does_not_list_is_named(desk: Desk):
    desk.with_profile("sim", SIMULATED % "DOGE-USDT")
    assert_refused(desk.run(*HISTORY), "SymbolNotListedError", "DOGE/USDT", "does not list")
    assert manifests(desk.lake("sim")) == []


@pytest.mark.parametrize(
    "body", [b"<html><body>Access denied</body></html>", b'{"symbols": [1, 2]}']
)
def test_garbage_with_status_200_is_named_as_such(desk: Desk, body: bytes):
    with answering(body) as url:
        done = desk.run(*HISTORY, TRADING__MARKET__BASE_URL=url)
    assert_refused(done, "MalformedReplyError", "binance")
    assert manifests(desk.root / "lake") == []


def test_an_exchange_that_is_down_is_said_to_be_down(desk: Desk):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    done = desk.run(*HISTORY, TRADING__MARKET__BASE_URL=url)
    assert_refused(done, "VenueUnavailableError", "binance")
    assert manifests(desk.root / "lake") == []


def test_history_fetches_the_asked_months_once(desk: Desk):
    desk.with_profile("sim", SIMULATED % "BTC-USDT")
    desk.succeed(*HISTORY)
    lake = desk.lake("sim")
    kept = {path: path.stat().st_mtime_ns for path in manifests(lake)}
    (row,) = desk.succeed("data", "list", "--json").json["candles"]
    missing = row["missing_explained"] + row["missing_unexplained"]
    assert row["candles"] + missing == 31 * 24
    assert (row["venue"], row["symbol"], row["timeframe"]) == ("simulated", "BTC-USDT", "1h")
    desk.succeed("data", "history", "--symbol", "BTC-USDT", "--from", "2024-10", "--to", "2024-11")
    after = {path: path.stat().st_mtime_ns for path in manifests(lake)}
    assert {path: after[path] for path in kept} == kept
    assert len(after) == 6  # raw, validated and resampled, two months
