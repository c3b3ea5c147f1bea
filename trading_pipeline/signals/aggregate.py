"""From the votes of many sources to one signal per candle.

The score of a candle is the average of ``direction * strength`` over the sources that are active
on it, by weight; a source that abstains (or has no row) neither counts for nor against. The
direction is the sign of the score where it reaches the threshold, else 0. If no source of
positive weight is active, the signal abstains.

The frame form serves research and the scalar form the live decision; both add up in the order of
the source names, so that they agree bit for bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from trading_pipeline.core.candles import OPEN_TIME_TYPE
from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.signals.signal import SignalStatus, Vote

VOTE_TYPE = pl.Struct(
    {
        "source": pl.String(),
        "direction": pl.Int8(),
        "strength": pl.Float64(),
        "status": pl.String(),
        "reason": pl.String(),
    }
)
AGGREGATE_SCHEMA: dict[str, pl.DataType] = {
    "open_time": OPEN_TIME_TYPE,
    "direction": pl.Int8(),
    "strength": pl.Float64(),
    "score": pl.Float64(),
    "status": pl.String(),
    "reason": pl.String(),
    "known_at": OPEN_TIME_TYPE,
    "votes": pl.List(VOTE_TYPE),
}
_METHODS = ["weighted_average"]
_WORDS = {-1: "down", 0: "flat", 1: "up"}
_ACTIVE = SignalStatus.ACTIVE.value


@dataclass(frozen=True, slots=True)
class Aggregation:
    """How votes become one signal.

    Parameters
    ----------
    method : {"weighted_average"}
    weights : Mapping of str to float
        Weight of each source, at least 0; empty weighs all sources equally. A weight of 0 keeps
        the votes on record without counting them.
    threshold : float
        Smallest absolute score that is a direction, in [0, 1]; a score of 0 never is one.

    Raises
    ------
    ConfigError
        If the method is unknown, or a weight or the threshold is out of range.
    """

    method: Literal["weighted_average"] = "weighted_average"
    weights: Mapping[str, float] = field(default_factory=dict)
    threshold: float = 0.2

    def __post_init__(self) -> None:
        if self.method not in _METHODS:
            raise ConfigError.unknown_name("signals.method", self.method, _METHODS)
        for source, weight in self.weights.items():
            if not (isfinite(weight) and weight >= 0):
                raise ConfigError(f"signals.weights.{source} must be at least 0, was {weight}")
        if not 0 <= self.threshold <= 1:
            raise ConfigError(f"signals.threshold must be in [0, 1], was {self.threshold}")

    def check_sources(self, known: Sequence[str]) -> None:
        """Refuse a weight for a source that does not exist.

        A source that exists but says nothing (disabled, or no fold yet) may keep its weight.

        Raises
        ------
        ConfigError
            If a weight names no source in ``known``; the message names near matches.
        """
        for source in self.weights:
            if source not in known:
                raise ConfigError.unknown_name("source in signals.weights", source, sorted(known))


class Decision(NamedTuple):
    """The aggregated opinion about one candle."""

    direction: int
    strength: float
    status: SignalStatus
    reason: str


def aggregate_votes(votes: Sequence[Vote], settings: Aggregation) -> Decision:
    """Return the decision of ``votes`` about one candle.

    ``strength`` is the absolute score, 0 where the direction is 0.

    Raises
    ------
    ConfigError
        If a source votes that has no weight.
    DataError
        If a source votes twice.
    """
    ordered = sorted(votes, key=lambda vote: vote.source)
    weights = _weights([vote.source for vote in ordered], settings)
    if len(weights) != len(ordered):
        raise DataError(f"a source votes once per candle, got {[v.source for v in ordered]}")
    total, share = 0.0, 0.0
    for vote in ordered:
        if vote.status is SignalStatus.ACTIVE:
            total += weights[vote.source] * (vote.direction * vote.strength)
            share += weights[vote.source]
    reason = "; ".join(
        f"{vote.source} {_WORDS[vote.direction]}"
        if vote.status is SignalStatus.ACTIVE
        else f"{vote.source} abstained ({vote.reason})"
        for vote in ordered
    )
    if share == 0.0:
        return Decision(0, 0.0, SignalStatus.ABSTAINED, reason or "no votes")
    score = min(max(total / share, -1.0), 1.0)
    if score == 0.0 or abs(score) < settings.threshold:
        return Decision(0, 0.0, SignalStatus.ACTIVE, reason)
    return Decision(1 if score > 0 else -1, abs(score), SignalStatus.ACTIVE, reason)


def aggregate(votes: pl.DataFrame, settings: Aggregation) -> pl.DataFrame:
    """Return one signal per candle that has votes.

    Parameters
    ----------
    votes : DataFrame
        In ``SIGNAL_SCHEMA``, of several sources, any order.
    settings : Aggregation

    Returns
    -------
    DataFrame
        In :data:`AGGREGATE_SCHEMA`, by ``open_time``. ``score`` is in [-1, 1], null where all
        abstain; ``strength`` is its absolute value, 0 where the direction is 0; ``known_at`` is
        the latest of the votes; ``votes`` holds the votes by source.

    Raises
    ------
    ConfigError
        If a source votes that has no weight.
    DataError
        If a source votes twice on a candle.
    """
    if votes.is_empty():
        return pl.DataFrame(schema=AGGREGATE_SCHEMA)
    weights = _weights(votes["source"].unique().to_list(), settings)
    if votes.select("open_time", "source").is_duplicated().any():
        raise DataError("a source votes once per candle, but some (open_time, source) occur twice")
    candles = _grouped(votes)
    for number, source in enumerate(weights):
        candles = candles.join(_columns_of(votes, source, number), on="open_time", how="left")
    candles = candles.sort("open_time")
    scored = candles.with_columns(_score(candles, list(weights.values())))
    is_direction = (pl.col("score") != 0) & (pl.col("score").abs() >= settings.threshold)
    return scored.with_columns(
        pl.when(is_direction).then(pl.col("score").sign()).otherwise(0).alias("direction"),
        pl.when(is_direction).then(pl.col("score").abs()).otherwise(0.0).alias("strength"),
        pl.when(pl.col("score").is_null())
        .then(pl.lit(SignalStatus.ABSTAINED.value))
        .otherwise(pl.lit(_ACTIVE))
        .alias("status"),
    ).select(pl.col(name).cast(kind) for name, kind in AGGREGATE_SCHEMA.items())


def _weights(sources: Sequence[str], settings: Aggregation) -> dict[str, float]:
    present = sorted(set(sources))
    if not settings.weights:
        return dict.fromkeys(present, 1.0)
    missing = [source for source in present if source not in settings.weights]
    if missing:
        raise ConfigError(
            f"signals.weights needs a weight for every source that votes; {missing} have none, "
            f"weights are given for {sorted(settings.weights)}",
            sources=missing,
        )
    return {source: float(settings.weights[source]) for source in present}


def _grouped(votes: pl.DataFrame) -> pl.DataFrame:
    word = pl.col("direction").cast(pl.Int64).replace_strict(_WORDS, return_dtype=pl.String())
    story = (
        pl.when(pl.col("status") == _ACTIVE)
        .then(pl.format("{} {}", "source", word))
        .otherwise(pl.format("{} abstained ({})", "source", "reason"))
    )
    return (
        votes.sort("open_time", "source")
        .with_columns(story.alias("story"), pl.struct(_vote_columns()).alias("vote"))
        .group_by("open_time", maintain_order=True)
        .agg(
            pl.col("story").str.join("; ").alias("reason"),
            pl.col("known_at").max(),
            pl.col("vote").alias("votes"),
        )
    )


def _vote_columns() -> list[str]:
    return [member.name for member in VOTE_TYPE.fields]


def _columns_of(votes: pl.DataFrame, source: str, number: int) -> pl.DataFrame:
    return votes.filter(pl.col("source") == source).select(
        "open_time",
        (pl.col("direction").cast(pl.Float64) * pl.col("strength")).alias(f"opinion_{number}"),
        (pl.col("status") == _ACTIVE).alias(f"active_{number}"),
    )


def _score(candles: pl.DataFrame, weights: Sequence[float]) -> pl.Series:
    total, share = np.zeros(len(candles)), np.zeros(len(candles))
    for number, weight in enumerate(weights):
        active = candles[f"active_{number}"].fill_null(value=False).to_numpy()
        opinion = candles[f"opinion_{number}"].fill_null(0.0).to_numpy()
        total += np.where(active, weight * opinion, 0.0)
        share += np.where(active, weight, 0.0)
    # numpy divides; polars may multiply by the reciprocal, one bit away from the scalar form.
    score = np.clip(total / np.where(share > 0, share, 1.0), -1.0, 1.0)
    return pl.DataFrame({"score": score, "counts": share > 0}).select(
        pl.when("counts").then("score").alias("score")
    )["score"]
