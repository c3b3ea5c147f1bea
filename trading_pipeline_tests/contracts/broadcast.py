"""What every ``Broadcast`` keeps. Derive, and offer a fixture ``opened`` that opens it."""

import threading
import time
from collections.abc import Callable

import pytest

from trading_pipeline.core.broadcast import Broadcast, Subscription, Update
from trading_pipeline.core.errors import ConfigError, DataError

Opener = Callable[[], Broadcast]


def heard(subscription: Subscription) -> list[Update]:
    found = []
    while (update := subscription.next(0.2)) is not None:
        found.append(update)
    return found


class BroadcastContract:
    """Derive as ``class TestX(BroadcastContract)`` and add a fixture ``opened``."""

    @pytest.fixture
    def broadcast(self, opened: Opener):
        broadcast = opened()
        yield broadcast
        broadcast.close()

    def test_everybody_who_listens_hears_every_update_in_order(
        self, broadcast: Broadcast, opened: Opener
    ):
        other = opened()
        listeners = [broadcast.subscribe(["prices"]), other.subscribe(["prices"])]
        for n in range(30):
            broadcast.send("prices", {"n": n})
        for listener in listeners:
            assert heard(listener) == [Update("prices", {"n": n}) for n in range(30)]
            listener.close()
        other.close()

    def test_what_was_sent_before_is_not_heard(self, broadcast: Broadcast):
        broadcast.send("prices", {"n": 1})
        listener = broadcast.subscribe(["prices"])
        broadcast.send("prices", {"n": 2})
        assert heard(listener) == [Update("prices", {"n": 2})]
        listener.close()

    def test_only_the_chosen_topics_are_heard(self, broadcast: Broadcast):
        listener = broadcast.subscribe(["prices", "status"])
        for topic in ("prices", "other", "status"):
            broadcast.send(topic, {"of": topic})
        assert [update.topic for update in heard(listener)] == ["prices", "status"]
        listener.close()

    def test_a_listener_wakes_up_on_an_update(self, broadcast: Broadcast, opened: Opener):
        listener, other = broadcast.subscribe(["prices"]), opened()
        timer = threading.Timer(0.2, other.send, ("prices", {"n": 1}))
        timer.start()
        started = time.monotonic()
        assert listener.next(10) == Update("prices", {"n": 1})
        assert time.monotonic() - started < 2
        timer.join()
        listener.close()
        other.close()

    def test_nothing_is_none_after_the_time(self, broadcast: Broadcast):
        listener = broadcast.subscribe(["prices"])
        started = time.monotonic()
        assert listener.next(0.1) is None
        assert time.monotonic() - started < 1.5
        listener.close()

    def test_what_cannot_be_sent_is_refused(self, broadcast: Broadcast):
        with pytest.raises(DataError, match="must be JSON"):
            broadcast.send("prices", {"x": float("inf")})
        with pytest.raises(ConfigError, match="a topic is named by"):
            broadcast.send("two words", {})
