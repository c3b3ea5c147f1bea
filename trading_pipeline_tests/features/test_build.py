import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from trading_pipeline.core.candles import CANDLE_SCHEMA
from trading_pipeline.core.errors import CandleSchemaError, ConfigError, DataError
from trading_pipeline.features.build import (
    FeatureSettings,
    build_features,
    feature_names,
    feature_reach,
)
from trading_pipeline.features.schema import schema_hash
from trading_pipeline.indicators.catalog import (
    DEFAULT_REQUESTS,
    IndicatorRequest,
    indicator_frame,
)
from trading_pipeline.validation.leakage import default_cuts, prefix_replay
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.real_data import real_file

SETTINGS = FeatureSettings()
FINITE = tuple(r for r in DEFAULT_REQUESTS if not r.spec.is_recursive)


def matrix_of(candles, requests=DEFAULT_REQUESTS, settings=SETTINGS, blocked=None):
    return build_features(candles, indicator_frame(candles, requests), blocked, settings)


def values_of(matrix: pl.DataFrame) -> np.ndarray:
    return matrix.drop("open_time").to_numpy()


def test_columns_are_the_declared_names_in_order_as_float64():
    matrix = matrix_of(make_candles(250))
    assert tuple(matrix.columns) == ("open_time", *feature_names(SETTINGS, DEFAULT_REQUESTS))
    assert set(matrix.dtypes[1:]) == {pl.Float64()}
    assert len(set(matrix.columns)) == len(matrix.columns) == 40


def test_candle_features_are_what_a_hand_computes():
    monday_noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    candles = pl.DataFrame(
        [
            (monday_noon, 100.0, 110.0, 90.0, 100.0, 1.0),
            (monday_noon + timedelta(hours=6), 100.0, 130.0, 95.0, 120.0, 1.0),
        ],
        schema=CANDLE_SCHEMA,
        orient="row",
    )
    settings = FeatureSettings(lags=(1, 2))
    times = candles.select("open_time")
    none_known = build_features(candles, times, None, settings)
    assert none_known.drop("open_time").null_count().row(0) == (2,) * 10
    row = build_features(candles, times, None, FeatureSettings(lags=(1,))).row(1, named=True)
    assert row["log_return_1"] == pytest.approx(math.log(1.2))
    assert row["log_range_1"] == pytest.approx(math.log(130 / 95))
    assert row["close_location"] == pytest.approx(25 / 35)
    assert row["log_body"] == pytest.approx(math.log(1.2))
    # 18:00 is three quarters round the day; Monday is where the week starts.
    assert (row["hour_sin"], row["hour_cos"]) == pytest.approx((-1.0, 0.0), abs=1e-12)
    assert (row["weekday_sin"], row["weekday_cos"]) == pytest.approx((0.0, 1.0), abs=1e-12)


def test_indicator_features_are_what_a_hand_computes():
    candles = make_candles(1).with_columns(
        open=pl.lit(100.0), high=pl.lit(110.0), low=pl.lit(90.0), close=pl.lit(100.0)
    )
    columns = {
        "ema_21": 80.0, "sma_20": 125.0, "vwap_24": 50.0, "rsi_14": 30.0,
        "macd_12_26_9": 2.0, "macd_12_26_9_signal": 1.5, "macd_12_26_9_histogram": 0.5,
        "bollinger_20_2p5_upper": 105.0, "bollinger_20_2p5_middle": 90.0,
        "bollinger_20_2p5_lower": 75.0, "atr_14": 3.0, "adx_14": 25.0, "adx_14_plus_di": 40.0,
        "adx_14_minus_di": 10.0, "stochastic_14_3_3_k": 80.0, "stochastic_14_3_3_d": 60.0,
        "roc_10": 0.07, "cci_20": -150.0, "obv": 1e9, "mfi_14": 55.0, "zscore_20": 1.5,
        "realised_volatility_24": 0.01, "volume_zscore_24": -0.4,
    }  # fmt: skip
    indicators = candles.select("open_time", **{k: pl.lit(v) for k, v in columns.items()})
    # A lag of one bar would need a row before; the hour is known, so only lags stay null.
    two = pl.concat([candles, candles.with_columns(pl.col("open_time") + pl.duration(hours=1))])
    both = pl.concat(
        [indicators, indicators.with_columns(pl.col("open_time") + pl.duration(hours=1))]
    )
    row = build_features(two, both, None, FeatureSettings(lags=(1,))).row(1, named=True)
    expected = {
        "log_close_to_ema_21": math.log(100 / 80),
        "log_close_to_sma_20": math.log(100 / 125),
        "log_close_to_vwap_24": math.log(2),
        "rsi_14": 0.3,
        "macd_12_26_9_to_close": 0.02,
        "macd_12_26_9_histogram_to_close": 0.005,
        "bollinger_20_2p5_position": 25 / 30,
        "bollinger_20_2p5_width": 30 / 90,
        "atr_14_to_close": 0.03,
        "adx_14": 0.25,
        "adx_14_direction": 0.3,
        "stochastic_14_3_3_k": 0.8,
        "stochastic_14_3_3_d": 0.6,
        "roc_10": 0.07,
        "cci_20": -1.5,
        "mfi_14": 0.55,
        "zscore_20": 1.5,
        "realised_volatility_24": 0.01,
        "volume_zscore_24": -0.4,
    }
    assert {name: row[name] for name in expected} == pytest.approx(expected)
    assert not [name for name in row if "obv" in name or "signal" in name]


def test_rows_of_the_warm_up_are_null_in_all_features_and_later_rows_in_none():
    candles = make_candles(300)
    matrix = matrix_of(candles)
    longest = max(request.warm_up for request in DEFAULT_REQUESTS)
    assert longest == 199
    known = matrix.drop("open_time").select(pl.all().is_not_null()).to_numpy()
    assert not known[:longest].any()
    assert known[longest:].all()


def test_blocked_rows_are_null_in_all_features_and_others_untouched():
    candles = make_candles(300)
    blocked = np.zeros(300, dtype=np.bool_)
    blocked[[210, 211, 250]] = True
    plain, masked = matrix_of(candles), matrix_of(candles, blocked=blocked)
    assert masked.filter(blocked).drop("open_time").null_count().row(0) == (3,) * 39
    assert masked.filter(~blocked).equals(plain.filter(~blocked))


def test_an_unknown_indicator_value_makes_its_whole_row_null():
    candles = make_candles(40)
    indicators = indicator_frame(candles, FINITE).with_columns(
        pl.when(pl.int_range(pl.len()) == 33).then(math.nan).otherwise(pl.col("mfi_14"))
        .alias("mfi_14")
    )  # fmt: skip
    matrix = build_features(candles, indicators, None, SETTINGS)
    assert matrix.row(33)[1:] == (None,) * (matrix.width - 1)
    assert None not in matrix.row(32) + matrix.row(34)


@pytest.mark.parametrize("scale", [1024.0, 1 / 1024])
def test_no_feature_depends_on_the_level_of_the_price(scale):
    candles = make_candles(400)
    scaled = candles.with_columns(pl.col(n) * scale for n in ("open", "high", "low", "close"))
    np.testing.assert_allclose(
        values_of(matrix_of(scaled)), values_of(matrix_of(candles)), rtol=1e-9, atol=1e-9
    )


def test_no_feature_depends_on_the_level_of_the_volume():
    candles = make_candles(400)
    scaled = candles.with_columns(pl.col("volume") * 512.0)
    np.testing.assert_allclose(
        values_of(matrix_of(scaled)), values_of(matrix_of(candles)), rtol=1e-9, atol=1e-9
    )


def test_no_feature_depends_on_a_running_sum_from_the_start():
    candles = make_candles(300)
    other_past = candles.with_columns(
        pl.when(pl.int_range(pl.len()) < 20).then(pl.col("volume") * 7).otherwise(pl.col("volume"))
    )
    tail = slice(260, None)
    assert np.array_equal(
        values_of(matrix_of(candles))[tail], values_of(matrix_of(other_past))[tail]
    )


def test_features_of_the_past_stay_bit_for_bit_when_candles_are_added():
    candles = make_candles(420)
    assert prefix_replay(matrix_of, candles, [1, 30, *default_cuts(420, 12)]) == ()


def test_features_of_finite_windows_do_not_depend_on_where_the_candles_start():
    candles = make_candles(400)
    reach = max(feature_reach(SETTINGS), *(request.window for request in FINITE))
    whole = matrix_of(candles, FINITE)
    for start in (57, 100, 333):
        part = matrix_of(candles[start - reach :], FINITE)
        assert part[reach:].equals(whole[start:])


def test_one_bar_without_range_and_bands_without_width_are_in_the_middle():
    candles = make_candles(60, volatility=0.0)
    row = matrix_of(candles, FINITE).row(-1, named=True)
    assert (row["close_location"], row["bollinger_20_position"], row["bollinger_20_width"]) == (
        0.5,
        0.5,
        0.0,
    )
    assert all(math.isfinite(value) for name, value in row.items() if name != "open_time")


def test_a_disabled_indicator_takes_its_features_along_and_changes_the_schema():
    without = [request for request in DEFAULT_REQUESTS if request.indicator != "macd"]
    names, fewer = feature_names(SETTINGS, DEFAULT_REQUESTS), feature_names(SETTINGS, without)
    assert set(names) - set(fewer) == {"macd_12_26_9_to_close", "macd_12_26_9_histogram_to_close"}
    assert schema_hash(names) != schema_hash(fewer)
    assert tuple(matrix_of(make_candles(250), without).columns[1:]) == fewer


def test_the_schema_hash_sees_order_and_names():
    assert schema_hash(["a", "b"]) == schema_hash(("a", "b"))
    assert len({schema_hash(names) for names in (["a", "b"], ["b", "a"], ["ab"], [])}) == 4


def test_unusual_parameters_are_named_and_used():
    requests = [
        IndicatorRequest.of("bollinger", deviations=2.5),
        IndicatorRequest.of("rsi", period=7),
    ]
    matrix = matrix_of(make_candles(60), requests)
    assert {"bollinger_20_2p5_position", "rsi_7"} <= set(matrix.columns)
    assert matrix["rsi_7"].drop_nulls().is_between(0, 1).all()


def test_no_rows_give_no_rows():
    matrix = matrix_of(make_candles(0))
    assert matrix.height == 0
    assert tuple(matrix.columns[1:]) == feature_names(SETTINGS, DEFAULT_REQUESTS)


@pytest.mark.parametrize(
    ("lags", "shown"), [((), r"\[\]"), ((0, 1), "0"), ((3, 2), "3, 2"), ((2, 2), "2, 2")]
)
def test_lags_that_are_not_ascending_bars_are_refused(lags, shown):
    with pytest.raises(ConfigError, match=shown):
        FeatureSettings(lags=lags)


def test_indicators_of_other_candles_are_refused():
    candles = make_candles(30)
    with pytest.raises(DataError, match="row by row"):
        build_features(candles, indicator_frame(candles[1:], FINITE), None, SETTINGS)
    with pytest.raises(DataError, match="open_time"):
        build_features(candles, pl.DataFrame({"rsi_14": [1.0] * 30}), None, SETTINGS)
    with pytest.raises(DataError, match="blocked must have the shape"):
        build_features(candles, indicator_frame(candles, FINITE), np.zeros(29, bool), SETTINGS)


def test_an_indicator_without_all_its_outputs_is_refused():
    candles = make_candles(60)
    lacking = indicator_frame(candles, DEFAULT_REQUESTS).drop("adx_14_plus_di")
    with pytest.raises(DataError, match="adx_14_plus_di"):
        build_features(candles, lacking, None, SETTINGS)


def test_candles_that_break_their_contract_are_refused():
    candles = make_candles(30)
    with pytest.raises(CandleSchemaError):
        build_features(candles.reverse(), indicator_frame(candles, FINITE), None, SETTINGS)


@pytest.mark.real_data
def test_real_bitcoin_gives_finite_features_that_do_not_leak():
    raw = pl.read_ipc(real_file("binance-spot-freqtrade/BTC_USDT-1h.feather"))
    candles = raw.rename({"date": "open_time"}).select(
        pl.col(name).cast(kind) for name, kind in CANDLE_SCHEMA.items()
    )
    matrix = matrix_of(candles)
    assert matrix.drop("open_time").drop_nulls().height == candles.height - 199
    assert prefix_replay(matrix_of, candles[:3000], default_cuts(3000, 4)) == ()
