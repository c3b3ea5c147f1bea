"""The account as its fills made it, and what it is worth."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from trading_pipeline.core.errors import DataError, StaleDataError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.orders import Fill
from trading_pipeline.portfolio.position import ACCOUNTING, Position

_NO_POSITIONS: Mapping[Symbol, Position] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Cash and positions of one account in one quote currency.

    Rebuilt from fills in the order in which they were booked, so that the same fills always give
    the same portfolio, in one go or in any number of pieces. For any prices,
    ``cash + sum(quantity * price) == initial_cash + realised + unrealised - fees``, exactly.

    Parameters
    ----------
    currency : str
        Quote currency of the account, such as ``USDT``.
    initial_cash, cash : Decimal
        Quote currency; ``cash`` may be negative only after a short or a fee beyond the balance.
    positions : Mapping of Symbol to Position
        Every symbol ever traded, flat ones too.
    """

    currency: str
    initial_cash: Decimal
    cash: Decimal
    positions: Mapping[Symbol, Position] = field(default_factory=lambda: _NO_POSITIONS)

    @classmethod
    def opened(cls, currency: str, initial_cash: Decimal) -> "Portfolio":
        """Return a portfolio that holds ``initial_cash`` (finite, at least 0) and nothing else."""
        if not initial_cash.is_finite() or initial_cash < 0:
            raise DataError(f"initial cash must be a number of at least 0, was {initial_cash}")
        return cls(currency, initial_cash, initial_cash)

    @classmethod
    def from_fills(cls, currency: str, initial_cash: Decimal, fills: Iterable[Fill]) -> "Portfolio":
        """Return the portfolio after ``fills``, given in booking order."""
        return cls.opened(currency, initial_cash).after(fills)

    def after(self, fills: Iterable[Fill]) -> "Portfolio":
        """Return the portfolio after further ``fills``, given in booking order.

        Raises
        ------
        DataError
            If a fill is in another quote currency or holds an impossible number.
        """
        cash = self.cash
        positions = dict(self.positions)
        for fill in fills:
            if fill.symbol.quote != self.currency:
                raise DataError(
                    f"the account is kept in {self.currency}; trade {fill.trade_id} of "
                    f"{fill.symbol} is not. Trade it in an account of its own"
                )
            held = positions.get(fill.symbol, Position(fill.symbol))
            positions[fill.symbol] = held.apply(fill)
            paid = ACCOUNTING.multiply(
                ACCOUNTING.multiply(fill.quantity, Decimal(fill.side.sign)), fill.price
            )
            cash = ACCOUNTING.subtract(ACCOUNTING.subtract(cash, paid), fill.fee)
        return replace(self, cash=cash, positions=MappingProxyType(positions))

    def position(self, symbol: Symbol) -> Position:
        """Return the position of ``symbol``; flat if it was never traded."""
        return self.positions.get(symbol, Position(symbol))

    @property
    def open_positions(self) -> tuple[Position, ...]:
        """Positions that hold or owe something, by symbol."""
        return tuple(
            self.positions[symbol]
            for symbol in sorted(self.positions)
            if self.positions[symbol].is_open
        )

    @property
    def realised_pnl(self) -> Decimal:
        """Profit of what was closed, before fees."""
        return _total(position.realised_pnl for position in self.positions.values())

    @property
    def fees(self) -> Decimal:
        """Fees paid so far."""
        return _total(position.fees for position in self.positions.values())


@dataclass(frozen=True, slots=True)
class PositionValue:
    """One open position at one price; everything but ``quantity`` in quote currency."""

    symbol: Symbol
    quantity: Decimal
    average_cost: Decimal
    price: Decimal
    market_value: Decimal
    unrealised_pnl: Decimal


@dataclass(frozen=True, slots=True)
class PortfolioSnapshot:
    """What the account is worth at one instant, in its quote currency.

    ``equity`` is cash plus the market value of all positions, and equals initial cash plus
    realised and unrealised profit minus fees.
    """

    taken_at: datetime
    currency: str
    cash: Decimal
    equity: Decimal
    realised_pnl: Decimal
    unrealised_pnl: Decimal
    fees: Decimal
    positions: tuple[PositionValue, ...]


def value(
    portfolio: Portfolio, prices: Mapping[Symbol, Decimal], *, at: datetime
) -> PortfolioSnapshot:
    """Return what ``portfolio`` is worth at ``prices``.

    Raises
    ------
    StaleDataError
        If an open position has no usable price: an unknown value is not zero.
    """
    values = tuple(_position_value(held, prices) for held in portfolio.open_positions)
    market_value = _total(item.market_value for item in values)
    return PortfolioSnapshot(
        taken_at=at,
        currency=portfolio.currency,
        cash=portfolio.cash,
        equity=ACCOUNTING.add(portfolio.cash, market_value),
        realised_pnl=portfolio.realised_pnl,
        unrealised_pnl=_total(item.unrealised_pnl for item in values),
        fees=portfolio.fees,
        positions=values,
    )


def _position_value(held: Position, prices: Mapping[Symbol, Decimal]) -> PositionValue:
    price = prices.get(held.symbol)
    if price is None or not price.is_finite() or price <= 0:
        raise StaleDataError(
            f"a position of {held.quantity} {held.symbol} needs a positive price to be valued, "
            f"had {price}; check the exchange with `trading doctor`",
            symbol=held.symbol.key,
        )
    average = held.average_cost
    assert average is not None
    return PositionValue(
        symbol=held.symbol,
        quantity=held.quantity,
        average_cost=average,
        price=price,
        market_value=ACCOUNTING.multiply(held.quantity, price),
        unrealised_pnl=held.unrealised_pnl(price),
    )


def _total(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = ACCOUNTING.add(total, amount)
    return total
