"""Candle files in every format that people have, written by pandas or by hand."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from trading_pipeline_tests.adapters.files.writers import (
    binance_archive,
    csv_text,
    freqtrade_feather,
    freqtrade_json,
    milliseconds,
    pandas_parquet,
)
from trading_pipeline_tests.builders import make_candles

N_CANDLES = 24 * (31 + 29)
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
_CUTS = (datetime(2024, 1, 20, tzinfo=UTC), datetime(2024, 2, 10, tzinfo=UTC))


def history(seed: int) -> pl.DataFrame:
    """Return the hours of January and February 2024, up to the last, of one symbol."""
    return make_candles(N_CANDLES, seed=seed, start=FIRST)


def newest_first(candles: pl.DataFrame, path: Path) -> Path:
    """Write a CSV as cryptodatadownload does: a banner, the newest row on top, text times."""
    turned = candles.reverse()
    times = turned["open_time"].dt.strftime("%Y-%m-%d %H:%M:%S").to_list()
    text = csv_text(turned, "date,open,high,low,close,volume", times)
    path.write_text("https://www.CryptoDataDownload.com\n" + text)
    return path


def six_formats(folder: Path) -> dict[str, pl.DataFrame]:
    """Write two symbols, each in three pieces of three formats; return what was written."""
    folder.mkdir(parents=True)
    bitcoin, ether = history(1), history(2)
    first, second, third = _pieces(bitcoin)
    binance_archive(first, folder / "BTCUSDT-1h-2024-01.csv")
    binance_archive(second, folder / "BTCUSDT-1h-2024-02.csv", scale=1000)
    newest_first(third, folder / "Binance_BTCUSDT_1h.csv")
    first, second, third = _pieces(ether)
    freqtrade_feather(first, folder / "ETH_USDT-1h.feather")
    freqtrade_json(second, folder / "ETH_USDT-1h.json")
    pandas_parquet(third, folder / "ETH_USDT-1h.parquet")
    return {"BTC-USDT": bitcoin, "ETH-USDT": ether}


def plain_csv_text(candles: pl.DataFrame) -> str:
    return csv_text(candles, "timestamp,open,high,low,close,volume", list(milliseconds(candles)))


def _pieces(candles: pl.DataFrame) -> list[pl.DataFrame]:
    opened = pl.col("open_time")
    return [
        candles.filter(opened < _CUTS[0]),
        candles.filter(opened.is_between(*_CUTS, closed="left")),
        candles.filter(opened >= _CUTS[1]),
    ]
