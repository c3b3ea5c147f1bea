"""When a candle may leave as closed; every time and value here is written by hand."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.collecting import Bar, BarCollector, Collected

MINUTE = Timeframe("1m")
GRACE = timedelta(seconds=2)
START = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)


def at(minute: int, second: float = 0.0) -> datetime:
    return START + timedelta(minutes=minute, seconds=second)


def bar(minute: int, volume: float, close: float = 100.0) -> Bar:
    return Bar(at(minute), 100.0, 101.0, 99.0, close, volume)


def collector(*left: Bar) -> BarCollector:
    return BarCollector(MINUTE, START, GRACE, left)


def test_an_open_candle_never_leaves():
    bars = collector()
    for second in (1, 30, 59.999):
        assert bars.update(bar(0, volume=second), at(0, second)) == Collected()
        assert bars.pass_time(at(0, second)) == Collected()
    assert bars.forming == bar(0, volume=59.999)


def test_by_the_clock_alone_a_candle_is_asked_for_after_its_end_and_twice_the_grace():
    bars = collector()
    bars.update(bar(0, 1), at(0, 59))
    # It may have been sent before the end, with a later one still on its way.
    assert bars.update(bar(0, 2), at(1, 0.05)) == Collected()
    assert bars.pass_time(at(1, 3.999)) == Collected()
    assert bars.pass_time(at(1, 4)) == Collected(missing_since=at(0))
    assert bars.fill([bar(0, 3)]).closed == (bar(0, 3),)
    assert bars.next_open == at(1)


def test_a_message_that_was_on_its_way_over_the_end_is_not_taken_for_the_last_one():
    bars = collector()
    bars.update(bar(0, 1), at(1, 2.5))
    assert bars.pass_time(at(1, 3)) == Collected()
    bars.update(bar(0, 2), at(1, 3.1))
    assert bars.update(bar(1, 1), at(1, 3.2)) == Collected(closed=(bar(0, 2),))


def test_a_later_candle_of_another_connection_proves_nothing():
    bars = collector()
    bars.update(bar(0, 1), at(1, 0.5))
    bars.reconnected()
    assert bars.update(bar(1, 1), at(1, 0.9)) == Collected(missing_since=at(0))


def test_a_candle_whose_last_message_came_after_its_end_leaves_when_the_next_one_comes():
    bars = collector()
    bars.update(bar(0, 5), at(1, 0.01))
    assert bars.update(bar(1, 1), at(1, 0.3)) == Collected(closed=(bar(0, 5),))


def test_a_candle_that_was_not_heard_of_after_its_end_is_missing_when_the_next_one_comes():
    bars = collector()
    bars.update(bar(0, 5), at(0, 59.9))
    assert bars.update(bar(1, 1), at(1, 0.3)) == Collected(missing_since=at(0))


def test_without_the_exchanges_clock_a_candle_is_missing_when_the_next_one_comes():
    bars = collector()
    bars.update(bar(0, 5), None)
    assert bars.update(bar(1, 1), None) == Collected(missing_since=at(0))


def test_without_a_message_after_its_end_a_candle_is_missing_after_twice_the_grace():
    bars = collector()
    bars.update(bar(0, 5), at(0, 58))
    assert bars.pass_time(at(1, 3.9)) == Collected()
    assert bars.pass_time(at(1, 4)) == Collected(missing_since=at(0))


def test_what_was_never_seen_is_missing_from_its_first_candle_on():
    bars = collector()
    assert bars.update(bar(3, 1), at(3, 1)) == Collected(missing_since=at(0))
    truth = [bar(0, 10), bar(1, 11), bar(2, 12)]
    assert bars.fill(truth).closed == tuple(truth)
    assert bars.update(bar(3, 2), at(4, 0)) == Collected()
    assert bars.update(bar(4, 1), at(4, 1)) == Collected(closed=(bar(3, 2),))


def test_a_candle_that_the_exchange_does_not_have_is_passed_over():
    bars = collector()
    assert bars.fill([bar(0, 1), bar(5, 1)]).closed == (bar(0, 1), bar(5, 1))
    assert bars.next_open == at(6)


def test_a_candle_that_is_sent_twice_leaves_once():
    bars = collector()
    bars.update(bar(0, 5), at(1, 0.1))
    bars.update(bar(0, 5), at(1, 0.2))
    assert bars.update(bar(1, 1), at(1, 2)) == Collected(closed=(bar(0, 5),))
    assert bars.update(bar(0, 5), at(1, 2.1)) == Collected()
    assert bars.fill([bar(0, 5)]).revised == ()


def test_other_values_after_a_candle_left_are_a_doubt_that_is_raised_once():
    bars = collector()
    bars.update(bar(0, 5), at(1, 0.1))
    bars.update(bar(1, 1), at(1, 2))
    assert bars.update(bar(0, 4), at(1, 3)) == Collected(doubtful=(at(0),))
    assert bars.update(bar(0, 4), at(1, 4)) == Collected()
    assert bars.update(bar(0, 6), at(1, 5)) == Collected(doubtful=(at(0),))
    assert bars.fill([bar(0, 6)]).revised == (bar(0, 6),)
    assert bars.update(bar(0, 6), at(1, 6)) == Collected()


def test_an_older_message_that_comes_late_does_not_become_the_candle():
    bars = collector()
    bars.update(bar(0, 5), at(1, 0.1))
    bars.update(bar(0, 3), at(1, 0.2))
    assert bars.pass_time(at(1, 3.9)) == Collected()
    assert bars.pass_time(at(1, 4)) == Collected(missing_since=at(0))


def test_a_message_of_before_the_end_that_is_sent_again_after_it_proves_nothing():
    bars = collector()
    bars.update(bar(0, 5), at(0, 59))
    bars.update(bar(0, 5), at(1, 0.2))
    assert bars.update(bar(1, 1), at(1, 0.3)) == Collected(missing_since=at(0))


def test_what_left_before_a_restart_is_compared_with_what_comes():
    bars = BarCollector(MINUTE, at(2), GRACE, [bar(0, 5), bar(1, 6)])
    filled = bars.fill([bar(0, 5), bar(1, 7), bar(2, 8)])
    assert filled.revised == (bar(1, 7),)
    assert filled.closed == (bar(2, 8),)


def truth(index: int, n_trades: int = 6) -> Bar:
    """The candle after some of its six trades, each of which raises the price and the volume."""
    base = 100.0 + index
    return Bar(at(index), base, base + n_trades, base, base + 0.5 * n_trades, float(n_trades))


@dataclass
class Exchange:
    """Trades every ten seconds; sends what changed where there is a connection."""

    bars: BarCollector
    left: list[Bar] = field(default_factory=list)
    sent: list[Bar] = field(default_factory=list)

    def messages(self, tick: int, choice: "Choice") -> list[Bar]:
        index, n_trades = divmod(tick, 6)
        is_told = n_trades == 0 and index and not choice.omits_last
        before = [truth(index - 1)] if is_told else []
        return [*before, truth(index, n_trades + 1)]

    def step(self, tick: int, choice: "Choice") -> None:
        now = START + timedelta(seconds=10 * tick)
        seen = now - timedelta(seconds=choice.lag)
        if choice.is_connected:
            for message in self.messages(tick, choice):
                for _ in range(choice.times):
                    self.take(self.bars.update(message, seen), now, choice)
                self.sent.append(message)
            if choice.repeats is not None and self.sent:
                old = self.sent[-1 - choice.repeats % len(self.sent)]
                self.take(self.bars.update(old, seen), now, choice)
        else:
            self.bars.reconnected()
        self.take(self.bars.pass_time(seen), now, choice)

    def take(self, collected: Collected, now: datetime, choice: "Choice") -> None:
        self.left += collected.closed
        if choice.has_rest and (collected.missing_since or collected.doubtful):
            self.ask(now)

    def ask(self, now: datetime) -> None:
        n_closed = (now - START) // MINUTE.duration
        first = max((self.bars.next_open - START) // MINUTE.duration - 2, 0)
        filled = self.bars.fill([truth(index) for index in range(first, n_closed)])
        # Nothing that left was other than the truth, so that nothing is revised.
        assert filled.revised == ()
        self.left += filled.closed


@dataclass(frozen=True)
class Choice:
    is_connected: bool
    omits_last: bool
    times: int
    lag: float
    has_rest: bool
    repeats: int | None


CHOICES = st.builds(
    Choice,
    is_connected=st.sampled_from([True, True, True, False]),
    omits_last=st.sampled_from([False, False, True]),
    times=st.integers(1, 2),
    lag=st.sampled_from([0.0, 0.2, 3.0]),
    has_rest=st.sampled_from([True, True, False]),
    repeats=st.none() | st.integers(0, 20),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(CHOICES, min_size=30, max_size=48))
def test_whatever_happens_every_closed_candle_leaves_once_with_its_true_values(
    choices: list[Choice],
):
    exchange = Exchange(BarCollector(MINUTE, START, GRACE))
    for tick, choice in enumerate(choices):
        exchange.step(tick, choice)
        now = START + timedelta(seconds=10 * tick)
        assert all(left.open_time + MINUTE.duration <= now for left in exchange.left)
    assert exchange.left == [truth(index) for index in range(len(exchange.left))]
    exchange.ask(START + timedelta(hours=1))
    assert exchange.left == [truth(index) for index in range(60)]
