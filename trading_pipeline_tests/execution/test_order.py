"""The state machine and how fills settle an order."""

import hashlib
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.errors import LedgerError
from trading_pipeline.core.orders import OrderStatus, Side
from trading_pipeline.execution.order import (
    EXPOSED,
    RESOLVABLE,
    SETTLED,
    TRANSITIONS,
    AccountId,
    BrokerAnswer,
    check_transition,
    client_order_id,
    settle,
)
from trading_pipeline_tests.trading_builders import (
    BTC,
    CANDLE,
    ETH,
    HOUR,
    PAPER,
    d,
    make_fill,
    make_order,
    make_request,
    make_signal,
)

_SENDING = make_order(make_signal(), make_request(), OrderStatus.SENDING)
_FILLED = OrderStatus.FILLED


def an_id(**changes):
    base = {
        "account": PAPER,
        "strategy": "aggregate",
        "version": "1",
        "symbol": BTC,
        "timeframe": "1h",
        "candle_open_time": CANDLE,
        "side": Side.BUY,
    }
    return client_order_id(**(base | changes))


def test_the_id_is_the_hash_of_what_the_order_is_for():
    text = "desk|paper|aggregate|1|BTC-USDT|1h|1709290800000|buy|signal|1"
    assert an_id() == "tp" + hashlib.sha256(text.encode()).hexdigest()[:28]
    assert re.fullmatch(r"[a-z0-9]{30}", an_id())


@pytest.mark.parametrize(
    "change",
    [
        {"account": AccountId("other", "paper")},
        {"account": AccountId("desk", "live")},
        {"strategy": "rsi"},
        {"version": "2"},
        {"symbol": ETH},
        {"timeframe": "4h"},
        {"candle_open_time": CANDLE + HOUR},
        {"side": Side.SELL},
        {"leg": "stop"},
        {"attempt": 2},
    ],
)
def test_anything_that_differs_makes_another_id(change):
    assert an_id(**change) != an_id()


def test_every_state_has_its_steps_and_can_end_in_quarantine():
    assert set(TRANSITIONS) == set(OrderStatus)
    for status in set(OrderStatus) - {OrderStatus.QUARANTINED}:
        assert OrderStatus.QUARANTINED in TRANSITIONS[status]
        assert status not in TRANSITIONS[status]


def test_only_an_intent_is_ever_sent_and_only_unknown_is_ever_not_placed():
    assert [s for s in OrderStatus if OrderStatus.SENDING in TRANSITIONS[s]] == [OrderStatus.INTENT]
    assert {s for s in OrderStatus if OrderStatus.NOT_PLACED in TRANSITIONS[s]} == {
        OrderStatus.UNKNOWN,
        OrderStatus.QUARANTINED,
    }


def test_every_state_is_either_exposed_settled_or_still_to_be_sent():
    unsent = {OrderStatus.INTENT, OrderStatus.NOT_PLACED}
    assert set(OrderStatus) == EXPOSED | SETTLED | unsent
    assert {OrderStatus.QUARANTINED} == EXPOSED & SETTLED
    assert RESOLVABLE.isdisjoint(SETTLED | unsent)


def test_a_missing_step_names_both_states_and_what_is_allowed():
    with pytest.raises(LedgerError, match=r"tp1 cannot go from filled to open.*quarantined"):
        check_transition("tp1", OrderStatus.FILLED, OrderStatus.OPEN)


def test_filled_is_believed_only_when_the_fills_add_up():
    short = settle(_SENDING, (), BrokerAnswer(_FILLED, (make_fill(quantity="0.9"),)))
    assert (short.status, short.filled_quantity) == (OrderStatus.PARTIAL, d("0.9"))
    empty = settle(_SENDING, (), BrokerAnswer(_FILLED))
    assert (empty.status, empty.new_fills) == (OrderStatus.OPEN, ())


@pytest.mark.parametrize(
    "stranger",
    [
        make_fill(client_order_id="tp9999"),
        make_fill(symbol=ETH),
        make_fill(side=Side.SELL),
        make_fill(quantity="-1"),
        make_fill(quantity="NaN"),
        make_fill(price="0"),
        make_fill(fee="-1"),
    ],
)
def test_a_fill_that_does_not_belong_is_not_booked_and_quarantines(stranger):
    result = settle(_SENDING, (), BrokerAnswer(_FILLED, (stranger,)))
    assert (result.status, result.new_fills) == (OrderStatus.QUARANTINED, ())
    assert "does not belong" in result.detail


def test_a_trade_that_changes_its_values_quarantines():
    first = make_fill()
    result = settle(_SENDING, (first,), BrokerAnswer(_FILLED, (replace(first, price=d(1)),)))
    assert (result.status, result.new_fills) == (OrderStatus.QUARANTINED, ())


def test_a_fill_of_an_order_that_was_never_sent_is_booked_and_quarantined():
    for status in (OrderStatus.INTENT, OrderStatus.DENIED):
        order = replace(_SENDING, status=status)
        result = settle(order, (), BrokerAnswer(_FILLED, (make_fill(),)))
        assert result.status is OrderStatus.QUARANTINED
        assert len(result.new_fills) == 1


def test_a_refusal_with_fills_is_a_contradiction():
    answer = BrokerAnswer(OrderStatus.REJECTED, (make_fill(quantity="0.5"),))
    assert settle(_SENDING, (), answer).status is OrderStatus.QUARANTINED


def test_a_canceled_order_keeps_what_was_filled():
    answer = BrokerAnswer(OrderStatus.CANCELED, (make_fill(quantity="0.5"),))
    result = settle(_SENDING, (), answer)
    assert (result.status, result.filled_quantity) == (OrderStatus.CANCELED, d("0.5"))


def test_old_news_does_not_change_what_has_ended():
    for status in (OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.NOT_PLACED):
        order = replace(_SENDING, status=status, detail="as it ended")
        result = settle(order, (), BrokerAnswer(OrderStatus.OPEN))
        assert (result.status, result.detail) == (status, "as it ended")


def test_a_quarantined_order_stays_so_and_its_fills_are_booked():
    order = replace(_SENDING, status=OrderStatus.QUARANTINED, detail="first reason")
    result = settle(order, (), BrokerAnswer(_FILLED, (make_fill(),)))
    assert (result.status, result.detail) == (OrderStatus.QUARANTINED, "first reason")
    assert len(result.new_fills) == 1


parts = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@given(
    parts,
    st.randoms(use_true_random=False),
    st.sampled_from(sorted(RESOLVABLE)),
    st.data(),
)
@settings(max_examples=150, deadline=None)
def test_fills_in_any_order_and_repetition_end_filled_with_each_booked_once(
    quantities, random, start, data
):
    fills = [make_fill(f"t{i}", str(q)) for i, q in enumerate(quantities)]
    request = make_request(quantity=str(sum(quantities)))
    order = replace(_SENDING, request=request, status=start)
    booked: list = []
    stream = fills + data.draw(st.lists(st.sampled_from(fills), max_size=8))
    random.shuffle(stream)
    for fill in stream:
        result = settle(order, booked, BrokerAnswer(OrderStatus.PARTIAL, (fill,)))
        assert result.status is order.status or result.status in TRANSITIONS[order.status]
        booked += result.new_fills
        order = replace(order, status=result.status, filled_quantity=result.filled_quantity)
    assert order.status is OrderStatus.FILLED
    assert sorted(fill.trade_id for fill in booked) == sorted(fill.trade_id for fill in fills)
    assert order.filled_quantity == Decimal(sum(quantities))


@given(
    st.sampled_from(list(OrderStatus)),
    st.sampled_from(list(OrderStatus)),
    st.lists(st.sampled_from(["0.25", "0.5", "1", "2", "-1"]), max_size=3),
)
@settings(max_examples=300, deadline=None)
def test_no_answer_whatsoever_makes_a_step_that_the_state_machine_lacks(before, said, amounts):
    order = replace(_SENDING, status=before)
    fills = tuple(make_fill(f"t{i}", amount) for i, amount in enumerate(amounts))
    result = settle(order, (), BrokerAnswer(said, fills))
    assert result.status is before or result.status in TRANSITIONS[before]
    assert set(result.new_fills) <= set(fills)
