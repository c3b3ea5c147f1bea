"""The decision on one closed candle: the same functions as research, on the newest row.

Pure: candles and the champion in, a signal with its votes and the feature row out. Whoever calls
it fetches, stores and sends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from trading_pipeline.core.errors import DataError, FeatureMismatchError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.features.build import FeatureSettings, build_features, feature_reach
from trading_pipeline.indicators.catalog import IndicatorRequest, indicator_frame, longest_window
from trading_pipeline.market_data.gaps import Gap, blocked_rows
from trading_pipeline.models.training import FORECAST_SCHEMA, TrainedModel, forecast
from trading_pipeline.signals.aggregate import Aggregation, aggregate_votes
from trading_pipeline.signals.rows import stack_signals, votes_of
from trading_pipeline.signals.signal import Signal
from trading_pipeline.strategies.base import Strategy
from trading_pipeline.strategies.forecast import forecast_signals
from trading_pipeline.strategies.votes import rule_votes


@dataclass(frozen=True, slots=True)
class DecisionRecipe:
    """Everything that a decision depends on besides candles and the champion.

    ``forecast_margin`` is None where the forecast is no source.
    """

    requests: Sequence[IndicatorRequest]
    features: FeatureSettings
    strategies: Sequence[Strategy]
    forecast_margin: float | None
    aggregation: Aggregation
    latency: timedelta

    @property
    def reach_bars(self) -> int:
        """Longest finite window in bars: so far an unexplained gap blocks the rows after it."""
        return max(longest_window(self.requests), feature_reach(self.features) + 1)


@dataclass(frozen=True, slots=True)
class CandleDecision:
    """A signal, and what it was decided from."""

    signal: Signal
    model_version: str | None
    features: Mapping[str, float | None]


def decide(
    candles: pl.DataFrame,
    gaps: Sequence[Gap],
    model: TrainedModel | None,
    recipe: DecisionRecipe,
    *,
    symbol: Symbol,
    timeframe: Timeframe,
) -> CandleDecision:
    """Decide on the newest of ``candles``.

    Parameters
    ----------
    candles : DataFrame
        Closed candles from the start of history; the newest is decided on.
    gaps : sequence of Gap
        Of the same history.
    model : TrainedModel or None
        The champion that is effective at the candle's close; without one the forecast abstains,
        and so it does if today's features are not the model's.

    Returns
    -------
    CandleDecision
        Equal to the research signal of this candle wherever both use the same model.

    Raises
    ------
    DataError
        If there are no candles.
    """
    if candles.is_empty():
        raise DataError(f"{symbol}: a decision needs candles; materialise candles first")
    indicators = indicator_frame(candles, recipe.requests)
    blocked = blocked_rows(candles["open_time"], gaps, recipe.reach_bars, timeframe)
    rules = rule_votes(
        candles,
        indicators,
        recipe.strategies,
        timeframe=timeframe,
        latency=recipe.latency,
        blocked=blocked,
    )
    # A feature needs this much history and no more; the tail keeps a decision short.
    tail = feature_reach(recipe.features) + 1
    row = build_features(
        candles.tail(tail), indicators.tail(tail), blocked[-tail:], recipe.features
    ).tail(1)
    opened: datetime = candles["open_time"][-1]
    voted = [rules.filter(pl.col("open_time") == opened)]
    version = None
    if recipe.forecast_margin is not None:
        probabilities, version = _forecast(model, row)
        voted.append(
            forecast_signals(
                probabilities,
                timeframe=timeframe,
                min_margin=recipe.forecast_margin,
                latency=recipe.latency,
            )
        )
    votes = votes_of(stack_signals(voted))
    decision = aggregate_votes(votes, recipe.aggregation)
    signal = Signal(
        symbol=symbol.key,
        timeframe=timeframe.name,
        candle_open_time=opened,
        direction=decision.direction,
        strength=decision.strength,
        status=decision.status,
        reason=decision.reason,
        known_at=opened + timeframe.duration + recipe.latency,
        votes=votes,
    )
    return CandleDecision(signal, version, row.drop("open_time").row(0, named=True))


def _forecast(model: TrainedModel | None, row: pl.DataFrame) -> tuple[pl.DataFrame, str | None]:
    if model is not None:
        try:
            return forecast(model, row), model.card.version
        except FeatureMismatchError:
            # The settings changed since training: the source abstains until it is retrained.
            return _silence(row), None
    return _silence(row), None


def _silence(row: pl.DataFrame) -> pl.DataFrame:
    return row.select("open_time").with_columns(
        pl.lit(None, dtype=kind).alias(name)
        for name, kind in FORECAST_SCHEMA.items()
        if name != "open_time"
    )
