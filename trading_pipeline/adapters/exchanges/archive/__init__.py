"""A venue's public archive of candles, and a source that prefers it to the venue's REST API."""

from trading_pipeline.adapters.exchanges.archive.layered import LayeredCandleSource
from trading_pipeline.adapters.exchanges.archive.reader import ArchiveReader, ArchiveRows
from trading_pipeline.adapters.exchanges.archive.source import ArchiveHistory

DEFAULT_ARCHIVES = {"binance": "https://data.binance.vision"}
"""Base address of the public archive by venue."""

__all__ = [
    "DEFAULT_ARCHIVES",
    "ArchiveHistory",
    "ArchiveReader",
    "ArchiveRows",
    "LayeredCandleSource",
]
