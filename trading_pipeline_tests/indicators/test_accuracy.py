"""Error against extended precision on every bar of a million: at most 1e-9 of the scale."""

import math

import numpy as np
import pandas as pd
import pytest

from trading_pipeline.indicators.catalog import CATALOG
from trading_pipeline.indicators.momentum import cci, rsi
from trading_pipeline.indicators.overlap import bollinger, ema, sma
from trading_pipeline.indicators.statistical import zscore
from trading_pipeline.indicators.volatility import atr, realised_volatility
from trading_pipeline.indicators.volume import obv, volume_zscore, vwap

N_BARS, PERIOD = 1_000_000, 20
ROOM = 1e-9


@pytest.fixture(scope="module")
def market():
    """A price that goes from 60,000 to far below a thousandth and back: drift would show."""
    rng = np.random.default_rng(5)
    trend = 9.0 * np.sin(np.linspace(0.0, 9.0, N_BARS)) - 9.0
    close = 60_000 * np.exp(trend + 0.001 * np.cumsum(rng.standard_normal(N_BARS)))
    high = close * (1 + 0.001 * rng.random(N_BARS))
    low = close * (1 - 0.001 * rng.random(N_BARS))
    return high, low, close, 10 * np.exp(rng.standard_normal(N_BARS))


def shifted_sum(values):
    total = np.zeros(N_BARS - PERIOD + 1, dtype=np.longdouble)
    for offset in range(PERIOD):
        total += values[offset : offset + len(total)]
    return total


def moments(values):
    wide = values.astype(np.longdouble)
    mean = shifted_sum(wide) / PERIOD
    squares = np.zeros_like(mean)
    for offset in range(PERIOD):
        squares += (wide[offset : offset + len(mean)] - mean) ** 2
    return mean, np.sqrt(squares / PERIOD)


def check(values, exact, scale):
    allowed = ROOM * np.maximum(np.abs(exact), scale)
    assert np.all(np.abs(values - exact) <= allowed)


def recursion(values, seed, gain):
    """Walk a recursive average with a correction for what each step rounds away."""
    out, state, lost = np.empty(len(values)), seed, 0.0
    for t, value in enumerate(values.tolist()):
        step = gain * (value - state) - gain * lost + lost
        total = state + step
        lost = step - (total - state)
        state = total
        out[t] = state
    return out


def test_means_and_bands_do_not_drift(market):
    close = market[2]
    mean, deviation = moments(close)
    upper, middle, lower = (line[PERIOD - 1 :] for line in bollinger(close, PERIOD))
    check(sma(close, PERIOD)[PERIOD - 1 :], mean, 0.0)
    check(middle, mean, 0.0)
    check(upper, mean + 2 * deviation, mean)
    check(lower, mean - 2 * deviation, mean)


def test_scores_do_not_drift(market):
    for values, function in ((market[2], zscore), (market[3], volume_zscore)):
        mean, deviation = moments(values)
        exact = (values[PERIOD - 1 :] - mean) / deviation
        check(function(values, PERIOD)[PERIOD - 1 :], exact, 1.0)


def test_commodity_channel_index_does_not_drift(market):
    high, low, close, _ = market
    wide = (high.astype(np.longdouble) + low + close) / 3
    mean = shifted_sum(wide) / PERIOD
    spread = np.zeros_like(mean)
    for offset in range(PERIOD):
        spread += np.abs(wide[offset : offset + len(mean)] - mean)
    exact = (wide[PERIOD - 1 :] - mean) / (0.015 * spread / PERIOD)
    check(cci(high, low, close, PERIOD)[PERIOD - 1 :], exact, CATALOG["cci"].natural_scale)


def test_rolling_vwap_does_not_drift(market):
    high, low, close, volume = market
    amount = (high.astype(np.longdouble) + low + close) / 3 * volume
    exact = shifted_sum(amount) / shifted_sum(volume.astype(np.longdouble))
    check(vwap(high, low, close, volume, PERIOD)[PERIOD - 1 :], exact, 0.0)


def test_recursive_averages_do_not_drift(market):
    high, low, close, _ = market
    seed = math.fsum(close[:PERIOD]) / PERIOD
    exact = recursion(close[PERIOD:], seed, 2 / (PERIOD + 1))
    check(ema(close, PERIOD)[PERIOD:], exact, 0.0)
    ranges = np.maximum(high[1:], close[:-1]) - np.minimum(low[1:], close[:-1])
    seed = math.fsum(ranges[:PERIOD]) / PERIOD
    check(atr(high, low, close, PERIOD)[PERIOD + 1 :], recursion(ranges[PERIOD:], seed, 0.05), 0.0)


def test_relative_strength_does_not_drift(market):
    close = market[2]
    moves = np.diff(close)
    sides = []
    for side in (np.maximum(moves, 0.0), np.maximum(-moves, 0.0)):
        seed = math.fsum(side[:PERIOD]) / PERIOD
        sides.append(recursion(side[PERIOD:], seed, 1 / PERIOD))
    exact = 100 * sides[0] / (sides[0] + sides[1])
    check(rsi(close, PERIOD)[PERIOD + 1 :], exact, 100.0)


def test_on_balance_volume_stays_within_the_volume_that_was_traded(market):
    _, _, close, volume = market
    signed = np.sign(np.diff(close, prepend=0.0)) * volume
    exact = np.cumsum(signed.astype(np.longdouble))
    check(obv(close, volume), exact, np.cumsum(volume))


def test_realised_volatility_equals_pandas(market):
    close = market[2][:50_000]
    expected = np.log(pd.Series(close)).diff().rolling(24).std().to_numpy()
    # pandas slides its sums, and takes the difference of two logs.
    np.testing.assert_allclose(realised_volatility(close), expected, rtol=1e-7)


def test_rolling_vwap_equals_pandas(market):
    high, low, close, volume = (pd.Series(column[:50_000]) for column in market)
    price = (high + low + close) / 3
    expected = (price * volume).rolling(24).sum() / volume.rolling(24).sum()
    np.testing.assert_allclose(vwap(high, low, close, volume), expected, rtol=1e-7)
