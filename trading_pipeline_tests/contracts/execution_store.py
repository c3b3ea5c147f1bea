"""What every execution store promises about signals and accounts; and all of it together.

A subclass gives the ``store`` fixture.
"""

from dataclasses import replace
from datetime import UTC, date, timedelta
from decimal import Decimal

import pytest

from trading_pipeline.core.errors import DataError, LedgerError
from trading_pipeline.execution.order import AccountId, Order
from trading_pipeline.execution.ports import LeaseLost
from trading_pipeline.portfolio.portfolio import Portfolio, value
from trading_pipeline.risk.pre_trade import Denial, Denied, RiskState
from trading_pipeline_tests.contracts.order_store import (
    OrderStoreContract,
    answer,
    intended,
    opened,
)
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


class ExecutionStoreContract(OrderStoreContract):
    """Tests that the in-memory store and the SQL ledger both pass."""

    def test_a_signal_is_read_back_as_it_was_written(self, store):
        opened(store)
        live = make_signal(price="60000.10")
        assert store.insert_signal(live) is True
        assert store.signal(live.signal_id) == live

    def test_the_first_signal_of_a_candle_stays_whatever_comes_later(self, store):
        opened(store)
        first = make_signal(1)
        other = make_signal(-1, version="2", price="1")
        assert first.signal_id == other.signal_id
        assert store.insert_signal(first) is True
        assert store.insert_signal(other) is False
        assert store.insert_signal(make_signal(1)) is False
        assert store.signal(first.signal_id) == first

    def test_a_signal_needs_an_opened_account(self, store):
        with pytest.raises(LedgerError, match="never opened"):
            store.insert_signal(make_signal())

    def test_an_unknown_signal_and_order_are_none(self, store):
        assert store.signal("sg-none") is None
        assert store.order("tp-none") is None
        assert store.denial("sg-none") is None

    def test_pending_signals_come_oldest_first_until_denied_or_settled(self, store):
        lease = opened(store)
        late = make_signal(candle=CANDLE + HOUR)
        early, eth = make_signal(), make_signal(symbol=ETH)
        for live in (late, eth, early):
            store.insert_signal(live)
        assert store.pending_signals(PAPER) == (early, eth, late)
        denied = Denied(Denial.NO_QUOTE, "no price")
        assert store.deny_signal(eth.signal_id, denied, lease, NOW) is True
        assert store.pending_signals(PAPER) == (early, late)
        order = make_order(early, make_request())
        store.insert_intent(order, lease)
        store.begin_sending(order.client_order_id, lease, NOW, lambda _: order.request)
        assert store.pending_signals(PAPER) == (early, late)
        store.apply_answer(order.client_order_id, answer(make_fill()), "sim", NOW)
        assert store.pending_signals(PAPER) == (late,)

    def test_pending_signals_of_another_account_are_not_shown(self, store):
        opened(store)
        opened(store, _OTHER)
        store.insert_signal(make_signal(account=_OTHER))
        assert store.pending_signals(PAPER) == ()

    def test_a_newer_signal_is_one_of_a_later_candle_of_the_same_stream(self, store):
        opened(store)
        first, second = make_signal(), make_signal(candle=CANDLE + HOUR)
        store.insert_signal(first)
        store.insert_signal(make_signal(symbol=ETH, candle=CANDLE + HOUR))
        store.insert_signal(make_signal(strategy="other", candle=CANDLE + HOUR))
        assert store.newer_signal(first) is None
        store.insert_signal(second)
        assert store.newer_signal(first) == second.signal_id
        assert store.newer_signal(second) is None

    def test_the_first_denial_stays(self, store):
        lease = opened(store)
        live = make_signal()
        store.insert_signal(live)
        first = Denied(Denial.KILL_SWITCH, "engaged")
        assert store.deny_signal(live.signal_id, first, lease, NOW) is True
        again = Denied(Denial.STALE_SIGNAL, "old")
        assert store.deny_signal(live.signal_id, again, lease, NOW) is False
        record = store.denial(live.signal_id)
        assert (record.denied, record.symbol, record.client_order_id) == (first, BTC, None)

    def test_a_signal_with_an_order_cannot_be_denied_and_a_denied_one_not_ordered(self, store):
        lease = opened(store)
        order = intended(store, lease)
        denied = Denied(Denial.STALE_SIGNAL, "old")
        assert store.deny_signal(order.signal_id, denied, lease, NOW) is False
        eth = make_signal(symbol=ETH)
        store.insert_signal(eth)
        store.deny_signal(eth.signal_id, denied, lease, NOW)
        late = make_order(eth, make_request("tp0002", symbol=ETH))
        assert store.insert_intent(late, lease) is False

    def test_an_intent_is_written_once_by_its_id_and_by_its_place(self, store):
        lease = opened(store)
        order = intended(store, lease)
        assert store.order(order.client_order_id) == order
        assert store.insert_intent(order, lease) is False
        same_place = replace(order, request=make_request("tp-other"))
        assert store.insert_intent(same_place, lease) is False
        assert store.orders_of_signal(order.signal_id) == (order,)

    def test_an_older_lease_writes_nothing_that_sends(self, store):
        old = opened(store)
        order = intended(store, old)
        eth = make_signal(symbol=ETH)
        store.insert_signal(eth)
        store.take_lease(PAPER, "successor", NOW)
        lost = LeaseLost("successor")
        guard_calls = []
        sending = store.begin_sending(order.client_order_id, old, NOW, guard_calls.append)
        assert sending == lost
        assert guard_calls == []
        intent = make_order(eth, make_request("tp0002", symbol=ETH))
        assert store.insert_intent(intent, old) == lost
        denied = Denied(Denial.NO_QUOTE, "no price")
        assert store.deny_signal(eth.signal_id, denied, old, NOW) == lost
        assert store.order(order.client_order_id) == order
        assert store.pending_signals(PAPER) == (make_signal(), eth)

    def test_leases_grow_and_belong_to_one_account(self, store):
        first = opened(store)
        second = store.take_lease(PAPER, "b", NOW)
        assert second.token > first.token
        opened(store, _OTHER)
        assert isinstance(intended(store, second), Order)

    def test_an_account_opens_once_and_keeps_its_cash(self, store):
        first = store.open_account(PAPER, "USDT", d("10000.50"), NOW)
        again = store.open_account(PAPER, "USDT", d(5), _LATER)
        assert again == first
        assert first.initial_cash == d("10000.50")
        with pytest.raises(LedgerError, match="kept in USDT"):
            store.open_account(PAPER, "EUR", d(5), NOW)
        with pytest.raises(DataError, match="initial cash"):
            store.open_account(_OTHER, "USDT", d("NaN"), NOW)

    def test_an_account_that_was_never_opened_has_no_state(self, store):
        with pytest.raises(LedgerError, match="never opened"):
            store.state(PAPER, NOW)
        with pytest.raises(LedgerError, match="never opened"):
            store.take_lease(PAPER, "a", NOW)

    def test_the_first_equity_of_a_day_stays_and_each_day_has_its_own(self, store):
        opened(store)
        day = date(2024, 3, 1)
        assert store.record_day_open(PAPER, day, d("10000.1"), NOW) == d("10000.1")
        assert store.record_day_open(PAPER, day, d(5), _LATER) == d("10000.1")
        assert store.state(PAPER, NOW).day_open_equity == d("10000.1")
        midnight = NOW.replace(hour=0, minute=0, second=0) + timedelta(days=1)
        assert store.state(PAPER, midnight).day_open_equity is None
        before = (midnight - timedelta(microseconds=1)).astimezone(UTC)
        assert store.state(PAPER, before).day_open_equity == d("10000.1")

    def test_the_kill_switch_and_the_risk_state_stay_as_set(self, store):
        opened(store)
        assert store.state(PAPER, NOW).kill_switch is False
        assert store.state(PAPER, NOW).risk_state is RiskState.ACTIVE
        store.set_kill_switch(PAPER, engaged=True, reason="hand", at=NOW)
        store.set_risk_state(PAPER, RiskState.HALTED, reason="hand", at=NOW)
        state = store.state(PAPER, NOW)
        assert (state.kill_switch, state.risk_state) == (True, RiskState.HALTED)
        store.set_kill_switch(PAPER, engaged=False, reason="hand", at=NOW)
        assert store.state(PAPER, NOW).kill_switch is False

    def test_a_snapshot_of_the_same_instant_is_replaced(self, store):
        opened(store)
        held = Portfolio.from_fills("USDT", d(10_000), [make_fill(quantity="3", fee="0.3")])
        flat = value(Portfolio.opened("USDT", d(10_000)), {}, at=NOW)
        full = value(held, {BTC: d("101.25")}, at=NOW)
        later = value(held, {BTC: Decimal(1) / 3}, at=_LATER)
        for snapshot in (flat, full, later):
            store.record_snapshot(PAPER, snapshot)
        assert store.snapshots(PAPER) == (full, later)
