from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_pipeline.reporting import formats


@pytest.mark.parametrize("missing", [None, float("nan"), float("inf"), Decimal("NaN")])
def test_what_does_not_exist_is_shown_as_not_available(missing):
    writers = (
        formats.number,
        formats.signed,
        formats.percent,
        formats.signed_percent,
        formats.points,
        formats.drawdown_percent,
        formats.price,
        formats.quantity,
    )
    assert {write(missing) for write in writers} == {"n/a"}


def test_numbers_have_separators_and_a_typographic_minus():
    assert formats.number(-1234567.891) == "−1,234,567.89"
    assert formats.number(Decimal("0.5"), 0) == "0"
    assert formats.count(1234) == "1,234"
    assert formats.count(None) == "n/a"


def test_a_value_that_rounds_to_zero_has_no_sign():
    assert formats.number(-0.001) == "0.00"
    assert formats.signed(0.001) == "0.00"
    assert formats.signed_percent(-0.0001) == "0.0%"


def test_signs_are_written_where_they_matter():
    assert formats.signed(3.0, 1) == "+3.0"
    assert formats.signed_percent(0.1234) == "+12.3%"
    assert formats.percent(0.1234) == "12.3%"
    assert formats.points(-0.012) == "−1.2 pp"


def test_a_drawdown_is_a_loss_whichever_sign_it_is_kept_with():
    assert formats.drawdown_percent(0.25) == formats.drawdown_percent(-0.25) == "−25.0%"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (67_000.1, "67,000.10"),
        (12.5, "12.5000"),
        (0.00001234567, "0.0000123457"),
        (0.5, "0.500000"),
        (0, "0.00"),
    ],
)
def test_prices_keep_the_digits_that_matter(value, text):
    assert formats.price(value) == text


def test_quantities_lose_trailing_zeros():
    assert formats.quantity(Decimal("0.01500000")) == "0.015"
    assert formats.quantity(1200) == "1,200"


def test_instants_are_written_in_utc():
    berlin = timezone(timedelta(hours=2))
    assert formats.instant(datetime(2024, 6, 1, 1, 30, tzinfo=berlin)) == "2024-05-31 23:30"
    assert formats.day(datetime(2024, 6, 1, 1, 30, tzinfo=berlin)) == "2024-05-31"
    assert formats.instant(None) == formats.day(None) == "n/a"
    assert formats.day(datetime(2024, 6, 1, tzinfo=UTC)) == "2024-06-01"


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(minutes=12), "12 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=1, minutes=5), "1 h 5 min"),
        (timedelta(days=2), "2 d"),
        (timedelta(days=2, hours=3, minutes=9), "2 d 3 h"),
        (timedelta(days=1500), "1,500 d"),
        (None, "n/a"),
    ],
)
def test_spans_use_their_two_largest_units(length, text):
    assert formats.span(length) == text


@given(st.floats(-1e6, 1e6), st.integers(0, 8))
def test_a_written_number_reads_back_as_itself(value, digits):
    read = float(formats.number(value, digits).replace(",", "").replace("−", "-"))
    assert read == pytest.approx(value, abs=0.51 * 10.0**-digits)
