"""Seeded candles for benchmarks, built without a loop over bars."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from trading_pipeline.core.candles import CANDLE_SCHEMA, CandleArrays
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe

SYMBOLS = (Symbol("BTC", "USDT"), Symbol("ETH", "USDT"))
FIRST_MONTH = Month(2023, 1)


def tick_arrays(n_bars: int, *, seed: int = 11) -> CandleArrays:
    """Return candles of a random walk in whole ticks and lots, where float sums are exact.

    Without exactness a comparison of two sums could tie on one side only (MFI, ADX), and the
    results would differ by what neither side does wrong.
    """
    draws = np.random.default_rng(seed)
    walk = np.cumsum(draws.standard_normal(n_bars) * 40.0)
    # Thrown back at two walls: a free walk over a million bars may cross zero.
    close = np.rint(15_000.0 + np.abs(walk % 40_000.0 - 20_000.0))
    opened = np.concatenate([close[:1], close[:-1]])
    wick = np.rint(np.abs(draws.standard_normal((2, n_bars))) * 20.0)
    high, low = np.maximum(opened, close) + wick[0], np.minimum(opened, close) - wick[1]
    volume = np.rint(1_000.0 * np.exp(0.5 * draws.standard_normal(n_bars))) + 1.0
    times = np.arange(n_bars, dtype=np.int64) * 3_600_000_000
    return CandleArrays(times, opened, high, low, close, volume)


def month_frames(timeframe: str, n_months: int) -> Iterator[tuple[Symbol, Month, pl.DataFrame]]:
    """Yield gap-free months of two symbols, prices with two decimals."""
    last = FIRST_MONTH.shift(n_months - 1)
    every = Timeframe(timeframe).duration
    for seed, symbol in enumerate(SYMBOLS, start=21):
        times = pl.datetime_range(
            FIRST_MONTH.start, last.end, every, closed="left", time_unit="us", eager=True
        )
        arrays = tick_arrays(len(times), seed=seed)
        frame = pl.DataFrame(
            [
                times.alias("open_time"),
                *(
                    pl.Series(name, getattr(arrays, name) / 100.0)
                    for name in ("open", "high", "low", "close", "volume")
                ),
            ]
        )
        assert dict(frame.schema) == CANDLE_SCHEMA
        for month in FIRST_MONTH.until(last):
            inside = pl.col("open_time").is_between(month.start, month.end, closed="left")
            yield symbol, month, frame.filter(inside)
