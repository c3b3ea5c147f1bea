"""What a backtest says: the equity on every bar, and the trades."""

from dataclasses import dataclass

import polars as pl

from trading_pipeline.backtest.settings import BacktestSettings
from trading_pipeline.core.candles import OPEN_TIME_TYPE, FloatArray, IntArray
from trading_pipeline.core.instrument import Instrument

TRADE_SCHEMA: dict[str, pl.DataType] = {
    "entry_time": OPEN_TIME_TYPE,
    "exit_time": OPEN_TIME_TYPE,
    "side": pl.String(),
    "quantity": pl.Float64(),
    "entry_price": pl.Float64(),
    "exit_price": pl.Float64(),
    "fees": pl.Float64(),
    "pnl": pl.Float64(),
    "return_": pl.Float64(),
    "exit_reason": pl.String(),
    "bars": pl.Int64(),
}


@dataclass(frozen=True, slots=True, eq=False)
class BacktestResult:
    """Outcome of one backtest of one symbol.

    Parameters
    ----------
    open_time : Series
        Open times of the bars.
    equity : ndarray of shape (n_bars,)
        Value of the account at the close of each bar, quote currency, after costs; the first is
        the initial balance, because the first signal is known only at that close.
    equity_units : ndarray of int64, shape (n_bars,)
        The same in quote units (tick times lot of ``instrument``), exact.
    trades : DataFrame
        In :data:`TRADE_SCHEMA`, by exit. Times are the open times of the bars in which it
        happened; ``side`` is long or short; money is quote currency; ``pnl`` is after fees and
        ``return_`` is it as a fraction of the entry notional; ``exit_reason`` is signal,
        stop_loss, take_profit, liquidation or end_of_data; ``bars`` is exit minus entry.
        The sum of ``pnl`` is the last equity minus the initial balance.
    settings : BacktestSettings
    instrument : Instrument
        With the grid of the accounts, which is coarser than the venue's where that was too fine
        for int64.
    bars_in_position : int
        Bars at whose close something was held.
    skipped_entries : int
        Entries that were smaller than the venue's minimum.
    """

    open_time: pl.Series
    equity: FloatArray
    equity_units: IntArray
    trades: pl.DataFrame
    settings: BacktestSettings
    instrument: Instrument
    bars_in_position: int
    skipped_entries: int

    @property
    def total_return(self) -> float:
        """Return over all bars, as a fraction of the initial balance."""
        return float(self.equity[-1]) / float(self.settings.initial_balance) - 1

    @property
    def exposure(self) -> float:
        """Fraction of bars at whose close something was held."""
        return self.bars_in_position / len(self.equity)
