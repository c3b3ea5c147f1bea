"""Every denial, each by its own cause, and the orders that pass."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import product

import pytest

from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.orders import OrderRequest, Side
from trading_pipeline.portfolio.portfolio import Portfolio
from trading_pipeline.risk.limits import RiskLimits
from trading_pipeline.risk.pre_trade import Controls, Denial, Denied, RiskState, assess
from trading_pipeline.signals.signal import SignalStatus
from trading_pipeline_tests.trading_builders import (
    BTC,
    ETH,
    NOW,
    d,
    make_fill,
    make_instrument,
    make_request,
    make_signal,
)

_PRICE = d(60_000)
_FINE = Controls(
    kill_switch=False,
    risk_state=RiskState.ACTIVE,
    equity=d(10_000),
    day_open_equity=d(10_000),
)
_FLAT = Portfolio.opened("USDT", d(10_000))
_LONG = _FLAT.after([make_fill(quantity="0.1", price="60000")])
_SHORT = _FLAT.after([make_fill(quantity="0.1", price="60000", side=Side.SELL)])


def check(
    direction: int = 1,
    *,
    portfolio: Portfolio = _FLAT,
    quote: Decimal | None = _PRICE,
    limits: RiskLimits | None = None,
    controls: Controls = _FINE,
    now: datetime = NOW,
    decision_price: Decimal = _PRICE,
    symbol: Symbol = BTC,
    status: SignalStatus = SignalStatus.ACTIVE,
) -> OrderRequest | Denied:
    return assess(
        make_signal(direction, symbol, status=status).signal,
        portfolio,
        quote,
        make_instrument(symbol),
        limits or RiskLimits(),
        now,
        controls,
        decision_price=decision_price,
        order_id=lambda side: f"id-{side}",
    )


def reason(answer: OrderRequest | Denied) -> Denial:
    assert isinstance(answer, Denied), answer
    assert answer.detail
    return answer.reason


def test_a_long_signal_buys_a_tenth_of_equity():
    assert check() == OrderRequest("id-buy", BTC, Side.BUY, d("0.01666"), d(60_000))


@pytest.mark.parametrize("direction", [0, -1])
def test_a_flat_or_closing_signal_sells_all_that_is_held(direction):
    assert check(direction, portfolio=_LONG) == OrderRequest(
        "id-sell", BTC, Side.SELL, d("0.1"), d(60_000)
    )


def test_what_already_stands_as_wanted_is_left_alone():
    assert reason(check(1, portfolio=_LONG)) is Denial.NOTHING_TO_DO
    assert reason(check(0, portfolio=_FLAT)) is Denial.NOTHING_TO_DO
    assert reason(check(-1, portfolio=_FLAT)) is Denial.SHORT_NOT_ALLOWED


def test_a_short_is_opened_only_when_allowed():
    allowed = RiskLimits(allow_short=True)
    assert check(-1, limits=allowed) == OrderRequest(
        "id-sell", BTC, Side.SELL, d("0.01666"), d(60_000)
    )


def test_a_reversal_is_one_order_for_both_parts():
    allowed = RiskLimits(allow_short=True)
    answer = check(-1, limits=allowed, portfolio=_LONG)
    assert isinstance(answer, OrderRequest)
    assert answer.quantity == d("0.11666")
    answer = check(1, limits=allowed, portfolio=_SHORT)
    assert isinstance(answer, OrderRequest)
    assert (answer.side, answer.quantity) == (Side.BUY, d("0.11666"))


def test_a_reversal_whose_new_side_is_refused_still_closes():
    answer = check(
        -1,
        limits=RiskLimits(allow_short=True),
        portfolio=_LONG,
        controls=replace(_FINE, risk_state=RiskState.REDUCING),
    )
    assert isinstance(answer, OrderRequest)
    assert answer.quantity == d("0.1")


def test_an_abstention_makes_no_order():
    assert reason(check(status=SignalStatus.ABSTAINED)) is Denial.ABSTAINED


def test_a_signal_is_stale_one_microsecond_after_its_age_limit():
    known_at = make_signal().signal.known_at
    last = known_at + timedelta(hours=1)
    assert isinstance(check(now=last), OrderRequest)
    late = check(now=last + timedelta(microseconds=1))
    assert reason(late) is Denial.STALE_SIGNAL


def test_a_signal_from_the_future_means_that_a_clock_is_wrong():
    known_at = make_signal().signal.known_at
    assert isinstance(check(now=known_at - timedelta(seconds=5)), OrderRequest)
    assert reason(check(now=known_at - timedelta(seconds=6))) is Denial.CLOCK_SKEW


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"kill_switch": True}, Denial.KILL_SWITCH),
        ({"kill_switch": None}, Denial.KILL_SWITCH),
        ({"risk_state": RiskState.HALTED}, Denial.HALTED),
        ({"risk_state": None}, Denial.HALTED),
        ({"orders_last_minute": 60}, Denial.ORDER_RATE),
        ({"unresolved": (make_request(),)}, Denial.UNRESOLVED_ORDER),
    ],
)
def test_what_stops_everything_stops_closing_too(change, expected):
    controls = replace(_FINE, **change)
    assert reason(check(1, controls=controls)) is expected
    assert reason(check(0, portfolio=_LONG, controls=controls)) is expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"risk_state": RiskState.REDUCING}, Denial.REDUCING),
        ({"equity": d(9_500)}, Denial.DAILY_LOSS),
        ({"equity": d("NaN")}, Denial.NO_VALUATION),
        ({"equity": None}, Denial.NO_VALUATION),
        ({"equity": d(-3)}, Denial.NO_VALUATION),
        ({"day_open_equity": None}, Denial.NO_VALUATION),
        ({"day_open_equity": d("NaN")}, Denial.NO_VALUATION),
    ],
)
def test_what_guards_exposure_stops_opening_and_lets_closing_pass(change, expected):
    controls = replace(_FINE, **change)
    assert reason(check(1, controls=controls)) is expected
    assert isinstance(check(0, portfolio=_LONG, controls=controls), OrderRequest)


def test_the_daily_loss_limit_is_reached_exactly_at_five_percent():
    assert isinstance(check(controls=replace(_FINE, equity=d("9500.01"))), OrderRequest)


@pytest.mark.parametrize("quote", [None, d("NaN"), d("Infinity"), d(0), d(-1)])
def test_no_usable_quote_means_no_order(quote):
    assert reason(check(quote=quote)) is Denial.NO_QUOTE
    assert reason(check(0, portfolio=_LONG, quote=quote)) is Denial.NO_QUOTE


def test_the_collar_stops_opening_far_from_the_decision_and_lets_closing_pass():
    assert isinstance(check(quote=d(61_200)), OrderRequest)
    assert reason(check(quote=d("61200.01"))) is Denial.PRICE_COLLAR
    assert reason(check(quote=d("58799.99"))) is Denial.PRICE_COLLAR
    assert reason(check(decision_price=d("NaN"))) is Denial.PRICE_COLLAR
    assert isinstance(check(0, portfolio=_LONG, quote=d(40_000)), OrderRequest)


def test_positions_and_unresolved_orders_of_other_symbols_count_together():
    limits = RiskLimits(max_open_positions=2)
    held = _FLAT.after([make_fill(symbol=ETH)])
    assert isinstance(check(portfolio=held, limits=limits), OrderRequest)
    other = make_request(symbol=Symbol("SOL", "USDT"))
    controls = replace(_FINE, unresolved=(other,))
    assert reason(check(portfolio=held, limits=limits, controls=controls)) is Denial.MAX_POSITIONS


def test_cash_claimed_by_an_unresolved_purchase_is_not_spent_twice():
    claim = make_request(symbol=ETH, quantity="9.5", price="1000")
    answer = check(controls=replace(_FINE, unresolved=(claim,)))
    assert isinstance(answer, OrderRequest)
    # 500 are free, 1% of them kept back: 495 at 60,000.
    assert answer.quantity == d("0.00825")


def test_an_order_below_the_venues_minimum_is_too_small():
    assert reason(check(limits=RiskLimits(max_notional=d(4)))) is Denial.TOO_SMALL
    assert reason(check(portfolio=Portfolio.opened("USDT", d(0)))) is Denial.TOO_SMALL


def test_dust_that_the_venue_would_not_take_counts_as_flat():
    dust = _FLAT.after([make_fill(quantity="0.00001", price="60000")])
    assert reason(check(0, portfolio=dust)) is Denial.NOTHING_TO_DO
    assert isinstance(check(1, portfolio=dust), OrderRequest)


def test_an_account_in_another_currency_makes_no_order():
    assert reason(check(symbol=Symbol("BTC", "USD"))) is Denial.CURRENCY_MISMATCH


def test_over_a_grid_of_unknowns_no_opening_order_passes_unless_all_is_known():
    for kill, state, equity, opened, quote in product(
        (False, True, None),
        (RiskState.ACTIVE, RiskState.REDUCING, RiskState.HALTED, None),
        (d(10_000), d("NaN"), None),
        (d(10_000), d("NaN"), None),
        (d(60_000), d("NaN"), None),
    ):
        answer = check(quote=quote, controls=Controls(kill, state, equity, opened))
        is_known = (kill, state, equity, opened, quote) == (
            False,
            RiskState.ACTIVE,
            d(10_000),
            d(10_000),
            d(60_000),
        )
        assert isinstance(answer, OrderRequest) == is_known
