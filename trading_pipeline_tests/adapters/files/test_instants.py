from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.adapters.exchanges.files.instants import (
    EARLIEST,
    has_zoneless_text,
    parse_instants,
)

NOW = datetime(2026, 10, 15, tzinfo=UTC)
NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)


def parsed(*values: object, dtype: pl.DataType | None = None) -> list[datetime | None]:
    return parse_instants(pl.Series("time", values, dtype=dtype), NOW).to_list()


def test_the_unit_is_read_from_the_size_row_by_row():
    values = [1735689600, 1735689600000, 1735689600000000, 1735689600000000000]
    assert parsed(*values) == [NEW_YEAR] * 4
    assert parsed(*map(float, values)) == [NEW_YEAR] * 4
    assert parsed(*map(str, values)) == [NEW_YEAR] * 4


def test_the_boundary_of_the_binance_archive_reads_on():
    # 2024-12-31 23:00 in milliseconds, 2025-01-01 00:00 in microseconds.
    before, after = parsed(1735686000000, 1735689600000000)
    assert after - before == timedelta(hours=1)


@pytest.mark.parametrize(
    "text",
    [
        "2025-01-01",
        "2025-01-01 00:00",
        "2025-01-01 00:00:00",
        "2025-01-01T00:00:00Z",
        "2025-01-01T00:00:00.000Z",
        "2025-01-01 00:00:00+00:00",
        "2025-01-01T01:00:00+0100",
        "2024-12-31 19:00:00-05:00",
        "2025-01-01 01:00+01:00",
        "2025-01-01 00:00:00 UTC",
        "2025/01/01 00:00:00",
        "2025/1/1 0:00",
        "2025.01.01 00:00:00",
        "2025-01-01 12-AM",
        "2025-01-01 12:00 AM",
        "20250101 000000",
        "1735689600.0",
        "1.7356896e9",
        "  1735689600 ",
    ],
)
def test_texts_of_new_year(text: str):
    assert parsed(text) == [NEW_YEAR]


def test_twelve_hour_clocks():
    assert [t.hour for t in parsed("2017-08-17 04-AM", "2017-08-17 12-PM", "2017-08-17 11-PM")] == [
        4,
        12,
        23,
    ]


@pytest.mark.parametrize(
    "text",
    ["", "abc", "03/04/2024", "31.12.2024 10:00", "2024-13-01", "NaN", "-1735689600", "9" * 30],
)
def test_what_is_no_instant_is_null(text: str):
    assert parsed(text, str(1735689600)) == [None, NEW_YEAR]


def test_instants_outside_2009_to_tomorrow_are_null():
    inside = [EARLIEST, NOW + timedelta(days=1)]
    outside = [EARLIEST - timedelta(seconds=1), NOW + timedelta(days=1, seconds=1)]
    assert parsed(*[int(t.timestamp()) for t in inside]) == inside
    assert parsed(*[int(t.timestamp()) for t in outside]) == [None, None]
    # Microseconds taken for milliseconds would be the year 56971.
    assert parsed(0, 5, 10**18 * 9, -(10**12)) == [None] * 4


def test_numbers_that_are_none_are_null():
    assert parsed(None, float("nan"), float("inf"), 1e300) == [None] * 4
    assert parsed(2**63 + 5, dtype=pl.UInt64()) == [None]
    assert parsed(True, dtype=pl.Boolean()) == [None]


def test_dates_and_datetimes_of_any_zone_and_unit():
    assert parsed(date(2025, 1, 1)) == [NEW_YEAR]
    assert parsed(datetime(2025, 1, 1)) == [NEW_YEAR]  # noqa: DTZ001
    nano = pl.Series([NEW_YEAR]).dt.cast_time_unit("ns").dt.convert_time_zone("Asia/Tokyo")
    result = parse_instants(nano, NOW)
    assert result.to_list() == [NEW_YEAR]
    assert result.dtype == pl.Datetime("us", "UTC")


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_stored_instants_beyond_every_calendar_are_null(unit: str):
    numbers = pl.Series([2**63 - 1, -(2**63) + 1, 0])
    assert parse_instants(numbers.cast(pl.Datetime(unit)), NOW).to_list() == [None] * 3
    zoned = numbers.cast(pl.Datetime(unit, "Asia/Tokyo"))
    assert parse_instants(zoned, NOW).to_list() == [None] * 3


def test_stored_dates_beyond_every_calendar_are_null():
    days = pl.Series([2**31 - 1, -(2**31) + 1], dtype=pl.Int32).cast(pl.Date)
    assert parse_instants(days, NOW).to_list() == [None, None]


@pytest.mark.parametrize(
    ("values", "is_zoneless"),
    [
        (["2024-01-01 00:00:00"], True),
        (["2024-01-01"], True),
        (["2022.10.10 00:15:00"], True),
        (["2024-01-01T00:00:00Z"], False),
        (["2024-01-01 00:00:00+00:00"], False),
        (["1735689600"], False),
        ([1735689600], False),
        ([date(2024, 1, 1)], True),
        ([NEW_YEAR], False),
    ],
)
def test_an_assumed_zone_is_noticed(values: list, is_zoneless: bool):
    assert has_zoneless_text(pl.Series(values)) == is_zoneless


@settings(max_examples=200, deadline=None)
@given(
    st.datetimes(datetime(2009, 1, 2), datetime(2026, 10, 14)),  # noqa: DTZ001
    st.sampled_from([1, 10**3, 10**6, 10**9]),
)
def test_every_unit_reads_back_the_same_second(naive: datetime, scale: int):
    instant = naive.replace(microsecond=0, tzinfo=UTC)
    number = int(instant.timestamp()) * scale
    assert parsed(number) == parsed(str(number)) == parsed(instant.isoformat()) == [instant]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_any_text_is_an_instant_or_null(texts: list[str]):
    for value in parsed(*texts):
        assert value is None or EARLIEST <= value <= NOW + timedelta(days=1)
