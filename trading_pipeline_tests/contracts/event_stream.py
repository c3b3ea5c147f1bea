"""What every ``EventStream`` keeps, whoever implements it.

A test class derives from :class:`EventStreamContract` and offers a fixture ``opened``: a callable
that opens the same store again, as another process would.
"""

import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.streams import EventStream

Opener = Callable[[], EventStream]
_NUMBERS = itertools.count()
_SPAWN = multiprocessing.get_context("spawn")


def numbers(stream: EventStream, consumer: str = "reader", name: str = "candles") -> list[int]:
    """Return the numbers in the events that wait for ``consumer``."""
    return [event.payload["n"] for event in stream.read(name, consumer, limit=10_000)]


def fill(stream: EventStream, n: int, name: str = "candles") -> list[str]:
    return [stream.publish(name, f"key-{i}", {"n": i}) for i in range(n)]


def drain(stream: EventStream, consumer: str, limit: int = 7) -> list[int]:
    found: list[int] = []
    while events := stream.read("candles", consumer, limit=limit):
        found += [event.payload["n"] for event in events]
        stream.acknowledge("candles", consumer, events[-1].event_id)
    return found


def publish_range(opened: Opener, first: int, last: int) -> None:
    stream = opened()
    for n in range(first, last):
        stream.publish("candles", f"key-{n}", {"n": n})
    stream.close()


def read_and_die(opened: Opener, keep: int) -> None:
    """Read ten events, acknowledge ``keep`` of them, and be killed."""
    events = opened().read("candles", "reader", limit=10)
    if keep:
        opened().acknowledge("candles", "reader", events[keep - 1].event_id)
    os.kill(os.getpid(), signal.SIGKILL)


def run_processes(*processes: multiprocessing.Process) -> list[int | None]:
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


class EventStreamContract:
    """Derive as ``class TestX(EventStreamContract)`` and add a fixture ``opened``."""

    @pytest.fixture
    def stream(self, opened: Opener):
        stream = opened()
        yield stream
        stream.close()

    def test_a_store_without_events_has_none(self, stream: EventStream):
        assert stream.read("candles", "reader") == ()
        assert stream.newest("candles") == ()
        assert stream.trim("candles", max_length=0) == 0

    def test_events_come_in_the_order_of_their_publication(self, stream: EventStream):
        ids = fill(stream, 25)
        events = stream.read("candles", "reader", limit=10)
        assert [event.payload["n"] for event in events] == list(range(10))
        assert [event.event_id for event in events] == ids[:10]
        assert [event.key for event in events] == [f"key-{i}" for i in range(10)]

    def test_a_payload_comes_back_as_it_was(self, stream: EventStream):
        payload = {"symbol": "BTC/USDT", "close": 0.1 + 0.2, "n": 2**53, "x": [None, True, "ü\n"]}
        stream.publish("candles", "one", payload)
        (event,) = stream.read("candles", "reader")
        assert event.payload == payload

    def test_the_same_key_again_is_the_same_event(self, stream: EventStream):
        first = stream.publish("candles", "BTC:12:00:aa", {"close": 1.0})
        again = stream.publish("candles", "BTC:12:00:aa", {"close": 1.0})
        revised = stream.publish("candles", "BTC:12:00:bb", {"close": 2.0})
        assert first == again != revised
        events = stream.read("candles", "reader")
        assert [event.payload["close"] for event in events] == [1.0, 2.0]

    def test_one_key_in_two_streams_is_two_events(self, stream: EventStream):
        stream.publish("candles", "one", {"n": 1})
        stream.publish("signals", "one", {"n": 2})
        assert (numbers(stream), numbers(stream, name="signals")) == ([1], [2])

    def test_what_is_not_acknowledged_is_read_again(self, stream: EventStream):
        fill(stream, 3)
        assert numbers(stream) == numbers(stream) == [0, 1, 2]

    def test_what_is_acknowledged_never_comes_again(self, stream: EventStream, opened: Opener):
        ids = fill(stream, 5)
        stream.acknowledge("candles", "reader", ids[2])
        assert numbers(stream) == [3, 4]
        assert numbers(opened()) == [3, 4]

    def test_a_position_never_moves_back(self, stream: EventStream):
        ids = fill(stream, 12)
        stream.acknowledge("candles", "reader", ids[10])
        stream.acknowledge("candles", "reader", ids[1])
        assert numbers(stream) == [11]

    def test_consumers_do_not_know_of_each_other(self, stream: EventStream):
        ids = fill(stream, 4)
        stream.acknowledge("candles", "fast", ids[-1])
        assert numbers(stream, "fast") == []
        assert numbers(stream, "slow") == [0, 1, 2, 3]

    def test_the_newest_events_are_there_whoever_read_them(self, stream: EventStream):
        ids = fill(stream, 5)
        stream.acknowledge("candles", "reader", ids[-1])
        assert [event.payload["n"] for event in stream.newest("candles", limit=2)] == [4, 3]

    def test_trimming_by_length_drops_the_oldest(self, stream: EventStream):
        fill(stream, 10)
        assert stream.trim("candles", max_length=4) == 6
        assert numbers(stream) == [6, 7, 8, 9]
        assert stream.trim("candles", max_length=4) == 0

    def test_trimming_by_age_drops_the_oldest(self, stream: EventStream):
        fill(stream, 3)
        time.sleep(0.1)
        stream.publish("candles", "late", {"n": 3})
        assert stream.trim("candles", max_age=timedelta(hours=1)) == 0
        assert stream.trim("candles", max_age=timedelta(milliseconds=60)) == 3
        assert numbers(stream) == [3]

    def test_an_event_that_was_trimmed_is_not_published_again(self, stream: EventStream):
        first, *_ = fill(stream, 3)
        stream.trim("candles", max_length=0)
        assert stream.publish("candles", "key-0", {"n": 0}) == first
        assert numbers(stream) == []

    def test_a_reader_goes_on_after_a_trim_beyond_its_position(self, stream: EventStream):
        ids = fill(stream, 10)
        stream.acknowledge("candles", "reader", ids[1])
        stream.trim("candles", max_length=3)
        assert numbers(stream) == [7, 8, 9]

    def test_waiting_ends_with_nothing_after_the_time(self, stream: EventStream):
        fill(stream, 1, name="signals")
        started = time.monotonic()
        assert stream.read("candles", "reader", wait_s=0.15) == ()
        assert 0.1 <= time.monotonic() - started < 1.5

    def test_waiting_wakes_up_on_a_publication(self, stream: EventStream, opened: Opener):
        other = opened()
        other.publish("candles", "first", {"n": 1})
        (event,) = stream.read("candles", "reader")
        stream.acknowledge("candles", "reader", event.event_id)
        timer = threading.Timer(0.2, other.publish, ("candles", "second", {"n": 2}))
        timer.start()
        started = time.monotonic()
        (woken,) = stream.read("candles", "reader", wait_s=10)
        assert woken.payload == {"n": 2}
        assert time.monotonic() - started < 2
        timer.join()
        other.close()

    def test_four_publishers_lose_nothing_and_double_nothing(
        self, stream: EventStream, opened: Opener
    ):
        # Neighbours publish the same hundred events at the same time.
        ranges = [(0, 200), (100, 300), (200, 400), (300, 500)]
        publishers = [
            _SPAWN.Process(target=publish_range, args=(opened, *bounds)) for bounds in ranges
        ]
        assert run_processes(*publishers) == [0, 0, 0, 0]
        found = drain(stream, "reader", limit=100)
        assert sorted(found) == list(range(500))

    @pytest.mark.parametrize("keep", [0, 4])
    def test_a_killed_reader_gets_again_what_it_did_not_acknowledge(
        self, keep: int, stream: EventStream, opened: Opener
    ):
        fill(stream, 15)
        process = _SPAWN.Process(target=read_and_die, args=(opened, keep))
        assert run_processes(process) == [-signal.SIGKILL]
        assert numbers(stream) == list(range(keep, 15))

    # Every example has a stream of its own in the store of the test.
    @settings(
        max_examples=15,
        deadline=None,
        # One contract, run by a class for each adapter: that is what it is for.
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
        ],
    )
    @given(
        limits=st.lists(st.integers(1, 9), min_size=1, max_size=12),
        crashes=st.lists(st.booleans(), min_size=12, max_size=12),
    )
    def test_whatever_is_read_and_lost_every_event_is_handled_once(
        self, opened: Opener, limits: list[int], crashes: list[bool]
    ):
        stream, name = opened(), f"s-{next(_NUMBERS)}"
        fill(stream, 30, name)
        handled: list[int] = []
        for limit, crashed in zip(limits, crashes, strict=False):
            events = stream.read(name, "reader", limit=limit)
            if crashed:
                stream.close()
                stream = opened()
            elif events:
                handled += [event.payload["n"] for event in events]
                stream.acknowledge(name, "reader", events[-1].event_id)
        rest = stream.read(name, "reader", limit=100)
        assert handled + [event.payload["n"] for event in rest] == list(range(30))
        stream.close()

    @pytest.mark.parametrize("payload", [{"x": float("nan")}, {"x": object()}, {"x": {1, 2}}])
    def test_what_is_not_json_is_refused(self, stream: EventStream, payload):
        with pytest.raises(DataError, match="must be JSON"):
            stream.publish("candles", "one", payload)

    def test_what_names_nothing_is_refused(self, stream: EventStream):
        with pytest.raises(ConfigError, match="a stream is named by"):
            stream.publish("no name", "one", {})
        with pytest.raises(ConfigError, match="a consumer is named by"):
            stream.read("candles", "")
        with pytest.raises(ConfigError, match="at least 1 event"):
            stream.read("candles", "reader", limit=0)
        with pytest.raises(DataError, match="1 to 512 characters"):
            stream.publish("candles", "", {})
        with pytest.raises(DataError, match="is no event id"):
            stream.acknowledge("candles", "reader", "yesterday")
