"""The votes of every source about every candle: for research, and for the live decision."""

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from trading_pipeline.core.candles import BoolArray
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.signals.rows import stack_signals
from trading_pipeline.strategies.base import Strategy


def rule_votes(
    candles: pl.DataFrame,
    indicators: pl.DataFrame,
    strategies: Sequence[Strategy],
    *,
    timeframe: Timeframe,
    latency: timedelta,
    blocked: BoolArray | None,
) -> pl.DataFrame:
    """Return the votes of rule strategies, by candle and source.

    Parameters
    ----------
    candles, indicators : DataFrame
        From the start of history, because a rule may carry a state.
    strategies : sequence of Strategy
    timeframe : Timeframe
    latency : timedelta
        From a candle's close to the decision.
    blocked : ndarray of bool, shape (n_bars,), optional
        Rows that an unexplained gap can reach.

    Returns
    -------
    DataFrame
        In ``SIGNAL_SCHEMA``.
    """
    return stack_signals(
        [
            rule.run(candles, indicators, timeframe=timeframe, latency=latency, blocked=blocked)
            for rule in strategies
        ]
    )
