"""The chain of intent from the order request on; ``Decimal`` throughout."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from trading_pipeline.core.instrument import Symbol


class Side(StrEnum):
    """Direction of an order."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class OrderStatus(StrEnum):
    """States of the order state machine; see ``execution``."""

    INTENT = "intent"
    DENIED = "denied"
    SENDING = "sending"
    OPEN = "open"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    NOT_PLACED = "not_placed"
    QUARANTINED = "quarantined"

    @property
    def is_terminal(self) -> bool:
        """Whether sending has ended; accounting never does."""
        return self in _TERMINAL


_TERMINAL = frozenset(
    {
        OrderStatus.DENIED,
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.REJECTED,
        OrderStatus.NOT_PLACED,
    }
)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A market order that risk let through, not yet sent.

    ``quantity`` is in base currency, on the instrument's lot grid; ``reference_price`` is the
    quote-currency price that risk and sizing saw.
    """

    client_order_id: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    reference_price: Decimal


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. ``fee`` is in quote currency, at least 0."""

    trade_id: str
    client_order_id: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    executed_at: datetime
