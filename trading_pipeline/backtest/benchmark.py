"""What needs no model at all: buying once and keeping it."""

from dataclasses import replace

import numpy as np
import polars as pl

from trading_pipeline.backtest.engine import run_backtest
from trading_pipeline.backtest.result import BacktestResult
from trading_pipeline.backtest.settings import BacktestSettings
from trading_pipeline.core.instrument import Instrument


def buy_and_hold(
    candles: pl.DataFrame, instrument: Instrument, settings: BacktestSettings
) -> BacktestResult:
    """Return the account that buys with everything and sells at the end, costs included.

    It buys at the open of the second candle, the first at which a strategy could have bought, so
    that both are compared over the same bars; the fee is paid from the balance. Of ``settings``
    only the balance and the costs count.

    Raises
    ------
    DataError
        See :func:`~trading_pipeline.backtest.engine.run_backtest`.
    """
    everything = replace(settings, position_fraction=1, stop_loss=None, take_profit=None)
    direction = np.ones(len(candles), dtype=np.int8)
    return run_backtest(candles, direction, None, instrument, everything)
