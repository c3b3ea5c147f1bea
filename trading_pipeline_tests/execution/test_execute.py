"""One signal, at most one order: against the in-memory store, a paper broker and a bad venue."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from trading_pipeline.core.errors import LedgerError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.orders import OrderRequest, OrderStatus, Side
from trading_pipeline.execution.crash_points import CrashPoint
from trading_pipeline.execution.execute import OutcomeKind, execute_pending, execute_signal
from trading_pipeline.execution.live_signal import LiveSignal
from trading_pipeline.execution.memory import MemoryStore
from trading_pipeline.execution.order import client_order_id
from trading_pipeline.execution.planner import intent
from trading_pipeline.execution.ports import Broker, Lease
from trading_pipeline.execution.valuation import take_snapshot
from trading_pipeline.risk.limits import RiskLimits
from trading_pipeline.risk.pre_trade import Denial, RiskState
from trading_pipeline_tests.trading_builders import (
    BTC,
    CANDLE,
    ETH,
    HOUR,
    INSTRUMENTS,
    NOW,
    PAPER,
    Exchange,
    Prices,
    SettableClock,
    d,
    make_signal,
)


@dataclass
class Switch:
    engaged: bool | None = False

    def is_engaged(self) -> bool | None:
        return self.engaged


@dataclass
class Desk:
    """A whole order path in memory."""

    store: MemoryStore = field(default_factory=MemoryStore)
    broker: Broker = field(default_factory=Exchange)
    quotes: Prices = field(default_factory=lambda: Prices({BTC: d(60_000), ETH: d(2_500)}))
    limits: RiskLimits = field(default_factory=RiskLimits)
    clock: SettableClock = field(default_factory=SettableClock)
    switch: Switch = field(default_factory=Switch)

    def __post_init__(self) -> None:
        self.store.open_account(PAPER, "USDT", d(10_000), NOW)

    def add(self, *signals: LiveSignal) -> LiveSignal:
        for live in signals:
            self.store.insert_signal(live)
        return signals[-1]

    def run(self, live: LiveSignal, lease: Lease | None = None):
        return execute_signal(
            live.signal_id,
            self.store,
            self.broker,
            self.quotes,
            self.limits,
            self.clock,
            INSTRUMENTS,
            lease=lease,
            kill_switch=self.switch,
        )

    def run_all(self):
        return execute_pending(
            PAPER,
            self.store,
            self.broker,
            self.quotes,
            self.limits,
            self.clock,
            INSTRUMENTS,
            kill_switch=self.switch,
        )

    def wait(self, seconds: float) -> None:
        self.clock.instant += timedelta(seconds=seconds)

    @property
    def held(self):
        return self.store.state(PAPER, self.clock.now()).portfolio.position(BTC).quantity


def test_a_signal_becomes_one_filled_order_however_often_it_runs():
    desk = Desk()
    live = desk.add(make_signal())
    outcomes = [desk.run(live) for _ in range(5)]
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.FILLED}
    assert len({outcome.order.client_order_id for outcome in outcomes}) == 1
    assert desk.broker.placed == 1
    assert desk.held == d("0.01666")


def test_a_closing_signal_sells_what_the_opening_one_bought():
    desk = Desk()
    desk.run(desk.add(make_signal()))
    desk.clock.instant += HOUR
    closing = desk.run(desk.add(make_signal(0, candle=CANDLE + HOUR)))
    assert closing.order.request.side is Side.SELL
    assert desk.held == 0


def test_a_denied_signal_stays_denied_when_the_reason_is_gone():
    desk = Desk()
    live = desk.add(make_signal())
    desk.switch.engaged = True
    assert desk.run(live).denied.reason is Denial.KILL_SWITCH
    desk.switch.engaged = False
    assert desk.run(live).denied.reason is Denial.KILL_SWITCH
    assert desk.broker.placed == 0


def test_an_unreadable_kill_switch_is_engaged():
    desk = Desk()
    desk.switch.engaged = None
    assert desk.run(desk.add(make_signal())).denied.reason is Denial.KILL_SWITCH


def test_the_kill_switch_of_the_ledger_stops_too():
    desk = Desk()
    desk.store.set_kill_switch(PAPER, engaged=True, reason="hand", at=NOW)
    assert desk.run(desk.add(make_signal())).denied.reason is Denial.KILL_SWITCH


def test_a_halted_account_sends_nothing():
    desk = Desk()
    desk.store.set_risk_state(PAPER, RiskState.HALTED, reason="drawdown", at=NOW)
    assert desk.run(desk.add(make_signal())).denied.reason is Denial.HALTED


def test_an_unknown_signal_is_an_error():
    with pytest.raises(LedgerError, match=f"no live signal {make_signal().signal_id}"):
        Desk().run(make_signal())


def test_a_backlog_of_three_years_makes_no_order():
    desk = Desk()
    old = [make_signal(1, candle=CANDLE - timedelta(days=days)) for days in range(3 * 365, 0, -30)]
    desk.add(*old)
    outcomes = desk.run_all()
    assert len(outcomes) == len(old)
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.DENIED}
    assert desk.broker.placed == 0
    assert desk.run_all() == ()


def test_of_two_fresh_candles_only_the_newest_acts():
    desk = Desk(limits=RiskLimits(max_signal_age=timedelta(days=1)))
    older = make_signal(1, candle=CANDLE - HOUR)
    desk.add(older, make_signal(0))
    first, second = desk.run_all()
    assert first.denied.reason is Denial.SUPERSEDED
    assert second.denied.reason is Denial.NOTHING_TO_DO


def test_a_symbol_without_trading_rules_makes_no_order():
    desk = Desk()
    sol = Symbol("SOL", "USDT")
    assert desk.run(desk.add(make_signal(symbol=sol))).denied.reason is Denial.NO_INSTRUMENT


def test_a_symbol_without_a_price_stops_no_other():
    desk = Desk(quotes=Prices({ETH: d(2_500)}))
    desk.add(make_signal(price="60000"), make_signal(symbol=ETH, price="2500"))
    btc, eth = desk.run_all()
    assert btc.denied.reason is Denial.NO_QUOTE
    assert eth.kind is OutcomeKind.FILLED


def test_a_held_symbol_without_a_price_stops_opening_another():
    desk = Desk()
    desk.run(desk.add(make_signal()))
    desk.quotes = Prices({ETH: d(2_500)})
    outcome = desk.run(desk.add(make_signal(symbol=ETH, price="2500")))
    assert outcome.denied.reason is Denial.NO_VALUATION


def test_the_daily_loss_counts_from_the_first_equity_of_the_day():
    desk = Desk(limits=RiskLimits(max_position_size=d(1), risk_per_trade=d(1)))
    desk.run(desk.add(make_signal()))
    desk.quotes = Prices({BTC: d(54_000), ETH: d(2_500)})
    outcome = desk.run(desk.add(make_signal(symbol=ETH, price="2500")))
    assert outcome.denied.reason is Denial.DAILY_LOSS
    next_day = CANDLE + timedelta(days=1)
    desk.clock.instant = NOW + timedelta(days=1)
    outcome = desk.run(desk.add(make_signal(symbol=ETH, price="2500", candle=next_day)))
    assert outcome.kind is OutcomeKind.FILLED


def test_what_is_sent_is_sized_with_the_quote_of_the_last_check():
    desk = Desk()
    live = desk.add(make_signal())
    quotes = iter([d(60_000), d(60_600)])

    class Moving:
        def quote(self, _symbol):
            return next(quotes)

    desk.quotes = Moving()
    request = desk.run(live).order.request
    assert request.reference_price == d(60_600)
    assert request.quantity == d("0.01650")


def test_an_intent_whose_side_is_outdated_is_denied():
    desk = Desk()
    live = desk.add(make_signal(-1))
    lease = desk.store.take_lease(PAPER, "test", NOW)
    desk.limits = RiskLimits(allow_short=True)
    key = client_order_id(PAPER, "aggregate", "1", BTC, "1h", CANDLE, Side.BUY)
    request = OrderRequest(key, BTC, Side.BUY, d(1), d(60_000))
    desk.store.insert_intent(intent(live, request, 1, NOW), lease)
    outcome = desk.run(live)
    assert outcome.denied.reason is Denial.OUTDATED_INTENT
    assert desk.broker.placed == 0


def test_a_lost_answer_is_found_by_asking_and_never_sent_again():
    desk = Desk(broker=Exchange(["lost_after"]))
    outcome = desk.run(desk.add(make_signal()))
    assert outcome.kind is OutcomeKind.FILLED
    assert desk.broker.placed == 1
    assert desk.held == d("0.01666")


def test_not_found_proves_nothing_before_the_horizon_and_nothing_once():
    desk = Desk(broker=Exchange(["lost_before"]))
    live = desk.add(make_signal())
    for _ in range(4):
        outcome = desk.run(live)
        assert outcome.order.status is OrderStatus.UNKNOWN
    desk.wait(20)
    assert desk.run(live).order.status is OrderStatus.UNKNOWN
    desk.wait(1)
    assert desk.run(live).order.status is OrderStatus.UNKNOWN
    outcome = desk.run(live)
    assert (outcome.kind, outcome.order.attempt) == (OutcomeKind.FILLED, 2)
    first, second = desk.store.orders_of_signal(live.signal_id)
    assert first.status is OrderStatus.NOT_PLACED
    assert first.client_order_id != second.client_order_id
    assert len(desk.broker.executed) == 1


def test_a_process_that_stood_still_beyond_the_horizon_does_not_send_any_more():
    desk = Desk()
    live = desk.add(make_signal())

    def stand_still(point):
        if point is CrashPoint.AFTER_SENDING:
            desk.wait(3600)

    outcome = execute_signal(
        live.signal_id,
        desk.store,
        desk.broker,
        desk.quotes,
        desk.limits,
        desk.clock,
        INSTRUMENTS,
        crash_point=stand_still,
    )
    assert outcome.order.status is OrderStatus.UNKNOWN
    assert desk.broker.placed == 0


def test_an_order_that_arrives_late_is_found_and_not_sent_again():
    desk = Desk(broker=Exchange(["late"]))
    live = desk.add(make_signal())
    assert desk.run(live).kind is OutcomeKind.UNRESOLVED
    assert desk.run(live).kind is OutcomeKind.FILLED
    assert (desk.broker.placed, len(desk.broker.executed)) == (1, 1)


def test_a_venue_that_does_not_answer_leaves_the_order_unknown_for_as_long_as_it_takes():
    desk = Desk(broker=Exchange(["lost_after"], is_down=True))
    live = desk.add(make_signal())
    for _ in range(3):
        assert desk.run(live).order.status is OrderStatus.UNKNOWN
        desk.wait(600)
    desk.broker.is_down = False
    assert desk.run(live).kind is OutcomeKind.FILLED
    assert len(desk.broker.executed) == 1


def test_an_unresolved_order_stops_the_next_candle_of_its_symbol_only():
    desk = Desk(broker=Exchange(["lost_before"], is_down=True))
    desk.run(desk.add(make_signal()))
    desk.clock.instant += HOUR
    later = make_signal(0, candle=CANDLE + HOUR)
    assert desk.run(desk.add(later)).denied.reason is Denial.UNRESOLVED_ORDER
    eth = make_signal(symbol=ETH, price="2500", candle=CANDLE + HOUR)
    assert desk.run(desk.add(eth)).kind is OutcomeKind.FILLED


def test_attempts_end_and_so_does_freshness():
    desk = Desk(broker=Exchange(["lost_before"] * 9), limits=RiskLimits(max_attempts=2))
    live = desk.add(make_signal())
    for _ in range(10):
        outcome = desk.run(live)
        desk.wait(30)
    assert outcome.denied.reason is Denial.ATTEMPTS_USED_UP
    assert desk.broker.placed == 2
    stale = Desk(broker=Exchange(["lost_before"]))
    live = stale.add(make_signal())
    stale.run(live)
    stale.wait(7200)
    stale.run(live)
    assert stale.run(live).denied.reason is Denial.STALE_SIGNAL
    assert stale.broker.placed == 1


@pytest.mark.parametrize(
    ("fault", "kind", "fills"),
    [
        ("refused", OutcomeKind.ENDED, 0),
        ("duplicate", OutcomeKind.FILLED, 1),
        ("overfill", OutcomeKind.QUARANTINED, 1),
    ],
)
def test_every_other_answer_ends_where_it_must(fault, kind, fills):
    desk = Desk(broker=Exchange([fault]))
    live = desk.add(make_signal())
    outcomes = [desk.run(live).kind for _ in range(3)]
    assert outcomes == [kind] * 3
    assert desk.broker.placed == 1
    assert len(desk.store.fills(PAPER)) == fills


@pytest.mark.parametrize("fault", ["partial", "open"])
def test_what_is_not_filled_at_once_is_asked_for_until_it_is(fault):
    desk = Desk(broker=Exchange([fault]))
    live = desk.add(make_signal())
    assert desk.run(live).kind is OutcomeKind.UNRESOLVED
    if fault == "open":
        desk.broker._fill(desk.broker.delayed[0][0], desk.broker.delayed[0][0].quantity, NOW)
        desk.broker.delayed.clear()
    assert desk.run(live).kind is OutcomeKind.FILLED
    assert desk.held == d("0.01666")
    assert desk.broker.placed == 1


def test_an_acknowledged_order_that_the_venue_forgets_is_quarantined():
    desk = Desk(broker=Exchange(["open"]))
    live = desk.add(make_signal())
    desk.run(live)
    desk.broker.delayed.clear()
    assert desk.run(live).kind is OutcomeKind.QUARANTINED
    assert desk.run_all() == ()


def test_an_executor_that_lost_its_lease_writes_and_sends_nothing():
    desk = Desk()
    live = desk.add(make_signal())
    old = desk.store.take_lease(PAPER, "old", NOW)
    desk.store.take_lease(PAPER, "new", NOW)
    outcome = desk.run(live, lease=old)
    assert (outcome.kind, outcome.detail) == (
        OutcomeKind.LEASE_LOST,
        "new took the account over",
    )
    assert desk.store.orders_of_signal(live.signal_id) == ()
    assert desk.run(live).kind is OutcomeKind.FILLED


def test_the_snapshot_values_the_account_at_current_prices():
    desk = Desk()
    desk.run(desk.add(make_signal()))
    desk.quotes = Prices({BTC: d(61_000)})
    snapshot = take_snapshot(PAPER, desk.store, desk.quotes, desk.clock)
    fee = d("0.01666") * 60
    assert snapshot.equity == d(10_000) + d("0.01666") * 1000 - fee
    assert desk.store.snapshots(PAPER) == (snapshot,)
