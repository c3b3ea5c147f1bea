"""Paging: whatever the venue does with pages, nothing is lost and nothing invented."""

import json
from datetime import timedelta
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


class Habits:
    """An exchange with other habits: page caps, and another reading of ``startTime``."""

    def __init__(self, app: ASGIApp) -> None:
        self._plan = FaultPlan()
        self._app = FaultyExchange(app, self._plan)
        self.since = "inclusive"

    def cap(self, sizes: list[int]) -> None:
        """Cut pages to ``sizes`` in turn, the last one for ever."""
        self._plan.clear()
        self._plan.script("klines", [_first(size) for size in sizes])
        self._plan.always("klines", _first(sizes[-1]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            query = dict(parse_qsl(scope["query_string"].decode()))
            if "startTime" in query:
                since = int(query["startTime"])
                if self.since == "exclusive":
                    since += 1
                if self.since == "flooring":
                    since -= since % HOUR_MS
                if self.since == "windowed":
                    query["endTime"] = str(since + int(query["limit"]) * HOUR_MS - 1)
                query["startTime"] = str(since)
            scope = {**scope, "query_string": urlencode(query).encode()}
        await self._app(scope, receive, send)


def _first(size: int) -> Fault:
    return Fault(rewrite=lambda body: json.dumps(json.loads(body)[:size]).encode())


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
