"""The catalogue, requests, and the frame of indicators."""

import pickle
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from trading_pipeline.core.candles import candle_arrays, empty_candles
from trading_pipeline.core.errors import CandleSchemaError, ConfigError, DataError
from trading_pipeline.indicators import averages, bands, momentum, oscillators, volatility
from trading_pipeline.indicators.catalog import (
    CATALOG,
    DEFAULT_REQUESTS,
    Category,
    IndicatorRequest,
    compute,
    indicator_columns,
    indicator_frame,
    indicator_spec,
    longest_window,
)
from trading_pipeline_tests.builders import make_candles

DEFAULT_COLUMNS = [
    "rsi_14",
    "ema_9",
    "ema_21",
    "ema_50",
    "ema_200",
    "macd_12_26_9",
    "macd_12_26_9_signal",
    "macd_12_26_9_histogram",
    "bollinger_20_upper",
    "bollinger_20_middle",
    "bollinger_20_lower",
    "atr_14",
    "adx_14",
    "adx_14_plus_di",
    "adx_14_minus_di",
    "stochastic_14_3_3_k",
    "stochastic_14_3_3_d",
    "roc_10",
    "cci_20",
    "obv",
    "mfi_14",
    "vwap_24",
    "zscore_20",
    "realised_volatility_24",
    "volume_zscore_24",
]


def test_the_default_requests_make_the_columns_that_features_and_strategies_name():
    assert indicator_columns(DEFAULT_REQUESTS) == tuple(DEFAULT_COLUMNS)


def test_the_frame_has_one_row_per_candle_and_null_during_the_warm_up():
    candles = make_candles(260)
    frame = indicator_frame(candles, DEFAULT_REQUESTS)
    assert frame.columns == ["open_time", *DEFAULT_COLUMNS]
    assert frame["open_time"].equals(candles["open_time"])
    assert set(frame.dtypes[1:]) == {pl.Float64}
    for request in DEFAULT_REQUESTS:
        for column in request.columns:
            assert frame[column].null_count() == request.warm_up
            assert frame[column][request.warm_up :].is_finite().all()
            assert frame[column].is_nan().sum() == 0


def test_the_frame_holds_what_the_functions_compute():
    candles = make_candles(100, seed=4)
    requests = [IndicatorRequest("slow", "sma", {"period": 5}), IndicatorRequest.of("bollinger")]
    frame = indicator_frame(candles, requests)
    close = candles["close"].to_numpy()
    assert np.array_equal(frame["slow"].fill_null(np.nan), averages.sma(close, 5), equal_nan=True)
    for column, values in zip(requests[1].columns, bands.bollinger(close), strict=True):
        assert np.array_equal(frame[column].fill_null(np.nan), values, equal_nan=True)


def test_a_frame_without_candles_or_without_requests_is_empty():
    assert indicator_frame(empty_candles(), DEFAULT_REQUESTS).shape == (0, 26)
    assert indicator_frame(make_candles(3), []).columns == ["open_time"]


def test_candles_out_of_order_are_refused():
    with pytest.raises(CandleSchemaError, match="ascending"):
        indicator_frame(make_candles(5).reverse(), DEFAULT_REQUESTS)


def test_extra_columns_and_their_order_do_not_matter():
    candles = make_candles(50)
    other = candles.select(pl.lit("x").alias("note"), *reversed(candles.columns))
    requests = [IndicatorRequest.of("atr"), IndicatorRequest.of("obv")]
    assert indicator_frame(other, requests).equals(indicator_frame(candles, requests))


def test_one_column_name_for_two_requests_is_refused():
    twice = [IndicatorRequest.of("rsi"), IndicatorRequest("rsi_14", "roc")]
    with pytest.raises(ConfigError, match=r"name of its own, \['rsi_14'\] came twice"):
        indicator_columns(twice)


def test_an_unusual_fraction_becomes_part_of_the_name():
    assert IndicatorRequest.of("bollinger", deviations=2.5).name == "bollinger_20_2p5"
    assert IndicatorRequest.of("bollinger", deviations=2.0).name == "bollinger_20"


def test_requests_are_completed_with_defaults_compare_hash_and_pickle():
    request = IndicatorRequest("trend", "macd", {"fast": 5})
    assert request.parameters == {"fast": 5, "slow": 26, "signal": 9}
    assert request == IndicatorRequest("trend", "macd", {"fast": 5, "slow": 26})
    assert len({request, IndicatorRequest("trend", "macd", {"fast": 5})}) == 1
    assert pickle.loads(pickle.dumps(request)) == request


@pytest.mark.parametrize(
    ("requests", "bars"),
    [([], 0), ([IndicatorRequest.of("rsi")], 15), (DEFAULT_REQUESTS, 200)],
)
def test_the_longest_window_counts_the_bar_itself(requests, bars):
    assert longest_window(requests) == bars


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: indicator_spec("bolinger"),
            "unknown indicator 'bolinger'; did you mean bollinger",
        ),
        (lambda: IndicatorRequest.of("rsi", perod=3), "unknown parameter of rsi 'perod'; did you"),
        (
            lambda: IndicatorRequest.of("rsi", period=1),
            "period of rsi must be between 2 and 100000",
        ),
        (lambda: IndicatorRequest.of("rsi", period=2.5), "must be a whole number, was 2.5"),
        (lambda: IndicatorRequest.of("rsi", period=True), "must be a whole number, was True"),
        (lambda: IndicatorRequest.of("bollinger", deviations="2"), "must be a number, was '2'"),
        (lambda: IndicatorRequest.of("bollinger", deviations=np.nan), "between 0.01 and 100"),
        (lambda: momentum.macd([1.0], fast=26, slow=26), "fast must be below slow, were 26 and 26"),
        (
            lambda: momentum.rsi([1.0], period=0),
            "period of rsi must be between 2 and 100000, was 0",
        ),
        (
            lambda: averages.sma([1.0], period=0),
            "period of sma must be between 1 and 100000, was 0",
        ),
        (lambda: averages.sma([1.0], period=1.5), "period of sma must be a whole number, was 1.5"),
        (
            lambda: bands.bollinger([1.0], deviations=0.0),
            "deviations of bollinger must be between 0.01 and 100, was 0.0",
        ),
    ],
)
def test_a_wrong_name_or_parameter_is_refused_with_what_to_do(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize(
    ("high", "message"),
    [
        ([1.0, 2.0], "one length, were high 2, low 3, close 3 bars"),
        ([[1.0, 2.0, 3.0]], r"high must have the shape \(n_bars,\), was \(1, 3\)"),
        (5.0, r"high must have the shape \(n_bars,\), was \(\)"),
        (["a", "b", "c"], "high must be numbers, was list"),
    ],
)
def test_inputs_that_are_no_equal_series_are_refused(high, message):
    with pytest.raises(DataError, match=message):
        oscillators.cci(high, [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], period=2)


def test_a_close_that_has_no_logarithm_counts_as_missing():
    arrays = candle_arrays(make_candles(60))
    close = arrays.close.copy()
    close[30] = -1.0
    line = volatility.realised_volatility(close, 5)
    assert np.isnan(line[30:36]).all()
    assert np.isfinite(line[5:30]).all()
    assert np.isfinite(line[36:]).all()


def test_whole_numbers_of_numpy_are_whole_numbers():
    arrays = candle_arrays(make_candles(30))
    assert np.array_equal(
        compute("sma", arrays, {"period": np.int64(5)})["sma"],
        averages.sma(arrays.close, 5),
        equal_nan=True,
    )


def test_the_catalogue_has_eight_categories_and_at_least_45_entries():
    assert {spec.category for spec in CATALOG.values()} == set(Category)
    assert len(CATALOG) >= 45


@pytest.mark.parametrize("name", list(CATALOG))
def test_every_entry_is_complete(name):
    spec = CATALOG[name]
    assert spec.name == name
    assert spec.summary.endswith(".")
    assert spec.reference
    assert spec.oracle
    assert spec.resolve({}) == spec.parameters
    assert all(setting.low <= setting.default <= setting.high for setting in spec.settings.values())
    assert all(setting.meaning for setting in spec.settings.values())
    lowest = {key: type(s.default)(s.low) for key, s in spec.settings.items()}
    if name != "macd":
        arrays = candle_arrays(make_candles(40, start=datetime(2020, 1, 1, tzinfo=UTC)))
        for values in compute(name, arrays, lowest).values():
            assert np.isnan(values).sum() == spec.warm_up(lowest)
