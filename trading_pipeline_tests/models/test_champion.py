from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_pipeline.core.errors import ModelError, ModelNotFoundError
from trading_pipeline.models.champion import (
    ChampionChange,
    ChampionEntry,
    effective_entry,
    with_promotion,
    with_rollback,
)

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def entry(version: str, day: int) -> ChampionEntry:
    return ChampionEntry(("xgboost", "BTC-USDT"), version, START + day * DAY, "better", START)


def promoted(*versions: str) -> tuple[ChampionEntry, ...]:
    history: tuple[ChampionEntry, ...] = ()
    for day, version in enumerate(versions):
        history = with_promotion(history, entry(version, day))
    return history


def rolled_back(history, day):
    return with_rollback(
        history, effective_from=START + day * DAY, reason="drift", recorded_at=START
    )


def test_nothing_is_effective_before_the_first_promotion():
    assert effective_entry((), START) is None
    assert effective_entry(promoted("a"), START - timedelta(microseconds=1)) is None


def test_each_instant_has_the_champion_of_its_time():
    history = promoted("a", "b", "c")
    versions = [effective_entry(history, START + hours * DAY / 24).model_version for hours in
                (0, 23, 24, 47, 48, 999)]  # fmt: skip
    assert versions == ["a", "a", "b", "b", "c", "c"]


def test_of_entries_at_one_instant_the_last_counts():
    history = with_promotion(promoted("a"), entry("b", 0))
    assert effective_entry(history, START).model_version == "b"


def test_promoting_the_champion_again_adds_nothing():
    history = promoted("a", "b")
    assert with_promotion(history, entry("b", 5)) == history
    assert with_promotion(history, entry("b", 0)) == history


def test_the_past_cannot_be_rewritten():
    with pytest.raises(ModelError, match=r"at or after the newest entry \(2024-01-03"):
        with_promotion(promoted("a", "b", "c"), entry("d", 1))
    with pytest.raises(ModelError, match="what decided in the past stays"):
        rolled_back(promoted("a", "b", "c"), 1)


def test_rollbacks_undo_promotions_one_by_one():
    history = rolled_back(promoted("a", "b", "c"), 5)
    assert (history[-1].model_version, history[-1].change) == ("b", ChampionChange.ROLLBACK)
    history = rolled_back(history, 6)
    assert history[-1].model_version == "a"
    with pytest.raises(ModelNotFoundError, match="the history has 1 that stand"):
        rolled_back(history, 7)


def test_a_promotion_after_a_rollback_can_be_rolled_back_to_what_stood_before():
    history = with_promotion(rolled_back(promoted("a", "b"), 5), entry("c", 6))
    assert rolled_back(history, 7)[-1].model_version == "a"


def test_a_model_that_was_rolled_back_can_be_promoted_again():
    history = with_promotion(rolled_back(promoted("a", "b"), 5), entry("b", 6))
    assert [e.model_version for e in history] == ["a", "b", "a", "b"]


@pytest.mark.parametrize("versions", [(), ("a",)])
def test_without_an_earlier_champion_there_is_no_rollback(versions):
    with pytest.raises(ModelNotFoundError, match="needs an earlier champion"):
        rolled_back(promoted(*versions), 5)


@given(st.lists(st.one_of(st.sampled_from("abcd"), st.none()), max_size=30))
def test_no_change_ever_alters_what_was_effective_before_it(changes):
    """None is a rollback; a plain stack says what must be champion."""
    history: tuple[ChampionEntry, ...] = ()
    stack: list[str] = []
    for day, change in enumerate(changes):
        before, instant = history, START + day * DAY
        if change is None and len(stack) < 2:
            continue
        if change is None:
            stack.pop()
            history = rolled_back(history, day)
        else:
            if not stack or stack[-1] != change:
                stack.append(change)
            history = with_promotion(history, entry(change, day))
        assert effective_entry(history, instant).model_version == stack[-1]
        assert history[: len(before)] == before
        for earlier in range(day):
            moment = START + earlier * DAY
            assert effective_entry(history, moment) == effective_entry(before, moment)
