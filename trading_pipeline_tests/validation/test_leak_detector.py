"""The detector of leaks, tested by mutation: every planted leak is found, nothing else is."""

import polars as pl
import pytest

from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.features.build import FeatureSettings, build_features
from trading_pipeline.features.labels import TripleBarrier, triple_barrier_labels
from trading_pipeline.indicators.catalog import (
    CATALOG,
    DEFAULT_REQUESTS,
    IndicatorRequest,
    indicator_frame,
)
from trading_pipeline.validation.leakage import (
    find_leaks,
    future_perturbation,
    prefix_replay,
    thorough_cuts,
)
from trading_pipeline_tests.builders import make_candles

CANDLES = make_candles(300, seed=31)
CUTS = thorough_cuts(CANDLES.height, 3, 8)
FEW = [IndicatorRequest.of("rsi"), IndicatorRequest.of("ema", period=9)]
EVERYTHING = [IndicatorRequest.of(name) for name in CATALOG]
close, opened = pl.col("close"), pl.col("open_time")
returns = close / close.shift(1) - 1.0


def features(candles: pl.DataFrame) -> pl.DataFrame:
    """Return honest columns, as the pipeline builds them."""
    return build_features(candles, indicator_frame(candles, FEW), None, FeatureSettings((1, 5)))


def feature_matrix(candles: pl.DataFrame) -> pl.DataFrame:
    """Return the matrix of the default settings."""
    indicators = indicator_frame(candles, DEFAULT_REQUESTS)
    return build_features(candles, indicators, None, FeatureSettings())


def with_column(expression: pl.Expr):
    return lambda frame: features(frame).with_columns(frame.select(planted=expression).to_series())


def higher_timeframe(frame: pl.DataFrame) -> pl.DataFrame:
    """Join the close of four hours from the first of them on: three hours too early."""
    bars = frame.group_by_dynamic("open_time", every="4h").agg(planted=close.last())
    return features(frame).join_asof(bars, on="open_time")


def daily_join(frame: pl.DataFrame) -> pl.DataFrame:
    """Join the high of the day to every hour of the day."""
    days = frame.group_by(opened.dt.date().alias("day")).agg(planted=pl.col("high").max())
    return (
        features(frame)
        .with_columns(day=opened.dt.date())
        .join(days, on="day", how="left", maintain_order="left")
        .drop("day")
    )


def label_among_features(frame: pl.DataFrame) -> pl.DataFrame:
    labels = triple_barrier_labels(frame, TripleBarrier(), Timeframe("1h"))
    return features(frame).with_columns(planted=labels["label"].cast(pl.Float64))


def scaled_at_the_end(frame: pl.DataFrame) -> pl.DataFrame:
    matrix = features(frame)
    column = matrix["rsi_14"]
    return matrix.with_columns(planted=(column - column.mean()) / column.std())


def centred_but_for_the_end(frame: pl.DataFrame) -> pl.DataFrame:
    """Look one bar ahead where there is one, twenty bars before the end and earlier."""
    ahead = frame.select(close.shift(-1)).to_series()
    early = pl.int_range(pl.len(), eager=False) < pl.len() - 20
    value = pl.when(early).then(ahead).otherwise(close)
    return features(frame).with_columns(frame.select(planted=value).to_series())


PLANTED = {
    "centred window": with_column(close.rolling_mean(5, center=True)),
    "backward fill": with_column(
        pl.when(close > close.shift(1)).then(close).fill_null(strategy="backward")
    ),
    "interpolation": with_column(pl.when(close > close.shift(1)).then(close).interpolate()),
    "global scaling": scaled_at_the_end,
    "global minimum and maximum": with_column((close - close.min()) / (close.max() - close.min())),
    "shift(-1)": with_column(close.shift(-1)),
    "return of the next bar": with_column(returns.shift(-1)),
    "whole-series quantile": with_column(close > close.quantile(0.9)),
    "whole-series rank": with_column(returns.rank()),
    "clip at a quantile of all": with_column(returns.clip(upper_bound=returns.quantile(0.99))),
    "mean of the day": with_column(close.mean().over(opened.dt.date())),
    "higher timeframe before its close": higher_timeframe,
    "high of a day that is not over": daily_join,
    "a label among the features": label_among_features,
    "average from the end": with_column(close.reverse().ewm_mean(span=9).reverse()),
    "average of both directions": with_column(
        0.5 * (close.ewm_mean(span=9) + close.reverse().ewm_mean(span=9).reverse())
    ),
    "lagging span drawn back": with_column(close.shift(-26)),
    "pivot on its own bar": with_column((close > close.shift(1)) & (close > close.shift(-1))),
    "number of rows": with_column(pl.len() + 0.0 * close),
    "centred but for the end": centred_but_for_the_end,
}


@pytest.mark.parametrize("name", PLANTED)
def test_every_planted_leak_is_found_in_its_column_and_in_no_other(name):
    leaks = find_leaks(PLANTED[name], CANDLES, cuts=CUTS)
    assert {leak.column for leak in leaks} == {"planted"}


def test_the_mutation_has_at_least_twelve_leaks():
    assert len(PLANTED) >= 12


def test_the_feature_matrix_is_clean():
    assert find_leaks(features, CANDLES) == ()
    assert find_leaks(feature_matrix, CANDLES, cuts=CUTS) == ()


def test_every_column_of_the_whole_catalogue_is_clean():
    assert find_leaks(lambda frame: indicator_frame(frame, EVERYTHING), CANDLES, cuts=CUTS) == ()


def test_a_leak_through_noise_says_so():
    leaks = future_perturbation(with_column(close.shift(-1)), CANDLES, [100])
    assert [leak.column for leak in leaks] == ["planted"]
    assert "planted changes in 1 rows when rows after 100 are replaced by noise" in str(leaks[0])
    assert leaks[0].then == repr(CANDLES["close"][100])


def test_a_few_cuts_miss_what_cuts_in_a_row_find():
    rising = pl.when(close > close.shift(1)).then(close)
    leak = with_column(rising.fill_null(strategy="backward"))
    ups = CANDLES.select(close > close.shift(1)).to_series()
    # A backward fill does not show at a cut whose last row needs no filling.
    blind = [cut for cut in range(50, 250) if ups[cut - 1]][:5]
    assert prefix_replay(leak, CANDLES, blind) == ()
    assert prefix_replay(leak, CANDLES, thorough_cuts(CANDLES.height)) != ()
