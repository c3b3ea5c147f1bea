"""Equality with TA-Lib, an implementation in C that this package does not use.

TA-Lib gets prices in whole ticks, where its sums and comparisons are exact; ours get the decimals
that a venue sends. Percentages and ratios must be equal, prices must differ by the tick size.
"""

import numpy as np
import polars as pl
import pytest
import talib

from trading_pipeline.core.candles import CandleArrays, candle_arrays, conform
from trading_pipeline.indicators.catalog import compute
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.real_data import real_file

TICKS_PER_UNIT = 100


def random_candles() -> CandleArrays:
    return candle_arrays(make_candles(20_000, seed=77, price=250.0))


def real_candles() -> CandleArrays:
    frame = pl.read_ipc(real_file("binance-spot-freqtrade/BTC_USDT-1h.feather"))
    times = pl.col("date").cast(pl.Datetime("us", "UTC")).alias("open_time")
    return candle_arrays(conform(frame.with_columns(times)))


SOURCES = [
    pytest.param(random_candles, id="random"),
    pytest.param(real_candles, id="real", marks=pytest.mark.real_data),
]


def to_ticks(prices):
    whole = np.rint(prices * TICKS_PER_UNIT)
    assert np.max(np.abs(whole / TICKS_PER_UNIT - prices)) < 1e-9
    return whole


# name: TA-Lib's outputs of (high, low, close) in ticks and volume, and whether they are prices.
EXPECTED = {
    "sma": (lambda hi, lo, c, v: (talib.SMA(c, 20),), True),
    "ema": (lambda hi, lo, c, v: (talib.EMA(c, 20),), True),
    "bollinger": (lambda hi, lo, c, v: talib.BBANDS(c, 20, 2.0, 2.0), True),
    "rsi": (lambda hi, lo, c, v: (talib.RSI(c, 14),), False),
    "macd": (lambda hi, lo, c, v: talib.MACD(c, 12, 26, 9), True),
    "stochastic": (lambda hi, lo, c, v: talib.STOCH(hi, lo, c, 14, 3, 0, 3, 0), False),
    "roc": (lambda hi, lo, c, v: (talib.ROCP(c, 10),), False),
    "cci": (lambda hi, lo, c, v: (talib.CCI(hi, lo, c, 20),), False),
    "adx": (
        lambda hi, lo, c, v: (
            talib.ADX(hi, lo, c, 14),
            talib.PLUS_DI(hi, lo, c, 14),
            talib.MINUS_DI(hi, lo, c, 14),
        ),
        False,
    ),
    "atr": (lambda hi, lo, c, v: (talib.ATR(hi, lo, c, 14),), True),
    "obv": (lambda hi, lo, c, v: (talib.OBV(c, v),), False),
    "mfi": (lambda hi, lo, c, v: (talib.MFI(hi, lo, c, v, 14),), False),
    "zscore": (lambda hi, lo, c, v: ((c - talib.SMA(c, 20)) / talib.STDDEV(c, 20),), False),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", list(EXPECTED))
def test_values_equal_talib(name, source):
    arrays = source()
    high, low, close = (to_ticks(prices) for prices in (arrays.high, arrays.low, arrays.close))
    function, is_price = EXPECTED[name]
    ours = compute(name, arrays)
    scale = np.maximum(arrays.close, 1.0) if is_price else 100.0
    # TA-Lib slides its sum of squares, which costs it digits in a quiet window.
    relative = 1e-6 if name == "zscore" else 1e-9
    theirs = function(high, low, close, arrays.volume)
    for (output, values), expected in zip(ours.items(), theirs, strict=True):
        known = ~np.isnan(values)
        # TA-Lib has the directional indicators before the index, ours start together.
        assert not np.isnan(expected[known]).any()
        assert name == "adx" or np.array_equal(known, ~np.isnan(expected)), output
        wanted = expected / (TICKS_PER_UNIT if is_price else 1)
        error = np.abs(values - wanted)[known]
        allowed = relative * np.maximum(np.abs(wanted), scale)[known]
        assert np.all(error <= allowed), (output, error.max())


def test_flat_prices_read_as_neutral_where_talib_reads_oversold():
    flat, volume = np.full(40, 7.0), np.ones(40)
    arrays = CandleArrays(np.arange(40), flat, flat, flat, flat, volume)
    assert talib.RSI(flat, 14)[-1] == 0.0
    assert talib.STOCH(flat, flat, flat, 14, 3, 0, 3, 0)[0][-1] == 0.0
    assert compute("rsi", arrays)["rsi"][-1] == 50.0
    assert compute("stochastic", arrays)["k"][-1] == 50.0
    assert compute("mfi", arrays)["mfi"][-1] == 50.0
