"""What is traded: the symbol, and the grid of prices and quantities that its venue accepts."""

import re
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Self

from trading_pipeline.core.errors import ConfigError

_SPELLING = re.compile(r"([A-Za-z0-9]{1,20})[/\-_:]([A-Za-z0-9]{1,20})")


@dataclass(frozen=True, slots=True, order=True)
class Symbol:
    """A traded pair: base currency against quote currency.

    Examples
    --------
    >>> Symbol.parse("btc/usdt").key
    'BTC-USDT'
    """

    base: str
    quote: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the symbol for ``BTC/USDT``, ``BTC-USDT`` or ``BTC_USDT`` in any case.

        Raises
        ------
        ConfigError
            If ``text`` is not a pair.
        """
        match = _SPELLING.fullmatch(text.strip())
        if match is None:
            raise ConfigError(
                f"a symbol is written as BTC/USDT or BTC-USDT, was {text!r}", symbol=text
            )
        return cls(match.group(1).upper(), match.group(2).upper())

    @property
    def key(self) -> str:
        """Path-safe spelling, used in partitions and folders: ``BTC-USDT``."""
        return f"{self.base}-{self.quote}"

    @property
    def pair(self) -> str:
        """Trader's spelling: ``BTC/USDT``."""
        return f"{self.base}/{self.quote}"

    def __str__(self) -> str:
        return self.pair


@dataclass(frozen=True, slots=True)
class Instrument:
    """A symbol with its price tick, quantity step and smallest order.

    Parameters
    ----------
    symbol : Symbol
    tick_size, lot_size : Decimal
        Smallest step of the price (quote currency) and of the quantity (base currency); positive.
    min_quantity, min_notional : Decimal
        Smallest quantity (base) and price times quantity (quote) that the venue takes.
    """

    symbol: Symbol
    tick_size: Decimal
    lot_size: Decimal
    min_quantity: Decimal
    min_notional: Decimal

    def __post_init__(self) -> None:
        if self.tick_size <= 0 or self.lot_size <= 0:
            raise ConfigError(
                f"{self.symbol}: tick_size and lot_size must be positive, "
                f"were {self.tick_size} and {self.lot_size}"
            )

    def to_ticks(self, price: Decimal | float) -> int:
        """Return ``price`` in ticks, rounded half to even."""
        return int((Decimal(str(price)) / self.tick_size).quantize(Decimal(1), ROUND_HALF_EVEN))

    def to_lots(self, quantity: Decimal | float) -> int:
        """Return ``quantity`` in lots, rounded down, so that exposure is never rounded up."""
        return int((Decimal(str(quantity)) / self.lot_size).quantize(Decimal(1), ROUND_FLOOR))

    def price(self, ticks: int) -> Decimal:
        """Return the price of ``ticks``."""
        return ticks * self.tick_size

    def quantity(self, lots: int) -> Decimal:
        """Return the quantity of ``lots``."""
        return lots * self.lot_size

    def round_price(self, price: Decimal | float) -> Decimal:
        """Return ``price`` on the tick grid, rounded half to even."""
        return self.price(self.to_ticks(price))

    def floor_quantity(self, quantity: Decimal | float) -> Decimal:
        """Return ``quantity`` on the lot grid, rounded down."""
        return self.quantity(self.to_lots(quantity))

    def is_large_enough(self, quantity: Decimal, price: Decimal) -> bool:
        """Tell whether an order of ``quantity`` at ``price`` reaches the venue's minima."""
        return quantity >= self.min_quantity and quantity * price >= self.min_notional
