"""The daily report as data: what the account holds, what was done, and on what grounds.

Money is ``Decimal`` in the quote currency; ``None`` means unknown and is shown as "n/a".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.core.errors import DataError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.orders import Fill, OrderStatus, Side
from trading_pipeline.signals.signal import Signal


@dataclass(frozen=True, slots=True)
class PortfolioLine:
    """The account at the end of the day."""

    equity: Decimal | None
    cash: Decimal | None
    realised_pnl: Decimal | None = None
    unrealised_pnl: Decimal | None = None
    fees: Decimal | None = None
    day_pnl: Decimal | None = None
    day_return: float | None = None


@dataclass(frozen=True, slots=True)
class PositionRow:
    """An open position. ``share`` is its value as a fraction of equity."""

    symbol: Symbol
    quantity: Decimal
    average_price: Decimal | None
    last_price: Decimal | None
    value: Decimal | None
    unrealised_pnl: Decimal | None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order of the day with the state that it has reached."""

    created_at: datetime
    symbol: Symbol
    side: Side
    status: OrderStatus
    quantity: Decimal | None
    reference_price: Decimal | None
    client_order_id: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class DenialRow:
    """A signal that risk did not let through: the typed reason and its detail."""

    denied_at: datetime
    symbol: Symbol
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FreshnessRow:
    """How old the newest closed candle of a symbol is, and how old it may be."""

    symbol: Symbol
    timeframe: str
    newest_close: datetime | None
    age: timedelta | None
    limit: timedelta

    @property
    def is_stale(self) -> bool:
        """Whether the candle is missing or older than allowed; unknown counts as stale."""
        return self.newest_close is None or self.age is None or self.age > self.limit


@dataclass(frozen=True, slots=True, eq=False)
class EquityHistory:
    """Equity snapshots: ``time_us`` int64 microseconds since 1970 (UTC), ascending."""

    time_us: IntArray
    equity: FloatArray

    def __post_init__(self) -> None:
        if len(self.time_us) != len(self.equity):
            raise DataError(
                f"an equity history needs one value per time, had {len(self.time_us)} times and "
                f"{len(self.equity)} values"
            )


@dataclass(frozen=True, slots=True)
class SymbolLine:
    """One symbol in one sentence."""

    symbol: Symbol
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class DailyReport:
    """What happened on one UTC day.

    Parameters
    ----------
    date : date
        The UTC day.
    account, mode : str
        Such as ``paper``.
    venue_label : str
        Where quotes come from, for people.
    is_simulated : bool
        Whether the market is generated; every page then says so.
    as_of : datetime
        The instant of the market at which the report was made; no wall clock is read.
    quote : str
        Currency of all money.
    portfolio : PortfolioLine
    positions, orders, fills, denials, signals, freshness, symbols : sequences
        In the order in which they are shown; may be empty.
    history : EquityHistory, optional
        Snapshots up to the end of the day.
    alerts : sequence of str
        What a person should look at, such as an engaged kill switch; one sentence each.
    """

    date: date
    account: str
    mode: str
    venue_label: str
    is_simulated: bool
    as_of: datetime
    quote: str
    portfolio: PortfolioLine
    positions: Sequence[PositionRow] = ()
    orders: Sequence[OrderRow] = ()
    fills: Sequence[Fill] = ()
    denials: Sequence[DenialRow] = ()
    signals: Sequence[Signal] = ()
    freshness: Sequence[FreshnessRow] = ()
    symbols: Sequence[SymbolLine] = ()
    history: EquityHistory | None = None
    alerts: Sequence[str] = ()
