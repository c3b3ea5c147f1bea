"""What every execution store promises about orders and fills, alone and among many writers."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from trading_pipeline.core.errors import DataError, LedgerError
from trading_pipeline.core.orders import Fill, OrderStatus, Side
from trading_pipeline.execution.live_signal import LiveSignal
from trading_pipeline.execution.order import AccountId, BrokerAnswer, Order
from trading_pipeline.execution.ports import ExecutionStore, Lease
from trading_pipeline.portfolio.portfolio import Portfolio
from trading_pipeline.risk.pre_trade import Denial, Denied, RiskState
from trading_pipeline_tests.trading_builders import (
    BTC,
    CANDLE,
    ETH,
    HOUR,
    NOW,
    PAPER,
    d,
    make_fill,
    make_order,
    make_request,
    make_signal,
)

_LATER = NOW + timedelta(seconds=1)
_OTHER = AccountId("other", "paper")


def opened(store: ExecutionStore, account: AccountId = PAPER) -> Lease:
    store.open_account(account, "USDT", d(10_000), NOW)
    return store.take_lease(account, "test", NOW)


def intended(
    store: ExecutionStore, lease: Lease, live: LiveSignal | None = None, **request: str
) -> Order:
    live = live or make_signal()
    store.insert_signal(live)
    order = make_order(live, make_request(**request))
    assert store.insert_intent(order, lease) is True
    return order


def sent(store: ExecutionStore, lease: Lease, **request: str) -> Order:
    order = intended(store, lease, **request)
    sending = store.begin_sending(order.client_order_id, lease, _LATER, lambda _: order.request)
    assert isinstance(sending, Order)
    return sending


def answer(*fills: Fill, status: OrderStatus = OrderStatus.FILLED) -> BrokerAnswer:
    return BrokerAnswer(status, fills)


class OrderStoreContract:
    """Tests about sending, booking and counting; a subclass gives the ``store`` fixture."""

    def test_sending_keeps_the_request_as_the_guard_sized_it_last(self, store):
        lease = opened(store)
        order = intended(store, lease)
        final = make_request(quantity="0.5", price="101.5")
        sending = store.begin_sending(order.client_order_id, lease, _LATER, lambda _: final)
        assert (sending.status, sending.request) == (OrderStatus.SENDING, final)
        assert sending.sent_at == _LATER
        assert store.order(order.client_order_id) == sending

    def test_an_order_is_sent_by_one_only(self, store):
        lease = opened(store)
        order = sent(store, lease)
        with pytest.raises(LedgerError, match="cannot go from sending to sending"):
            store.begin_sending(order.client_order_id, lease, NOW, lambda _: order.request)

    def test_a_guard_that_denies_ends_the_intent_and_the_signal(self, store):
        lease = opened(store)
        order = intended(store, lease)
        denied = Denied(Denial.KILL_SWITCH, "engaged just now")
        ended = store.begin_sending(order.client_order_id, lease, NOW, lambda _: denied)
        assert (ended.status, ended.detail) == (OrderStatus.DENIED, "engaged just now")
        record = store.denial(order.signal_id)
        assert (record.denied, record.client_order_id) == (denied, order.client_order_id)
        assert store.pending_signals(PAPER) == ()

    def test_a_guard_that_raises_leaves_the_intent(self, store):
        lease = opened(store)
        order = intended(store, lease)

        def fail(_state):
            raise DataError("unreadable")

        with pytest.raises(DataError, match="unreadable"):
            store.begin_sending(order.client_order_id, lease, NOW, fail)
        assert store.order(order.client_order_id) == order

    def test_the_guard_sees_fills_unresolved_orders_controls_and_the_rate(self, store):
        lease = opened(store)
        first = sent(store, lease)
        eth = intended(store, lease, make_signal(symbol=ETH), client_order_id="tp0002", symbol=ETH)
        store.set_risk_state(PAPER, RiskState.REDUCING, reason="test", at=NOW)
        store.record_day_open(PAPER, NOW.date(), d(9_999), NOW)
        seen = []

        def look(state):
            seen.append(state)
            return eth.request

        store.begin_sending(eth.client_order_id, lease, _LATER, look)
        (state,) = seen
        assert [order.client_order_id for order in state.unresolved] == [first.client_order_id]
        assert (state.risk_state, state.kill_switch) == (RiskState.REDUCING, False)
        assert (state.day_open_equity, state.orders_last_minute) == (d(9_999), 1)

    def test_a_fill_is_booked_once_however_often_it_is_answered(self, store):
        lease = opened(store)
        order = sent(store, lease)
        fill = make_fill(fee="0.1")
        for _ in range(3):
            filled = store.apply_answer(order.client_order_id, answer(fill), "sim", _LATER)
            assert (filled.status, filled.filled_quantity) == (OrderStatus.FILLED, d(1))
        assert store.fills(PAPER) == (fill,)
        statuses = [event.status for event in store.order_events(order.client_order_id)]
        assert statuses == [OrderStatus.INTENT, OrderStatus.SENDING, OrderStatus.FILLED]
        assert store.state(PAPER, NOW).portfolio.cash == d("9899.9")

    def test_partial_fills_add_up(self, store):
        lease = opened(store)
        order = sent(store, lease)
        one, two = make_fill("t1", "0.4"), make_fill("t2", "0.6")
        partial = store.apply_answer(order.client_order_id, answer(one), "sim", _LATER)
        assert (partial.status, partial.filled_quantity) == (OrderStatus.PARTIAL, d("0.4"))
        filled = store.apply_answer(order.client_order_id, answer(two, one), "sim", _LATER)
        assert (filled.status, filled.filled_quantity) == (OrderStatus.FILLED, d(1))
        assert store.fills(PAPER) == (one, two)

    def test_a_second_attempt_needs_the_first_to_be_proven_not_placed(self, store):
        lease = opened(store)
        first = sent(store, lease)
        second = make_order(make_signal(), make_request("tp0002"), attempt=2)
        assert store.insert_intent(second, lease) is False
        store.mark_unknown(first.client_order_id, "timeout", NOW)
        assert store.insert_intent(second, lease) is False
        store.change_status(first.client_order_id, OrderStatus.NOT_PLACED, "", NOW)
        assert store.insert_intent(second, lease) is True
        sending = store.begin_sending("tp0002", lease, NOW, lambda _: second.request)
        assert sending.status is OrderStatus.SENDING

    def test_a_second_attempt_is_denied_when_the_first_comes_back_before_it_is_sent(self, store):
        lease = opened(store)
        first = sent(store, lease)
        store.mark_unknown(first.client_order_id, "timeout", NOW)
        store.change_status(first.client_order_id, OrderStatus.NOT_PLACED, "", NOW)
        second = make_order(make_signal(), make_request("tp0002"), attempt=2)
        store.insert_intent(second, lease)
        store.apply_answer(first.client_order_id, answer(make_fill()), "sim", NOW)
        denied = store.begin_sending("tp0002", lease, NOW, lambda _: second.request)
        assert denied.status is OrderStatus.DENIED
        assert store.denial(first.signal_id).denied.reason is Denial.OUTDATED_INTENT

    def test_a_late_fill_brings_back_an_order_that_was_not_placed(self, store):
        lease = opened(store)
        order = sent(store, lease)
        key = order.client_order_id
        store.mark_unknown(key, "timeout", NOW)
        store.change_status(key, OrderStatus.NOT_PLACED, "two misses", NOW)
        late = store.apply_answer(key, answer(make_fill()), "sim", _LATER)
        assert (late.status, late.detail) == (OrderStatus.FILLED, "late fill after not_placed")
        assert len(store.fills(PAPER)) == 1

    def test_too_much_filled_is_booked_and_quarantined(self, store):
        lease = opened(store)
        order = sent(store, lease)
        over = store.apply_answer(
            order.client_order_id, answer(make_fill(quantity="1.5")), "sim", NOW
        )
        assert (over.status, over.detail) == (OrderStatus.QUARANTINED, "filled 1.5 of 1 ordered")
        assert len(store.fills(PAPER)) == 1
        assert [o.status for o in store.state(PAPER, NOW).unresolved] == [over.status]

    def test_a_trade_id_of_another_order_is_a_contradiction_and_not_booked_again(self, store):
        lease = opened(store)
        first = sent(store, lease)
        store.apply_answer(first.client_order_id, answer(make_fill()), "sim", NOW)
        live = make_signal(candle=CANDLE + HOUR)
        second = intended(store, lease, live, client_order_id="tp0002")
        store.begin_sending("tp0002", lease, NOW, lambda _: second.request)
        stolen = make_fill("t1", client_order_id="tp0002")
        odd = store.apply_answer("tp0002", answer(stolen), "sim", NOW)
        assert odd.status is OrderStatus.QUARANTINED
        assert len(store.fills(PAPER)) == 1

    def test_the_same_trade_id_at_another_venue_is_another_trade(self, store):
        lease = opened(store)
        first = sent(store, lease)
        store.apply_answer(first.client_order_id, answer(make_fill()), "sim", NOW)
        live = make_signal(candle=CANDLE + HOUR)
        second = intended(store, lease, live, client_order_id="tp0002")
        store.begin_sending("tp0002", lease, NOW, lambda _: second.request)
        other = make_fill("t1", client_order_id="tp0002")
        booked = store.apply_answer("tp0002", answer(other), "elsewhere", NOW)
        assert booked.status is OrderStatus.FILLED
        assert len(store.fills(PAPER)) == 2

    def test_a_refusal_ends_the_order_without_fills(self, store):
        lease = opened(store)
        order = sent(store, lease)
        refused = store.apply_answer(
            order.client_order_id, BrokerAnswer(OrderStatus.REJECTED, (), "-1013"), "sim", NOW
        )
        assert (refused.status, refused.detail) == (OrderStatus.REJECTED, "-1013")
        assert store.pending_signals(PAPER) == ()

    def test_unknown_is_marked_only_while_sending(self, store):
        lease = opened(store)
        order = sent(store, lease)
        key = order.client_order_id
        assert store.mark_unknown(key, "timeout", NOW).status is OrderStatus.UNKNOWN
        store.apply_answer(key, answer(make_fill()), "sim", NOW)
        assert store.mark_unknown(key, "timeout", NOW).status is OrderStatus.FILLED

    def test_a_step_that_the_state_machine_lacks_is_refused(self, store):
        lease = opened(store)
        order = intended(store, lease)
        with pytest.raises(LedgerError, match="cannot go from intent to filled"):
            store.change_status(order.client_order_id, OrderStatus.FILLED, "", NOW)
        with pytest.raises(LedgerError, match="there is no order"):
            store.change_status("tp-none", OrderStatus.FILLED, "", NOW)

    def test_misses_are_counted_without_an_event(self, store):
        lease = opened(store)
        order = sent(store, lease)
        store.record_miss(order.client_order_id, NOW)
        assert store.record_miss(order.client_order_id, NOW).misses == 2
        assert len(store.order_events(order.client_order_id)) == 2

    def test_orders_and_fills_are_listed_by_time_and_state(self, store):
        lease = opened(store)
        order = sent(store, lease)
        store.apply_answer(order.client_order_id, answer(make_fill()), "sim", NOW)
        assert [o.status for o in store.orders(PAPER)] == [OrderStatus.FILLED]
        assert store.orders(PAPER, since=_LATER) == ()
        assert store.orders(PAPER, until=NOW) == ()
        assert store.orders(PAPER, statuses=frozenset({OrderStatus.OPEN})) == ()
        assert len(store.fills(PAPER, since=NOW, until=_LATER)) == 1
        assert store.fills(PAPER, since=_LATER) == ()

    def test_the_portfolio_is_that_of_the_fills_in_booking_order(self, store):
        lease = opened(store)
        order = sent(store, lease, quantity="3")
        fills = (make_fill("b", "1", "110"), make_fill("a", "1", "100"), make_fill("c", "1"))
        for fill in fills:
            store.apply_answer(order.client_order_id, answer(fill), "sim", NOW)
        assert store.fills(PAPER) == fills
        expected = Portfolio.from_fills("USDT", d(10_000), fills)
        portfolio = store.state(PAPER, NOW).portfolio
        assert (portfolio.cash, dict(portfolio.positions)) == (
            expected.cash,
            dict(expected.positions),
        )

    def test_of_many_writers_of_one_intent_exactly_one_wins(self, store):
        lease = opened(store)
        live = make_signal()
        store.insert_signal(live)
        order = make_order(live, make_request())
        with ThreadPoolExecutor(8) as pool:
            written = list(pool.map(lambda _: store.insert_intent(order, lease), range(8)))
        assert sorted(written) == [False] * 7 + [True]

    def test_of_many_senders_exactly_one_sends(self, store):
        lease = opened(store)
        order = intended(store, lease)

        def send(_number):
            try:
                return store.begin_sending(
                    order.client_order_id, lease, NOW, lambda _: order.request
                ).status
            except LedgerError:
                return None

        with ThreadPoolExecutor(8) as pool:
            statuses = [status for status in pool.map(send, range(8)) if status]
        assert statuses == [OrderStatus.SENDING]

    def test_of_many_bookings_of_one_fill_exactly_one_counts(self, store):
        lease = opened(store)
        order = sent(store, lease)
        with ThreadPoolExecutor(8) as pool:
            list(
                pool.map(
                    lambda _: store.apply_answer(
                        order.client_order_id, answer(make_fill()), "sim", NOW
                    ),
                    range(8),
                )
            )
        assert len(store.fills(PAPER)) == 1
        assert len(store.order_events(order.client_order_id)) == 3

    def test_a_sale_and_a_purchase_keep_their_sides(self, store):
        lease = opened(store)
        live = make_signal(-1)
        store.insert_signal(live)
        order = make_order(live, make_request(side=Side.SELL))
        store.insert_intent(order, lease)
        store.begin_sending(order.client_order_id, lease, NOW, lambda _: order.request)
        fill = make_fill(side=Side.SELL)
        store.apply_answer(order.client_order_id, answer(fill), "sim", NOW)
        assert store.fills(PAPER) == (fill,)
        assert store.state(PAPER, NOW).portfolio.position(BTC).quantity == -1
