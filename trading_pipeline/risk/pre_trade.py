"""The check before every order: one order request, or a typed denial with its reason.

Fails closed: what is unknown, unreadable or not a number denies. An order that only reduces a
position passes the limits that guard new exposure (daily loss, number of positions, price collar,
REDUCING), because leaving is what those limits want; the kill switch, HALTED, a stale signal and
a missing quote stop it too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.orders import OrderRequest, Side
from trading_pipeline.portfolio.portfolio import Portfolio
from trading_pipeline.risk.limits import RiskLimits
from trading_pipeline.risk.sizing import entry_quantity
from trading_pipeline.signals.signal import Signal, SignalStatus


class Denial(StrEnum):
    """Why there is no order."""

    STALE_SIGNAL = "stale_signal"
    SUPERSEDED = "superseded"
    CLOCK_SKEW = "clock_skew"
    ABSTAINED = "abstained"
    KILL_SWITCH = "kill_switch"
    HALTED = "halted"
    REDUCING = "reducing"
    DAILY_LOSS = "daily_loss"
    MAX_POSITIONS = "max_positions"
    ORDER_RATE = "order_rate"
    ATTEMPTS_USED_UP = "attempts_used_up"
    UNRESOLVED_ORDER = "unresolved_order"
    OUTDATED_INTENT = "outdated_intent"
    TOO_SMALL = "too_small"
    NO_INSTRUMENT = "no_instrument"
    NO_QUOTE = "no_quote"
    NO_VALUATION = "no_valuation"
    CURRENCY_MISMATCH = "currency_mismatch"
    SHORT_NOT_ALLOWED = "short_not_allowed"
    PRICE_COLLAR = "price_collar"
    NOTHING_TO_DO = "nothing_to_do"


class RiskState(StrEnum):
    """What the account may do: everything, only reduce, or nothing."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class Denied:
    """No order, and why."""

    reason: Denial
    detail: str


@dataclass(frozen=True, slots=True)
class Controls:
    """What else the check must know about the account; None is unreadable and denies.

    Parameters
    ----------
    kill_switch : bool or None
        Whether the switch is engaged.
    risk_state : RiskState or None
    equity, day_open_equity : Decimal or None
        Quote currency, now and at 00:00 UTC of the current day.
    unresolved : tuple of OrderRequest
        Orders that were sent and are not proven to be over; they count as if filled.
    orders_last_minute : int
    """

    kill_switch: bool | None
    risk_state: RiskState | None
    equity: Decimal | None
    day_open_equity: Decimal | None
    unresolved: tuple[OrderRequest, ...] = ()
    orders_last_minute: int = 0


@dataclass(frozen=True, slots=True)
class _Question:
    signal: Signal
    decision_price: Decimal
    portfolio: Portfolio
    quote: Decimal
    instrument: Instrument
    limits: RiskLimits
    controls: Controls

    @property
    def symbol(self) -> Symbol:
        return self.instrument.symbol

    @property
    def held(self) -> Decimal:
        # What the venue would not take back as an order is dust, and counts as flat.
        quantity = self.portfolio.position(self.symbol).quantity
        tradable = self.instrument.floor_quantity(abs(quantity))
        if not self.instrument.is_large_enough(tradable, self.quote):
            return Decimal(0)
        return tradable.copy_sign(quantity)


def assess(
    signal: Signal,
    portfolio: Portfolio,
    quote: Decimal | None,
    instrument: Instrument,
    limits: RiskLimits,
    clock_now: datetime,
    controls: Controls,
    *,
    decision_price: Decimal,
    order_id: Callable[[Side], str],
) -> OrderRequest | Denied:
    """Return the order that ``signal`` asks for, or the reason why there is none.

    Direction 1 wants a long position and 0 none; -1 closes, and opens a short only with
    ``allow_short``. A position that already stands as wanted is left as it is; a reversal is one
    order for both parts, or only closes where the new side is refused. A holding too small for
    the venue to take back counts as flat.

    Parameters
    ----------
    quote : Decimal or None
        Current price; None, NaN or not positive denies with NO_QUOTE.
    clock_now : datetime
        Timezone-aware, the venue's clock.
    decision_price : Decimal
        The price that the decision saw (its candle's close), for the price collar.
    order_id : callable
        Gives the client order id for a side.
    """
    refusal = (
        _refused_by_signal(signal, limits, clock_now)
        or _refused_by_controls(controls, limits)
        or _refused_by_market(quote, portfolio, instrument, controls)
    )
    if refusal is not None:
        return refusal
    assert quote is not None
    question = _Question(signal, decision_price, portfolio, quote, instrument, limits, controls)
    change = _wanted_change(question)
    if isinstance(change, Denied):
        return change
    side = Side.BUY if change > 0 else Side.SELL
    quantity = instrument.floor_quantity(abs(change))
    if not instrument.is_large_enough(quantity, quote):
        return Denied(
            Denial.TOO_SMALL,
            f"{quantity} {question.symbol.base} at {quote} is below the venue's minimum of "
            f"{instrument.min_quantity} or a notional of {instrument.min_notional}",
        )
    return OrderRequest(order_id(side), question.symbol, side, quantity, quote)


def _refused_by_signal(signal: Signal, limits: RiskLimits, now: datetime) -> Denied | None:
    age = now - signal.known_at
    if signal.status is not SignalStatus.ACTIVE:
        return Denied(Denial.ABSTAINED, signal.reason or "no source had an opinion")
    if -age > limits.max_clock_skew:
        return Denied(Denial.CLOCK_SKEW, f"the signal is known {-age} after now; check the clocks")
    if age > limits.max_signal_age:
        return Denied(
            Denial.STALE_SIGNAL,
            f"the signal is {age} old, {limits.max_signal_age} is the limit",
        )
    return None


def _refused_by_controls(controls: Controls, limits: RiskLimits) -> Denied | None:
    if controls.kill_switch is None or controls.kill_switch:
        unreadable = " (it could not be read)" if controls.kill_switch is None else ""
        return Denied(Denial.KILL_SWITCH, f"the kill switch is engaged{unreadable}")
    if controls.risk_state is None or controls.risk_state is RiskState.HALTED:
        return Denied(Denial.HALTED, "trading is halted")
    if controls.orders_last_minute >= limits.max_orders_per_minute:
        return Denied(
            Denial.ORDER_RATE,
            f"{controls.orders_last_minute} orders in the last minute, "
            f"{limits.max_orders_per_minute} are allowed",
        )
    return None


def _refused_by_market(
    quote: Decimal | None, portfolio: Portfolio, instrument: Instrument, controls: Controls
) -> Denied | None:
    symbol = instrument.symbol
    if symbol.quote != portfolio.currency:
        return Denied(
            Denial.CURRENCY_MISMATCH,
            f"the account is kept in {portfolio.currency}, {symbol} trades in {symbol.quote}",
        )
    if quote is None or not quote.is_finite() or quote <= 0:
        return Denied(Denial.NO_QUOTE, f"no usable price of {symbol}: {quote}")
    waiting = [order for order in controls.unresolved if order.symbol == symbol]
    if waiting:
        return Denied(
            Denial.UNRESOLVED_ORDER,
            f"order {waiting[0].client_order_id} of {symbol} is not resolved yet",
        )
    return None


def _wanted_change(question: _Question) -> Decimal | Denied:
    direction, held = question.signal.direction, question.held
    if direction == -1 and not question.limits.allow_short:
        if held <= 0:
            return Denied(Denial.SHORT_NOT_ALLOWED, "nothing to close, and risk.allow_short is off")
        return -held
    if direction == 0:
        return -held if held != 0 else Denied(Denial.NOTHING_TO_DO, "already flat")
    if direction * held > 0:
        return Denied(Denial.NOTHING_TO_DO, f"already holds {held} {question.symbol.base}")
    opening = _opening(question)
    if isinstance(opening, Denied):
        return -held if held != 0 else opening
    return opening - held


def _opening(question: _Question) -> Decimal | Denied:
    refusal = _refused_exposure(question)
    if refusal is not None:
        return refusal
    assert question.controls.equity is not None
    claimed = sum(
        (
            order.quantity * order.reference_price
            for order in question.controls.unresolved
            if order.side is Side.BUY
        ),
        Decimal(0),
    )
    free = question.portfolio.cash + question.held * question.quote - claimed
    quantity = entry_quantity(
        question.controls.equity, free, question.quote, question.instrument, question.limits
    )
    if quantity <= 0:
        return Denied(
            Denial.TOO_SMALL,
            f"equity {question.controls.equity} and free cash {free} leave no quantity "
            f"at {question.quote}",
        )
    return quantity * question.signal.direction


def _refused_exposure(question: _Question) -> Denied | None:
    controls, limits = question.controls, question.limits
    if controls.risk_state is RiskState.REDUCING:
        return Denied(Denial.REDUCING, "only orders that reduce a position are allowed")
    equity, day_open = controls.equity, controls.day_open_equity
    if not (_is_positive(equity) and _is_positive(day_open)):
        return Denied(
            Denial.NO_VALUATION,
            f"equity now {equity} and at 00:00 UTC {day_open} must both be known and positive",
        )
    assert equity is not None
    assert day_open is not None
    if equity <= day_open * (1 - limits.max_daily_loss):
        return Denied(
            Denial.DAILY_LOSS,
            f"equity {equity} is down from {day_open} at 00:00 UTC, "
            f"{limits.max_daily_loss} of it is the limit",
        )
    held = {position.symbol for position in question.portfolio.open_positions}
    exposed = (held | {order.symbol for order in controls.unresolved}) - {question.symbol}
    if len(exposed) >= limits.max_open_positions:
        return Denied(
            Denial.MAX_POSITIONS,
            f"{len(exposed)} positions are open, {limits.max_open_positions} are allowed",
        )
    return _refused_price(question)


def _refused_price(question: _Question) -> Denied | None:
    seen, quote = question.decision_price, question.quote
    if not _is_positive(seen):
        return Denied(Denial.PRICE_COLLAR, f"the decision's price must be known, was {seen}")
    distance = abs(quote / seen - 1)
    if distance > question.limits.price_collar:
        return Denied(
            Denial.PRICE_COLLAR,
            f"the price moved from {seen} to {quote}, {distance:.4f} of it; "
            f"{question.limits.price_collar} is the limit",
        )
    return None


def _is_positive(number: Decimal | None) -> bool:
    return number is not None and number.is_finite() and number > 0
