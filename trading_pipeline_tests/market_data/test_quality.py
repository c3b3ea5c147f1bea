from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.cleaning import clean_candles
from trading_pipeline.market_data.gaps import Gap, GapClass, find_gaps
from trading_pipeline.market_data.quality import CandleClaim, assess, check_candles
from trading_pipeline_tests.builders import make_candles

HOUR = Timeframe("1h")
JANUARY = Month(2024, 1)
LATER = datetime(2024, 6, 1, tzinfo=UTC)


def test_a_complete_month_expects_all_its_hours():
    report = assess(make_candles(2000), HOUR, JANUARY, (), {}, LATER)
    assert (report.expected, report.present, report.missing) == (744, 744, 0)
    assert report.first == JANUARY.start
    assert report.last == JANUARY.end - timedelta(hours=1)
    assert report.coverage == 1.0


def test_missing_bars_are_split_into_explained_and_not():
    candles = make_candles(744)
    start = JANUARY.start
    silent = Gap(start + timedelta(hours=10), start + timedelta(hours=13), 3, GapClass.VENUE_SILENT)
    hole = Gap(start + timedelta(hours=20), start + timedelta(hours=22), 2, GapClass.UNEXPLAINED)
    kept = candles.filter(~pl.int_range(pl.len()).is_in([10, 11, 12, 20, 21]))
    report = assess(kept, HOUR, JANUARY, (silent, hole), {"exact duplicate": 4, "x": 0}, LATER)
    assert (report.expected, report.present, report.missing) == (744, 739, 5)
    assert (report.explained, report.unexplained) == (3, 2)
    assert report.dropped == {"exact duplicate": 4}
    assert report.n_dropped == 4
    assert report.gaps == (silent, hole)


def test_a_gap_over_the_seam_is_cut_to_the_month():
    across = Gap(
        JANUARY.end - timedelta(hours=2), JANUARY.end + timedelta(hours=5), 7, GapClass.UNEXPLAINED
    )
    report = assess(make_candles(742), HOUR, JANUARY, (across,), {}, LATER)
    assert report.missing == 2
    assert report.gaps[0].end == JANUARY.end
    after = assess(make_candles(0), HOUR, JANUARY.shift(1), (across,), {}, LATER)
    assert after.missing == 5


def test_an_unfinished_month_expects_what_is_closed():
    now = JANUARY.start + timedelta(hours=100, minutes=59)
    candles = make_candles(101)
    report = assess(candles, HOUR, JANUARY, (), {}, now)
    assert (report.expected, report.present) == (100, 100)
    assert report.last == JANUARY.start + timedelta(hours=99)


def test_a_month_before_the_listing_expects_nothing():
    report = assess(make_candles(10), HOUR, Month(2023, 1), (), {}, LATER)
    assert (report.expected, report.first, report.last, report.coverage) == (0, None, None, None)


def test_the_counts_agree_with_the_gaps_that_were_found():
    candles = make_candles(744).filter(pl.int_range(pl.len()) % 7 != 3)
    gaps = find_gaps(
        candles["open_time"], HOUR, JANUARY.start, JANUARY.end, venue="binance", now=LATER
    )
    report = assess(candles, HOUR, JANUARY, gaps, {}, LATER)
    assert report.expected == 744
    assert report.missing == len([bar for bar in range(744) if bar % 7 == 3])


def test_sound_candles_have_no_finding():
    assert check_candles(make_candles(100), HOUR, LATER) == ()
    assert check_candles(make_candles(0), HOUR, LATER) == ()


def spoiled(**values: float | None) -> pl.DataFrame:
    candles = make_candles(10)
    is_third = pl.int_range(pl.len()) == 3
    return candles.with_columns(
        pl.when(is_third).then(pl.lit(value, dtype=pl.Float64)).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


@pytest.mark.parametrize(
    ("values", "claim"),
    [
        ({"close": None}, CandleClaim.FINITE),
        ({"volume": float("nan")}, CandleClaim.FINITE),
        ({"volume": -1.0}, CandleClaim.OHLC),
        ({"low": 1e6}, CandleClaim.OHLC),
        ({"low": 0.0}, CandleClaim.OHLC),
        ({"close": 1e6}, CandleClaim.OHLC),
        ({"high": 1e6}, CandleClaim.PLAUSIBLE),
    ],
)
def test_a_broken_value_is_found_with_its_row(values: dict, claim: CandleClaim):
    findings = {each.claim: each for each in check_candles(spoiled(**values), HOUR, LATER)}
    assert findings[claim].n_rows == 1
    assert findings[claim].first_open_time == JANUARY.start + timedelta(hours=3)
    assert findings[claim].is_blocking == (claim is not CandleClaim.PLAUSIBLE)
    assert claim in findings[claim].message


def test_order_repeats_grid_and_open_candles_are_found():
    candles = make_candles(10)

    def claims(frame: pl.DataFrame, now: datetime = LATER) -> set[CandleClaim]:
        return {finding.claim for finding in check_candles(frame, HOUR, now)}

    assert claims(candles.reverse()) == {CandleClaim.SORTED}
    assert claims(pl.concat([candles, candles.tail(1)])) == {CandleClaim.UNIQUE}
    shifted = candles.with_columns(pl.col("open_time").dt.offset_by("1s"))
    assert claims(shifted) == {CandleClaim.ON_GRID}
    last_close = candles["open_time"][-1] + HOUR.duration
    assert claims(candles, last_close) == set()
    assert claims(candles, last_close - timedelta(microseconds=1)) == {CandleClaim.CLOSED}


def test_a_clock_in_another_zone_means_the_same_instant():
    from zoneinfo import ZoneInfo

    now = JANUARY.start + timedelta(hours=100)
    elsewhere = now.astimezone(ZoneInfo("Asia/Kolkata"))
    candles = make_candles(101)
    assert assess(candles, HOUR, JANUARY, (), {}, elsewhere).present == 100
    assert check_candles(candles, HOUR, elsewhere) == check_candles(candles, HOUR, now)
    assert len(clean_candles(candles, HOUR, now=elsewhere).candles) == 100
