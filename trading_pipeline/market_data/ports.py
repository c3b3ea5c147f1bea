"""The port through which candles come in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import polars as pl

from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.timeframe import Timeframe


class CandleSource(Protocol):
    """A venue, an archive or a set of files that has candles.

    Every implementation passes the same contract suite
    (``trading_pipeline_tests/contracts/candle_source.py``).
    """

    @property
    def name(self) -> str:
        """What delivered the candles, for lineage (``ccxt:binance``, ``files``)."""
        ...

    def now(self) -> datetime:
        """Return the venue's clock, timezone-aware UTC."""
        ...

    def instrument(self, symbol: Symbol) -> Instrument:
        """Return the trading rules of ``symbol``.

        Raises
        ------
        SymbolNotListedError
            If the venue does not list it; the message names near matches.
        """
        ...

    def candles(
        self, symbol: Symbol, timeframe: Timeframe, start: datetime, end: datetime
    ) -> pl.DataFrame:
        """Return the closed candles with ``start <= open_time < end``, oldest first.

        Candles are closed by the venue's clock, never by their position in a reply. Hours without
        a row are hours that the source does not have.

        Returns
        -------
        DataFrame
            In ``core.candles.CANDLE_SCHEMA``; no rows if there are none.

        Raises
        ------
        VenueError, CandleFileError
            If the source cannot answer or answers nonsense.
        """
        ...

    def fingerprint(self, symbol: Symbol, timeframe: Timeframe) -> str | None:
        """Return a text that changes when past candles may have changed; None if unknown.

        Files answer with their content; a venue answers None: its closed months are taken as
        settled once they were fetched completely.
        """
        ...


class CandleHistory(Protocol):
    """What is asked of a second source: candles, and no more."""

    def candles(
        self, symbol: Symbol, timeframe: Timeframe, start: datetime, end: datetime
    ) -> pl.DataFrame:
        """Return the closed candles with ``start <= open_time < end``, as a candle source does."""
        ...


@dataclass(frozen=True, slots=True)
class SecondSource:
    """Somebody else to ask about a gap.

    Parameters
    ----------
    name : str
        As the settings name it: ``archive``, ``rest``, ``yahoo``, ``kraken``.
    same_venue : bool
        Whether its candles are of the very market: only then may one replace a missing one. The
        candles of another venue only say whether there was trading.
    source : CandleHistory
    """

    name: str
    same_venue: bool
    source: CandleHistory
