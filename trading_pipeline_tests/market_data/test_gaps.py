from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.candles import OPEN_TIME_TYPE
from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.gaps import Gap, GapClass, Proof, blocked_rows, find_gaps
from trading_pipeline_tests.real_data import real_file

HOUR = Timeframe("1h")
START = datetime(2024, 1, 1, tzinfo=UTC)


def at(hour: float) -> datetime:
    return START + timedelta(hours=hour)


def opens(*hours: int) -> pl.Series:
    return pl.Series("open_time", [at(hour) for hour in hours], dtype=OPEN_TIME_TYPE)


def without(n: int, *missing: int) -> pl.Series:
    return opens(*[hour for hour in range(n) if hour not in missing])


def gaps_of(times: pl.Series, n: int = 10, **options: object) -> tuple[Gap, ...]:
    return find_gaps(times, HOUR, START, at(n), **({"venue": "binance"} | options))


def test_a_complete_range_has_no_gap():
    assert gaps_of(without(10)) == ()


def test_missing_bars_are_one_gap_per_run():
    found = gaps_of(without(10, 3, 4, 7))
    assert found == (
        Gap(at(3), at(5), 2, GapClass.UNEXPLAINED),
        Gap(at(7), at(8), 1, GapClass.UNEXPLAINED),
    )


def test_bars_before_the_listing_are_no_gap():
    assert gaps_of(opens(5, 6, 7, 8, 9)) == ()


def test_a_part_of_the_history_needs_the_listing_to_see_its_first_hours():
    found = gaps_of(opens(5, 6, 7, 8, 9), listed=START - timedelta(days=30))
    assert found == (Gap(at(0), at(5), 5, GapClass.UNEXPLAINED),)


def test_a_month_without_any_candle_is_one_gap_if_the_symbol_was_listed():
    assert gaps_of(opens()) == ()
    assert gaps_of(opens(), listed=at(-5)) == (Gap(at(0), at(10), 10, GapClass.UNEXPLAINED),)


def test_bars_that_are_not_closed_are_not_missing():
    assert gaps_of(without(8), now=at(8.99)) == ()
    assert gaps_of(without(8), now=at(9)) == (Gap(at(8), at(9), 1, GapClass.UNEXPLAINED),)


def test_a_start_inside_a_bar_does_not_ask_for_that_bar():
    found = find_gaps(without(10, 3), HOUR, at(3.5), at(10), venue="x")
    assert found == ()


def test_the_venue_is_silent_where_another_symbol_is_too():
    found = gaps_of(without(10, 4, 5), others=[without(10, 4, 5)])
    assert found == (Gap(at(4), at(6), 2, GapClass.VENUE_SILENT),)


def test_a_partly_explained_gap_is_split():
    found = gaps_of(without(10, 3, 4, 5, 6), others=[without(10, 4, 5)])
    assert found == (
        Gap(at(3), at(4), 1, GapClass.UNEXPLAINED),
        Gap(at(4), at(6), 2, GapClass.VENUE_SILENT),
        Gap(at(6), at(7), 1, GapClass.UNEXPLAINED),
    )


def test_one_symbol_that_traded_is_enough_to_say_that_the_venue_was_open():
    found = gaps_of(without(10, 4), others=[without(10, 4), without(10)])
    assert [gap.kind for gap in found] == [GapClass.UNEXPLAINED]


@pytest.mark.parametrize("other", [opens(0, 1, 2), opens(6, 7, 8), opens()])
def test_a_symbol_that_was_not_there_on_both_sides_is_no_witness(other: pl.Series):
    assert gaps_of(without(10, 4), others=[other])[0].kind is GapClass.UNEXPLAINED


def test_no_other_symbol_means_no_silence():
    assert gaps_of(without(10, 4), others=[])[0].kind is GapClass.UNEXPLAINED


def test_a_second_source_that_lacks_the_bar_agrees():
    assert gaps_of(without(10, 4), second_source=without(10, 4))[0].kind is GapClass.SECOND_SOURCE
    assert gaps_of(without(10, 4), second_source=without(10))[0].kind is GapClass.UNEXPLAINED


def test_a_listed_halt_comes_first():
    start = datetime(2020, 2, 19, 0, tzinfo=UTC)
    hours = [start + timedelta(hours=h) for h in range(24) if h not in range(11, 18)]
    times = pl.Series("open_time", hours, dtype=OPEN_TIME_TYPE)
    found = find_gaps(times, HOUR, start, start + timedelta(days=1), venue="binance")
    assert [(gap.start.hour, gap.n_bars, gap.kind) for gap in found] == [
        (11, 1, GapClass.UNEXPLAINED),
        (12, 5, GapClass.LISTED_HALT),
        (17, 1, GapClass.UNEXPLAINED),
    ]
    elsewhere = find_gaps(times, HOUR, start, start + timedelta(days=1), venue="kraken")
    assert [gap.kind for gap in elsewhere] == [GapClass.UNEXPLAINED]


def test_times_out_of_order_are_refused():
    with pytest.raises(DataError, match="ascending"):
        gaps_of(opens(3, 2, 1))


def test_arrays_of_microseconds_are_taken_too():
    times = without(10, 3)
    assert gaps_of(times.dt.epoch("us").to_numpy()) == gaps_of(times)


HOURS = st.sets(st.integers(0, 30), max_size=31)


@settings(max_examples=200, deadline=None)
@given(HOURS, HOURS, st.integers(0, 10), st.integers(10, 31))
def test_gaps_are_exactly_the_missing_bars_each_judged_on_its_own(
    own: set[int], other: set[int], first: int, last: int
):
    found = find_gaps(
        opens(*sorted(own)),
        HOUR,
        at(first),
        at(last),
        venue="none",
        others=[opens(*sorted(other))],
    )
    told = {}
    for gap in found:
        assert gap.end - gap.start == gap.n_bars * HOUR.duration
        for number in range(gap.n_bars):
            told[gap.start + number * HOUR.duration] = gap.kind
    expected = {}
    for hour in range(first, last):
        if own and hour > min(own) and hour not in own:
            is_silent = other and min(other) < hour < max(other) and hour not in other
            expected[at(hour)] = GapClass.VENUE_SILENT if is_silent else GapClass.UNEXPLAINED
    assert told == expected


def test_rows_after_an_unexplained_gap_are_blocked_for_the_reach():
    times = without(12, 3)
    marked = blocked_rows(times, gaps_of(times, 12), 4, HOUR)
    assert times.filter(pl.Series(marked)).to_list() == [at(4), at(5), at(6), at(7)]


def test_an_explained_gap_blocks_nothing():
    times = without(12, 3)
    gaps = gaps_of(times, 12, others=[times])
    assert not blocked_rows(times, gaps, 100, HOUR).any()


def test_a_reach_of_zero_blocks_nothing_and_a_negative_one_is_refused():
    times = without(12, 3)
    assert not blocked_rows(times, gaps_of(times, 12), 0, HOUR).any()
    with pytest.raises(ConfigError, match="at least 0 bars, was -1"):
        blocked_rows(times, (), -1, HOUR)


MISSING = st.dictionaries(st.integers(2, 38), st.booleans(), max_size=12)


@settings(max_examples=200, deadline=None)
@given(MISSING, st.integers(0, 12), st.integers(0, 39))
def test_a_row_is_blocked_iff_its_window_crosses_an_unexplained_bar(
    missing: dict[int, bool], reach: int, cut: int
):
    times = without(40, *missing)
    kinds = {True: GapClass.LISTED_HALT, False: GapClass.UNEXPLAINED}
    gaps = [Gap(at(h), at(h + 1), 1, kinds[explained]) for h, explained in missing.items()]
    marked = blocked_rows(times, gaps, reach, HOUR)
    present = [hour for hour in range(40) if hour not in missing]
    for place, hour in enumerate(present):
        expected = any(
            not explained
            and bad < hour
            and sum(bad < seen < hour for seen in present[:place]) < reach
            for bad, explained in missing.items()
        )
        assert marked[place] == expected
    # Where the table starts does not matter.
    from_cut = np.array([hour >= cut for hour in present])
    tail = times.filter(pl.Series(from_cut))
    assert blocked_rows(tail, gaps, reach, HOUR).tolist() == marked[from_cut].tolist()


@pytest.mark.real_data
def test_the_gaps_of_real_binance_hours_are_exactly_the_28_halts():
    candles = pl.read_ipc(real_file("binance-spot-freqtrade/BTC_USDT-1h.feather"))
    times = candles["date"].dt.cast_time_unit("us")
    end = times[-1] + HOUR.duration
    found = find_gaps(times, HOUR, datetime(2010, 1, 1, tzinfo=UTC), end, venue="binance")
    assert [gap.kind for gap in found] == [GapClass.LISTED_HALT] * 28
    assert sum(gap.n_bars for gap in found) == 128


@pytest.mark.real_data
def test_without_the_list_bitcoin_and_ether_explain_each_other():
    import json

    btc = pl.read_ipc(real_file("binance-spot-freqtrade/BTC_USDT-1h.feather"))["date"]
    rows = json.loads(real_file("binance-spot-freqtrade-json/ETH_USDT-1h.json").read_text())
    eth = np.array([row[0] for row in rows], dtype=np.int64) * 1000
    end = datetime(2022, 10, 11, tzinfo=UTC)
    for own, other in ((btc, eth), (eth, btc)):
        found = find_gaps(own, HOUR, START - timedelta(days=9999), end, venue="", others=[other])
        assert len(found) == 27
        assert {gap.kind for gap in found} == {GapClass.VENUE_SILENT}


def test_the_hour_that_binance_lost_on_30_november_2020_is_sixty_minutes_of_a_listed_halt():
    """Binance has no 1m row from 06:00 to 06:59 UTC that day (ccxt issue 8068)."""
    start = datetime(2020, 11, 30, tzinfo=UTC)
    minutes = [start + timedelta(minutes=i) for i in range(1440) if not 360 <= i < 420]
    times = pl.Series("open_time", minutes, dtype=OPEN_TIME_TYPE)
    end = start + timedelta(days=1)
    (gap,) = find_gaps(times, Timeframe("1m"), start, end, venue="binance")
    assert gap == Gap(
        start + timedelta(hours=6), start + timedelta(hours=7), 60, GapClass.LISTED_HALT
    )
    assert gap.evidence == "listed, 2020-11-30 05:00 to 2020-11-30 08:00 UTC"


def test_what_asking_found_classes_the_bars_that_it_is_about():
    proofs = [
        Proof(at(3), at(4), GapClass.NO_TRADE, "none between"),
        Proof(at(5), at(6), GapClass.UNEXPLAINED, "kraken has 1"),
    ]
    found = gaps_of(without(10, 3, 4, 5), proofs=proofs)
    assert found == (
        Gap(at(3), at(4), 1, GapClass.NO_TRADE),
        Gap(at(4), at(5), 1, GapClass.UNEXPLAINED),
        Gap(at(5), at(6), 1, GapClass.UNEXPLAINED),
    )
    assert [gap.evidence for gap in found] == ["none between", "nobody was asked", "kraken has 1"]


def test_of_two_answers_about_one_bar_the_later_counts():
    proofs = [
        Proof(at(3), at(4), GapClass.UNEXPLAINED, "nobody knew"),
        Proof(at(3), at(4), GapClass.SECOND_SOURCE, "the archive lacks it"),
    ]
    assert gaps_of(without(10, 3), proofs=proofs)[0].kind is GapClass.SECOND_SOURCE


def test_a_single_silent_symbol_does_not_explain_what_another_venue_traded():
    proof = Proof(at(3), at(4), GapClass.UNEXPLAINED, "kraken has 1", traded_elsewhere=True)
    quiet, trading = without(10, 3), without(10)
    for others, kind in (
        ([quiet], GapClass.UNEXPLAINED),
        # A symbol that was listed later is no witness.
        ([quiet, opens(5, 6, 7)], GapClass.UNEXPLAINED),
        ([quiet, quiet], GapClass.VENUE_SILENT),
        ([quiet, quiet, trading], GapClass.UNEXPLAINED),
    ):
        (gap,) = gaps_of(without(10, 3), others=others, proofs=[proof])
        assert gap.kind is kind
        assert (gap.evidence == "kraken has 1") is (kind is GapClass.UNEXPLAINED)


def test_bars_after_the_delisting_are_no_gap():
    assert gaps_of(opens(*range(6)), delisted=at(6)) == ()
    assert gaps_of(opens(*range(6)), delisted=at(7)) == (
        Gap(at(6), at(7), 1, GapClass.UNEXPLAINED),
    )  # fmt: skip
