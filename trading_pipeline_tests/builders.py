"""Builders of test values, shared by every folder of tests."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from trading_pipeline.core.candles import CANDLE_SCHEMA
from trading_pipeline.core.timeframe import Timeframe

DEFAULT_START = datetime(2024, 1, 1, tzinfo=UTC)


def make_candles(
    n: int,
    *,
    seed: int = 1,
    start: datetime = DEFAULT_START,
    timeframe: Timeframe | str = "1h",
    price: float = 100.0,
    volatility: float = 0.01,
) -> pl.DataFrame:
    """Return ``n`` gap-free candles of a seeded random walk, in the candle contract.

    Prices have two decimals and are at least 0.01, volumes three; each candle opens at the close
    before it. Candles before ``n`` do not depend on ``n``.
    """
    length = timeframe if isinstance(timeframe, Timeframe) else Timeframe(timeframe)
    draws = np.random.default_rng(seed).standard_normal((n, 4))
    close = np.maximum(np.round(price * np.exp(np.cumsum(volatility * draws[:, 0])), 2), 0.01)
    open_ = np.concatenate([[round(price, 2)], close[:-1]])[:n]
    wick = 1 + volatility / 2 * np.abs(draws[:, 1:3])
    high = np.maximum(np.round(np.maximum(open_, close) * wick[:, 0], 2), np.maximum(open_, close))
    low = np.round(np.minimum(open_, close) / wick[:, 1], 2)
    low = np.maximum(np.minimum(low, np.minimum(open_, close)), 0.01)
    volume = np.round(10 * np.exp(0.5 * draws[:, 3]), 3)
    times = [start + i * length.duration for i in range(n)]
    return pl.DataFrame(
        {
            "open_time": times,
            "open": open_,
            "high": high,
            "low": low,
            "close": close,
            "volume": volume,
        },
        schema=CANDLE_SCHEMA,
    )


def make_learnable(
    n: int,
    *,
    seed: int = 1,
    start: datetime = DEFAULT_START,
    horizon_hours: int = 3,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return hourly features and labels with an edge: ``push`` decides, ``noise`` says nothing.

    The label is the sign of ``push`` where that exceeds 0.5 in size, else 0, but for one row in
    ten, which is drawn; it ends ``horizon_hours`` after the candle's close. Rows before ``n`` do
    not depend on ``n``.
    """
    draws = np.random.default_rng(seed).standard_normal((n, 4))
    push, noise = draws[:, 0], draws[:, 1]
    decided = np.where(np.abs(push) > 0.5, np.sign(push), 0)
    label = np.where(np.abs(draws[:, 2]) < 0.1257, np.sign(draws[:, 3]), decided)
    times = pl.Series("open_time", [start + timedelta(hours=i) for i in range(n)]).cast(
        pl.Datetime("us", "UTC")
    )
    features = pl.DataFrame({"open_time": times, "push": push, "noise": noise})
    labels = pl.DataFrame(
        {
            "open_time": times,
            "label": pl.Series(label.astype(np.int8)),
            "label_end": times + timedelta(hours=1 + horizon_hours),
            "status": ["mature"] * n,
        }
    )
    return features, labels
