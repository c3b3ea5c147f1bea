"""What identifies a live signal, and what it refuses."""

from dataclasses import replace

import pytest

from trading_pipeline.core.errors import DataError
from trading_pipeline.execution.live_signal import DecisionInput
from trading_pipeline_tests.trading_builders import CANDLE, ETH, HOUR, NOW, d, make_signal


def test_a_candle_is_decided_once_whatever_the_version_or_the_direction():
    assert make_signal(1).signal_id == make_signal(-1, version="2", price="1").signal_id


def test_another_candle_symbol_or_strategy_is_another_signal():
    others = [
        make_signal(candle=CANDLE + HOUR),
        make_signal(symbol=ETH),
        make_signal(strategy="rsi"),
    ]
    assert len({live.signal_id for live in [make_signal(), *others]}) == 4


def test_both_spellings_of_a_symbol_are_one_signal():
    live = make_signal()
    pair = replace(live, signal=replace(live.signal, symbol="BTC/USDT"))
    assert pair.signal_id == live.signal_id


def test_nan_features_become_none_and_infinite_ones_are_refused():
    assert DecisionInput(d(1), None, {"a": float("nan"), "b": 2.0}).features == {
        "a": None,
        "b": 2.0,
    }
    with pytest.raises(DataError, match="feature a must be finite"):
        DecisionInput(d(1), None, {"a": float("inf")})


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity"])
def test_the_decision_needs_a_positive_price(price):
    with pytest.raises(DataError, match="must be positive"):
        DecisionInput(d(price))


def test_naive_instants_are_refused():
    live = make_signal()
    with pytest.raises(DataError, match="timezone-aware"):
        replace(live, recorded_at=NOW.replace(tzinfo=None))
