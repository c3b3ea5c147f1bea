"""Candle files that are refused whole, and files of which every refused row is counted."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from trading_pipeline_tests.adapters.files.writers import (
    csv_text,
    freqtrade_json,
    milliseconds,
    pandas_parquet,
    plain_csv,
)
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.cli.desk import Desk, assert_refused, assert_untouched, tree
from trading_pipeline_tests.real_data import real_file

HEADER = "timestamp,open,high,low,close,volume"
PROFILE = "market: {history_start: 2024-01}\n"


def _missing(folder: Path) -> list[Path]:
    return [folder / "BTC_USDT-1h.csv"]


def _empty(folder: Path) -> list[Path]:
    path = folder / "BTC_USDT-1h.csv"
    path.touch()
    return [path]


def _header_alone(folder: Path) -> list[Path]:
    path = folder / "BTC_USDT-1h.csv"
    path.write_text(HEADER + "\n")
    return [path]


def _noise(folder: Path) -> list[Path]:
    path = folder / "BTC_USDT-1h.feather"
    path.write_bytes(bytes(range(256)) * 20)
    return [path]


def _truncated(folder: Path) -> list[Path]:
    path = pandas_parquet(make_candles(200), folder / "BTC_USDT-1h.parquet")
    path.write_bytes(path.read_bytes()[:-300])
    return [path]


def _prose(folder: Path) -> list[Path]:
    path = folder / "BTC_USDT-1h.json"
    path.write_text('{"code": -1121, "msg": "Invalid symbol."}')
    return [path]


def _folder_of_prose(folder: Path) -> list[Path]:
    (folder / "readme.txt").write_text("candles are elsewhere")
    return [folder]


def _disagreeing(folder: Path) -> list[Path]:
    candles = make_candles(200)
    third = pl.when(pl.col("open_time") == datetime(2024, 1, 1, 3, tzinfo=UTC))
    other = candles.with_columns(third.then(pl.col("volume") + 1).otherwise(pl.col("volume")))
    return [
        plain_csv(candles, folder / "BTC_USDT-1h.csv"),
        freqtrade_json(other, folder / "BTC_USDT-1h.json"),
    ]


def _mostly_wrong(folder: Path) -> list[Path]:
    half = pl.int_range(pl.len()) % 3 > 0
    candles = make_candles(300).with_columns(close=pl.when(half).then(-1.0).otherwise("close"))
    return [plain_csv(candles, folder / "BTC_USDT-1h.csv")]


def _nameless(folder: Path) -> list[Path]:
    return [plain_csv(make_candles(200), folder / "candles.csv")]


def _two_timeframes(folder: Path) -> list[Path]:
    plain_csv(make_candles(200), folder / "BTC_USDT-1h.csv")
    plain_csv(make_candles(200, timeframe="5m"), folder / "ETH_USDT-5m.csv")
    return [folder]


def _wrongly_named(folder: Path) -> list[Path]:
    return [plain_csv(make_candles(200, timeframe="5m"), folder / "BTC_USDT-1h.csv")]


def _apart(folder: Path) -> list[Path]:
    later = datetime(2024, 6, 1, tzinfo=UTC)
    plain_csv(make_candles(200), folder / "BTC_USDT-1h.csv")
    plain_csv(make_candles(200, start=later), folder / "ETH_USDT-1h.csv")
    return [folder]


CASES = [
    (_missing, "CandleFileError", ["BTC_USDT-1h.csv", "does not exist"]),
    (_empty, "CandleFileError", ["BTC_USDT-1h.csv", "empty"]),
    (_header_alone, "CandleFileError", ["BTC_USDT-1h.csv", "holds no row"]),
    (_noise, "CandleFileError", ["BTC_USDT-1h.feather"]),
    (_truncated, "CandleFileError", ["BTC_USDT-1h.parquet"]),
    (_prose, "CandleFileError", ["BTC_USDT-1h.json"]),
    (_folder_of_prose, "CandleFileError", ["no usable candle file", "readme.txt"]),
    (
        _disagreeing,
        "CandleConflictError",
        ["BTC_USDT-1h.csv", "BTC_USDT-1h.json", "2024-01-01", "03:00"],
    ),
    (_mostly_wrong, "CandleFileError", ["BTC_USDT-1h.csv", "200", "300"]),
    (_nameless, "CandleFileError", ["candles.csv", "which symbol", "say the symbol"]),
    (_two_timeframes, "CandleFileError", ["1h, 5m", "--timeframe"]),
    (_wrongly_named, "CandleFileError", ["BTC_USDT-1h.csv", "0:05:00 apart"]),
    (_apart, "CandleFileError", ["no common period", "--symbol"]),
]


@pytest.mark.parametrize(
    ("command", "write", "kind", "words"),
    [
        *((["data", "import"], *case) for case in CASES),
        # The demo reads files by the same function.
        *((["demo"], *case) for case in CASES if case[0] in (_missing, _disagreeing)),
    ],
)
def test_a_file_that_is_refused_changes_neither_lake_nor_profile(
    desk: Desk,
    command: list[str],
    write: Callable[[Path], list[Path]],
    kind: str,
    words: list[str],
):
    desk.with_profile("kept", PROFILE)
    folder = desk.folder / "candles"
    folder.mkdir()
    paths = write(folder)
    before = tree(desk.root)
    assert_refused(desk.run(*command, *paths), kind, *words)
    assert_untouched(before, tree(desk.root))


def test_every_row_that_is_dropped_is_counted_and_the_rest_kept(desk: Desk):
    candles = make_candles(300)
    lines = csv_text(candles, HEADER, list(milliseconds(candles))).splitlines()
    rows = [line.split(",") for line in lines[1:]]
    rows[10][4] = "NaN"
    rows[20][1] = "-5"
    rows[30][2], rows[30][3] = "1.0", "2.0"  # high below low
    rows[100][0] = str(int(rows[100][0]) + 60_000)  # a minute off the grid
    rows.insert(40, rows[40])
    shuffled = rows[150:] + rows[:150]
    path = desk.folder / "BTC_USDT-1h.csv"
    path.write_text("\n".join([HEADER, *(",".join(row) for row in shuffled)]) + "\n")
    said = " ".join(desk.succeed("data", "import", path).out.split())
    assert "296 candles, 2024-01-01 00:00 to 2024-01-13 11:00 UTC, 5 rows dropped" in said
    reasons = (
        "1 missing value",
        "1 price not positive",
        "1 high below low",
        "1 not on the timeframe's grid",
        "1 exact duplicate",
    )
    for reason in reasons:
        assert reason in said
    (row,) = desk.succeed("data", "list", "--json").json["candles"]
    assert (row["candles"], row["dropped"]) == (296, 5)
    assert (row["missing_explained"], row["missing_unexplained"]) == (0, 4)


def test_the_open_candle_of_the_running_month_is_left_out_and_rows_without_a_time_counted(
    desk: Desk,
):
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    candles = make_candles(200, start=hour - timedelta(hours=199))
    times: list[object] = list(milliseconds(candles))
    times[:20] = candles["open_time"].dt.strftime("%d/%m/%Y %H:%M").to_list()[:20]
    path = desk.folder / "BTC_USDT-1h.csv"
    path.write_text(csv_text(candles, HEADER, times))
    said = " ".join(desk.succeed("data", "import", path).out.split())
    assert "179 candles" in said
    assert "21 rows dropped" in said
    assert "1 not closed yet" in said
    assert "20 unreadable time" in said
    (row,) = desk.succeed("data", "list", "--json").json["candles"]
    assert row["candles"] == 179


@pytest.mark.real_data
def test_the_messy_file_comes_through_with_every_dropped_row_counted(desk: Desk):
    """Its newest 12,800 rows: seconds and milliseconds mixed, and hours that are there twice."""
    lines = real_file("messy/Binance_BTCUSDT_1h.csv").read_text().splitlines()[:12_801]
    path = desk.folder / "Binance_BTCUSDT_1h.csv"
    path.write_text("\n".join(lines) + "\n")
    unix = pd.read_csv(path)["unix"]
    twice = unix.where(unix > 1e11, unix * 1000).astype("int64").duplicated(keep=False)
    assert twice.sum() > 5000
    said = " ".join(desk.succeed("data", "import", path).out.split())
    assert f"{twice.sum():,} rows dropped ({twice.sum():,} conflicting duplicate)" in said
    (row,) = desk.succeed("data", "list", "--json").json["candles"]
    assert row["dropped"] == twice.sum()
    assert row["candles"] == (~twice).sum()
