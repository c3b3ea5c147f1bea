"""Candles of one symbol and timeframe, as a venue shows them at an instant."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from trading_pipeline.core.candles import CANDLE_SCHEMA, IntArray, conform
from trading_pipeline.core.timeframe import Timeframe

VOLUME_DECIMALS = 8


@dataclass(frozen=True, slots=True)
class CandleTape:
    """Candles that a venue reveals with time; the frame may reach into the future.

    Parameters
    ----------
    timeframe : Timeframe
    frame : DataFrame
        In the candle contract, oldest first.
    opens_ms : ndarray of shape (n_bars,)
        Open times in milliseconds since 1970, UTC, ascending.
    """

    timeframe: Timeframe
    frame: pl.DataFrame
    opens_ms: IntArray

    @classmethod
    def of(cls, frame: pl.DataFrame, timeframe: Timeframe) -> Self:
        """Return the tape of ``frame``.

        Raises
        ------
        CandleSchemaError
            If ``frame`` breaks the candle contract.
        """
        candles = conform(frame)
        return cls(timeframe, candles, candles["open_time"].dt.epoch("ms").to_numpy())

    def aggregated(self, timeframe: Timeframe) -> Self:
        """Return the tape of a longer ``timeframe``; every candle equals the ones inside it.

        The open is the first one, the close the last, the volume the sum. A candle exists when at
        least one candle inside it does.
        """
        frame = (
            self.frame.group_by(
                pl.col("open_time").dt.truncate(timeframe.name), maintain_order=True
            )
            .agg(
                pl.col("open").first(),
                pl.col("high").max(),
                pl.col("low").min(),
                pl.col("close").last(),
                pl.col("volume").sum().round(VOLUME_DECIMALS),
            )
            .select(list(CANDLE_SCHEMA))
        )
        return self.of(frame, timeframe)

    def window(
        self, start_ms: int | None, end_ms: int | None, limit: int, now_ms: int, base: "CandleTape"
    ) -> pl.DataFrame:
        """Return at most ``limit`` candles that were opened by ``now_ms``, the forming one last.

        With ``start_ms`` the first ones from there on, otherwise the last ones, as Binance does;
        both bounds are inclusive. The forming candle is made of the candles of ``base`` (the
        finest tape of the symbol) up to ``now_ms`` and never shows what came later.
        """
        stop = int(np.searchsorted(self.opens_ms, now_ms, side="right"))
        if end_ms is not None:
            stop = min(stop, int(np.searchsorted(self.opens_ms, end_ms, side="right")))
        if start_ms is None:
            first = max(stop - limit, 0)
        else:
            first = int(np.searchsorted(self.opens_ms, start_ms, side="left"))
            stop = min(stop, first + limit)
        if stop <= first:
            return self.frame.clear()
        newest_ms = int(self.opens_ms[stop - 1])
        if newest_ms + self.timeframe.milliseconds <= now_ms:
            return self.frame.slice(first, stop - first)
        closed = self.frame.slice(first, stop - first - 1)
        return pl.concat([closed, base.forming(newest_ms, now_ms)])

    def forming(self, open_ms: int, now_ms: int) -> pl.DataFrame:
        """Return the candle from ``open_ms`` to ``now_ms``: one row, or none without a trade yet.

        Of a candle of this tape that is itself still open, only its open price is known.
        """
        first, stop = np.searchsorted(self.opens_ms, [open_ms, now_ms + 1])
        rows = self.frame.slice(int(first), int(stop - first))
        if rows.is_empty():
            return rows
        if int(self.opens_ms[stop - 1]) + self.timeframe.milliseconds > now_ms:
            price = pl.col("open")
            known = rows.tail(1).with_columns(
                high=price, low=price, close=price, volume=pl.lit(0.0)
            )
            rows = pl.concat([rows.head(-1), known])
        return rows.select(
            pl.lit(open_ms)
            .cast(pl.Datetime("ms", "UTC"))
            .cast(CANDLE_SCHEMA["open_time"])
            .alias("open_time"),
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum().round(VOLUME_DECIMALS),
        )
