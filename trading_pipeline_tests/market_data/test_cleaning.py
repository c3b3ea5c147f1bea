from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from trading_pipeline.core.candles import CANDLE_SCHEMA, conform
from trading_pipeline.core.errors import CandleFileError, CandleSchemaError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.cleaning import DropReason, clean_candles, describe_counts
from trading_pipeline_tests.builders import make_candles

HOUR = Timeframe("1h")
START = datetime(2024, 1, 1, tzinfo=UTC)
GOOD = (10.0, 12.0, 9.0, 11.0, 5.0)


def raw(*rows: tuple) -> pl.DataFrame:
    """Rows of (hour offset or datetime or None, open, high, low, close, volume)."""
    times = [
        START + timedelta(hours=row[0]) if isinstance(row[0], int | float) else row[0]
        for row in rows
    ]
    columns = {"open_time": times}
    for place, name in enumerate(("open", "high", "low", "close", "volume"), start=1):
        columns[name] = [row[place] for row in rows]
    return pl.DataFrame(columns, schema=CANDLE_SCHEMA, strict=False)


def with_good_rows(*bad: tuple) -> pl.DataFrame:
    return raw(*[(hour, *GOOD) for hour in range(20, 20 + len(bad) + 1)], *bad)


def test_sound_candles_pass_unchanged():
    candles = make_candles(100)
    cleaned = clean_candles(candles, HOUR)
    assert_frame_equal(cleaned.candles, candles)
    assert cleaned.dropped.is_empty()
    assert cleaned.counts == {}


def test_rows_come_out_in_order_of_time():
    candles = make_candles(50)
    assert_frame_equal(clean_candles(candles.reverse(), HOUR).candles, candles)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((None, *GOOD), DropReason.UNREADABLE_TIME),
        ((1, None, 12.0, 9.0, 11.0, 5.0), DropReason.MISSING_VALUE),
        ((1, 10.0, 12.0, 9.0, 11.0, None), DropReason.MISSING_VALUE),
        ((1, 10.0, float("nan"), 9.0, 11.0, 5.0), DropReason.MISSING_VALUE),
        ((1, 10.0, float("inf"), 9.0, 11.0, 5.0), DropReason.MISSING_VALUE),
        ((1, 10.0, 12.0, 0.0, 11.0, 5.0), DropReason.PRICE_NOT_POSITIVE),
        ((1, -10.0, 12.0, 9.0, 11.0, 5.0), DropReason.PRICE_NOT_POSITIVE),
        ((1, 10.0, 12.0, 9.0, 11.0, -0.1), DropReason.NEGATIVE_VOLUME),
        ((1, 10.0, 9.0, 12.0, 11.0, 5.0), DropReason.HIGH_BELOW_LOW),
        ((1, 8.0, 12.0, 9.0, 11.0, 5.0), DropReason.OUTSIDE_RANGE),
        ((1, 10.0, 12.0, 9.0, 12.5, 5.0), DropReason.OUTSIDE_RANGE),
        ((1.5, *GOOD), DropReason.OFF_GRID),
    ],
)
def test_each_fault_is_dropped_by_its_name(row: tuple, reason: DropReason):
    cleaned = clean_candles(with_good_rows(row), HOUR)
    assert cleaned.counts == {reason: 1}
    assert cleaned.dropped["reason"].to_list() == [reason]
    assert cleaned.dropped["row"].to_list() == [3]
    assert cleaned.dropped["detail"].null_count() == 0
    assert len(cleaned.candles) == 2


def test_a_row_with_several_faults_is_counted_once_by_the_first():
    cleaned = clean_candles(with_good_rows((1.5, -1.0, 5.0, 9.0, 11.0, -2.0)), HOUR)
    assert cleaned.counts == {DropReason.PRICE_NOT_POSITIVE: 1}


def test_a_missing_value_is_named():
    cleaned = clean_candles(with_good_rows((1, None, 12.0, 9.0, float("nan"), 5.0)), HOUR)
    assert cleaned.dropped["detail"].to_list() == ["no number in open close"]


def test_equal_rows_keep_the_first():
    cleaned = clean_candles(raw((0, *GOOD), (1, *GOOD), (0, *GOOD)), HOUR)
    assert cleaned.counts == {DropReason.EXACT_DUPLICATE: 1}
    assert cleaned.dropped["row"].to_list() == [3]
    assert len(cleaned.candles) == 2


def test_rows_that_disagree_are_both_dropped():
    other = (10.0, 12.0, 9.0, 11.5, 5.0)
    cleaned = clean_candles(raw((0, *GOOD), (0, *other), (1, *GOOD), (2, *GOOD)), HOUR)
    assert cleaned.counts == {DropReason.CONFLICTING_DUPLICATE: 2}
    assert cleaned.dropped["close"].to_list() == [11.0, 11.5]
    assert cleaned.candles["open_time"].to_list() == [START + timedelta(hours=h) for h in (1, 2)]


def test_two_equal_rows_and_a_third_that_disagrees_leave_nothing():
    other = (10.0, 12.0, 9.0, 11.5, 5.0)
    rows = raw((0, *GOOD), (0, *GOOD), (0, *other), *[(h, *GOOD) for h in range(1, 5)])
    cleaned = clean_candles(rows, HOUR)
    assert cleaned.counts == {DropReason.EXACT_DUPLICATE: 1, DropReason.CONFLICTING_DUPLICATE: 2}


def test_a_faulty_row_does_not_contest_a_sound_one():
    cleaned = clean_candles(raw((0, *GOOD), (0, 10.0, 8.0, 9.0, 11.0, 5.0), (1, *GOOD)), HOUR)
    assert cleaned.counts == {DropReason.HIGH_BELOW_LOW: 1}
    assert cleaned.candles["open_time"][0] == START


@pytest.mark.parametrize(("offset_us", "n_kept"), [(-1, 2), (0, 3), (1, 3)])
def test_a_candle_is_closed_exactly_at_its_close(offset_us: int, n_kept: int):
    now = START + timedelta(hours=3, microseconds=offset_us)
    cleaned = clean_candles(raw(*[(h, *GOOD) for h in range(3)]), HOUR, now=now)
    assert len(cleaned.candles) == n_kept
    assert cleaned.counts == ({DropReason.NOT_CLOSED: 1} if n_kept == 2 else {})


def test_half_of_the_rows_may_go_but_not_more():
    half = raw((0, *GOOD), (1, *GOOD), (None, *GOOD), (None, *GOOD))
    assert len(clean_candles(half, HOUR).dropped) == 2
    with pytest.raises(CandleFileError, match=r"3 of 5 \(3 unreadable time\).*row 3"):
        clean_candles(pl.concat([half, raw((None, *GOOD))]), HOUR)


def test_a_table_without_rows_is_an_empty_table():
    assert clean_candles(raw(), HOUR).candles.is_empty()


def test_a_missing_column_and_a_naive_time_are_refused():
    candles = make_candles(3)
    with pytest.raises(CandleSchemaError, match=r"\['volume'\]"):
        clean_candles(candles.drop("volume"), HOUR)
    with pytest.raises(CandleSchemaError, match="UTC"):
        clean_candles(candles.with_columns(pl.col("open_time").dt.replace_time_zone(None)), HOUR)
    with pytest.raises(CandleSchemaError, match="close must be numeric"):
        clean_candles(candles.with_columns(pl.col("close").cast(pl.String)), HOUR)


def test_counts_are_described_largest_first():
    assert describe_counts({"a": 1, "b": 2000}) == "2,000 b, 1 a"
    assert describe_counts({}) == "none"


VALUES = st.sampled_from([None, float("nan"), float("inf"), -1.0, 0.0, 9.0, 10.0, 11.0, 12.0])
ROWS = st.tuples(
    st.one_of(st.none(), st.integers(0, 4), st.just(2.5)), VALUES, VALUES, VALUES, VALUES, VALUES
)


def slow_clean(rows: list[tuple]) -> list[tuple]:
    """The rules of the docstring, one row at a time."""
    sound = []
    for row in rows:
        time, *values = row
        if time is None or any(v is None or v != v or abs(v) == float("inf") for v in values):
            continue
        open_, high, low, close, volume = values
        is_sane = min(open_, high, low, close) > 0 and volume >= 0 and time == int(time)
        if is_sane and low <= min(open_, close) and max(open_, close) <= high:
            sound.append(row)
    by_time: dict[float, set] = {}
    for row in sound:
        by_time.setdefault(row[0], set()).add(row)
    return sorted(row for rows in by_time.values() if len(rows) == 1 for row in rows)


@settings(max_examples=150, deadline=None)
@given(st.lists(ROWS, max_size=12))
def test_cleaning_equals_the_slow_rules_and_loses_no_row(rows: list[tuple]):
    rows = rows + [(hour, *GOOD) for hour in range(100, 100 + len(rows) + 1)]
    table = raw(*rows)
    cleaned = clean_candles(table, HOUR)
    assert_frame_equal(cleaned.candles, raw(*slow_clean(rows)))
    assert len(cleaned.candles) + len(cleaned.dropped) == len(table)
    assert sum(cleaned.counts.values()) == len(cleaned.dropped)
    assert_frame_equal(conform(cleaned.candles), cleaned.candles)
    assert_frame_equal(clean_candles(cleaned.candles, HOUR).candles, cleaned.candles)
