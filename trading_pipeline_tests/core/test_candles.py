from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from trading_pipeline.core.candles import (
    CANDLE_SCHEMA,
    candle_arrays,
    conform,
    empty_candles,
)
from trading_pipeline.core.errors import CandleSchemaError
from trading_pipeline_tests.builders import make_candles


def test_candles_that_keep_the_contract_pass_unchanged():
    candles = make_candles(50)
    assert conform(candles).equals(candles)


def test_columns_come_back_in_contract_order_without_others():
    candles = make_candles(3)
    shuffled = candles.with_columns(symbol=pl.lit("BTC-USDT")).select(
        "symbol", "volume", "close", "open_time", "low", "high", "open"
    )
    assert conform(shuffled).equals(candles)


def test_no_candles_are_candles():
    assert conform(empty_candles()).schema == CANDLE_SCHEMA
    assert len(candle_arrays(empty_candles())) == 0


@pytest.mark.parametrize("column", list(CANDLE_SCHEMA))
def test_a_missing_column_is_refused_by_name(column):
    with pytest.raises(CandleSchemaError, match=rf"candles need the columns \['{column}'\]"):
        conform(make_candles(3).drop(column))


@pytest.mark.parametrize(
    "wrong",
    [
        pl.col("close").cast(pl.Float32),
        pl.col("volume").cast(pl.Int64),
        pl.col("open_time").dt.cast_time_unit("ms"),
        pl.col("open_time").dt.replace_time_zone(None),
    ],
    ids=["float32 close", "integer volume", "milliseconds", "no time zone"],
)
def test_a_column_of_another_type_is_refused_with_both_types(wrong):
    with pytest.raises(CandleSchemaError, match=r"candle column \w+ must be .*, was "):
        conform(make_candles(3).with_columns(wrong))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_a_value_that_is_not_finite_is_refused(column, value):
    candles = make_candles(3)
    spoilt = candles.with_columns(
        pl.when(pl.int_range(pl.len()) == 1).then(value).otherwise(column).alias(column)
    )
    with pytest.raises(CandleSchemaError, match=f"candle column {column} must be finite"):
        conform(spoilt)


def test_a_null_is_refused():
    spoilt = make_candles(3).with_columns(close=pl.Series([1.0, None, 2.0]))
    with pytest.raises(CandleSchemaError, match="must not hold nulls"):
        conform(spoilt)


@pytest.mark.parametrize("rows", [[1, 0], [0, 0, 1], [0, 2, 1]], ids=["back", "twice", "mixed"])
def test_rows_that_are_not_unique_and_ascending_are_refused(rows):
    with pytest.raises(CandleSchemaError, match="unique and ascending by open_time"):
        conform(make_candles(3)[rows])


def test_arrays_hold_microseconds_and_floats():
    candles = make_candles(2, start=datetime(1970, 1, 2, tzinfo=UTC))
    arrays = candle_arrays(candles)
    assert len(arrays) == 2
    assert arrays.open_time.dtype == np.int64
    # One day and one hour after 1970, in microseconds.
    np.testing.assert_array_equal(arrays.open_time, [86_400_000_000, 90_000_000_000])
    for name in ("open", "high", "low", "close", "volume"):
        values = getattr(arrays, name)
        assert values.dtype == np.float64
        assert values.tolist() == candles[name].to_list()
