"""Equality with TA-Lib, an implementation in C that this package does not use.

TA-Lib gets prices in whole ticks, where its sums and comparisons are exact; ours get the decimals
that a venue sends. Percentages and ratios must be equal, prices must differ by the tick size.
"""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import talib

from trading_pipeline.core.candles import CandleArrays, candle_arrays, conform
from trading_pipeline.indicators.catalog import CATALOG, Category, compute
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
    "wma": (lambda hi, lo, c, v: (talib.WMA(c, 20),), True),
    "dema": (lambda hi, lo, c, v: (talib.DEMA(c, 20),), True),
    "tema": (lambda hi, lo, c, v: (talib.TEMA(c, 20),), True),
    "kama": (lambda hi, lo, c, v: (talib.KAMA(c, 30),), True),
    "hma": (lambda hi, lo, c, v: (talib.HMA(c, 16),), True),
    "keltner": (
        lambda hi, lo, c, v: tuple(
            talib.EMA(c, 20) + side * 2.0 * talib.ATR(hi, lo, c, 10) for side in (1, 0, -1)
        ),
        True,
    ),
    "donchian": (lambda hi, lo, c, v: talib.DONCHIAN(hi, lo, 20), True),
    "bollinger_percent_b": (lambda hi, lo, c, v: (percent_b(c),), False),
    "stoch_rsi": (lambda hi, lo, c, v: smoothed(talib.STOCHRSI(c, 14, 14, 1)[0]), False),
    "williams_r": (lambda hi, lo, c, v: (talib.WILLR(hi, lo, c, 14),), False),
    "ultimate": (lambda hi, lo, c, v: (talib.ULTOSC(hi, lo, c, 7, 14, 28),), False),
    "psar": (lambda hi, lo, c, v: (talib.SAR(hi, lo, 0.02, 0.2),), True),
    "aroon": (lambda hi, lo, c, v: talib.AROON(hi, lo, 14)[::-1], False),
    "vortex": (lambda hi, lo, c, v: talib.VORTEX(hi, lo, c, 14), False),
    "true_range": (lambda hi, lo, c, v: (talib.TRANGE(hi, lo, c),), True),
    "natr": (lambda hi, lo, c, v: (talib.NATR(hi, lo, c, 14) / 100,), False),
    "vwma": (lambda hi, lo, c, v: (talib.VWMA(c, v, 20),), True),
    "vwap_anchored": (lambda hi, lo, c, v: (talib.VWAP(hi, lo, c, v),), True),
    "cmf": (lambda hi, lo, c, v: (talib.CMF(hi, lo, c, v, 20),), False),
    "force_index": (lambda hi, lo, c, v: (talib.EFI(c, v, 13),), True),
    "regression_slope": (lambda hi, lo, c, v: (talib.LINEARREG_SLOPE(c, 100),), True),
    "percent_rank": (lambda hi, lo, c, v: (talib.PERCENTRANK(c, 100),), False),
}
STARTS_LATER = ("adx", "stoch_rsi")


def percent_b(close):
    upper, _, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    return (close - lower) / (upper - lower)


def smoothed(raw):
    k = talib.SMA(raw, 3)
    return k, talib.SMA(k, 3)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", list(EXPECTED))
def test_values_equal_talib(name, source):
    arrays = source()
    high, low, close = (to_ticks(prices) for prices in (arrays.high, arrays.low, arrays.close))
    function, is_price = EXPECTED[name]
    ours = compute(name, arrays)
    scale = np.maximum(arrays.close, 1.0) if is_price else 100.0
    # TA-Lib slides its sum of squares, which costs it digits in a quiet window.
    relative = 1e-6 if name in ("zscore", "bollinger_percent_b") else 1e-9
    theirs = function(high, low, close, arrays.volume)
    for (output, values), expected in zip(ours.items(), theirs, strict=True):
        known = ~np.isnan(values)
        # TA-Lib has some outputs before the others, ours start together.
        assert not np.isnan(expected[known]).any()
        assert name in STARTS_LATER or np.array_equal(known, ~np.isnan(expected)), output
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


def gappy_candles() -> CandleArrays:
    """Candles in whole cents that open away from the last close, as patterns need it."""
    rng = np.random.default_rng(4)
    close = 30_000 + np.cumsum(rng.integers(-30, 31, 60_000))
    opened = close + rng.integers(-25, 26, len(close))
    reach = rng.integers(0, 12, (2, len(close))) * rng.integers(0, 2, (2, len(close)))
    high, low = np.maximum(opened, close) + reach[0], np.minimum(opened, close) - reach[1]
    prices = [column / TICKS_PER_UNIT for column in (opened, high, low, close)]
    return CandleArrays(np.arange(len(close)) * 3_600_000_000, *prices, np.ones(len(close)))


PATTERNS = [name for name, spec in CATALOG.items() if spec.category is Category.PATTERNS]


@pytest.mark.parametrize(
    "source",
    [pytest.param(gappy_candles, id="gaps"), *SOURCES],
)
@pytest.mark.parametrize("name", PATTERNS)
def test_patterns_equal_talib_on_every_bar(name, source):
    arrays = source()
    ticks = [to_ticks(getattr(arrays, column)) for column in ("open", "high", "low", "close")]
    theirs = getattr(talib, CATALOG[name].oracle.split()[1])(*ticks)
    known = slice(CATALOG[name].warm_up({}), None)
    ours = compute(name, arrays)[name]
    assert np.array_equal(ours[known] * 100.0, theirs[known])
    if source is gappy_candles:
        assert np.count_nonzero(theirs) >= 5


@pytest.mark.parametrize("source", SOURCES)
def test_the_supertrend_equals_talib(source):
    arrays = source()
    high, low, close = (to_ticks(prices) for prices in (arrays.high, arrays.low, arrays.close))
    line, way = talib.SUPERTREND(high, low, close, 10, 3.0)
    ours = compute("supertrend", arrays)
    assert np.array_equal(ours["direction"][10:], way[10:])
    np.testing.assert_allclose(ours["supertrend"][10:] * 100, line[10:], rtol=1e-12)


def test_the_true_strength_index_equals_talib():
    close = to_ticks(random_candles().close)
    ours = compute("tsi", random_candles())
    index = talib.TSI(close, 25, 13)
    np.testing.assert_allclose(ours["tsi"][43:], index[43:], atol=1e-10)
    np.testing.assert_allclose(ours["signal"][43:], talib.EMA(index, 7)[43:], atol=1e-10)


def test_the_accumulation_line_equals_talib():
    arrays = random_candles()
    high, low, close = (to_ticks(prices) for prices in (arrays.high, arrays.low, arrays.close))
    theirs = talib.AD(high, low, close, arrays.volume)
    ours = compute("accumulation_distribution", arrays)["accumulation_distribution"]
    assert np.all(np.abs(ours - theirs) <= 1e-12 * np.cumsum(arrays.volume))


def test_the_cloud_equals_displaced_midprices_of_talib():
    arrays = random_candles()
    high, low = arrays.high, arrays.low
    fast, slow, wide = (talib.MIDPRICE(high, low, n) for n in (9, 26, 52))
    ours = compute("ichimoku", arrays)
    expected = (
        fast[77:],
        slow[77:],
        ((fast + slow) / 2)[51:-26],
        wide[51:-26],
        arrays.close[77:] - arrays.close[51:-26],
    )
    for values, wanted in zip(ours.values(), expected, strict=True):
        np.testing.assert_allclose(values[77:], wanted, rtol=1e-13, atol=1e-11)


def test_the_average_of_prices_equals_talib():
    arrays = random_candles()
    average = talib.AVGPRICE(arrays.open, arrays.high, arrays.low, arrays.close)
    np.testing.assert_allclose(compute("twap", arrays)["twap"][23:], talib.SMA(average, 24)[23:])


def test_shapes_equal_pandas():
    close = pd.Series(random_walk())
    arrays = CandleArrays(np.arange(len(close)), *[close.to_numpy()] * 5)
    returns = close.diff() / close.shift(1)
    for name, expected in {
        "skew": close.rolling(50).skew(),
        "kurtosis": close.rolling(50).kurt(),
        "autocorrelation": returns.rolling(50).corr(returns.shift(1)),
    }.items():
        ours = compute(name, arrays)[name]
        # pandas slides its sums.
        np.testing.assert_allclose(ours[51:], expected[51:], rtol=1e-5, atol=1e-5)


def random_walk():
    return 100.0 + np.cumsum(np.random.default_rng(8).standard_normal(5_000))
