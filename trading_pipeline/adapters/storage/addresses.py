"""Where a partition of the lake lives."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe


@dataclass(frozen=True, slots=True)
class Address:
    """Where a partition lives: a table, and values of the partition columns in path order."""

    table: str
    columns: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address that ``str(address)`` gave."""
        table, *folders = text.split("/")
        pairs = (folder.partition("=") for folder in folders)
        return cls(table, tuple((name, value) for name, _, value in pairs))

    @property
    def path(self) -> Path:
        """Folder of the partition, relative to the lake's root."""
        return Path(str(self))

    def __str__(self) -> str:
        return "/".join((self.table, *(f"{name}={value}" for name, value in self.columns)))


def month_address(
    table: str, venue: str, symbol: Symbol, timeframe: Timeframe, month: Month
) -> Address:
    """Return the address of one symbol's month."""
    series = symbol_address(table, venue, symbol, timeframe)
    return Address(table, (*series.columns, ("month", month.key)))


def symbol_address(table: str, venue: str, symbol: Symbol, timeframe: Timeframe) -> Address:
    """Return the address of a table that has one partition per symbol."""
    return Address(table, (("venue", venue), ("symbol", symbol.key), ("timeframe", timeframe.name)))
