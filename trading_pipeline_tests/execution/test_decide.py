"""The decision on one candle: research of the newest row, pure, and silent where it must be."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl
import pytest

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import DataError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.execution.decide import CandleDecision, DecisionRecipe, decide
from trading_pipeline.features.build import FeatureSettings, build_features
from trading_pipeline.features.labels import TripleBarrier, triple_barrier_labels
from trading_pipeline.indicators.catalog import indicator_frame
from trading_pipeline.market_data.gaps import Gap, GapClass, blocked_rows
from trading_pipeline.models.training import TrainedModel, forecast, train
from trading_pipeline.models.xgboost_model import XGBoostForecaster, XGBoostParameters
from trading_pipeline.signals.aggregate import aggregate
from trading_pipeline.signals.rows import stack_signals
from trading_pipeline.strategies.forecast import forecast_signals
from trading_pipeline.strategies.votes import rule_votes
from trading_pipeline_tests.builders import make_candles

BTC, H1 = Symbol("BTC", "USDT"), Timeframe("1h")
N_ROWS = 700
WARM = 199  # bars before the first EMA 200
GAP_AT = 400


@dataclass(frozen=True)
class Story:
    """Candles with an unexplained gap, a model, and what research says of every candle."""

    candles: pl.DataFrame
    gaps: tuple[Gap, ...]
    model: TrainedModel
    recipe: DecisionRecipe
    features: pl.DataFrame
    signals: pl.DataFrame


@pytest.fixture(scope="module")
def story() -> Story:
    whole = make_candles(N_ROWS + 4, seed=21)
    times = whole["open_time"]
    gap = Gap(times[GAP_AT], times[GAP_AT + 4], 4, GapClass.UNEXPLAINED)
    candles = pl.concat([whole.head(GAP_AT), whole.tail(-GAP_AT - 4)])
    recipe = wiring.decision_recipe(Settings())
    indicators = indicator_frame(candles, recipe.requests)
    blocked = blocked_rows(candles["open_time"], [gap], recipe.reach_bars, H1)
    features = build_features(candles, indicators, blocked, recipe.features)
    barriers = TripleBarrier()
    labels = triple_barrier_labels(candles, barriers, H1, gaps_unexplained=[gap])
    model = train(
        features,
        labels,
        forecaster=XGBoostForecaster(XGBoostParameters(n_trees=5, max_depth=2), seed=1),
        symbol=BTC.key,
        timeframe=H1,
        label_settings=barriers,
        until=times[GAP_AT],
        min_rows=50,
    )
    votes = rule_votes(
        candles,
        indicators,
        recipe.strategies,
        timeframe=H1,
        latency=recipe.latency,
        blocked=blocked,
    )
    said = forecast_signals(
        forecast(model, features), timeframe=H1, min_margin=0.05, latency=recipe.latency
    )
    signals = aggregate(stack_signals([votes, said]), recipe.aggregation)
    return Story(candles, (gap,), model, recipe, features, signals)


def decided(story: Story, n_rows: int, model: TrainedModel | None = None) -> CandleDecision:
    """Decide on the newest of the first ``n_rows`` candles."""
    known = story.candles.head(n_rows)
    gaps = [gap for gap in story.gaps if gap.end <= known["open_time"][-1]]
    return decide(known, gaps, model, story.recipe, symbol=BTC, timeframe=H1)


MOMENTS = {
    "the first candle": 1,
    "in the warm-up": 60,
    "the last of the warm-up": WARM,
    "the first whole row": WARM + 1,
    "before the gap": GAP_AT,
    "after the gap": GAP_AT + 1,
    "the last that the gap reaches": GAP_AT + 200,
    "the first that it does not": GAP_AT + 201,
    "the newest": N_ROWS,
}


@pytest.mark.parametrize("n_rows", MOMENTS.values(), ids=MOMENTS)
def test_a_decision_is_the_row_that_research_has(story: Story, n_rows: int):
    found = decided(story, n_rows, story.model)
    research = story.signals.row(n_rows - 1, named=True)
    signal = found.signal
    assert signal.candle_open_time == research["open_time"]
    for name in ("direction", "strength", "reason", "known_at"):
        assert getattr(signal, name) == research[name], name
    assert signal.status.value == research["status"]
    votes = [
        {
            "source": vote.source,
            "direction": vote.direction,
            "strength": vote.strength,
            "status": vote.status.value,
            "reason": vote.reason,
        }
        for vote in signal.votes
    ]
    assert votes == research["votes"]
    features = story.features.drop("open_time").row(n_rows - 1, named=True)
    assert found.features == features


def test_what_was_compared_holds_both_opinions_and_silence(story: Story):
    rows = [n - 1 for n in MOMENTS.values()]
    assert set(story.signals[rows]["status"]) == {"active", "abstained"}
    gap_rows = story.signals[GAP_AT : GAP_AT + 200]
    assert set(gap_rows["status"]) == {"abstained"}


def test_a_decision_is_a_function_of_its_arguments(story: Story):
    before = story.candles.clone()
    first = decided(story, N_ROWS, story.model)
    assert decided(story, N_ROWS, story.model) == first
    assert story.candles.equals(before)


def test_later_candles_change_no_decision(story: Story):
    early = decided(story, 350, story.model)
    torn = story.candles.with_columns(
        pl.when(pl.int_range(pl.len()) < 350).then(name).otherwise(pl.col(name) * 3).alias(name)
        for name in ("open", "high", "low", "close")
    )
    assert decided(replace(story, candles=torn), 350, story.model) == early


def test_a_signal_is_known_one_latency_after_the_close(story: Story):
    signal = decided(story, N_ROWS).signal
    assert story.recipe.latency == timedelta(seconds=2)
    newest: datetime = story.candles["open_time"][-1]
    assert signal.known_at == newest + timedelta(hours=1, seconds=2)
    assert (signal.symbol, signal.timeframe) == ("BTC-USDT", "1h")


def vote(decision: CandleDecision, source: str) -> tuple[int, float, str]:
    (found,) = [v for v in decision.signal.votes if v.source == source]
    return found.direction, found.strength, found.status.value


def test_without_a_model_the_forecast_abstains_and_the_rules_decide(story: Story):
    found = decided(story, N_ROWS, None)
    assert found.model_version is None
    assert vote(found, "forecast") == (0, 0.0, "abstained")
    assert vote(found, "rsi")[2] == vote(found, "ema_cross")[2] == "active"
    assert found.signal.status == "active"


def test_a_model_of_other_features_abstains(story: Story):
    other = replace(story.recipe, features=FeatureSettings(lags=(1, 2)))
    found = decided(replace(story, recipe=other), N_ROWS, story.model)
    assert found.model_version is None
    assert vote(found, "forecast") == (0, 0.0, "abstained")
    assert "log_return_24" not in found.features


def test_a_model_whose_formulas_changed_abstains(story: Story):
    stale = replace(story.model, card=replace(story.model.card, schema_hash="0" * 64))
    found = decided(story, N_ROWS, stale)
    assert found.model_version is None
    assert vote(found, "forecast") == (0, 0.0, "abstained")


def test_a_model_votes_with_its_version(story: Story):
    found = decided(story, N_ROWS, story.model)
    assert found.model_version == story.model.card.version
    assert vote(found, "forecast")[2] == "active"


def test_a_forecast_that_is_switched_off_does_not_vote(story: Story):
    off = replace(story.recipe, forecast_margin=None)
    found = decided(replace(story, recipe=off), N_ROWS, story.model)
    assert [v.source for v in found.signal.votes] == ["ema_cross", "rsi"]
    assert found.model_version is None


def test_where_the_gap_reaches_every_source_abstains(story: Story):
    found = decided(story, GAP_AT + 20, story.model)
    assert {v.status.value for v in found.signal.votes} == {"abstained"}
    assert (found.signal.direction, found.signal.strength) == (0, 0.0)
    assert found.signal.status == "abstained"
    assert set(found.features.values()) == {None}


def test_no_candles_are_no_decision(story: Story):
    with pytest.raises(DataError, match="a decision needs candles"):
        decide(story.candles.clear(), [], None, story.recipe, symbol=BTC, timeframe=H1)
