"""Nothing is asked while a venue wants a pause: by no retry, no object and no other process."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource
from trading_pipeline.adapters.exchanges.request_gate import PauseFile, RequestGate
from trading_pipeline.adapters.exchanges.simulated.faults import FaultPlan, rate_limited
from trading_pipeline.adapters.exchanges.simulated.server import exchange_app
from trading_pipeline.core.clock import FrozenClock
from trading_pipeline.core.errors import RateLimitedError, StorageError
from trading_pipeline_tests.adapters.exchanges.exchange_cases import (
    BTC,
    H1,
    START,
    replay,
    trial_exchange,
)
from trading_pipeline_tests.builders import make_candles


@dataclass
class Hand:
    """A clock that moves when somebody sleeps."""

    time: float = 1_700_000_000.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


def gate_at(hand: Hand, memory: PauseFile | None = None, window_s: float = 60.0) -> RequestGate:
    return RequestGate("binance", memory, window_s=window_s, clock=hand.now, sleep=hand.sleep)


@given(st.lists(st.tuples(st.floats(0, 120), st.floats(0, 200)), max_size=8))
@settings(max_examples=50, deadline=None)
def test_no_request_passes_before_the_last_pause_is_over(steps: list[tuple[float, float]]):
    hand = Hand()
    gate = gate_at(hand)
    until = hand.time
    for pause, later in steps:
        gate.pause(pause, "429")
        until = max(until, hand.time + pause)
        hand.time += later
        if until - hand.time <= 120:
            gate.pass_through()
            assert hand.time >= until - 1e-6


@pytest.mark.parametrize(("seconds", "waits"), [(119.0, True), (121.0, False)])
def test_two_minutes_are_waited_for_and_more_is_an_error_with_the_end(seconds, waits, caplog):
    hand = Hand()
    gate = gate_at(hand)
    gate.pause(seconds, "429")
    if waits:
        gate.pass_through()
        assert hand.slept == [seconds]
        assert f"binance wants a pause: waiting {seconds:.0f} s" in caplog.text
        return
    # 1,700,000,000 is 2023-11-14 22:13:20 UTC.
    with pytest.raises(RateLimitedError, match="until 2023-11-14 22:15:21 UTC"):
        gate.pass_through()
    assert hand.slept == []


def test_another_object_with_the_same_file_keeps_the_pause(tmp_path: Path):
    hand, memory = Hand(), PauseFile.of(tmp_path, "binance")
    gate_at(hand, memory).pause(3600, "HTTP 418")
    with pytest.raises(RateLimitedError, match="not over"):
        gate_at(hand, memory).pass_through()
    gate_at(hand, PauseFile.of(tmp_path, "kraken")).pass_through()
    hand.time += 3601
    gate_at(hand, memory).pass_through()
    assert hand.slept == []


def test_a_shorter_pause_does_not_end_a_longer_one(tmp_path: Path):
    hand, memory = Hand(), PauseFile.of(tmp_path, "binance")
    gate_at(hand, memory).pause(3600, "HTTP 418")
    gate_at(hand, memory).pause(5, "HTTP 429")
    assert memory.until() == pytest.approx(hand.time + 3600)
    assert json.loads(memory.path.read_text())["reason"] == "HTTP 418"


@pytest.mark.parametrize("content", ["", "{}", "soon", '{"until": 7}', '{"until": "x"}'])
def test_a_damaged_file_is_an_error_that_names_it_and_not_a_free_way(tmp_path: Path, content):
    memory = PauseFile.of(tmp_path, "binance")
    memory.path.write_text(content)
    with pytest.raises(StorageError, match=r"binance\.json.*delete it"):
        gate_at(Hand(), memory).pass_through()


def test_the_name_of_a_venue_with_an_address_is_a_file_name(tmp_path: Path):
    path = PauseFile.of(tmp_path, "binance@127.0.0.1:8900/x").path
    assert path.parent == tmp_path
    assert path.name == "binance@127.0.0.1_8900_x.json"


def headers_at(second: int, used: int) -> dict[str, str]:
    return {
        "Date": formatdate(1_700_000_000 + second, usegmt=True),
        "X-MBX-USED-WEIGHT-1M": str(used),
    }


@pytest.mark.parametrize(
    ("used", "second", "wait"),
    # 1,700,000,000 is 20 s into its minute: 40 s are left, and one for the rounding of the header.
    [(4799, 0, None), (4800, 0, 41.0), (6000, 39, 2.0), (6000, 40, 61.0)],
)
def test_near_the_limit_the_gate_waits_for_the_next_minute_of_the_venue(used, second, wait):
    hand = Hand()
    gate = gate_at(hand)
    gate.note(headers_at(second, used))
    gate.pass_through()
    assert hand.slept == ([] if wait is None else [wait])


def test_near_the_limit_a_gate_that_may_not_wait_says_until_when():
    hand = Hand()
    gate = RequestGate("binance", longest_wait_s=0.0, clock=hand.now, sleep=hand.sleep)
    gate.note(headers_at(0, 4800))
    with pytest.raises(RateLimitedError, match="80% of its request weight") as caught:
        gate.pass_through()
    assert caught.value.facts["retry_after_s"] == 41.0
    assert hand.slept == []
    hand.time += 41
    gate.pass_through()


def test_the_limit_is_the_one_that_the_venue_states():
    kind = b'"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1'
    stated = b'{"timezone":"UTC","rateLimits":[{' + kind + b',"limit":1200}]}'
    hand = Hand()
    gate = gate_at(hand)
    gate.note({}, stated)
    gate.note(headers_at(0, 960))
    gate.pass_through()
    assert hand.slept == [41.0]


def test_a_venue_that_counts_weight_is_never_asked_beyond_its_limit():
    """Sixty ranges, a time and a page each: some 180 of weight against 120 in two seconds."""
    n_bars = 240
    candles = make_candles(n_bars, start=START)
    end = START + timedelta(hours=n_bars)
    app = exchange_app(
        replay(candles, end), FrozenClock(end), weight_limit=120, weight_window_s=2.0
    )
    with trial_exchange(app) as trial:
        gate = RequestGate("binance", window_s=2.0)
        with CcxtCandleSource("binance", trial.source.base_url, gate=gate) as source:
            for day in range(n_bars // 4):
                start = START + timedelta(hours=4 * day)
                assert source.candles(BTC, H1, start, start + timedelta(hours=4)).height == 4
        meter = app.state.exchange.meter
        assert trial.plan.requests["klines"] == n_bars // 4
        assert meter.refused == 0


_OTHER_PROCESS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource
from trading_pipeline.adapters.exchanges.request_gate import PauseFile, RequestGate
from trading_pipeline.core.errors import RateLimitedError
gate = RequestGate("binance", PauseFile.of(Path(sys.argv[2]), "binance"))
try:
    print(CcxtCandleSource("binance", sys.argv[1], gate=gate).now())
except RateLimitedError as error:
    print(error.message)
"""


def ask_elsewhere(url: str, folder: Path) -> str:
    command = [sys.executable, "-c", _OTHER_PROCESS, url, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def ban(plan: FaultPlan, url: str, folder: Path, seconds: str) -> None:
    gate = RequestGate("binance", PauseFile.of(folder, "binance"), longest_wait_s=0.0)
    plan.script("time", [rate_limited(seconds, status=418)])
    with CcxtCandleSource("binance", url, gate=gate) as source, pytest.raises(RateLimitedError):
        source.now()


def test_during_a_ban_another_process_asks_nothing(tmp_path: Path):
    with trial_exchange() as trial:
        assert trial.source.base_url is not None
        ban(trial.plan, trial.source.base_url, tmp_path, "600")
        asked = trial.plan.requests.total()
        assert "nothing is asked until" in ask_elsewhere(trial.source.base_url, tmp_path)
        assert trial.plan.requests.total() == asked == 1


def test_a_short_ban_is_waited_out_by_another_process_as_well(tmp_path: Path):
    with trial_exchange() as trial:
        assert trial.source.base_url is not None
        ban(trial.plan, trial.source.base_url, tmp_path, "4")
        over = datetime.now(UTC) + timedelta(seconds=3)
        began = time.monotonic()
        assert ask_elsewhere(trial.source.base_url, tmp_path).startswith("2024-")
        assert datetime.now(UTC) >= over
        assert time.monotonic() - began < 30
