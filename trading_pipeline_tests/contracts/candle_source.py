"""What every ``CandleSource`` keeps, whoever implements it.

A test class derives from :class:`CandleSourceContract` and offers a fixture ``case``.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from trading_pipeline.core.candles import CANDLE_SCHEMA, conform
from trading_pipeline.core.errors import SymbolNotListedError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.ports import CandleSource


@dataclass(frozen=True)
class CandleSourceCase:
    """A source, and what is known about it from elsewhere.

    ``truth`` holds at least ten candles that the source must deliver for ``symbol`` and
    ``timeframe`` between its first and its last row; all of them are closed at the source's clock.
    """

    source: CandleSource
    symbol: Symbol
    timeframe: Timeframe
    truth: pl.DataFrame

    @property
    def unlisted(self) -> Symbol:
        return Symbol("NOSUCH", "COIN")

    @property
    def start(self) -> datetime:
        return self.truth["open_time"][0]

    @property
    def end(self) -> datetime:
        return self.truth["open_time"][-1] + self.timeframe.duration

    def read(self, start: datetime, end: datetime) -> pl.DataFrame:
        return self.source.candles(self.symbol, self.timeframe, start, end)


class CandleSourceContract:
    """Derive as ``class TestX(CandleSourceContract)`` and add a fixture ``case``.

    A fixture of class scope must be a classmethod: pytest deprecates the other form.
    """

    def test_it_says_what_delivered_the_candles(self, case: CandleSourceCase):
        assert case.source.name.strip() == case.source.name != ""

    def test_its_clock_is_in_utc_and_after_its_candles(self, case: CandleSourceCase):
        now = case.source.now()
        assert now.utcoffset() == timedelta(0)
        assert now >= case.end

    def test_it_delivers_exactly_the_candles_that_exist(self, case: CandleSourceCase):
        assert_frame_equal(case.read(case.start, case.end), case.truth.select(list(CANDLE_SCHEMA)))

    def test_its_candles_keep_the_candle_contract(self, case: CandleSourceCase):
        candles = case.read(case.start, case.end)
        assert_frame_equal(conform(candles), candles)

    def test_the_start_is_included_and_the_end_is_not(self, case: CandleSourceCase):
        third, sixth = case.truth["open_time"][2], case.truth["open_time"][5]
        times = case.read(third, sixth)["open_time"].to_list()
        assert times == case.truth["open_time"][2:5].to_list()

    def test_a_start_inside_a_candle_leaves_that_candle_out(self, case: CandleSourceCase):
        inside = case.truth["open_time"][2] + timedelta(microseconds=1)
        assert case.read(inside, case.end)["open_time"][0] == case.truth["open_time"][3]

    def test_an_end_inside_a_candle_keeps_that_candle(self, case: CandleSourceCase):
        inside = case.truth["open_time"][2] + timedelta(microseconds=1)
        assert case.read(case.start, inside)["open_time"][-1] == case.truth["open_time"][2]

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_two_halves_are_the_whole(self, case: CandleSourceCase, share: float):
        cut = case.truth["open_time"][int(len(case.truth) * share)]
        halves = pl.concat([case.read(case.start, cut), case.read(cut, case.end)])
        assert_frame_equal(halves, case.read(case.start, case.end))

    def test_asking_twice_answers_the_same(self, case: CandleSourceCase):
        assert_frame_equal(case.read(case.start, case.end), case.read(case.start, case.end))

    def test_a_zone_other_than_utc_means_the_same_instants(self, case: CandleSourceCase):
        from zoneinfo import ZoneInfo

        zone = ZoneInfo("America/New_York")
        elsewhere = case.read(case.start.astimezone(zone), case.end.astimezone(zone))
        assert_frame_equal(elsewhere, case.read(case.start, case.end))

    def test_candles_are_closed_by_the_clock_of_the_source(self, case: CandleSourceCase):
        now = case.source.now()
        candles = case.read(case.start, now + timedelta(days=2))
        assert candles["open_time"][-1] + case.timeframe.duration <= now

    def test_nothing_before_the_beginning_is_an_empty_frame(self, case: CandleSourceCase):
        candles = case.read(
            datetime(2009, 1, 3, tzinfo=UTC), datetime(2009, 1, 3, tzinfo=UTC) + timedelta(days=1)
        )
        assert candles.is_empty()
        assert dict(candles.schema) == CANDLE_SCHEMA

    def test_an_empty_range_is_an_empty_frame(self, case: CandleSourceCase):
        candles = case.read(case.start, case.start)
        assert candles.is_empty()
        assert dict(candles.schema) == CANDLE_SCHEMA

    def test_an_instrument_has_a_grid(self, case: CandleSourceCase):
        instrument = case.source.instrument(case.symbol)
        assert instrument.symbol == case.symbol
        assert instrument.tick_size > 0
        assert instrument.lot_size > 0
        assert instrument.min_quantity >= 0
        assert instrument.min_notional >= 0

    def test_prices_lie_on_the_grid_of_the_instrument(self, case: CandleSourceCase):
        instrument = case.source.instrument(case.symbol)
        for close in case.read(case.start, case.end)["close"].head(50):
            assert float(instrument.round_price(close)) == pytest.approx(close, rel=1e-12)

    def test_an_unlisted_symbol_is_refused_by_name(self, case: CandleSourceCase):
        with pytest.raises(SymbolNotListedError, match=r"NOSUCH.COIN"):
            case.source.candles(case.unlisted, case.timeframe, case.start, case.end)
        with pytest.raises(SymbolNotListedError, match=r"NOSUCH.COIN"):
            case.source.instrument(case.unlisted)

    def test_its_fingerprint_does_not_change_by_looking(self, case: CandleSourceCase):
        first = case.source.fingerprint(case.symbol, case.timeframe)
        case.read(case.start, case.end)
        assert case.source.fingerprint(case.symbol, case.timeframe) == first
