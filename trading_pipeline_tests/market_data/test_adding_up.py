"""What the second opinion on longer candles notices: each fault planted by hand."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.adding_up import contradictions
from trading_pipeline.market_data.resampling import resample
from trading_pipeline_tests.builders import make_candles

HOUR, FOUR = Timeframe("1h"), Timeframe("4h")
START = datetime(2024, 1, 1, tzinfo=UTC)
END = START + timedelta(hours=48)
CANDLES = make_candles(48)
BARS = resample(CANDLES, HOUR, FOUR, closed_until=END).candles


def judged(bars: pl.DataFrame, until: datetime = END) -> tuple[str, ...]:
    return contradictions(CANDLES, bars, HOUR, FOUR, closed_until=until)


def shifted(name: str, by: float) -> pl.DataFrame:
    here = pl.int_range(pl.len()) == 3
    return BARS.with_columns(pl.when(here).then(pl.col(name) + by).otherwise(name).alias(name))


def test_bars_that_add_up_pass():
    assert judged(BARS) == ()
    assert judged(BARS[:-1], END - timedelta(seconds=1)) == ()


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
def test_a_changed_value_is_named_with_its_bar(name: str):
    assert judged(shifted(name, 0.01)) == (
        f"4h: {name} differs in 1, first 2024-01-01 12:00:00+00:00",
    )


def test_a_changed_count_is_named():
    changed = shifted("n_bars", 1).with_columns(pl.col("n_bars").cast(pl.Int32))
    assert judged(changed) == ("4h: n_bars differs in 1, first 2024-01-01 12:00:00+00:00",)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda bars: bars[1:], "whole bars are missing in 1, first 2024-01-01 00:00"),
        (
            lambda bars: bars.with_columns(pl.col("open_time") + timedelta(hours=400)),
            "bars without a base candle in 12",
        ),
        (lambda bars: bars[[0, 2, 1]], "bars must be unique and ascending"),
        (lambda bars: pl.concat([bars, bars[-1:]]), "bars must be unique and ascending"),
    ],
    ids=["lost", "elsewhere", "out of order", "twice"],
)
def test_lost_invented_and_disordered_bars_are_named(
    damage: Callable[[pl.DataFrame], pl.DataFrame], says: str
):
    assert says in "; ".join(judged(damage(BARS)))


def test_a_bar_that_was_not_closed_is_named():
    (found,) = judged(BARS, END - timedelta(seconds=1))
    assert found == "4h: bars are not closed in 1, first 2024-01-02 20:00:00+00:00"
