"""Paging: whatever the venue does with pages, nothing is lost and nothing invented."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from urllib.parse import parse_qsl, urlencode

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from starlette.types import ASGIApp, Receive, Scope, Send

from trading_pipeline.adapters.exchanges.simulated.faults import Fault, FaultPlan, FaultyExchange
from trading_pipeline.core.clock import FrozenClock
from trading_pipeline_tests.adapters.exchanges.exchange_cases import (
    END,
    N_HOURS,
    START,
    TrialExchange,
    app_at,
    trial_exchange,
)
from trading_pipeline_tests.builders import make_candles

HOUR_MS = 3_600_000
FULL = make_candles(N_HOURS, start=START)


Shake: TypeAlias = Callable[[list[object]], list[object]]


def _as_they_are(rows: list[object]) -> list[object]:
    return rows


def _shuffled_and_repeated(seed: int) -> Shake:
    def shake(rows: list[object]) -> list[object]:
        drawn = random.Random(seed)
        twice = rows + drawn.sample(rows, len(rows) // 3)
        drawn.shuffle(twice)
        return twice

    return shake


class Habits:
    """An exchange with other habits: page caps, and another reading of ``startTime``."""

    def __init__(self, app: ASGIApp) -> None:
        self._plan = FaultPlan()
        self._app = FaultyExchange(app, self._plan)
        self.since = "inclusive"
        self.overlap = 0

    def cap(self, sizes: list[int], shake: Shake = _as_they_are) -> None:
        """Cut pages to ``sizes`` in turn, the last one for ever; ``shake`` their rows."""
        self._plan.clear()
        self._plan.script("klines", [_first(size, shake) for size in sizes])
        self._plan.always("klines", _first(sizes[-1], shake))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            query = dict(parse_qsl(scope["query_string"].decode()))
            if "startTime" in query:
                since = int(query["startTime"])
                if self.since == "exclusive":
                    since += 1
                if self.since == "flooring":
                    since -= since % HOUR_MS
                since -= self.overlap * HOUR_MS
                if self.since == "windowed":
                    query["endTime"] = str(since + int(query["limit"]) * HOUR_MS - 1)
                query["startTime"] = str(since)
            scope = {**scope, "query_string": urlencode(query).encode()}
        await self._app(scope, receive, send)


def _first(size: int, shake: Shake) -> Fault:
    return Fault(rewrite=lambda body: json.dumps(shake(json.loads(body)[:size])).encode())


class Shelf:
    """An ASGI application that passes on to another, which tests exchange."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def shelf_and_trial():
    shelf = Shelf()
    with trial_exchange(shelf, attempts=1) as trial:
        yield shelf, trial


@given(
    caps=st.lists(st.integers(1, 60) | st.integers(1, 1000), min_size=1, max_size=6),
    since=st.sampled_from(["inclusive", "exclusive", "flooring", "windowed"]),
    missing=st.sets(st.integers(0, N_HOURS - 1), max_size=60),
    first=st.integers(-30, N_HOURS),
    n_bars=st.integers(0, 90),
    offset_s=st.integers(-1800, 1800),
)
@settings(max_examples=50, deadline=None)
def test_every_candle_in_the_range_comes_exactly_once(
    shelf_and_trial: tuple[Shelf, TrialExchange],
    caps: list[int],
    since: str,
    missing: set[int],
    first: int,
    n_bars: int,
    offset_s: int,
):
    shelf, trial = shelf_and_trial
    candles = FULL.with_row_index().filter(~pl.col("index").is_in(list(missing))).drop("index")
    habits = Habits(app_at(candles, FrozenClock(END)))
    habits.cap(caps)
    habits.since = since
    shelf.app = habits
    start = START + timedelta(hours=first, seconds=offset_s)
    end = start + timedelta(hours=n_bars)
    expected = candles.filter((pl.col("open_time") >= start) & (pl.col("open_time") < end))
    assert_frame_equal(trial.read(start, end), expected)


@given(
    overlap=st.integers(0, 5),
    room=st.lists(st.integers(1, 40) | st.integers(1, 990), min_size=1, max_size=4),
    since=st.sampled_from(["inclusive", "exclusive", "flooring"]),
    seed=st.integers(0, 999),
)
@settings(max_examples=25, deadline=None)
def test_pages_that_overlap_repeat_and_shuffle_their_rows_give_each_candle_once(
    shelf_and_trial: tuple[Shelf, TrialExchange],
    overlap: int,
    room: list[int],
    since: str,
    seed: int,
):
    shelf, trial = shelf_and_trial
    habits = Habits(app_at(FULL, FrozenClock(END)))
    # A page must reach beyond what it repeats, and "exclusive" repeats one bar less.
    habits.cap([overlap + size for size in room], _shuffled_and_repeated(seed))
    habits.since, habits.overlap = since, overlap
    shelf.app = habits
    assert_frame_equal(trial.read(), FULL)


LONG = make_candles(3_100, start=START)


@given(
    caps=st.lists(st.integers(250, 1000), min_size=1, max_size=5),
    since=st.sampled_from(["inclusive", "exclusive", "flooring", "windowed"]),
    missing=st.sets(st.integers(0, 3_099), max_size=30),
    seed=st.integers(0, 999),
)
@settings(max_examples=8, deadline=None)
def test_pages_of_up_to_a_thousand_rows_over_a_long_range_lose_nothing(
    shelf_and_trial: tuple[Shelf, TrialExchange],
    caps: list[int],
    since: str,
    missing: set[int],
    seed: int,
):
    shelf, trial = shelf_and_trial
    candles = LONG.with_row_index().filter(~pl.col("index").is_in(list(missing))).drop("index")
    end = START + timedelta(hours=3_100)
    habits = Habits(app_at(candles, FrozenClock(end)))
    habits.cap(caps, _shuffled_and_repeated(seed))
    habits.since = since
    shelf.app = habits
    assert_frame_equal(trial.read(START, end), candles)


@pytest.mark.parametrize("skew_s", [-30, 30])
def test_closed_is_by_the_clock_of_the_exchange_and_not_of_this_machine(shelf_and_trial, skew_s):
    shelf, trial = shelf_and_trial
    there = datetime.now(UTC) + timedelta(seconds=skew_s)
    hour = there.replace(minute=0, second=0, microsecond=0)
    # At the exchange it is just before or just after the hour, whatever this machine says.
    for at, newest in ((hour - timedelta(milliseconds=1), 2), (hour, 1)):
        candles = make_candles(60, start=hour - timedelta(hours=59))
        shelf.app = app_at(candles, FrozenClock(at))
        read = trial.read(hour - timedelta(hours=9), hour + timedelta(days=1))
        assert read["open_time"][-1] == hour - timedelta(hours=newest)


@pytest.mark.parametrize("cap", [1, 7, 700])
@pytest.mark.parametrize("since", ["inclusive", "exclusive", "flooring"])
def test_short_pages_are_not_taken_for_the_end(shelf_and_trial, cap, since):
    shelf, trial = shelf_and_trial
    habits = Habits(app_at(FULL, FrozenClock(END)))
    habits.cap([cap])
    habits.since = since
    shelf.app = habits
    assert_frame_equal(trial.read(), FULL)


def test_a_range_longer_than_a_page_is_fetched_in_pages_of_a_thousand():
    candles = make_candles(2_500, start=START)
    end = START + timedelta(hours=2_500)
    with trial_exchange(app_at(candles, FrozenClock(end))) as trial:
        assert_frame_equal(trial.read(START, end), candles)
        assert trial.plan.requests["klines"] == 3


def test_an_empty_page_is_not_taken_for_the_end_of_the_range():
    candles = make_candles(4_000, start=START)
    end = START + timedelta(hours=4_000)
    held = candles.filter(
        ~pl.col("open_time").is_between(candles["open_time"][300], candles["open_time"][3_500])
    )
    habits = Habits(app_at(held, FrozenClock(end)))
    # Some venues answer only for the bars asked, and with nothing while they were closed.
    habits.since = "windowed"
    with trial_exchange(habits) as trial:
        assert_frame_equal(trial.read(START, end), held)


def test_an_empty_range_asks_for_no_candles(shelf_and_trial):
    shelf, trial = shelf_and_trial
    trial.plan.clear()
    shelf.app = app_at(FULL, FrozenClock(END))
    assert trial.read(START, START).is_empty()
    assert trial.read(END, END + timedelta(days=9)).is_empty()
    assert trial.plan.requests["klines"] == 0
