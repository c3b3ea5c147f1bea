from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.timeframe import Timeframe, known_timeframes

_INSTANTS = st.timedeltas(timedelta(0), timedelta(days=9500)).map(
    lambda after: datetime(2009, 1, 1, tzinfo=UTC) + after
)
_TIMEFRAMES = st.sampled_from(known_timeframes()).map(Timeframe)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("1m", 60), ("3m", 180), ("5m", 300), ("15m", 900), ("30m", 1800), ("1h", 3600),
        ("2h", 7200), ("4h", 14_400), ("6h", 21_600), ("8h", 28_800), ("12h", 43_200),
        ("1d", 86_400),
    ],
)  # fmt: skip
def test_a_timeframe_knows_its_length(name, seconds):
    timeframe = Timeframe(name)
    assert timeframe.seconds == seconds
    assert timeframe.milliseconds == seconds * 1000
    assert timeframe.microseconds == seconds * 1_000_000
    assert timeframe.duration == timedelta(seconds=seconds)
    assert str(timeframe) == name


def test_known_timeframes_are_listed_shortest_first_and_divide_a_day():
    lengths = [Timeframe(name).seconds for name in known_timeframes()]
    assert lengths == sorted(set(lengths))
    assert all(86_400 % length == 0 for length in lengths)


def test_a_year_of_a_market_that_never_closes_has_8760_hours():
    assert Timeframe("1h").bars_per_year == 8760
    assert Timeframe("1d").bars_per_year == 365
    assert Timeframe("15m").bars_per_year == 35_040


def test_an_unknown_timeframe_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown timeframe '7m'; did you mean .*m"):
        Timeframe("7m")


@pytest.mark.parametrize("text", ["1H", " 1h ", "1h"])
def test_case_and_blanks_do_not_matter(text):
    assert Timeframe.parse(text) == Timeframe("1h")


def test_a_capital_m_is_a_month_and_is_not_read_as_a_minute():
    with pytest.raises(ConfigError, match="'1M'"):
        Timeframe.parse("1M")


@pytest.mark.parametrize("text", ["", "h", "1w", "60m", "1.5h", "-1h", "1h1h"])
def test_what_is_no_timeframe_is_refused(text):
    with pytest.raises(ConfigError, match="unknown timeframe"):
        Timeframe.parse(text)


def test_floor_gives_the_open_time_of_the_candle_that_contains_an_instant():
    four_hours = Timeframe("4h")
    assert four_hours.floor(datetime(2024, 3, 31, 11, 59, 59, 999_999, tzinfo=UTC)) == datetime(
        2024, 3, 31, 8, tzinfo=UTC
    )
    assert four_hours.floor(datetime(2024, 3, 31, 12, tzinfo=UTC)) == datetime(
        2024, 3, 31, 12, tzinfo=UTC
    )


def test_floor_counts_in_utc_whatever_the_zone_of_the_instant():
    india = timezone(timedelta(hours=5, minutes=30))
    # 02:10 in India is 20:40 UTC of the day before.
    assert Timeframe("1d").floor(datetime(2024, 1, 2, 2, 10, tzinfo=india)) == datetime(
        2024, 1, 1, tzinfo=UTC
    )


def test_a_candle_is_closed_at_its_close_time_and_not_a_microsecond_before():
    hour = Timeframe("1h")
    close = datetime(2024, 1, 1, 10, tzinfo=UTC)
    assert hour.last_closed_open(close) == datetime(2024, 1, 1, 9, tzinfo=UTC)
    assert hour.last_closed_open(close - timedelta(microseconds=1)) == datetime(
        2024, 1, 1, 8, tzinfo=UTC
    )


@given(instant=_INSTANTS, timeframe=_TIMEFRAMES)
def test_floor_is_on_the_grid_and_less_than_one_bar_away(instant, timeframe):
    floor = timeframe.floor(instant)
    assert timedelta(0) <= instant - floor < timeframe.duration
    assert floor.timestamp() % timeframe.seconds == 0
    assert timeframe.floor(floor) == floor


@given(instant=_INSTANTS, timeframe=_TIMEFRAMES)
def test_the_newest_closed_candle_has_closed_and_the_next_has_not(instant, timeframe):
    open_time = timeframe.last_closed_open(instant)
    assert open_time + timeframe.duration <= instant < open_time + 2 * timeframe.duration


@given(instant=_INSTANTS, timeframe=_TIMEFRAMES)
def test_no_candle_crosses_a_month(instant, timeframe):
    first = timeframe.floor(instant)
    last = first + timeframe.duration - timedelta(microseconds=1)
    assert (first.year, first.month) == (last.year, last.month)


@given(short=_TIMEFRAMES, long=_TIMEFRAMES)
def test_a_timeframe_makes_up_the_longer_ones_whose_bars_it_fills_exactly(short, long):
    fills = long.seconds > short.seconds and (long.seconds / short.seconds).is_integer()
    assert short.makes_up(long) is fills
