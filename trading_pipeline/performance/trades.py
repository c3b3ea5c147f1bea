"""What the trades say together."""

from dataclasses import dataclass

import polars as pl

from trading_pipeline.core.errors import DataError

_COLUMNS = ("pnl", "return_", "fees", "bars")


@dataclass(frozen=True, slots=True)
class TradeStatistics:
    """Statistics of closed trades, after costs; None where there is nothing to divide by.

    Parameters
    ----------
    n_trades : int
    win_rate : float or None
        Share of trades with a positive pnl; a pnl of 0 is no win.
    profit_factor : float or None
        Sum of wins over sum of losses; None without a loss.
    expectancy : float or None
        Mean pnl in quote currency.
    average_win, average_loss : float or None
        Mean positive and mean negative pnl in quote currency; the loss is negative.
    best, worst : float or None
        Highest and lowest return on the entry notional.
    total_fees : float
        Quote currency.
    average_bars : float or None
        Mean bars from entry to exit.
    """

    n_trades: int
    win_rate: float | None
    profit_factor: float | None
    expectancy: float | None
    average_win: float | None
    average_loss: float | None
    best: float | None
    worst: float | None
    total_fees: float
    average_bars: float | None


def trade_statistics(trades: pl.DataFrame) -> TradeStatistics:
    """Return the statistics of ``trades``.

    Parameters
    ----------
    trades : DataFrame
        At least the columns ``pnl``, ``return_``, ``fees``, ``bars``; no nulls.

    Raises
    ------
    DataError
        If a column is missing.
    """
    missing = [name for name in _COLUMNS if name not in trades.columns]
    if missing:
        raise DataError(f"trades need the columns {missing}, had {trades.columns}")
    pnl = trades["pnl"]
    wins, losses = pnl.filter(pnl > 0), pnl.filter(pnl < 0)
    lost = float(losses.sum())
    return TradeStatistics(
        n_trades=len(trades),
        win_rate=len(wins) / len(trades) if len(trades) else None,
        profit_factor=float(wins.sum()) / -lost if lost < 0 else None,
        expectancy=_number(pnl.mean()),
        average_win=_number(wins.mean()),
        average_loss=_number(losses.mean()),
        best=_number(trades["return_"].max()),
        worst=_number(trades["return_"].min()),
        total_fees=float(trades["fees"].sum()),
        average_bars=_number(trades["bars"].mean()),
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
