"""Candle files as their makers write them, by pandas or by hand: never by our own code."""

import json
from pathlib import Path

import polars as pl

BINANCE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore"
)


def milliseconds(candles: pl.DataFrame) -> list[int]:
    return candles["open_time"].dt.epoch("ms").to_list()


def value_rows(candles: pl.DataFrame) -> list[tuple[float, ...]]:
    return candles.select("open", "high", "low", "close", "volume").rows()


def freqtrade_feather(candles: pl.DataFrame, path: Path) -> Path:
    frame = candles.rename({"open_time": "date"}).to_pandas()
    frame["date"] = frame["date"].astype("datetime64[ns, UTC]")
    frame.to_feather(path, compression="lz4")
    return path


def pandas_parquet(candles: pl.DataFrame, path: Path) -> Path:
    frame = candles.to_pandas().set_index("open_time")
    frame.index.name = "timestamp"
    frame.to_parquet(path)
    return path


def freqtrade_json(candles: pl.DataFrame, path: Path) -> Path:
    rows = zip(milliseconds(candles), value_rows(candles), strict=True)
    path.write_text(json.dumps([[ms, *values] for ms, values in rows]))
    return path


def binance_rows(candles: pl.DataFrame, scale: int = 1) -> list[str]:
    return [
        f"{ms * scale},{o:.8f},{h:.8f},{low:.8f},{c:.8f},{v:.8f},{(ms + 3_600_000) * scale - 1},"
        f"{v * c:.8f},12,{v / 2:.8f},{v * c / 2:.8f},0"
        for ms, (o, h, low, c, v) in zip(milliseconds(candles), value_rows(candles), strict=True)
    ]


def binance_archive(
    candles: pl.DataFrame, path: Path, *, scale: int = 1, header: bool = False
) -> Path:
    lines = [BINANCE_HEADER] * header + binance_rows(candles, scale)
    path.write_text("\n".join(lines) + "\n")
    return path


def csv_text(candles: pl.DataFrame, header: str, times: list[object], separator: str = ",") -> str:
    lines = [header]
    for time, values in zip(times, value_rows(candles), strict=True):
        lines.append(separator.join([str(time), *(repr(value) for value in values)]))
    return "\n".join(lines) + "\n"


def plain_csv(candles: pl.DataFrame, path: Path) -> Path:
    header = "timestamp,open,high,low,close,volume"
    path.write_text(csv_text(candles, header, milliseconds(candles)))
    return path
