"""Votes and signals of research: rewritten by backfills, never executed."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import dagster as dg
import polars as pl

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.fingerprint import fingerprint
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.defs.blueprints import folds, months, pipeline_asset
from trading_pipeline.defs.features.assets import gaps_between
from trading_pipeline.defs.io_managers import Made, RangeOutput, StoredTable
from trading_pipeline.defs.partitions import Cell, last_month, rows_of
from trading_pipeline.market_data.gaps import blocked_rows

_WORDS = {1: "long", 0: "flat", -1: "close"}


@pipeline_asset(
    "signals",
    reads={"candles": months(-1, 0), "indicator_features": months(-1, 0)},
    kinds={"polars"},
    code_version="1",
)
def strategy_signals(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    candles: StoredTable,
    indicator_features: StoredTable,
) -> RangeOutput:
    """What each rule strategy thinks of each candle: one row per candle and source.

    Run from the start of the history, because a rule may hold a state; a month that is made alone
    equals the same month of a full run. `known_at` is the candle's close plus the decision latency.
    """
    from trading_pipeline.strategies.votes import rule_votes

    recipe = wiring.decision_recipe(settings)
    first, last = Month.parse(settings.market.history_start), last_month(context)
    timeframe = settings.market.timeframe

    @cache
    def whole(symbol: Symbol) -> pl.DataFrame:
        known = candles.between(symbol, first, last)
        gaps = gaps_between(candles, symbol, first, last)
        return rule_votes(
            known,
            indicator_features.between(symbol, first, last),
            recipe.strategies,
            timeframe=timeframe,
            latency=recipe.latency,
            blocked=blocked_rows(known["open_time"], gaps, recipe.reach_bars, timeframe),
        )

    def mark(cell: Cell) -> str:
        symbol, month = cell.named_symbol, cell.named_month
        rules = {rule.name: dict(rule.values) for rule in recipe.strategies}
        return fingerprint(
            1,
            rules,
            settings.market.decision_latency_s,
            recipe.reach_bars,
            candles.contents(symbol, first, month),
            indicator_features.contents(symbol, first, month),
        )

    return RangeOutput(
        context,
        mark,
        lambda cell: Made(rows_of(whole(cell.named_symbol), cell.named_month)),
        describe_votes,
    )


@pipeline_asset(
    "signals",
    reads={"walk_forward_predictions": folds(), "feature_matrix": months()},
    kinds={"polars"},
    code_version="1",
)
def forecast_signals(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    walk_forward_predictions: StoredTable,
    feature_matrix: StoredTable,
) -> RangeOutput:
    """The walk-forward forecast as a signal source: the fold of the month, never the champion.

    Months before the first fold abstain.
    """
    from trading_pipeline.models.training import FORECAST_SCHEMA
    from trading_pipeline.strategies.forecast import forecast_signals as signals_of

    margin = settings.strategies.forecast.min_margin
    timeframe, latency = settings.market.timeframe, wiring.decision_latency(settings)

    def mark(cell: Cell) -> str:
        return fingerprint(
            1,
            margin,
            settings.market.decision_latency_s,
            walk_forward_predictions.content(cell),
            feature_matrix.content(cell),
        )

    def make(cell: Cell) -> Made:
        said = pl.DataFrame(schema=FORECAST_SCHEMA)
        if walk_forward_predictions.manifest(cell) is not None:
            said = walk_forward_predictions.rows(cell)
        # A candle that no fold has spoken of yet abstains, and is not left out.
        candles = feature_matrix.rows(cell).select("open_time")
        said = candles.join(said, on="open_time", how="left", maintain_order="left")
        return Made(signals_of(said, timeframe=timeframe, min_margin=margin, latency=latency))

    return RangeOutput(context, mark, make, describe_votes)


@pipeline_asset(
    "signals",
    reads={"strategy_signals": months(), "forecast_signals": months()},
    kinds={"polars"},
    code_version="1",
)
def signals(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    strategy_signals: StoredTable,
    forecast_signals: StoredTable,
) -> RangeOutput:
    """One signal per candle, by weighted average of the votes, with every vote stored.

    Research truth: a backfill may rewrite it, and nothing ever executes it. What is executed is
    in the ledger's `live_signals`.
    """
    from trading_pipeline.signals.aggregate import aggregate
    from trading_pipeline.signals.rows import stack_signals

    rule = wiring.aggregation(settings)
    takes_forecast = settings.strategies.forecast.enabled

    def mark(cell: Cell) -> str:
        return fingerprint(
            1,
            rule.method,
            dict(rule.weights),
            rule.threshold,
            takes_forecast,
            strategy_signals.content(cell),
            forecast_signals.content(cell),
        )

    def make(cell: Cell) -> Made:
        votes = [strategy_signals.rows(cell)]
        if takes_forecast:
            votes.append(forecast_signals.rows(cell))
        return Made(aggregate(stack_signals(votes), rule))

    def describe(_: Cell, rows: pl.DataFrame, __: Mapping[str, Any]) -> Mapping[str, Any]:
        shown: dict[str, Any] = {
            _WORDS[value]: int((rows["direction"] == value).sum()) for value in _WORDS
        }
        return shown | {"abstained": int((rows["status"] == "abstained").sum())}

    return RangeOutput(context, mark, make, describe)


def describe_votes(_: Cell, rows: pl.DataFrame, __: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return how often each source was long, flat, closing or silent."""
    shown: dict[str, Any] = {}
    for (source,), votes in rows.group_by(["source"], maintain_order=True):
        active = votes.filter(pl.col("status") == "active")
        for value, word in _WORDS.items():
            shown[f"{source}: {word}"] = int((active["direction"] == value).sum())
        shown[f"{source}: abstained"] = votes.height - active.height
    return shown
