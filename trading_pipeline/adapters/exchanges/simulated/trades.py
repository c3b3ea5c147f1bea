"""Single trades of the simulated exchange, derived from its candles.

Reference: binance-spot-api-docs, rest-api.md, "Compressed/Aggregate trades list". A base candle
with volume is two trades, one at its open and one at its close; without volume it is none, so that
trades and candles never disagree.
"""

import polars as pl

from trading_pipeline.adapters.exchanges.simulated.wire import number, price_text
from trading_pipeline.core.instrument import Instrument
from trading_pipeline.core.timeframe import Timeframe


def aggregate_trades(
    instrument: Instrument, timeframe: Timeframe, candles: pl.DataFrame, first_ms: int, last_ms: int
) -> list[dict[str, object]]:
    """Return the trades in base ``candles`` with ``first_ms <= time <= last_ms``, oldest first."""
    length = timeframe.milliseconds
    trades: list[dict[str, object]] = []
    for row in candles.iter_rows(named=True):
        opened = int(row["open_time"].timestamp() * 1000)
        for part, price in ((0, row["open"]), (1, row["close"])):
            at = opened + (2 * part + 1) * length // 4
            if row["volume"] > 0 and first_ms <= at <= last_ms:
                trade_id = 2 * (opened // length) + part
                trades.append(
                    {
                        "a": trade_id,
                        "p": price_text(instrument, price),
                        "q": number(row["volume"] / 2),
                        "f": trade_id,
                        "l": trade_id,
                        "T": at,
                        "m": bool(part),
                        "M": True,
                    }
                )
    return trades
