"""Run a direction per candle through one account."""

from decimal import ROUND_CEILING, Decimal

import numpy as np
import polars as pl

from trading_pipeline.backtest import kernel
from trading_pipeline.backtest.directions import HOLD, DirectionArray
from trading_pipeline.backtest.result import TRADE_SCHEMA, BacktestResult
from trading_pipeline.backtest.settings import BacktestSettings
from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.core.errors import DataError
from trading_pipeline.core.instrument import Instrument
from trading_pipeline.matching.grid import from_steps, quote_unit, to_ticks, to_units, with_room
from trading_pipeline.matching.rates import PPM
from trading_pipeline.matching.triggers import STOP_LOSS, TAKE_PROFIT

EXIT_REASONS = {
    STOP_LOSS: "stop_loss",
    TAKE_PROFIT: "take_profit",
    kernel.SIGNAL: "signal",
    kernel.END_OF_DATA: "end_of_data",
    kernel.LIQUIDATION: "liquidation",
}
_SIDES = {1: "long", -1: "short"}


def run_backtest(
    candles: pl.DataFrame,
    direction: DirectionArray,
    strength: FloatArray | None,
    instrument: Instrument,
    settings: BacktestSettings,
) -> BacktestResult:
    """Trade ``direction`` on ``candles`` and return equity and trades.

    What is known at the close of a candle executes at the open of the next candle that exists.
    Sizing, slippage and fees are those of ``matching``; a stop or target inside a bar is taken
    pessimistically. The size of a position is set at its entry and stays. After a stop-loss,
    take-profit or liquidation the same side is entered again only after the direction has
    changed; what is still open at the end is closed at the last close.

    Parameters
    ----------
    candles : DataFrame
        Candle contract; at least one row.
    direction : ndarray of int8, shape (n_bars,)
        1 is long, 0 is flat, -1 is flat (short with ``allow_short``),
        :data:`~trading_pipeline.backtest.directions.HOLD` keeps what is held.
    strength : ndarray of shape (n_bars,), optional
        In [0, 1]; scales the size of an entry. None is full size.
    instrument : Instrument
        Price and quantity grid, and the venue's minimum order, which entries have to reach.
    settings : BacktestSettings

    Raises
    ------
    DataError
        If there are no candles, shapes differ, a direction or strength is out of range, a candle
        is inconsistent, or the account outgrows int64.

    References
    ----------
    Equals, integer for integer, the engine in Decimal that the tests keep beside it.
    """
    if candles.is_empty():
        raise DataError("a backtest needs at least one candle, had none; materialise candles first")
    _check_inputs(candles, direction, strength)
    typical = float(candles["close"].median())  # type: ignore[arg-type]
    grid = with_room(instrument, typical, settings.initial_balance)
    bars = _bars(candles, direction, strength, grid)
    equity, trades, account, revision = kernel.simulate(bars, _rules(grid, settings))
    assert revision == kernel.REVISION
    if account[kernel.OVERFLOWED]:
        raise DataError(
            f"{grid.symbol}: the account outgrew {kernel.LARGEST} quote units of "
            f"{quote_unit(grid)}; look for a wrong price in the candles, or start with less",
            symbol=grid.symbol.key,
        )
    return BacktestResult(
        open_time=candles["open_time"],
        equity=from_steps(equity, quote_unit(grid)),
        equity_units=equity,
        trades=_trades_frame(trades, candles["open_time"], grid),
        settings=settings,
        instrument=grid,
        bars_in_position=int(account[kernel.N_HELD]),
        skipped_entries=int(account[kernel.N_SKIPPED]),
    )


def _check_inputs(
    candles: pl.DataFrame, direction: DirectionArray, strength: FloatArray | None
) -> None:
    shape = (len(candles),)
    if direction.shape != shape:
        raise DataError(f"direction must have shape {shape}, one per candle, was {direction.shape}")
    if not np.isin(direction, (-1, 0, 1, HOLD)).all():
        raise DataError(f"direction must be -1, 0, 1 or HOLD ({HOLD}), had {np.unique(direction)}")
    if strength is not None:
        if strength.shape != shape:
            raise DataError(f"strength must have shape {shape}, was {strength.shape}")
        if not ((strength >= 0) & (strength <= 1)).all():
            raise DataError(
                "strength must be in [0, 1] on every candle; pass 0 where none is known"
            )
    inside = pl.min_horizontal("open", "close") >= pl.col("low")
    inside &= pl.max_horizontal("open", "close") <= pl.col("high")
    wrong = candles.filter(~inside)
    if len(wrong):
        raise DataError(
            f"open and close must lie between low and high; {len(wrong)} candles do not, the "
            f"first opens at {wrong['open_time'][0]}; clean the candles first"
        )


def _bars(
    candles: pl.DataFrame,
    direction: DirectionArray,
    strength: FloatArray | None,
    grid: Instrument,
) -> kernel.Bars:
    open_, high, low, close = (
        to_ticks(candles[name].to_numpy(), grid) for name in ("open", "high", "low", "close")
    )
    size = np.ones(len(candles)) if strength is None else strength
    return kernel.Bars(
        open_, high, low, close, direction.astype(np.int64), np.rint(size * PPM).astype(np.int64)
    )


def _rules(grid: Instrument, settings: BacktestSettings) -> kernel.Rules:
    return kernel.Rules(
        initial_units=to_units(settings.initial_balance, grid),
        fraction_ppm=settings.fraction_ppm,
        stop_ppm=settings.stop_ppm,
        target_ppm=settings.target_ppm,
        fee_ppm=settings.costs.fee_ppm,
        slippage_ppm=settings.costs.slippage_ppm,
        min_lots=max(_ceiling(grid.min_quantity / grid.lot_size), 1),
        min_notional_units=_ceiling(grid.min_notional / quote_unit(grid)),
        allow_short=int(settings.allow_short),
    )


def _ceiling(steps: Decimal) -> int:
    return min(int(steps.to_integral_value(ROUND_CEILING)), kernel.LARGEST)


def _trades_frame(trades: IntArray, open_time: pl.Series, grid: Instrument) -> pl.DataFrame:
    column = dict(zip(kernel.TRADE_FIELDS, trades.T, strict=True))
    unit = quote_unit(grid)
    notional = column["lots"] * column["entry_ticks"]
    return pl.DataFrame(
        {
            "entry_time": open_time.gather(column["entry_bar"]),
            "exit_time": open_time.gather(column["exit_bar"]),
            "side": [_SIDES[position] for position in column["position"].tolist()],
            "quantity": from_steps(column["lots"], grid.lot_size),
            "entry_price": from_steps(column["entry_ticks"], grid.tick_size),
            "exit_price": from_steps(column["exit_ticks"], grid.tick_size),
            "fees": from_steps(column["fees"], unit),
            "pnl": from_steps(column["pnl"], unit),
            "return_": column["pnl"] / notional,
            "exit_reason": [EXIT_REASONS[reason] for reason in column["reason"].tolist()],
            "bars": column["exit_bar"] - column["entry_bar"],
        },
        schema=TRADE_SCHEMA,
    )
