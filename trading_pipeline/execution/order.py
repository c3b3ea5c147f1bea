"""The order state machine: what an order is, which steps it may take, and how fills settle it.

::

    INTENT -- risk, kill switch, stale signal --> DENIED
      | one transaction: check again, write SENDING and the time; commit, fsync
    SENDING -- exactly one request --+-- acknowledged --> OPEN / PARTIAL --> FILLED | CANCELED | ...
                                     +-- refused --> REJECTED
                                     +-- anything else --> UNKNOWN
    UNKNOWN -- asked by client id --+-- found --> OPEN / PARTIAL / FILLED
                                    +-- two misses past the proof horizon --> NOT_PLACED
    any contradiction --> QUARANTINED (the symbol halts, a person decides)

A terminal state ends sending, never accounting: a late fill is booked and brings the order back.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading_pipeline.core.errors import LedgerError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.orders import Fill, OrderRequest, OrderStatus, Side

SIGNAL_LEG = "signal"
NEEDED_MISSES = 2

_S = OrderStatus
_LIVE = frozenset({_S.OPEN, _S.PARTIAL, _S.FILLED, _S.CANCELED, _S.EXPIRED, _S.QUARANTINED})
_RESURRECTED = _LIVE - {_S.OPEN}
TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    _S.INTENT: frozenset({_S.SENDING, _S.DENIED, _S.QUARANTINED}),
    _S.DENIED: frozenset({_S.QUARANTINED}),
    _S.SENDING: _LIVE | {_S.REJECTED, _S.UNKNOWN},
    _S.UNKNOWN: _LIVE | {_S.REJECTED, _S.NOT_PLACED},
    _S.OPEN: _LIVE - {_S.OPEN},
    _S.PARTIAL: _LIVE - {_S.OPEN, _S.PARTIAL},
    _S.FILLED: frozenset({_S.QUARANTINED}),
    _S.CANCELED: _RESURRECTED - {_S.CANCELED},
    _S.EXPIRED: _RESURRECTED - {_S.EXPIRED},
    _S.REJECTED: _RESURRECTED,
    _S.NOT_PLACED: _RESURRECTED,
    _S.QUARANTINED: frozenset({_S.FILLED, _S.CANCELED, _S.NOT_PLACED}),
}
EXPOSED = frozenset({_S.SENDING, _S.OPEN, _S.PARTIAL, _S.UNKNOWN, _S.QUARANTINED})
"""Sent and not proven over. An INTENT was never sent and is checked again before it is."""
RESOLVABLE = EXPOSED - {_S.QUARANTINED}
SETTLED = frozenset(_S) - RESOLVABLE - {_S.INTENT, _S.NOT_PLACED}
"""States after which the order's signal needs no further work."""


@dataclass(frozen=True, slots=True)
class AccountId:
    """Whose orders: an account name in one execution mode (``paper``)."""

    name: str
    mode: str


@dataclass(frozen=True, slots=True)
class Order:
    """One order as the ledger knows it.

    Parameters
    ----------
    signal_id : str
    account : AccountId
    leg : str
        Which order of the signal this is; ``signal`` for the one that follows it.
    attempt : int
        1, and one more after each attempt that is proven not to have been placed.
    request : OrderRequest
        What was, or would be, sent.
    status : OrderStatus
    detail : str
        Why the order is in this state, where that is not plain.
    created_at, updated_at : datetime
    sent_at : datetime or None
        When SENDING was committed.
    filled_quantity : Decimal
        Base currency, booked so far.
    misses : int
        How often the venue, asked by client id, did not know the order.
    """

    signal_id: str
    account: AccountId
    leg: str
    attempt: int
    request: OrderRequest
    status: OrderStatus
    detail: str
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None = None
    filled_quantity: Decimal = Decimal(0)
    misses: int = 0

    @property
    def client_order_id(self) -> str:
        """The id that the venue sees."""
        return self.request.client_order_id


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One change of an order's state, in the order's append-only history."""

    client_order_id: str
    at: datetime
    status: OrderStatus
    detail: str


@dataclass(frozen=True, slots=True)
class BrokerAnswer:
    """What the venue said about one order: its state there, and its fills so far."""

    status: OrderStatus
    fills: tuple[Fill, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an answer changes: the new state and the fills to book."""

    status: OrderStatus
    new_fills: tuple[Fill, ...]
    filled_quantity: Decimal
    detail: str


def client_order_id(
    account: AccountId,
    strategy: str,
    version: str,
    symbol: Symbol,
    timeframe: str,
    candle_open_time: datetime,
    side: Side,
    *,
    leg: str = SIGNAL_LEG,
    attempt: int = 1,
) -> str:
    """Return the id of an order: a function of what it is for, 30 characters of ``[a-z0-9]``."""
    opened_ms = int(candle_open_time.timestamp() * 1000)
    parts = (account.name, account.mode, strategy, version, symbol.key, timeframe, opened_ms)
    text = "|".join(str(part) for part in (*parts, side.value, leg, attempt))
    return "tp" + hashlib.sha256(text.encode()).hexdigest()[:28]


def check_transition(client_id: str, before: OrderStatus, after: OrderStatus) -> None:
    """Raise unless an order may step from ``before`` to ``after``.

    Raises
    ------
    LedgerError
        If the state machine has no such step.
    """
    if after not in TRANSITIONS[before]:
        allowed = ", ".join(sorted(TRANSITIONS[before]))
        raise LedgerError(
            f"order {client_id} cannot go from {before} to {after}; from there it may go to "
            f"{allowed}. Another process may have moved it: read it again",
            client_order_id=client_id,
        )


def settle(order: Order, booked: Sequence[Fill], answer: BrokerAnswer) -> Settlement:
    """Return what ``answer`` changes about ``order``.

    A fill is known by its trade id and booked once, late ones too. A fill that does not belong to
    the order, differs from a booked one of the same id, or exceeds the ordered quantity is a
    contradiction: what belongs is booked and the order is quarantined. FILLED is only believed
    when the fills add up to the ordered quantity.

    Parameters
    ----------
    booked : sequence of Fill
        Fills of this order, and any other of the same venue and symbol whose trade id appears in
        ``answer``.
    """
    known = {fill.trade_id: fill for fill in booked}
    new: dict[str, Fill] = {}
    contradictions: list[str] = []
    for fill in answer.fills:
        earlier = known.get(fill.trade_id) or new.get(fill.trade_id)
        if earlier is not None:
            if earlier != fill:
                contradictions.append(f"trade {fill.trade_id} came twice with other values")
        elif not _belongs(fill, order):
            contradictions.append(f"trade {fill.trade_id} does not belong to the order")
        else:
            new[fill.trade_id] = fill
    own = [fill for fill in booked if fill.client_order_id == order.client_order_id]
    filled = sum((fill.quantity for fill in (*own, *new.values())), Decimal(0))
    if filled > order.request.quantity:
        contradictions.append(f"filled {filled} of {order.request.quantity} ordered")
    status, detail = _settled_status(order, filled, answer, has_new=bool(new))
    if order.status in (OrderStatus.INTENT, OrderStatus.DENIED) and new:
        contradictions.append("the order was never sent, yet it has fills")
    if status is not order.status and status not in TRANSITIONS[order.status]:
        contradictions.append(f"the venue says {answer.status} after {order.status}")
    if order.status is OrderStatus.QUARANTINED:
        contradictions.insert(0, order.detail)
    if contradictions:
        status, detail = OrderStatus.QUARANTINED, "; ".join(contradictions)
    return Settlement(status, tuple(new.values()), filled, detail)


def _belongs(fill: Fill, order: Order) -> bool:
    numbers = (fill.quantity, fill.price, fill.fee)
    return (
        fill.client_order_id == order.client_order_id
        and fill.symbol == order.request.symbol
        and fill.side is order.request.side
        and all(number.is_finite() for number in numbers)
        and fill.quantity > 0
        and fill.price > 0
        and fill.fee >= 0
    )


def _settled_status(
    order: Order, filled: Decimal, answer: BrokerAnswer, *, has_new: bool
) -> tuple[OrderStatus, str]:
    is_late = has_new and order.status.is_terminal
    detail = f"late fill after {order.status}" if is_late else answer.detail
    if filled == order.request.quantity:
        return OrderStatus.FILLED, detail
    if order.status in SETTLED | {OrderStatus.NOT_PLACED} and not has_new:
        return order.status, order.detail
    if answer.status is OrderStatus.REJECTED and filled > 0:
        return OrderStatus.QUARANTINED, f"refused, yet {filled} was filled"
    if answer.status in (OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED):
        return answer.status, detail
    if answer.status in (OrderStatus.OPEN, OrderStatus.PARTIAL, OrderStatus.FILLED):
        return (OrderStatus.PARTIAL if filled > 0 else OrderStatus.OPEN), detail
    return OrderStatus.QUARANTINED, f"the venue answered with the state {answer.status}"
