from datetime import UTC, datetime, timedelta

import pytest

from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.market_data.universe import FormerName, Listing, Universe
from trading_pipeline_tests.builders import make_candles

OLD, NEW, FIRST = Symbol("MATIC", "USDT"), Symbol("POL", "USDT"), Symbol("MTC", "USDT")
BORN = datetime(2024, 1, 10, tzinfo=UTC)
GONE = datetime(2024, 3, 5, 3, tzinfo=UTC)
LIFE = Listing(NEW, listed=BORN, delisted=GONE)


def day(month: int, number: int) -> datetime:
    return datetime(2024, month, number, tzinfo=UTC)


def test_a_symbol_lives_from_its_listing_until_its_delisting():
    second = timedelta(seconds=1)
    assert not LIFE.is_alive(BORN - second)
    assert LIFE.is_alive(BORN)
    assert LIFE.is_alive(GONE - second)
    assert not LIFE.is_alive(GONE)
    assert LIFE.is_delisted(GONE)
    assert not LIFE.is_delisted(BORN - second)
    assert Listing(NEW).is_alive(day(1, 1))


def test_a_range_is_cut_to_the_life():
    assert LIFE.clip(day(1, 1), day(2, 1)) == (BORN, day(2, 1))
    assert LIFE.clip(day(3, 1), day(4, 1)) == (day(3, 1), GONE)
    start, end = LIFE.clip(day(4, 1), day(5, 1))
    assert start == end


def test_candles_before_and_after_the_life_are_left_out():
    rows = make_candles(24 * 70, start=day(1, 1))
    times = LIFE.alive_rows(rows)["open_time"]
    assert (times[0], times[-1]) == (BORN, GONE - timedelta(hours=1))
    assert Listing(NEW).alive_rows(rows).equals(rows)


def test_each_part_of_the_history_has_the_name_of_its_time():
    renamed = Listing(NEW, formerly=(FormerName(FIRST, day(2, 1)), FormerName(OLD, day(3, 1))))
    assert list(renamed.names(day(1, 1), day(4, 1))) == [
        (FIRST, day(1, 1), day(2, 1)),
        (OLD, day(2, 1), day(3, 1)),
        (NEW, day(3, 1), day(4, 1)),
    ]
    assert list(renamed.names(day(2, 5), day(2, 9))) == [(OLD, day(2, 5), day(2, 9))]
    assert list(renamed.names(day(3, 1), day(3, 2))) == [(NEW, day(3, 1), day(3, 2))]
    assert list(renamed.names(day(3, 1), day(3, 1))) == []


def test_the_universe_trades_what_is_alive_and_still_knows_the_dead():
    universe = Universe({OLD: Listing(OLD, delisted=day(2, 1)), NEW: Listing(NEW)})
    assert universe.tradable(day(1, 31)) == (OLD, NEW)
    assert universe.tradable(day(2, 1)) == (NEW,)
    assert universe.symbols == (OLD, NEW)


def test_a_life_that_ends_before_it_begins_is_refused():
    with pytest.raises(ConfigError, match="delisted after it was listed"):
        Listing(NEW, listed=GONE, delisted=BORN)
    with pytest.raises(ConfigError, match="oldest first"):
        Listing(NEW, formerly=(FormerName(OLD, GONE), FormerName(FIRST, BORN)))
