from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_pipeline.reporting.axes import log_ticks, nice_ticks, time_ticks

START = datetime(2023, 1, 1, tzinfo=UTC)


def us(instant):
    return instant.timestamp() * 1e6


def test_ticks_are_round_and_inside():
    assert nice_ticks(-0.03, 0.11, 5) == (0.0, 0.05, 0.1)
    assert nice_ticks(9_300, 16_200, 6) == (10_000, 12_000, 14_000, 16_000)
    assert nice_ticks(5.0, 5.0) == (5.0,)


@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9), st.integers(2, 12))
def test_ticks_are_few_ascending_and_inside(low, width, n_ticks):
    high = low + width
    ticks = nice_ticks(low, high, n_ticks)
    slack = 1e-6 * max(abs(low), abs(high), 1.0)
    assert len(ticks) <= n_ticks + 1
    assert list(ticks) == sorted(set(ticks))
    assert all(low - slack <= tick <= high + slack for tick in ticks)


def test_a_logarithmic_axis_has_ones_twos_and_fives():
    assert log_ticks(8_000, 120_000) == pytest.approx((10_000, 20_000, 50_000, 100_000))
    assert log_ticks(1, 1e6) == pytest.approx((1, 10, 100, 1e3, 1e4, 1e5, 1e6))


@pytest.mark.parametrize(
    ("length", "first", "last"),
    [
        (timedelta(days=5), "1 Jan", "6 Jan"),
        (timedelta(days=90), "Jan 2023", "Apr 2023"),
        (timedelta(days=730), "Jan 2023", "Oct 2024"),
        (timedelta(days=3650), "2024", "2032"),
    ],
)
def test_time_is_marked_in_the_unit_that_fits(length, first, last):
    ticks = time_ticks(us(START), us(START + length), 8)
    assert (ticks[0][1], ticks[-1][1]) == (first, last)
    assert len(ticks) <= 9


def test_a_moment_has_one_tick():
    assert time_ticks(us(START), us(START)) == ((us(START), "01 Jan 2023"),)


@given(st.integers(0, 20_000), st.integers(1, 5_000), st.integers(0, 86_399))
def test_time_ticks_are_inside_and_few(day, n_days, second):
    start = datetime(1990, 1, 1, tzinfo=UTC) + timedelta(days=day, seconds=second)
    ticks = time_ticks(us(start), us(start + timedelta(days=n_days)), 8)
    assert all(us(start) <= at <= us(start + timedelta(days=n_days)) for at, _ in ticks)
    assert len(ticks) <= 9
