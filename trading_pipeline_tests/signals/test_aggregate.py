"""The frame form equals the scalar form bit for bit, and both equal votes counted by hand."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.signals.aggregate import (
    AGGREGATE_SCHEMA,
    Aggregation,
    aggregate,
    aggregate_votes,
)
from trading_pipeline.signals.rows import empty_signals, votes_of
from trading_pipeline.signals.signal import SIGNAL_SCHEMA, SignalStatus, Vote

START = datetime(2026, 1, 1, tzinfo=UTC)
SOURCES = ["ema_cross", "forecast", "rsi"]


def _vote(source: str, direction: int, strength: float) -> Vote:
    return Vote(source, direction, strength, SignalStatus.ACTIVE, "because")


def _silent(source: str) -> Vote:
    return Vote(source, 0, 0.0, SignalStatus.ABSTAINED, "warm-up")


def _frame(votes_by_hour: dict[int, list[Vote]]) -> pl.DataFrame:
    rows = [
        (
            START + timedelta(hours=hour),
            vote.source,
            vote.direction,
            vote.strength,
            vote.status.value,
            vote.reason,
            START + timedelta(hours=hour + 1, seconds=index),
        )
        for hour, votes in votes_by_hour.items()
        for index, vote in enumerate(votes)
    ]
    return pl.DataFrame(rows, schema=SIGNAL_SCHEMA, orient="row")


WEIGHTED = Aggregation(weights={"rsi": 1.0, "ema_cross": 1.0, "forecast": 2.0}, threshold=0.2)


def test_the_score_is_the_weighted_average_of_the_opinions() -> None:
    votes = [_vote("rsi", 1, 0.5), _vote("ema_cross", -1, 0.1), _vote("forecast", 1, 0.4)]
    decision = aggregate_votes(votes, WEIGHTED)
    # (0.5 - 0.1 + 2 * 0.4) / 4 = 0.3
    assert decision.direction == 1
    assert decision.strength == pytest.approx(0.3)
    assert decision.reason == "ema_cross down; forecast up; rsi up"


def test_abstentions_leave_the_weight_to_the_others() -> None:
    decision = aggregate_votes(
        [_silent("forecast"), _vote("rsi", -1, 0.5), _vote("ema_cross", -1, 0.3)], WEIGHTED
    )
    assert decision.direction == -1
    assert decision.strength == pytest.approx(0.4)
    assert decision.reason == "ema_cross down; forecast abstained (warm-up); rsi down"


def test_a_score_below_the_threshold_is_flat() -> None:
    votes = [_vote("rsi", 1, 0.5), _vote("ema_cross", 0, 0.0), _vote("forecast", 0, 0.0)]
    assert aggregate_votes(votes, WEIGHTED)[:3] == (0, 0.0, SignalStatus.ACTIVE)


def test_a_score_on_the_threshold_is_a_direction() -> None:
    settings = Aggregation(threshold=0.25)
    assert aggregate_votes([_vote("rsi", 1, 0.25)], settings).direction == 1
    assert aggregate_votes([_vote("rsi", -1, 0.25)], settings).direction == -1


def test_a_score_of_zero_is_flat_also_without_a_threshold() -> None:
    votes = [_vote("rsi", 1, 0.5), _vote("ema_cross", -1, 0.5)]
    assert aggregate_votes(votes, Aggregation(threshold=0)).direction == 0


def test_nobody_active_abstains() -> None:
    expected = (0, 0.0, SignalStatus.ABSTAINED)
    assert aggregate_votes([_silent("rsi")], Aggregation())[:3] == expected
    assert aggregate_votes([], WEIGHTED) == (*expected, "no votes")
    only_unweighted = Aggregation(weights={"rsi": 0.0})
    assert aggregate_votes([_vote("rsi", 1, 1.0)], only_unweighted)[:3] == expected


@st.composite
def _votes(draw: st.DrawFn, source: str) -> Vote:
    if draw(st.integers(0, 3)) == 0:
        return _silent(source)
    return _vote(source, draw(st.integers(-1, 1)), draw(st.floats(0, 1)))


@st.composite
def _hours(draw: st.DrawFn) -> dict[int, list[Vote]]:
    hours = {}
    for hour in range(draw(st.integers(1, 5))):
        present = draw(st.lists(st.sampled_from(SOURCES), min_size=1, unique=True))
        hours[hour] = [draw(_votes(source)) for source in present]
    return hours


weights = st.just({}) | st.fixed_dictionaries(
    {source: st.sampled_from([0.0, 0.1, 0.3, 1.0, 2.0]) for source in SOURCES}
)


@settings(deadline=None)
@given(_hours(), weights, st.sampled_from([0.0, 0.1, 0.2, 1.0]))
def test_the_frame_equals_the_scalar_form_row_by_row(
    hours: dict[int, list[Vote]], weights: dict[str, float], threshold: float
) -> None:
    settings = Aggregation(weights=weights, threshold=threshold)
    frame = _frame(hours)
    signals = aggregate(frame.sample(fraction=1.0, shuffle=True, seed=1), settings)
    assert signals["open_time"].to_list() == [START + timedelta(hours=hour) for hour in hours]
    for row, votes in zip(signals.iter_rows(named=True), hours.values(), strict=True):
        got = (row["direction"], row["strength"], SignalStatus(row["status"]), row["reason"])
        assert got == tuple(aggregate_votes(votes, settings))
        assert row["votes"] == [
            {
                "source": vote.source,
                "direction": vote.direction,
                "strength": vote.strength,
                "status": vote.status.value,
                "reason": vote.reason,
            }
            for vote in sorted(votes, key=lambda vote: vote.source)
        ]
        one_candle = frame.filter(pl.col("open_time") == row["open_time"])
        assert list(votes_of(one_candle)) == sorted(votes, key=lambda vote: vote.source)
        assert row["known_at"] == one_candle["known_at"].max()
        assert (row["score"] is None) == (row["status"] == "abstained")


def test_aggregation_has_its_schema_with_and_without_rows() -> None:
    assert dict(aggregate(empty_signals(), WEIGHTED).schema) == AGGREGATE_SCHEMA
    votes = _frame({0: [_vote("rsi", 1, 1.0)]})
    assert dict(aggregate(votes, WEIGHTED).schema) == AGGREGATE_SCHEMA


def test_one_candle_does_not_depend_on_the_others() -> None:
    hours = {0: [_vote("rsi", 1, 0.7)], 1: [_vote("rsi", -1, 0.6), _silent("forecast")]}
    whole = aggregate(_frame(hours), WEIGHTED)
    parts = [aggregate(_frame({hour: votes}), WEIGHTED) for hour, votes in hours.items()]
    assert whole.equals(pl.concat(parts))


def test_a_source_without_a_weight_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"\['news'\] have none"):
        aggregate_votes([_vote("news", 1, 1.0)], WEIGHTED)
    with pytest.raises(ConfigError, match=r"\['news'\] have none"):
        aggregate(_frame({0: [_vote("news", 1, 1.0)]}), WEIGHTED)


def test_a_weight_of_an_unknown_source_is_refused_with_the_nearest_one() -> None:
    settings = Aggregation(weights={"emacross": 1.0})
    with pytest.raises(ConfigError, match=r"unknown source in signals\.weights 'emacross'; did"):
        settings.check_sources(SOURCES)
    WEIGHTED.check_sources(SOURCES)


def test_two_votes_of_one_source_are_refused() -> None:
    twice = [_vote("rsi", 1, 1.0), _vote("rsi", -1, 1.0)]
    with pytest.raises(DataError, match="votes once per candle"):
        aggregate_votes(twice, Aggregation())
    with pytest.raises(DataError, match="votes once per candle"):
        aggregate(_frame({0: twice}), Aggregation())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "weighted_avg"}, r"did you mean weighted_average\?"),
        ({"weights": {"rsi": -1.0}}, r"signals\.weights\.rsi must be at least 0"),
        ({"weights": {"rsi": float("nan")}}, r"signals\.weights\.rsi must be at least 0"),
        ({"threshold": 1.5}, r"signals\.threshold must be in \[0, 1\]"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Aggregation(**changes)  # type: ignore[arg-type]
