"""The backtest report as data: everything that its pages say, and nothing about how they look.

Fractions, never percent; ``None`` or NaN means that a number does not exist and is shown as
"n/a". Instants are timezone-aware UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import numpy as np
import polars as pl

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.core.errors import DataError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.reporting.quality import DataQuality
from trading_pipeline.reporting.verdict import Fold, Performance, Verdict


@dataclass(frozen=True, slots=True, eq=False)
class EquityCurve:
    """Equity of the strategy and of buy-and-hold on the same bars.

    Parameters
    ----------
    time_us : ndarray of shape (n_bars,), int64
        Microseconds since 1970 (UTC), ascending.
    strategy, buy_hold : ndarray of shape (n_bars,), float64
        Equity in the quote currency, costs included; NaN where it does not exist.

    Raises
    ------
    DataError
        If the lengths differ or the times do not ascend.
    """

    time_us: IntArray
    strategy: FloatArray
    buy_hold: FloatArray

    def __post_init__(self) -> None:
        lengths = (len(self.time_us), len(self.strategy), len(self.buy_hold))
        if len(set(lengths)) != 1:
            raise DataError(
                "an equity curve needs one strategy and one buy-and-hold value per time, had "
                f"{lengths[0]} times, {lengths[1]} strategy and {lengths[2]} buy-and-hold values"
            )
        if len(self.time_us) > 1 and not bool(np.all(np.diff(self.time_us) > 0)):
            raise DataError("the times of an equity curve must ascend; sort them by open_time")

    def __len__(self) -> int:
        return len(self.time_us)

    @classmethod
    def of(cls, open_time: pl.Series, strategy: FloatArray, buy_hold: FloatArray) -> Self:
        """Return the curve for a column of instants (``Datetime`` in UTC) and two equities."""
        return cls(
            open_time.dt.epoch("us").to_numpy(),
            np.asarray(strategy, dtype=np.float64),
            np.asarray(buy_hold, dtype=np.float64),
        )


@dataclass(frozen=True, slots=True)
class MonthlyReturn:
    """Return of one calendar month, as a fraction of the equity at its start."""

    month: Month
    strategy: float | None
    buy_hold: float | None


@dataclass(frozen=True, slots=True)
class Trade:
    """One round trip. Money is in the quote currency, ``return_`` a fraction after costs."""

    entry_time: datetime
    exit_time: datetime
    side: str
    quantity: float
    entry_price: float
    exit_price: float
    fees: float
    pnl: float
    return_: float
    exit_reason: str


def trades_of(frame: pl.DataFrame) -> tuple[Trade, ...]:
    """Return the rows of a trades frame, in its order.

    Raises
    ------
    DataError
        If a column of :class:`Trade` is missing.
    """
    names = list(Trade.__dataclass_fields__)
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise DataError(f"trades need the columns {missing}, had {frame.columns}")
    return tuple(
        Trade(
            entry_time=row["entry_time"],
            exit_time=row["exit_time"],
            side=str(row["side"]),
            quantity=float(row["quantity"]),
            entry_price=float(row["entry_price"]),
            exit_price=float(row["exit_price"]),
            fees=float(row["fees"]),
            pnl=float(row["pnl"]),
            return_=float(row["return_"]),
            exit_reason=str(row["exit_reason"]),
        )
        for row in frame.select(names).iter_rows(named=True)
    )


@dataclass(frozen=True, slots=True)
class TradeStatistics:
    """What the trades say together. Money is in the quote currency."""

    n_trades: int
    win_rate: float | None = None
    profit_factor: float | None = None
    expectancy: float | None = None
    average_win: float | None = None
    average_loss: float | None = None
    best: float | None = None
    worst: float | None = None
    total_fees: float | None = None
    average_holding: timedelta | None = None


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One signal source, traded on its own with the same costs and sizing."""

    source: str
    performance: Performance
    n_trades: int


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the backtest takes for granted. Fractions, except ``_bps``.

    ``notes`` are further sentences, one assumption each.
    """

    initial_balance: float
    taker_fee_bps: float
    slippage_bps: float
    fill_rule: str
    sizing: str
    stop_loss: float | None = None
    take_profit: float | None = None
    allow_short: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LineageEntry:
    """Where a part of the report comes from: a fingerprint, a version, a run."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, eq=False)
class BacktestReport:
    """A backtest of one symbol.

    Parameters
    ----------
    title : str
        Such as ``Walk-forward backtest``.
    symbol, timeframe : Symbol, Timeframe
    venue_label : str
        Where the candles come from, for people.
    is_simulated : bool
        Whether the market was generated; every page then says so.
    start, end : datetime
        Open time of the first bar and close time of the last.
    as_of : datetime
        The instant of the market at which the report was made; no wall clock is read.
    strategy, buy_hold : Performance
        The same numbers for both, on the same bars, after costs.
    curve : EquityCurve
    monthly : sequence of MonthlyReturn
        Oldest first; see :func:`trading_pipeline.reporting.curves.monthly_returns`.
    trades, trade_statistics : sequence of Trade, TradeStatistics
    folds : sequence of Fold
        Walk-forward folds, oldest first; empty if no model was judged.
    quality, assumptions, verdict : DataQuality, Assumptions, Verdict
    lineage : sequence of LineageEntry
    comparison : sequence of SourceLine
        Each signal source on its own; may be empty.
    """

    title: str
    symbol: Symbol
    timeframe: Timeframe
    venue_label: str
    is_simulated: bool
    start: datetime
    end: datetime
    as_of: datetime
    strategy: Performance
    buy_hold: Performance
    curve: EquityCurve
    monthly: Sequence[MonthlyReturn]
    trades: Sequence[Trade]
    trade_statistics: TradeStatistics
    folds: Sequence[Fold]
    quality: DataQuality
    assumptions: Assumptions
    verdict: Verdict
    lineage: Sequence[LineageEntry]
    comparison: Sequence[SourceLine] = ()

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise DataError(f"a report must not end before its start {self.start}, was {self.end}")
