"""``trading warm``: compile the numeric kernels before somebody waits for them."""

import math
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from trading_pipeline.cli.console import stdout
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.timeframe import Timeframe

if TYPE_CHECKING:
    import polars as pl

_N_BARS = 300
_START = datetime(2024, 1, 1, tzinfo=UTC)
_HOUR = Timeframe("1h")


@click.command()
def warm() -> None:
    """Compile the numeric kernels, so that the first run does not wait for them.

    What was compiled is kept on disk: a second call only reads it. Needs no settings, no network.
    """
    started = time.monotonic()
    compile_kernels()
    took = time.monotonic() - started
    stdout().print(f"Kernels are compiled ({took:.1f} s)", highlight=False)


def compile_kernels() -> None:
    """Run indicators, smart money, labels, resampling and a backtest once on made-up candles."""
    import polars as pl

    from trading_pipeline.features.labels import TripleBarrier, triple_barrier_labels
    from trading_pipeline.indicators.catalog import CATALOG, IndicatorRequest, indicator_frame
    from trading_pipeline.indicators.stream import IndicatorStream
    from trading_pipeline.market_data.resampling import resample
    from trading_pipeline.smart_money.reading import read_market

    candles = _candles()
    requests = [IndicatorRequest.of(name) for name in CATALOG]
    indicator_frame(candles, requests)
    IndicatorStream(requests).update(0, 1.0, 1.0, 1.0, 1.0, 1.0)
    read_market(candles)
    _backtest(candles)
    # Numba compiles for read-only arrays and for writable ones: a frame in one piece gives the
    # first, one of several months the second.
    for frame in (candles, pl.concat([candles[:_N_BARS], candles[_N_BARS:]])):
        triple_barrier_labels(frame, TripleBarrier(), _HOUR)
        resample(frame, _HOUR, Timeframe("4h"), closed_until=_START)


def _backtest(candles: "pl.DataFrame") -> None:
    import polars as pl

    from trading_pipeline.backtest.comparison import compare
    from trading_pipeline.backtest.settings import BacktestSettings

    rules = Instrument(
        Symbol("BTC", "USDT"), Decimal("0.01"), Decimal("0.001"), Decimal("0.001"), Decimal(5)
    )
    signals = candles.select(
        "open_time",
        (pl.int_range(pl.len()) // 10 % 2).cast(pl.Int8).alias("direction"),
        pl.lit(1.0).alias("strength"),
        pl.lit("active").alias("status"),
    )
    compare(candles, {"made-up": signals}, rules, BacktestSettings(), _HOUR)


def _candles() -> "pl.DataFrame":
    import polars as pl

    from trading_pipeline.core.candles import CANDLE_SCHEMA

    n_bars = 2 * _N_BARS
    close = [100 + 5 * math.sin(bar / 7) for bar in range(n_bars)]
    return pl.DataFrame(
        {
            "open_time": [_START + bar * _HOUR.duration for bar in range(n_bars)],
            "open": [close[max(0, bar - 1)] for bar in range(n_bars)],
            "high": [price + 1 for price in close],
            "low": [price - 1 for price in close],
            "close": close,
            "volume": [1.0 + bar % 3 for bar in range(n_bars)],
        },
        schema=CANDLE_SCHEMA,
    )
