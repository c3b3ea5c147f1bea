import calendar
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.month import Month

_MONTHS = st.builds(Month, st.integers(1970, 2100), st.integers(1, 12))


def test_a_month_is_parsed_from_its_key_or_from_a_date_in_it():
    assert Month.parse("2024-02") == Month.parse("2024-02-29") == Month(2024, 2)


@pytest.mark.parametrize("text", ["2024", "2024-13", "2024-00", "24-01", "2024/01", "", "2024-1"])
def test_what_is_no_month_is_refused(text):
    with pytest.raises(ConfigError, match="a month is written as 2024-01"):
        Month.parse(text)


def test_a_month_ends_where_the_next_starts():
    december = Month(2024, 12)
    assert december.start == datetime(2024, 12, 1, tzinfo=UTC)
    assert december.end == datetime(2025, 1, 1, tzinfo=UTC)


def test_the_month_of_an_instant_is_counted_in_utc():
    new_york = timezone(timedelta(hours=-5))
    # 20:00 on 31 January in New York is 01:00 on 1 February in UTC.
    assert Month.of(datetime(2024, 1, 31, 20, tzinfo=new_york)) == Month(2024, 2)
    assert Month.of(datetime(2024, 1, 31, 23, 59, 59, tzinfo=UTC)) == Month(2024, 1)


def test_until_counts_both_ends_and_is_empty_backwards():
    months = Month(2023, 11).until(Month(2024, 2))
    assert [month.key for month in months] == ["2023-11", "2023-12", "2024-01", "2024-02"]
    assert list(Month(2024, 2).until(Month(2024, 1))) == []


def test_months_sort_as_time_does():
    assert sorted([Month(2024, 10), Month(2024, 9), Month(2023, 12)]) == [
        Month(2023, 12), Month(2024, 9), Month(2024, 10),
    ]  # fmt: skip


@given(_MONTHS)
def test_key_and_parse_undo_each_other(month):
    assert Month.parse(month.key) == month
    assert str(month) == month.key


@given(_MONTHS, st.integers(-600, 600))
def test_shifting_there_and_back_ends_where_it_began(month, months):
    assert month.shift(months).shift(-months) == month


@given(_MONTHS)
def test_a_month_is_as_long_as_the_calendar_says(month):
    days = calendar.monthrange(month.year, month.number)[1]
    assert month.end - month.start == timedelta(days=days)
    assert Month.of(month.start) == Month.of(month.end - timedelta(microseconds=1)) == month
