from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.candles import CANDLE_SCHEMA
from trading_pipeline.market_data.repair import Fill
from trading_pipeline.market_data.revisions import (
    REVISION_KEY,
    Revisions,
    candles_known_at,
    count_revisions,
    revised_rows,
)
from trading_pipeline_tests.builders import make_candles

START = datetime(2024, 1, 1, tzinfo=UTC)
SEEN = datetime(2024, 2, 1, tzinfo=UTC)
WHOLE = make_candles(10, start=START)


def changed(rows: pl.DataFrame, hour: int, **values: float) -> pl.DataFrame:
    here = pl.col("open_time") == START + timedelta(hours=hour)
    return rows.with_columns(
        pl.when(here).then(pl.lit(value)).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


def test_a_revision_keeps_both_values_who_gave_it_and_when():
    after = changed(WHOLE, 3, volume=77.5)
    (row,) = revised_rows(WHOLE, after, source="ccxt:x", seen_at=SEEN).to_dicts()
    before = WHOLE.row(3, named=True)
    assert row["open_time"] == START + timedelta(hours=3)
    assert (row["seen_at"], row["source"]) == (SEEN, "ccxt:x")
    assert (row["old_volume"], row["volume"]) == (before["volume"], 77.5)
    assert row["old_close"] == row["close"] == before["close"]


def test_equal_candles_and_new_ones_are_no_revision():
    assert revised_rows(None, WHOLE, source="x", seen_at=SEEN).is_empty()
    assert revised_rows(WHOLE, WHOLE, source="x", seen_at=SEEN).is_empty()
    assert revised_rows(WHOLE[:5], WHOLE, source="x", seen_at=SEEN).is_empty()


def test_a_candle_that_comes_late_into_a_hole_is_a_change_from_nothing():
    stored = WHOLE.filter(pl.col("open_time") != START + timedelta(hours=4))[:8]
    found = Revisions("ccxt:x", SEEN).rows(stored, WHOLE)
    # Hour 4 fills a hole; hours 8 and 9 are merely new.
    (row,) = found.to_dicts()
    assert (row["open_time"], row["old_close"]) == (START + timedelta(hours=4), None)
    assert count_revisions(found) == (1, 0)


def test_what_repair_filled_names_its_source_and_is_told_once():
    fill = Fill("archive", WHOLE[4:6])
    found = Revisions("ccxt:x", SEEN, (fill,)).rows(None, WHOLE)
    assert found["source"].to_list() == ["archive", "archive"]
    stored = pl.concat([WHOLE[:4], WHOLE[6:]])
    again = Revisions("ccxt:x", SEEN, (fill,)).rows(stored, WHOLE)
    assert again.equals(found)
    assert Revisions("ccxt:x", SEEN, (fill,)).rows(WHOLE, WHOLE).is_empty()


def test_the_past_shows_old_values_and_no_candle_that_came_later():
    stored = WHOLE.filter(pl.col("open_time") != START + timedelta(hours=4))
    after = changed(WHOLE, 7, close=WHOLE["low"][7])
    log = Revisions("x", SEEN).rows(stored, after)
    assert candles_known_at(after, log, SEEN - timedelta(seconds=1)).equals(stored)
    assert candles_known_at(after, log, SEEN).equals(after)
    assert candles_known_at(after, [], START).equals(after)


_CHANGES = st.lists(
    st.dictionaries(st.integers(0, 9), st.integers(1, 99), max_size=4), min_size=1, max_size=5
)


@settings(max_examples=40, deadline=None)
@given(_CHANGES)
def test_every_state_that_was_ever_stored_can_be_asked_for(history: list[dict[int, int]]):
    """Replay changes one by one; the log gives back each state, whatever came after it."""
    log, state, states = [], WHOLE, []
    for number, changes in enumerate(history):
        seen = SEEN + timedelta(days=number)
        states.append((seen - timedelta(hours=1), state))
        after = state
        for hour, volume in changes.items():
            after = changed(after, hour, volume=float(volume))
        log.append(Revisions("x", seen).rows(state, after))
        state = after
    states.append((SEEN + timedelta(days=99), state))
    for instant, then in states:
        assert candles_known_at(state, log, instant).equals(then)
    whole = pl.concat(log)
    assert whole.select(REVISION_KEY).is_unique().all()
    assert set(CANDLE_SCHEMA) < set(whole.columns)
