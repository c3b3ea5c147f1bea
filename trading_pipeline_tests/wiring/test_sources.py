"""Where candles come from, and who is asked about a gap: decided by the settings alone."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from polars.testing import assert_frame_equal

from trading_pipeline.adapters.exchanges.archive import ArchiveHistory, LayeredCandleSource
from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource
from trading_pipeline.adapters.exchanges.simulated.archive import ArchiveShelf, archive_app
from trading_pipeline.adapters.exchanges.simulated.server import exchange_app
from trading_pipeline.adapters.exchanges.simulated.serving import serve_in_background
from trading_pipeline.adapters.exchanges.simulated.yahoo import yahoo_app
from trading_pipeline.adapters.exchanges.yahoo import YahooCandleSource
from trading_pipeline.config import Settings
from trading_pipeline.core.clock import FrozenClock
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.wiring import VenueAccess
from trading_pipeline_tests.adapters.exchanges.exchange_cases import BTC, END, H1, START, replay
from trading_pipeline_tests.builders import make_candles

CANDLES = make_candles(200, start=START)


def market(tmp_path: Path, **market: Any) -> VenueAccess:
    symbols = {"BTC-USDT": {}}
    storage = {"root": str(tmp_path)}
    return VenueAccess(Settings(market={"symbols": symbols, **market}, storage=storage))


def names(venue: VenueAccess) -> list[tuple[str, bool]]:
    return [(second.name, second.same_venue) for second in venue.second_sources()]


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, LayeredCandleSource),
        ({"archive": False}, CcxtCandleSource),
        ({"venue": "kraken"}, CcxtCandleSource),
        ({"base_url": "http://127.0.0.1:1"}, CcxtCandleSource),
        (
            {"base_url": "http://127.0.0.1:1", "archive_url": "http://127.0.0.1:2"},
            LayeredCandleSource,
        ),
        ({"venue": "simulated"}, CcxtCandleSource),
        ({"venue": "simulated", "archive_url": "http://127.0.0.1:2"}, LayeredCandleSource),
        ({"venue": "yahoo"}, YahooCandleSource),
    ],
)
def test_the_archive_is_used_where_it_belongs_to_the_market(tmp_path, settings, kind):
    venue = market(tmp_path, **settings)
    assert type(venue.source()) is kind
    venue.close()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [("archive", True), ("rest", True)]),
        ({"archive": False}, [("rest", True)]),
        ({"base_url": "http://127.0.0.1:1"}, [("rest", True)]),
        ({"venue": "simulated"}, [("rest", True)]),
        ({"venue": "yahoo"}, []),
        ({"candle_files": ("gone.csv",)}, []),
        ({"second_sources": ()}, []),
        (
            {"second_sources": ("yahoo", "kraken", "archive", "binance@http://127.0.0.1:1")},
            [("yahoo", False), ("kraken", False), ("archive", True), ("binance", True)],
        ),
    ],
)
def test_second_sources_are_those_of_the_settings(tmp_path, settings, expected):
    venue = market(tmp_path, **settings)
    assert names(venue) == expected
    assert venue.second_sources() is venue.second_sources()
    venue.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"venue": "kraken", "second_sources": ("archive",)}, "names the archive, but kraken"),
        ({"second_sources": ("krakn",)}, "did you mean kraken"),
        ({"venue": "yahoo", "second_sources": ("rest",)}, "no REST API but itself"),
        ({"second_sources": ("kraken@ftp://x",)}, "base_url"),
    ],
)
def test_a_second_source_that_cannot_be_is_refused(tmp_path, settings, words):
    with pytest.raises(ConfigError, match=words):
        market(tmp_path, **settings).second_sources()


def test_every_second_source_delivers_candles(tmp_path: Path):
    clock, here = FrozenClock(END + timedelta(days=1)), replay(CANDLES, END)
    with (
        serve_in_background(exchange_app(here, clock)) as rest,
        serve_in_background(archive_app(ArchiveShelf(here, clock))) as archive,
        serve_in_background(yahoo_app(here, clock)) as yahoo,
    ):
        entries = ("archive", "rest", f"yahoo@{yahoo}", f"binance@{rest}")
        venue = market(tmp_path, base_url=rest, archive_url=archive, second_sources=entries)
        start, end = START + timedelta(days=1), START + timedelta(days=1, hours=5)
        for second in venue.second_sources():
            found = second.source.candles(BTC, H1, start, end)
            assert_frame_equal(found, CANDLES[24:29])
        assert isinstance(venue.second_sources()[0].source, ArchiveHistory)
        venue.close()


def test_the_counts_by_source_are_told_for_each_month(tmp_path: Path):
    clock, here = FrozenClock(START + timedelta(days=40)), replay(CANDLES, END)
    month = Month.of(START)
    with (
        serve_in_background(exchange_app(here, clock)) as rest,
        serve_in_background(archive_app(ArchiveShelf(here, clock))) as archive,
    ):
        for settings, expected in (
            ({"archive_url": archive}, {"archive": 200}),
            ({}, {"rest": 200}),
        ):
            venue = market(tmp_path, base_url=rest, **settings)
            rows = venue.source().candles(BTC, Timeframe("1h"), month.start, month.end)
            assert venue.source_counts(BTC, month, rows.height) == expected
            assert venue.dropped_rows(BTC, month) == {}
            venue.close()


@pytest.mark.parametrize(
    ("settings", "grace_s"),
    [({}, 2), ({"close_grace_s": 7.5}, 7.5), ({"now": END}, 0)],
)
def test_closed_is_the_venue_s_time_less_the_grace_but_of_a_market_that_stands(
    tmp_path, settings, grace_s
):
    with serve_in_background(exchange_app(replay(CANDLES, END), FrozenClock(END))) as rest:
        venue = market(tmp_path, base_url=rest, **settings)
        assert venue.closed_by() == END - timedelta(seconds=grace_s)
        month = Month.of(START)
        newest = venue.source().candles(BTC, H1, month.start, month.end)["open_time"][-1]
        assert newest == END - timedelta(hours=1 if grace_s == 0 else 2)
        venue.close()


def test_a_pause_is_kept_beside_the_lake_for_all_profiles(tmp_path: Path):
    venue = market(tmp_path, base_url="http://127.0.0.1:9")
    venue._gate("binance", "http://127.0.0.1:9").pause(60, "HTTP 429")
    assert [p.name for p in (tmp_path / "pauses").iterdir()] == ["binance@127.0.0.1_9.json"]
