"""What the ccxt source does when the exchange wants a pause: it asks nothing, and says so."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from polars.testing import assert_frame_equal

from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource
from trading_pipeline.adapters.exchanges.request_gate import RequestGate
from trading_pipeline.adapters.exchanges.simulated.faults import rate_limited
from trading_pipeline.core.errors import RateLimitedError
from trading_pipeline_tests.adapters.exchanges.exchange_cases import (
    BTC,
    END,
    H1,
    N_HOURS,
    START,
    trial_exchange,
)
from trading_pipeline_tests.builders import make_candles

TRUTH = make_candles(N_HOURS, start=START)
ASKING = (
    lambda trial: trial.source.now(),
    lambda trial: trial.read(),
    lambda trial: trial.source.quote(BTC),
)


@pytest.mark.parametrize(
    ("fault", "wait_s"),
    [
        (rate_limited("37"), 37.0),
        (rate_limited("0037"), 37.0),
        (rate_limited(None), 60.0),
        (rate_limited("soon"), 60.0),
        (rate_limited("600", status=418), 600.0),
        (rate_limited(None, status=418), 120.0),
    ],
)
def test_a_limited_source_says_how_long_and_asks_nothing_meanwhile(fault, wait_s):
    with trial_exchange(gate=RequestGate("binance", longest_wait_s=0.0)) as trial:
        _refuses(trial, fault, wait_s)


def _refuses(trial, fault, wait_s):
    trial.plan.always("klines", fault)
    with pytest.raises(RateLimitedError, match=f"wait {wait_s:g} s") as caught:
        trial.read()
    assert caught.value.facts["retry_after_s"] == wait_s
    assert caught.value.facts["symbol"] == "BTC-USDT"
    before = trial.plan.requests.total()
    for _ in range(3):
        with pytest.raises(RateLimitedError, match="not over") as again:
            trial.source.now()
        assert 0 < again.value.facts["retry_after_s"] <= wait_s
    assert trial.plan.requests.total() == before
    assert trial.pauses == []


def test_a_short_wait_is_waited_for():
    with trial_exchange() as trial:
        patient = CcxtCandleSource("binance", trial.source.base_url)
        trial.plan.script("klines", [rate_limited("1")])
        began = time.monotonic()
        assert_frame_equal(patient.candles(BTC, H1, START, END), TRUTH)
        assert time.monotonic() - began >= 1.0
        patient.close()


def test_a_short_ban_is_waited_out_and_nothing_is_asked_meanwhile():
    with trial_exchange() as trial:
        trial.plan.script("klines", [rate_limited("1", status=418)])
        began = time.monotonic()
        assert_frame_equal(trial.read(), TRUTH)
        assert time.monotonic() - began >= 1.0
        assert trial.plan.requests["klines"] == 2


def test_a_long_ban_is_an_error_that_says_until_when_and_no_retry_asks_again():
    with trial_exchange() as trial:
        trial.plan.script("klines", [rate_limited("7200", status=418)])
        with pytest.raises(RateLimitedError, match=r"banned.*7200 s, until \d{4}-\d\d-\d\d \d\d:"):
            trial.read()
        asked = trial.plan.requests.total()
        for ask in ASKING:
            with pytest.raises(RateLimitedError, match="nothing is asked until") as caught:
                ask(trial)
            end = datetime.fromisoformat(str(caught.value.facts["until"]))
            assert abs(end - datetime.now(UTC) - timedelta(hours=2)) < timedelta(minutes=1)
        assert trial.plan.requests.total() == asked
