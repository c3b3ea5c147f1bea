"""Error against extended precision on every bar of a million: at most 1e-9 of the scale."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from trading_pipeline.core.candles import CandleArrays
from trading_pipeline.indicators.anchored import vwap_anchored
from trading_pipeline.indicators.averages import dema, ema, sma
from trading_pipeline.indicators.bands import bollinger
from trading_pipeline.indicators.catalog import CATALOG, Scale, compute
from trading_pipeline.indicators.momentum import rsi
from trading_pipeline.indicators.oscillators import cci
from trading_pipeline.indicators.statistical import zscore
from trading_pipeline.indicators.volatility import atr, realised_volatility
from trading_pipeline.indicators.volume import accumulation_distribution, obv, volume_zscore, vwap
from trading_pipeline_tests.indicators.market import natural_scale
from trading_pipeline_tests.indicators.oracles import short, slow_loop

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


def test_sums_since_an_anchor_do_not_drift(market):
    high, low, close, volume = market
    times, wide = np.arange(N_BARS) * 3_600_000_000, volume.astype(np.longdouble)
    amount = (high.astype(np.longdouble) + low + close) / 3 * wide
    exact = np.cumsum(amount) / np.cumsum(wide)
    check(vwap_anchored(times, high, low, close, volume), exact, 0.0)
    breadth = high.astype(np.longdouble) - low
    exact = np.cumsum(((close - low) - (high - close)) / breadth * wide)
    line = accumulation_distribution(high, low, close, volume)
    check(line, exact, np.cumsum(volume))


def test_chained_averages_do_not_drift(market):
    close = market[2]
    once = recursion(close[PERIOD:], math.fsum(close[:PERIOD]) / PERIOD, 2 / (PERIOD + 1))
    once = np.r_[math.fsum(close[:PERIOD]) / PERIOD, once]
    seed = math.fsum(once[:PERIOD]) / PERIOD
    twice = np.r_[seed, recursion(once[PERIOD:], seed, 2 / (PERIOD + 1))]
    exact = 2 * once[PERIOD - 1 :] - twice
    check(dema(close, PERIOD)[2 * PERIOD - 2 :], exact, close[2 * PERIOD - 2 :])


FINITE = [name for name, spec in CATALOG.items() if not spec.is_recursive]


@pytest.mark.parametrize("name", FINITE)
def test_a_window_at_the_end_of_a_million_bars_is_as_exact_as_one_at_the_start(name, market):
    high, low, close, volume = market
    opened = np.clip(np.r_[close[:1], close[:-1]], low, high)
    arrays = CandleArrays(np.arange(N_BARS) * 3_600_000_000, opened, high, low, close, volume)
    parameters, n_bars = short(name, 12), 60
    ends = {
        column: [Fraction(v) for v in getattr(arrays, column)[-n_bars:].tolist()]
        for column in ("open", "high", "low", "close", "volume")
    }
    ends["time"] = [Fraction(v) for v in arrays.open_time[-n_bars:].tolist()]
    expected = slow_loop(name)(ends, **CATALOG[name].resolve(parameters))
    scale = natural_scale(CATALOG[name], arrays)
    if CATALOG[name].scale is Scale.PRICE:
        scale = CATALOG[name].natural_scale * float(np.max(close[-n_bars:]))
    for slow, values in zip(expected, compute(name, arrays, parameters).values(), strict=True):
        exact = np.array([np.nan if v is None else float(v) for v in slow])
        known = ~np.isnan(exact)
        check(values[-n_bars:][known], exact[known], scale)
