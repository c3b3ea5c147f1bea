"""What is held of one symbol, and what it cost."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Self

from trading_pipeline.core.errors import DataError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.orders import Fill

# Wide enough that sums and products of any real order are exact: only the share of the cost that
# a partial sale takes out is a division, and that is rounded once, to EXACT_STEP.
ACCOUNTING = Context(prec=60, rounding=ROUND_HALF_EVEN)
EXACT_STEP = Decimal(1).scaleb(-18)
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Position:
    """Holding of one symbol by weighted average cost.

    Parameters
    ----------
    symbol : Symbol
    quantity : Decimal
        Base currency; positive is long, negative is short, 0 is flat.
    cost : Decimal
        Quote currency paid for what is held (negative: received for what is short), without fees.
    realised_pnl : Decimal
        Quote currency, before fees.
    fees : Decimal
        Quote currency, at least 0.
    """

    symbol: Symbol
    quantity: Decimal = _ZERO
    cost: Decimal = _ZERO
    realised_pnl: Decimal = _ZERO
    fees: Decimal = _ZERO

    @property
    def is_open(self) -> bool:
        """Whether anything is held or short."""
        return self.quantity != 0

    @property
    def average_cost(self) -> Decimal | None:
        """Average price of what is held; None when flat."""
        return ACCOUNTING.divide(self.cost, self.quantity) if self.is_open else None

    def unrealised_pnl(self, price: Decimal) -> Decimal:
        """Return the profit before fees if all were closed at ``price``."""
        return ACCOUNTING.subtract(ACCOUNTING.multiply(self.quantity, price), self.cost)

    def apply(self, fill: Fill) -> Self:
        """Return the position after ``fill``.

        A fill against the position first closes (the cost leaves in proportion, rounded half to
        even at 1e-18), what remains of it opens the other way.

        Raises
        ------
        DataError
            If the fill is of another symbol, or a number in it is not finite, the quantity or
            price not positive, or the fee negative.
        """
        _check(fill, self.symbol)
        change = ACCOUNTING.multiply(fill.quantity, Decimal(fill.side.sign))
        opposes = self.quantity * change < 0
        closed = min(abs(change), abs(self.quantity)) if opposes else _ZERO
        released = self._cost_of(closed)
        proceeds = ACCOUNTING.multiply(closed.copy_sign(self.quantity), fill.price)
        opened = ACCOUNTING.add(change, closed.copy_sign(self.quantity)) if opposes else change
        return type(self)(
            symbol=self.symbol,
            quantity=ACCOUNTING.add(self.quantity, change),
            cost=ACCOUNTING.add(
                ACCOUNTING.subtract(self.cost, released), ACCOUNTING.multiply(opened, fill.price)
            ),
            realised_pnl=ACCOUNTING.add(self.realised_pnl, ACCOUNTING.subtract(proceeds, released)),
            fees=ACCOUNTING.add(self.fees, fill.fee),
        )

    def _cost_of(self, closed: Decimal) -> Decimal:
        if closed == 0:
            return _ZERO
        if closed == abs(self.quantity):
            return self.cost
        share = ACCOUNTING.divide(ACCOUNTING.multiply(self.cost, closed), self.quantity.copy_abs())
        return share.quantize(EXACT_STEP, context=ACCOUNTING)


def _check(fill: Fill, symbol: Symbol) -> None:
    if fill.symbol != symbol:
        raise DataError(f"the position of {symbol} took a fill of {fill.symbol}")
    numbers = (fill.quantity, fill.price, fill.fee)
    if not all(number.is_finite() for number in numbers) or min(numbers[:2]) <= 0 or fill.fee < 0:
        raise DataError(
            f"a fill needs a positive quantity and price and a fee of at least 0; trade "
            f"{fill.trade_id} of {symbol} had {fill.quantity}, {fill.price} and {fill.fee}"
        )
