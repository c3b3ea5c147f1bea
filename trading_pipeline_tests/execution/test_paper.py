"""The paper broker is a function of the stored order."""

from datetime import timedelta

import pytest

from trading_pipeline.core.errors import SymbolNotListedError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.orders import OrderStatus, Side
from trading_pipeline.execution.paper import PaperBroker
from trading_pipeline.matching.costs import Costs
from trading_pipeline_tests.trading_builders import INSTRUMENTS, NOW, d, make_request

_BROKER = PaperBroker(Costs(taker_fee_bps=10, slippage_bps=5), INSTRUMENTS)


@pytest.mark.parametrize(
    ("side", "price", "fee"),
    # 60,000 moved by 5 bps against the trader, and 10 bps of 0.01 BTC at that price.
    [(Side.BUY, "60030.00", "0.6003"), (Side.SELL, "59970.00", "0.5997")],
)
def test_a_fill_by_hand(side, price, fee):
    request = make_request("tp1", side, "0.01", price="60000")
    answer = _BROKER.place(request, sent_at=NOW)
    (fill,) = answer.fills
    assert answer.status is OrderStatus.FILLED
    assert (fill.price, fill.fee, fill.quantity) == (d(price), d(fee), d("0.01"))
    assert (fill.executed_at, fill.trade_id, fill.side) == (NOW, "paper-tp1", side)


def test_asked_again_it_answers_the_same_and_has_nothing_to_wait_for():
    request = make_request("tp1", Side.BUY, "0.01", price="60000")
    placed = _BROKER.place(request, sent_at=NOW)
    assert _BROKER.find(request, sent_at=NOW) == placed
    assert _BROKER.proof_horizon == timedelta(0)


def test_an_order_off_the_grid_is_refused_with_the_reason():
    answer = _BROKER.place(make_request(quantity="0.000001"), sent_at=NOW)
    assert (answer.status, answer.fills) == (OrderStatus.REJECTED, ())
    assert answer.detail


def test_a_symbol_without_rules_is_not_listed():
    request = make_request(symbol=Symbol("SOL", "USDT"))
    with pytest.raises(SymbolNotListedError, match="SOL/USDT"):
        _BROKER.place(request, sent_at=NOW)
