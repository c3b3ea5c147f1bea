"""The generated market: its promises, and that it looks like a market."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.adapters.exchanges.simulated.generator import (
    Listing,
    decimals_of,
    generate_bars,
    on_grid,
)
from trading_pipeline.core.instrument import Instrument, Symbol

START_S = 1_704_067_200  # 2024-01-01
HOUR = 3600


def listing(name: str = "BTC", price: str = "60000", tick: str = "0.01") -> Listing:
    return Listing(
        Instrument(
            Symbol(name, "USDT"), Decimal(tick), Decimal("0.00001"), Decimal("0.00001"), Decimal(5)
        ),
        start_price=Decimal(price),
    )


def bars(n: int, *, seed: int = 3, which: Listing | None = None, step_s: int = HOUR):
    return generate_bars(which or listing(), seed=seed, start_s=START_S, step_s=step_s, n_bars=n)


@pytest.fixture(scope="module")
def five_years():
    return bars(5 * 8760)


@given(n=st.integers(1, 3000), more=st.integers(1, 3000), seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_a_longer_market_begins_with_the_shorter_one(n: int, more: int, seed: int):
    for short, long in zip(bars(n, seed=seed), bars(n + more, seed=seed), strict=True):
        np.testing.assert_array_equal(short, long[:n])


@given(
    seed=st.integers(0, 2**32),
    price=st.sampled_from(["60000", "2500", "0.02", "0.00000012"]),
    tick=st.sampled_from(["0.01", "0.00000001", "0.5", "0.25"]),
)
@settings(max_examples=40, deadline=None)
def test_prices_are_positive_ordered_and_on_the_grid(seed: int, price: str, tick: str):
    open_, high, low, close, volume = bars(300, seed=seed, which=listing(price=price, tick=tick))
    assert (low > 0).all()
    assert (low <= np.minimum(open_, close)).all()
    assert (high >= np.maximum(open_, close)).all()
    for column in (open_, high, low, close):
        assert all(Decimal(str(value)) % Decimal(tick) == 0 for value in column[:50])
    assert all(Decimal(str(value)) % Decimal("0.00001") == 0 for value in volume[:50])
    assert (volume >= 0.00001).all()


def test_each_bar_opens_where_the_one_before_closed(five_years):
    open_, _, _, close, _ = five_years
    np.testing.assert_array_equal(open_[1:], close[:-1])
    assert open_[0] == 60_000


def test_equal_seeds_give_equal_markets_and_others_do_not():
    np.testing.assert_array_equal(bars(500, seed=8)[3], bars(500, seed=8)[3])
    assert (bars(500, seed=8)[3] != bars(500, seed=9)[3]).mean() > 0.9


def test_returns_have_fat_tails(five_years):
    returns = np.diff(np.log(five_years[3]))
    kurtosis = np.mean((returns - returns.mean()) ** 4) / returns.var() ** 2
    assert kurtosis > 4  # 3 for a normal distribution


def test_volatility_clusters_and_returns_do_not(five_years):
    returns = np.diff(np.log(five_years[3]))
    size = np.abs(returns)
    assert np.corrcoef(size[24:], size[:-24])[0, 1] > 0.05
    # Regimes drift, and that is all: nothing that one bar says about the next is worth a fee.
    assert abs(np.corrcoef(returns[1:], returns[:-1])[0, 1]) < 0.05


def test_volume_rises_with_the_size_of_the_move(five_years):
    size = np.abs(np.diff(np.log(five_years[3])))
    assert np.corrcoef(size, five_years[4][1:])[0, 1] > 0.2


def test_regimes_change_the_volatility(five_years):
    returns = np.diff(np.log(five_years[3]))
    by_week = returns[: len(returns) // 168 * 168].reshape(-1, 168).std(axis=1)
    assert by_week.max() > 2 * by_week.min()


def test_two_symbols_move_partly_together():
    one = np.diff(np.log(bars(8760)[3]))
    other = np.diff(np.log(bars(8760, which=listing("ETH", "2500"))[3]))
    assert 0.4 < np.corrcoef(one, other)[0, 1] < 0.95


@pytest.mark.parametrize(
    ("value", "step", "expected"),
    [
        (60_123.454, "0.01", 60_123.45),
        (60_123.456, "0.01", 60_123.46),
        (0.001, "0.01", 0.01),
        (10.3, "0.25", 10.25),
        (1234.0, "10", 1230.0),
    ],
)
def test_values_land_on_the_nearest_step_and_never_on_zero(value, step, expected):
    assert on_grid(np.array([value]), Decimal(step))[0] == expected


@pytest.mark.parametrize(
    ("step", "expected"), [("0.01", 2), ("0.25", 2), ("1", 0), ("10", 0), ("1E-8", 8)]
)
def test_decimals_of_a_step(step, expected):
    assert decimals_of(Decimal(step)) == expected
