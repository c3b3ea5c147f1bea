from pathlib import Path

import polars as pl
import pytest

from trading_pipeline.adapters.exchanges.files import (
    read_candle_file,
    scan_candle_files,
    survey_candle_files,
)
from trading_pipeline.core.errors import CandleFileError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.adapters.files import writers
from trading_pipeline_tests.builders import make_candles

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
HOUR, FIVE = Timeframe("1h"), Timeframe("5m")
CANDLES = make_candles(50)


def test_a_folder_is_walked_and_what_is_not_usable_is_listed(tmp_path: Path):
    (tmp_path / "deep").mkdir()
    writers.freqtrade_feather(CANDLES, tmp_path / "deep" / "BTC_USDT-1h.feather")
    writers.freqtrade_json(CANDLES, tmp_path / "ETH_USDT-1h.json")
    (tmp_path / "README.md").write_text("# candles")
    (tmp_path / ".hidden.csv").write_text("x")
    survey = survey_candle_files([tmp_path])
    assert [(f.symbol, f.timeframe) for f in survey.files] == [(ETH, HOUR), (BTC, HOUR)]
    assert [skipped.path.name for skipped in survey.skipped] == ["README.md"]
    assert survey.skipped[0].reason.startswith("no candle table")


def test_a_folder_without_candles_is_refused_with_the_reasons(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(
        CandleFileError, match=r"no usable candle file in .*\n.*notes.txt: no candle"
    ):
        scan_candle_files([tmp_path])
    with pytest.raises(CandleFileError, match="no usable candle file in no path"):
        scan_candle_files([])


def test_a_file_that_is_named_twice_is_taken_once(tmp_path: Path):
    path = writers.plain_csv(CANDLES, tmp_path / "BTCUSDT_1h.csv")
    assert len(scan_candle_files([path, tmp_path, path])) == 1


def test_the_option_says_what_the_name_does_not(tmp_path: Path):
    path = writers.plain_csv(CANDLES, tmp_path / "prices.csv")
    (file,) = scan_candle_files([path], symbol=BTC)
    assert (file.symbol, file.timeframe) == (BTC, HOUR)
    with pytest.raises(CandleFileError, match=r"neither its name nor a column.*BTC_USDT-1h"):
        scan_candle_files([path])


def test_the_symbol_column_says_what_the_name_does_not(tmp_path: Path):
    text = "time,symbol,open,high,low,close,volume\n"
    text += "".join(f"{ms},ETHUSDT,1,2,1,2,1\n" for ms in writers.milliseconds(CANDLES))
    path = tmp_path / "prices.csv"
    path.write_text(text)
    (file,) = scan_candle_files([path])
    assert file.symbol == ETH
    clash = tmp_path / "BTCUSDT.csv"
    clash.write_text(text)
    with pytest.raises(CandleFileError, match="its name says BTC/USDT, its symbol column ETH/USDT"):
        scan_candle_files([clash])
    mixed = tmp_path / "many.csv"
    mixed.write_text(text.replace("ETHUSDT", "BTCUSDT", 3))
    with pytest.raises(CandleFileError, match=r"holds 2 symbols \(BTCUSDT, ETHUSDT\)"):
        scan_candle_files([mixed])


def test_the_option_wins_over_the_name_of_a_file_that_is_named_outright(tmp_path: Path):
    path = writers.plain_csv(CANDLES, tmp_path / "XBTUSD_60.csv")
    (file,) = scan_candle_files([path], symbol=BTC)
    assert file.symbol == BTC
    assert file.notes == ("taken as BTC/USDT as asked, though its name says XBT/USD",)


def test_one_symbol_for_files_of_two_is_refused(tmp_path: Path):
    paths = [
        writers.plain_csv(CANDLES, tmp_path / f"{name}_1h.csv") for name in ("BTCUSDT", "ETHUSDT")
    ]
    with pytest.raises(CandleFileError, match="hold BTC/USDT, ETH/USDT; leave the symbol out"):
        scan_candle_files(paths, symbol=BTC)


def test_in_a_folder_the_options_select(tmp_path: Path):
    writers.plain_csv(CANDLES, tmp_path / "BTCUSDT_1h.csv")
    writers.plain_csv(CANDLES, tmp_path / "ETHUSDT_1h.csv")
    writers.plain_csv(make_candles(50, timeframe="5m"), tmp_path / "BTCUSDT_5m.csv")
    survey = survey_candle_files([tmp_path], symbol=BTC, timeframe=HOUR)
    assert [file.path.name for file in survey.files] == ["BTCUSDT_1h.csv"]
    assert [skipped.path.name for skipped in survey.skipped] == ["BTCUSDT_5m.csv", "ETHUSDT_1h.csv"]


@pytest.mark.parametrize("option", [None, HOUR])
def test_a_timeframe_that_the_rows_contradict_is_refused(tmp_path: Path, option: Timeframe | None):
    path = writers.plain_csv(make_candles(50, timeframe="5m"), tmp_path / "BTCUSDT_1h.csv")
    with pytest.raises(CandleFileError, match=r"is 1h, but its rows are mostly 0:05:00 apart"):
        scan_candle_files([path], timeframe=option)


def test_the_timeframe_is_read_from_the_rows_where_nothing_says_it(tmp_path: Path):
    path = writers.plain_csv(make_candles(50, timeframe="15m"), tmp_path / "BTCUSDT.csv")
    assert scan_candle_files([path])[0].timeframe == Timeframe("15m")


def test_an_unknown_spacing_and_a_single_row_need_an_answer(tmp_path: Path):
    odd = CANDLES.with_columns(
        pl.col("open_time").min() + pl.duration(minutes=7 * pl.int_range(pl.len()))
    )
    path = writers.plain_csv(odd, tmp_path / "BTCUSDT.csv")
    with pytest.raises(CandleFileError, match="0:07:00 apart, which is none of the timeframes"):
        scan_candle_files([path])
    single = writers.plain_csv(CANDLES[:1], tmp_path / "BTC_USDT.csv")
    with pytest.raises(CandleFileError, match="one row does not show its timeframe"):
        scan_candle_files([single])
    assert scan_candle_files([single], timeframe=HOUR)[0].timeframe == HOUR


def test_a_thin_market_that_lacks_most_minutes_keeps_its_timeframe(tmp_path: Path):
    minutes = make_candles(600, timeframe="1m")
    thin = minutes.filter(pl.int_range(pl.len()) % 5 < 2).filter(pl.int_range(pl.len()) % 3 != 0)
    path = writers.plain_csv(thin, tmp_path / "XYZUSDT_1m.csv")
    (file,) = scan_candle_files([path])
    assert len(read_candle_file(file).candles) == len(thin)


def test_a_file_that_changes_after_the_scan_is_refused(tmp_path: Path):
    path = writers.plain_csv(CANDLES, tmp_path / "BTCUSDT_1h.csv")
    (file,) = scan_candle_files([path])
    writers.plain_csv(make_candles(51), path)
    with pytest.raises(CandleFileError, match="changed since it was scanned"):
        read_candle_file(file)
