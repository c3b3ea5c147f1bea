"""What a backtest is judged on: candles and signals of the out-of-sample window."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from trading_pipeline.config import Settings
from trading_pipeline.core.errors import DataError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.defs.io_managers import StoredTable
from trading_pipeline.defs.partitions import Cell


@dataclass(frozen=True, slots=True)
class Window:
    """Candles of the window, the signals of every source and of their aggregate."""

    candles: pl.DataFrame
    by_source: Mapping[str, pl.DataFrame]
    aggregate: pl.DataFrame
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """The tables that a backtest reads."""

    settings: Settings
    candles: StoredTable
    strategy_signals: StoredTable
    forecast_signals: StoredTable
    signals: StoredTable
    fold_models: StoredTable

    def first_month(self, symbol: Symbol) -> tuple[Month, str]:
        """Return where the out-of-sample window starts, and why.

        Raises
        ------
        DataError
            If there are no signals yet.
        """
        with_signals = self.signals.months(symbol)
        if not with_signals:
            raise DataError(f"{symbol} has no signals; materialise signals first")
        trained = [
            month
            for month in self.fold_models.months(symbol)
            if "refused" not in self.fold_models.notes(Cell(symbol, month))
        ]
        if trained and trained[0] in with_signals:
            return trained[0], f"out of sample, from the first fold {trained[0]} on"
        return with_signals[0], "from the first candle on: no fold was trained"

    def contents(self, symbol: Symbol) -> list[list[str | None]]:
        """Return the content fingerprints of everything that the window reads."""
        first, _ = self.first_month(symbol)
        months = [month for month in self.signals.months(symbol) if month >= first]
        tables = (self.candles, self.strategy_signals, self.forecast_signals, self.signals)
        return [[table.content(Cell(symbol, month)) for table in tables] for month in months]

    def window(self, symbol: Symbol) -> Window:
        """Return candles and signals of the out-of-sample window."""
        first, reason = self.first_month(symbol)
        last = self.signals.months(symbol)[-1]
        votes = self.strategy_signals.between(symbol, first, last)
        if self.settings.strategies.forecast.enabled:
            votes = pl.concat([votes, self.forecast_signals.between(symbol, first, last)])
        by_source = {
            str(source): rows
            for (source,), rows in votes.sort("source").group_by(["source"], maintain_order=True)
        }
        return Window(
            self.candles.between(symbol, first, last),
            by_source,
            self.signals.between(symbol, first, last),
            reason,
        )
