"""A market whose venue corrects candles after they closed."""

from datetime import datetime

import polars as pl

from trading_pipeline.adapters.exchanges.simulated.market import Market
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.timeframe import Timeframe


class RevisingMarket:
    """Another market, with other closes where :attr:`closes` says so.

    Parameters
    ----------
    market : Market
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self.closes: dict[datetime, float] = {}

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Everything that is listed."""
        return self._market.instruments

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Return the candle lengths that ``symbol`` has, shortest first."""
        return self._market.timeframes(symbol)

    def window(
        self,
        symbol: Symbol,
        timeframe: Timeframe,
        *,
        start_ms: int | None,
        end_ms: int | None,
        limit: int,
        now: datetime,
    ) -> pl.DataFrame:
        """Return candles as the market does, corrected."""
        rows = self._market.window(
            symbol, timeframe, start_ms=start_ms, end_ms=end_ms, limit=limit, now=now
        )
        for opened, close in list(self.closes.items()):
            is_meant = pl.col("open_time") == opened
            rows = rows.with_columns(
                pl.when(is_meant).then(pl.lit(close)).otherwise(pl.col("close")).alias("close")
            )
        return rows
