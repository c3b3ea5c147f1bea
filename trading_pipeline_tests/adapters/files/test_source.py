import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from trading_pipeline.adapters.exchanges.files import FileCandleSource, scan_candle_files
from trading_pipeline.core.clock import FrozenClock
from trading_pipeline.core.errors import (
    CandleConflictError,
    CandleFileError,
    SymbolNotListedError,
)
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.adapters.files import writers
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.contracts.candle_source import CandleSourceCase, CandleSourceContract

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
HOUR = Timeframe("1h")
CANDLES = make_candles(100)
EVER = (datetime(2009, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def source_of(*paths: Path, **options: object) -> FileCandleSource:
    return FileCandleSource(scan_candle_files(paths), venue="binance", **options)


class TestOneFile(CandleSourceContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> CandleSourceCase:
        path = writers.freqtrade_feather(CANDLES, tmp_path / "BTC_USDT-1h.feather")
        return CandleSourceCase(source_of(path), BTC, HOUR, CANDLES)


class TestMonthsAndAReplayClock(CandleSourceContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> CandleSourceCase:
        paths = [
            writers.binance_archive(CANDLES[:60], tmp_path / "BTCUSDT-1h-a.csv"),
            writers.binance_archive(CANDLES[40:], tmp_path / "BTCUSDT-1h-b.csv", scale=1000),
            writers.freqtrade_json(make_candles(100, seed=2), tmp_path / "ETH_USDT-1h.json"),
        ]
        clock = FrozenClock(CANDLES["open_time"][80] + timedelta(minutes=59))
        return CandleSourceCase(source_of(*paths, clock=clock), BTC, HOUR, CANDLES[:80])


def test_the_clock_is_the_close_of_the_newest_candle_over_all_files(tmp_path: Path):
    short = writers.plain_csv(CANDLES[:50], tmp_path / "BTCUSDT_1h.csv")
    long = writers.plain_csv(CANDLES, tmp_path / "ETHUSDT_1h.csv")
    assert source_of(short, long).now() == CANDLES["open_time"][-1] + timedelta(hours=1)


def test_months_merge_and_equal_candles_are_counted(tmp_path: Path):
    first = writers.plain_csv(CANDLES[:60], tmp_path / "BTCUSDT_1h_a.csv")
    second = writers.plain_csv(CANDLES[40:], tmp_path / "BTCUSDT_1h_b.csv")
    source = source_of(first, second)
    assert_frame_equal(source.candles(BTC, HOUR, *EVER), CANDLES)
    (holding,) = source.holdings()
    assert (holding.n_candles, holding.dropped) == (100, {"exact duplicate": 20})
    dropped = source.dropped(BTC, HOUR)
    assert set(dropped["file"]) == {str(second)}
    assert dropped["detail"][0] == f"the same candle is in {first}"
    half = CANDLES["open_time"][50]
    assert source.dropped_counts(BTC, HOUR, None, half) == {"exact duplicate": 10}
    assert source.dropped_counts(BTC, HOUR, half, EVER[1]) == {"exact duplicate": 10}


def test_files_that_disagree_name_both_the_hour_and_both_values(tmp_path: Path):
    other = CANDLES.with_columns(
        pl.when(pl.int_range(pl.len()).is_in([7, 9]))
        .then(pl.col("volume") + 1.5)
        .otherwise("volume")
    )
    first = writers.plain_csv(CANDLES, tmp_path / "BTCUSDT_1h_a.csv")
    second = writers.plain_csv(other, tmp_path / "BTCUSDT_1h_b.csv")
    with pytest.raises(CandleConflictError) as refusal:
        source_of(first, second).candles(BTC, HOUR, *EVER)
    message = refusal.value.message
    ours, theirs = CANDLES["volume"][7], other["volume"][7]
    assert "2024-01-01 07:00 UTC" in message
    assert f"volume is {ours} in {first} and {theirs} in {second}" in message
    assert refusal.value.facts["conflicts"] == 2


def test_an_hour_that_one_file_contradicts_itself_on_comes_from_the_other(tmp_path: Path):
    text = writers.plain_csv(CANDLES, tmp_path / "x.csv").read_text()
    (tmp_path / "x.csv").unlink()
    first_row = text.splitlines()[1]
    torn = tmp_path / "BTCUSDT_1h_a.csv"
    torn.write_text(text + first_row + "9\n")
    sound = writers.plain_csv(CANDLES, tmp_path / "BTCUSDT_1h_b.csv")
    source = source_of(torn, sound)
    assert_frame_equal(source.candles(BTC, HOUR, *EVER), CANDLES)
    assert source.dropped_counts(BTC, HOUR) == {"conflicting duplicate": 2, "exact duplicate": 99}


def test_the_tick_and_lot_come_from_the_decimals(tmp_path: Path):
    source = source_of(writers.plain_csv(CANDLES, tmp_path / "BTCUSDT_1h.csv"))
    assert source.instrument(BTC) == Instrument(
        BTC, Decimal("0.01"), Decimal("0.001"), Decimal("0.001"), Decimal(5)
    )


def test_a_known_instrument_is_not_inferred(tmp_path: Path):
    known = Instrument(BTC, Decimal("0.1"), Decimal("0.01"), Decimal("0.01"), Decimal(10))
    path = writers.plain_csv(CANDLES, tmp_path / "BTCUSDT_1h.csv")
    assert source_of(path, instruments={BTC: known}).instrument(BTC) is known


def test_whole_prices_have_a_tick_of_one(tmp_path: Path):
    whole = CANDLES.with_columns(pl.col("open", "high", "low", "close").round())
    path = writers.plain_csv(whole, tmp_path / "BTCUSDT_1h.csv")
    assert source_of(path).instrument(BTC).tick_size == 1


def test_an_unknown_symbol_names_the_near_ones(tmp_path: Path):
    source = source_of(writers.plain_csv(CANDLES, tmp_path / "BTCUSDT_1h.csv"))
    with pytest.raises(SymbolNotListedError, match="did you mean BTC/USDT"):
        source.candles(Symbol("BTC", "USDC"), HOUR, *EVER)
    assert source.fingerprint(ETH, HOUR) is None


def test_another_timeframe_is_refused_with_the_ones_that_are_there(tmp_path: Path):
    source = source_of(writers.plain_csv(CANDLES, tmp_path / "BTCUSDT_1h.csv"))
    with pytest.raises(CandleFileError, match="hold 1h candles, asked for 5m"):
        source.candles(BTC, Timeframe("5m"), *EVER)


def test_the_fingerprint_follows_the_content_of_the_symbol_only(tmp_path: Path):
    path = writers.plain_csv(CANDLES, tmp_path / "BTCUSDT_1h.csv")
    other = writers.plain_csv(CANDLES, tmp_path / "ETHUSDT_1h.csv")
    before = source_of(path, other)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == scan_candle_files([path])[0].sha256
    writers.plain_csv(make_candles(101), other)
    after = source_of(path, other)
    assert before.fingerprint(BTC, HOUR) == after.fingerprint(BTC, HOUR)
    assert before.fingerprint(ETH, HOUR) != after.fingerprint(ETH, HOUR)


def test_the_order_of_files_does_not_matter(tmp_path: Path):
    first = writers.plain_csv(CANDLES[:60], tmp_path / "BTCUSDT_1h_a.csv")
    second = writers.plain_csv(CANDLES[60:], tmp_path / "BTCUSDT_1h_b.csv")
    one, two = source_of(first, second), source_of(second, first)
    assert one.fingerprint(BTC, HOUR) == two.fingerprint(BTC, HOUR)
    assert_frame_equal(one.candles(BTC, HOUR, *EVER), two.candles(BTC, HOUR, *EVER))


def test_a_source_without_files_is_refused():
    with pytest.raises(CandleFileError, match="at least one file"):
        FileCandleSource([], venue="binance")
