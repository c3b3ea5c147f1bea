"""``trading data collect`` as a process of its own: killed, stopped, and refused."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trading_pipeline_tests.live_markets import (
    BTC,
    Collected,
    LiveExchange,
    assert_nothing_lost,
    live_exchange,
    published,
)
from trading_pipeline_tests.redis_servers import own_server

SPEED = 240.0


def make_home(folder: Path, base_url: str, more: str = "") -> Path:
    text = (
        "market: {venue: binance, base_timeframe: 1m, history_start: 2024-03, "
        f"base_url: '{base_url}', symbols: {{BTC-USDT: {{}}, ETH-USDT: {{}}{more}}}}}\n"
    )
    (folder / "config.yaml").write_text(text)
    return folder


def start(
    home: Path, *options: str, command: str = "collect", **variables: str
) -> subprocess.Popen[str]:
    hidden = ("TRADING_", "REDIS_URL", "DATABASE_URL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    code = "from trading_pipeline.cli.main import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "data", command, "--json", *options],
        cwd=home,
        env={**kept, "TRADING_HOME": str(home), "TRADING_PROFILE": "none", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> dict:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return json.loads(out)


def wait_for(collected: Collected, minutes: int) -> None:
    deadline = time.monotonic() + 40
    while not collected.has(minutes):
        assert time.monotonic() < deadline, f"no candle of minute {minutes} after 40 s"
        time.sleep(0.01)


def as_collected(exchange: LiveExchange, home: Path) -> Collected:
    return Collected(exchange, home / "data")


def test_a_collector_that_is_killed_three_times_loses_nothing_and_repeats_nothing(tmp_path: Path):
    with live_exchange(SPEED) as exchange:
        home = make_home(tmp_path, exchange.base_url)
        collected = as_collected(exchange, home)
        for minutes in (2, 9, 16):
            process = start(home)
            wait_for(collected, minutes)
            process.kill()
            process.communicate()
        summary = ended(start(home, "--candles", "4"))
    assert summary["published"] >= 4
    assert summary["stream"] == "embedded (SQLite)"
    assert_nothing_lost(collected)


def test_sigterm_ends_it_cleanly_with_a_summary(tmp_path: Path):
    with live_exchange(SPEED) as exchange:
        home = make_home(tmp_path, exchange.base_url)
        process = start(home, "--symbol", "BTC/USDT")
        collected = Collected(exchange, home / "data", symbols=(BTC,))
        wait_for(collected, 2)
        process.send_signal(signal.SIGTERM)
        summary = ended(process)
    assert list(summary["newest"]) == ["BTC/USDT"]
    assert summary["published"] == len(collected.published(BTC))
    assert_nothing_lost(collected)


def test_a_delisted_symbol_is_left_out_and_refused_when_it_is_asked_for(tmp_path: Path):
    with live_exchange(SPEED) as exchange:
        home = make_home(tmp_path, exchange.base_url, ", LUNA-USDT: {delisted: 2022-05-13}")
        summary = ended(start(home, "--candles", "4"))
        refused = start(home, "--symbol", "LUNA/USDT")
        _, err = refused.communicate(timeout=60)
    assert set(summary["newest"]) == {"BTC/USDT", "ETH/USDT"}
    assert refused.returncode == 1
    assert "LUNA/USDT was delisted on 2022-05-13" in " ".join(err.split())


@pytest.mark.redis
def test_with_redis_set_the_candles_are_in_redis(tmp_path: Path):
    from trading_pipeline.adapters.stream.redis_stream import RedisStream

    with own_server(tmp_path) as server, live_exchange(SPEED) as exchange:
        home = make_home(tmp_path, exchange.base_url)
        summary = ended(start(home, "--candles", "4", REDIS_URL=server.url))
        assert summary["stream"] == f"Redis at 127.0.0.1:{server.port}"
        stream = RedisStream(server.url, "trading:none")
        assert len(published(stream, BTC)) >= 2
        stream.close()
    assert not (home / "data" / "streams.sqlite").exists()


def test_forming_candles_are_watched_live(tmp_path: Path):
    with live_exchange(SPEED) as exchange:
        home = make_home(tmp_path, exchange.base_url)
        collecting = start(home)
        wait_for(as_collected(exchange, home), 1)
        watching = start(home, "--symbol", "ETH/USDT", "--for", "1.5", command="watch")
        out, err = watching.communicate(timeout=30)
        collecting.send_signal(signal.SIGINT)
        ended(collecting)
    assert watching.returncode == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert {line["symbol"] for line in lines} == {"ETH-USDT"}
    assert all(2_000 < line["close"] < 3_000 for line in lines)


def test_a_market_that_stands_still_is_refused(tmp_path: Path):
    (tmp_path / "config.yaml").write_text("market: {venue: simulated}\n")
    process = start(tmp_path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stands still" in err
    assert "Traceback" not in err
