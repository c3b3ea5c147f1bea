from datetime import UTC, datetime

from trading_pipeline.core.clock import Clock, FrozenClock


def test_a_frozen_clock_stands_still():
    clock: Clock = FrozenClock(datetime(2024, 1, 1, tzinfo=UTC))
    assert clock.now() == clock.now() == datetime(2024, 1, 1, tzinfo=UTC)
