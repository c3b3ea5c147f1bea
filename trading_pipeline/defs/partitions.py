"""Partition sets: month x symbol, and what derives from it.

A partition is a month of one symbol, never a candle. Fold months start where a walk-forward fold
has its whole training window, so that a fold that cannot exist is not shown as missing.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from functools import cached_property

import dagster as dg
import polars as pl

from trading_pipeline.config import Settings
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month

_DAY = timedelta(days=1)
# A partition exists in Dagster when it is over by this machine's clock, plus so many: one for the
# running month of a market that goes on. One that ended has its last whatever this clock says.
_RUNNING = 1
_YEARS_AHEAD = 10


class PartitionSet(Enum):
    """Which partitions an asset has."""

    MONTH_SYMBOL = auto()
    FOLD_SYMBOL = auto()
    SYMBOL = auto()
    DAY = auto()
    NONE = auto()


@dataclass(frozen=True, slots=True)
class Cell:
    """One partition: a symbol's month, a whole symbol, or (both None) a whole table."""

    symbol: Symbol | None = None
    month: Month | None = None

    @classmethod
    def parse(cls, key: str | None) -> "Cell":
        """Return the cell of a Dagster partition key (``2024-01|BTC-USDT``, ``BTC-USDT``)."""
        if key is None:
            return cls()
        if isinstance(key, dg.MultiPartitionKey):
            named = key.keys_by_dimension
            return cls(Symbol.parse(named["symbol"]), Month.parse(named["month"]))
        month, bar, symbol = key.partition("|")
        if bar:
            return cls(Symbol.parse(symbol), Month.parse(month))
        return cls(Symbol.parse(key))

    @property
    def key(self) -> str:
        """The Dagster partition key."""
        return "|".join(
            part
            for part in (self.month and self.month.key, self.symbol and self.symbol.key)
            if part
        )

    @property
    def named_symbol(self) -> Symbol:
        """The symbol of a cell that has one."""
        assert self.symbol is not None
        return self.symbol

    @property
    def named_month(self) -> Month:
        """The month of a cell that has one."""
        assert self.month is not None
        return self.month


class Partitions:
    """The partition definitions for one set of settings."""

    def __init__(self, settings: Settings) -> None:
        market = settings.market
        self.symbols = market.enabled_symbols
        self.first_month = Month.parse(market.history_start)
        self.last_month = Month.parse(market.history_end) if market.history_end else None
        self.train_months = settings.walk_forward.train_months
        self._now = market.now

    def definition(self, partition_set: PartitionSet) -> dg.PartitionsDefinition | None:
        """Return the partitions definition of ``partition_set``."""
        return {
            PartitionSet.MONTH_SYMBOL: self.month_symbol,
            PartitionSet.FOLD_SYMBOL: self.fold_symbol,
            PartitionSet.SYMBOL: self.symbol,
            PartitionSet.DAY: self.day,
            PartitionSet.NONE: None,
        }[partition_set]

    @cached_property
    def month_symbol(self) -> dg.MultiPartitionsDefinition:
        """Every month since the history's start, for every symbol."""
        return self._by_month(self.first_month)

    @cached_property
    def fold_symbol(self) -> dg.MultiPartitionsDefinition:
        """The months that have a whole training window before them, for every symbol."""
        return self._by_month(self.first_fold)

    @cached_property
    def symbol(self) -> dg.StaticPartitionsDefinition:
        """One partition per symbol."""
        return dg.StaticPartitionsDefinition([symbol.key for symbol in self.symbols])

    @cached_property
    def day(self) -> dg.DailyPartitionsDefinition:
        """One partition per UTC day; the running day is one."""
        end = self.last_month.end if self.last_month else None
        if end is not None and self._now is not None:
            # Candles that end with a month have their present on the first day after it.
            end = self._now.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
        return dg.DailyPartitionsDefinition(
            start_date=self.first_month.start,
            end_date=end,
            end_offset=366 * _YEARS_AHEAD if end else _RUNNING,
        )

    @property
    def first_fold(self) -> Month:
        """First month that a fold can predict."""
        return self.first_month.shift(self.train_months)

    def _by_month(self, first: Month) -> dg.MultiPartitionsDefinition:
        # Without an end the running month is a partition too; a market that ended has its last.
        months = dg.MonthlyPartitionsDefinition(
            start_date=first.key,
            end_date=self.last_month.shift(1).key if self.last_month else None,
            fmt="%Y-%m",
            end_offset=12 * _YEARS_AHEAD if self.last_month else _RUNNING,
        )
        return dg.MultiPartitionsDefinition({"month": months, "symbol": self.symbol})


def last_month(context: dg.AssetExecutionContext) -> Month:
    """Return the newest month of a run over months."""
    return max(Cell.parse(key).named_month for key in context.partition_keys)


def rows_of(frame: pl.DataFrame, month: Month) -> pl.DataFrame:
    """Return the rows of ``frame`` whose ``open_time`` lies in ``month``."""
    return frame.filter(pl.col("open_time").is_between(month.start, month.end, closed="left"))
