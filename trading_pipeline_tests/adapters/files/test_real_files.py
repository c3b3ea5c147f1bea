"""Every real file with candles in it; expected values come from pandas, tarfile or json alone."""

import json
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from trading_pipeline.adapters.exchanges.files import (
    FileCandleSource,
    Layout,
    read_candle_file,
    scan_candle_files,
    survey_candle_files,
)
from trading_pipeline.core.errors import CandleConflictError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.quality import CandleClaim, check_candles
from trading_pipeline_tests.contracts.candle_source import CandleSourceCase, CandleSourceContract
from trading_pipeline_tests.real_data import real_file

pytestmark = pytest.mark.real_data
BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
HOUR = Timeframe("1h")
VALUES = ["open", "high", "low", "close", "volume"]
LATER = datetime(2026, 10, 15, tzinfo=UTC)


def assert_same(candles: pl.DataFrame, ms: np.ndarray, values: np.ndarray) -> None:
    assert np.array_equal(candles["open_time"].dt.epoch("ms").to_numpy(), ms)
    assert np.array_equal(candles.select(VALUES).to_numpy(), values)


def epoch_ms(times: pd.Series) -> np.ndarray:
    return (
        times.dt.tz_convert("UTC").dt.as_unit("ms").dt.tz_localize(None).to_numpy().astype("int64")
    )


@pytest.mark.parametrize(
    ("name", "pair", "timeframe"),
    [
        ("BTC_USDT-1h", "BTC/USDT", "1h"),
        ("BTC_USDT-5m", "BTC/USDT", "5m"),
        ("ETH_USDT-5m", "ETH/USDT", "5m"),
        ("SOL_USDT-5m", "SOL/USDT", "5m"),
    ],
)
def test_freqtrade_feather_files(name: str, pair: str, timeframe: str):
    path = real_file(f"binance-spot-freqtrade/{name}.feather")
    truth = pd.read_feather(path)
    (file,) = scan_candle_files([path])
    assert (file.layout, file.symbol.pair, file.timeframe.name) == (
        Layout.FREQTRADE_FEATHER,
        pair,
        timeframe,
    )
    cleaned = read_candle_file(file)
    assert cleaned.counts == {}
    assert_same(cleaned.candles, epoch_ms(truth["date"]), truth[VALUES].to_numpy())
    assert check_candles(cleaned.candles, file.timeframe, LATER) == ()


def test_the_freqtrade_json_file():
    path = real_file("binance-spot-freqtrade-json/ETH_USDT-1h.json")
    truth = np.array(json.loads(path.read_text()))
    (file,) = scan_candle_files([path])
    assert (file.layout, file.symbol, file.timeframe) == (Layout.FREQTRADE_JSON, ETH, HOUR)
    cleaned = read_candle_file(file)
    assert len(cleaned.candles) == 45_024
    assert_same(cleaned.candles, truth[:, 0].astype("int64"), truth[:, 1:])


def test_five_archive_months_over_the_change_of_unit_are_one_gapless_history():
    folder = real_file("binance-vision-csv")
    files = scan_candle_files([folder])
    assert {file.layout for file in files} == {Layout.BINANCE_ARCHIVE}
    candles = FileCandleSource(files, venue="binance").candles(
        BTC, HOUR, datetime(2009, 1, 1, tzinfo=UTC), LATER
    )
    parts = [pd.read_csv(path, header=None) for path in sorted(folder.glob("*.csv"))]
    truth = pd.concat(parts)
    ms = truth[0].where(truth[0] < 10**14, truth[0] // 1000).to_numpy()
    assert_same(candles, ms, truth[[1, 2, 3, 4, 5]].to_numpy())
    assert len(candles) == 3_624
    assert candles["open_time"].diff().drop_nulls().unique().to_list() == [timedelta(hours=1)]


def test_the_bitfinex_archive_keeps_its_column_order():
    path = real_file("bitfinex-1m/BTCUSD-1m-2019-01-03.tar.gz")
    rows = []
    with tarfile.open(path) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            stream = archive.extractfile(member)
            rows += json.load(stream) if stream else []
    truth = np.array(rows)
    (file,) = scan_candle_files([path])
    assert (file.layout, file.symbol.pair, file.timeframe.name) == (
        Layout.BITFINEX,
        "BTC/USD",
        "1m",
    )
    cleaned = read_candle_file(file)
    assert cleaned.counts == {}
    assert len(cleaned.candles) == 123_794
    assert_same(cleaned.candles, truth[:, 0].astype("int64"), truth[:, [1, 3, 4, 2, 5]])


def test_the_cryptodatadownload_file():
    path = real_file("cryptodatadownload/BTC_USD-Hourly.csv")
    truth = pd.read_csv(path).sort_values("unix")
    (file,) = scan_candle_files([path])
    assert (file.symbol.pair, file.notes) == ("BTC/USD", ("rows are newest first",))
    cleaned = read_candle_file(file)
    assert len(cleaned.candles) == 33_259
    assert_same(cleaned.candles, truth["unix"].to_numpy() * 1000, truth[VALUES].to_numpy())


def test_the_euro_file_with_dotted_dates():
    path = real_file("smc-eurusd/EURUSD_15M.csv")
    truth = pd.read_csv(path)
    (file,) = scan_candle_files([path])
    assert (file.symbol.pair, file.timeframe.name) == ("EUR/USD", "15m")
    times = pd.to_datetime(truth["Date"], format="%Y.%m.%d %H:%M:%S", utc=True)
    columns = truth[["Open", "High", "Low", "Close", "Volume"]]
    assert_same(read_candle_file(file).candles, epoch_ms(times), columns.to_numpy(dtype=float))


@pytest.fixture(scope="module")
def messy() -> Path:
    return real_file("messy/Binance_BTCUSDT_1h.csv")


@pytest.fixture(scope="module")
def truth(messy: Path) -> pd.DataFrame:
    """The file by pandas, each row with how often its hour and its exact content occur."""
    table = pd.read_csv(messy)
    unix = table["unix"]
    table["ms"] = unix.where(unix > 1e11, unix * 1000).astype("int64")
    table = table.rename(columns={"Volume BTC": "volume"})
    table["n_hour"] = table.groupby("ms")["ms"].transform("size")
    return table


def test_every_dropped_row_of_the_messy_file_is_counted(messy: Path, truth: pd.DataFrame):
    cleaned = read_candle_file(scan_candle_files([messy])[0])
    repeated = truth[truth["n_hour"] > 1]
    assert repeated["ms"].nunique() == 2_649
    assert not repeated.duplicated(["ms", *VALUES]).any()
    assert cleaned.counts == {"conflicting duplicate": len(repeated)}
    assert len(truth) == 36_062 == len(cleaned.candles) + len(cleaned.dropped)


def test_every_dropped_row_of_the_messy_file_is_shown(messy: Path, truth: pd.DataFrame):
    dropped = read_candle_file(scan_candle_files([messy])[0]).dropped
    repeated = truth[truth["n_hour"] > 1]
    assert dropped["row"].to_list() == (repeated.index + 1).to_list()
    assert_same(dropped, repeated["ms"].to_numpy(), repeated[VALUES].to_numpy())
    assert dropped["detail"].null_count() == 0


def test_what_is_kept_of_the_messy_file_is_what_no_other_row_contradicts(
    messy: Path, truth: pd.DataFrame
):
    candles = read_candle_file(scan_candle_files([messy])[0]).candles
    single = truth[truth["n_hour"] == 1].sort_values("ms")
    assert_same(candles, single["ms"].to_numpy(), single[VALUES].to_numpy())


def test_the_wrong_first_open_of_the_messy_file_is_pointed_out(messy: Path):
    candles = read_candle_file(scan_candle_files([messy])[0]).candles
    (finding,) = check_candles(candles, HOUR, LATER)
    assert (finding.claim, finding.n_rows) == (CandleClaim.PLAUSIBLE, 1)
    assert finding.first_open_time == datetime(2017, 8, 17, 4, tzinfo=UTC)
    assert not finding.is_blocking


def test_the_messy_file_beside_the_good_one_is_a_conflict(messy: Path):
    good = real_file("binance-spot-freqtrade/BTC_USDT-1h.feather")
    source = FileCandleSource(scan_candle_files([good, messy]), venue="binance")
    with pytest.raises(CandleConflictError, match=r"2017-08-17 04:00 UTC: open is 4261.48"):
        source.candles(BTC, HOUR, datetime(2017, 1, 1, tzinfo=UTC), LATER)


@pytest.fixture(scope="module")
def two_real_files() -> CandleSourceCase:
    paths = [
        real_file("binance-spot-freqtrade/BTC_USDT-1h.feather"),
        real_file("binance-spot-freqtrade-json/ETH_USDT-1h.json"),
    ]
    frame = pd.read_feather(paths[0])
    truth = pl.DataFrame(
        {"open_time": epoch_ms(frame["date"])} | {name: frame[name].to_numpy() for name in VALUES}
    ).with_columns(
        pl.col("open_time")
        .cast(pl.Datetime("ms"))
        .dt.cast_time_unit("us")
        .dt.replace_time_zone("UTC")
    )
    source = FileCandleSource(scan_candle_files(paths), venue="binance")
    return CandleSourceCase(source, BTC, HOUR, truth)


class TestTwoRealFilesAsASource(CandleSourceContract):
    @pytest.fixture
    def case(self, two_real_files: CandleSourceCase) -> CandleSourceCase:
        return two_real_files


def test_the_whole_folder_yields_its_fourteen_candle_files_and_nothing_else():
    root = real_file(".")
    survey = survey_candle_files([root])
    folders = sorted(file.path.relative_to(root).parts[0] for file in survey.files)
    assert folders == sorted(
        ["binance-spot-freqtrade"] * 4
        + ["binance-spot-freqtrade-json", "bitfinex-1m", "cryptodatadownload", "messy"]
        + ["binance-vision-csv"] * 5
        + ["smc-eurusd"]
    )
    assert all(skipped.reason for skipped in survey.skipped)
