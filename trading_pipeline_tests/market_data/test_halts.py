from datetime import UTC, datetime, timedelta
from itertools import pairwise

from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.halts import halted_intervals, listed_halts


def test_binance_has_28_halts_of_128_hours():
    halts = listed_halts("Binance")
    assert len(halts) == 28
    assert sum(halt.hours for halt in halts) == 128
    assert [halt.start for halt in halts] == sorted(halt.start for halt in halts)


def test_halts_do_not_overlap():
    halts = listed_halts("binance")
    assert all(one.end < two.start for one, two in pairwise(halts))


def test_the_longest_halt_is_that_of_february_2018():
    longest = max(listed_halts("binance"), key=lambda halt: halt.hours)
    assert longest.start == datetime(2018, 2, 8, 1, tzinfo=UTC)
    assert longest.end == datetime(2018, 2, 9, 10, tzinfo=UTC)


def test_another_venue_has_no_listed_halt():
    assert listed_halts("kraken") == ()


def test_short_bars_may_be_missing_in_the_hours_beside_a_halt():
    start, end = halted_intervals("binance", Timeframe("1h"))[0]
    short_start, short_end = halted_intervals("binance", Timeframe("5m"))[0]
    assert (short_start, short_end) == (start - timedelta(hours=1), end + timedelta(hours=1))
