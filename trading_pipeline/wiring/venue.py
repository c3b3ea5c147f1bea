"""The source of candles, rules and quotes that the settings name."""

from collections.abc import Mapping
from contextlib import ExitStack
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from trading_pipeline.adapters.clock import SystemClock
from trading_pipeline.config import Settings
from trading_pipeline.core.clock import Clock, FrozenClock
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.month import Month

if TYPE_CHECKING:
    from trading_pipeline.execution.ports import QuoteSource
    from trading_pipeline.market_data.ports import CandleSource


class VenueAccess:
    """The source of candles, rules and quotes; opened when it is first needed.

    Parameters
    ----------
    settings : Settings
    source : CandleSource, optional
        Used instead of the one that the settings name.
    """

    def __init__(self, settings: Settings, source: "CandleSource | None" = None) -> None:
        self._settings = settings
        self._source = source
        self._resources = ExitStack()

    def source(self) -> "CandleSource":
        """Return the candle source.

        Raises
        ------
        VenueError, CandleFileError
            If it cannot be opened.
        """
        if self._source is None:
            self._source = self._open()
        return self._source

    def clock(self) -> Clock:
        """Return the market's clock: frozen for a market that ended, else this machine's."""
        if self._settings.market.now is not None:
            return FrozenClock(self._settings.market.now)
        if self._settings.is_simulated:
            from trading_pipeline.adapters.exchanges.simulated.profile import DEMO_NOW

            return FrozenClock(DEMO_NOW)
        if self._settings.market.candle_files:
            # Files end where they end: their present is the close of the newest candle.
            return FrozenClock(self.source().now())
        return SystemClock()

    def instrument(self, symbol: Symbol) -> Instrument:
        """Return the trading rules of ``symbol``, with the configured smallest order."""
        listed = self.source().instrument(symbol)
        smallest = Decimal(str(self._settings.market.symbols[symbol.key].min_order_size))
        return Instrument(
            symbol,
            listed.tick_size,
            listed.lot_size,
            listed.min_quantity,
            max(listed.min_notional, smallest),
        )

    def instruments(self) -> Mapping[Symbol, Instrument]:
        """Return the trading rules of every enabled symbol."""
        return {symbol: self.instrument(symbol) for symbol in self._settings.market.enabled_symbols}

    def dropped_rows(self, symbol: Symbol, month: Month) -> dict[str, int]:
        """Return how many raw rows of a month the source refused, by reason."""
        from trading_pipeline.adapters.exchanges.files import FileCandleSource

        source = self.source()
        if not isinstance(source, FileCandleSource):
            return {}
        timeframe = self._settings.market.timeframe
        return source.dropped_counts(symbol, timeframe, month.start, month.end)

    def label(self) -> str:
        """Return where candles come from, for people."""
        if self._settings.is_simulated:
            return "SIMULATED market (embedded exchange)"
        if self._settings.market.candle_files:
            return f"{self._settings.market.venue}, from candle files"
        return self._settings.market.venue

    def close(self) -> None:
        """Close what was opened."""
        self._resources.close()
        self._source = None

    def _open(self) -> "CandleSource":
        market = self._settings.market
        if market.candle_files:
            from trading_pipeline.adapters.exchanges.files import (
                FileCandleSource,
                scan_candle_files,
            )

            paths = [self._settings.home / path for path in market.candle_files]
            symbol = Symbol.parse(market.candle_symbol) if market.candle_symbol else None
            files = scan_candle_files(paths, symbol=symbol, timeframe=market.timeframe)
            clock = FrozenClock(market.now) if market.now is not None else None
            return FileCandleSource(files, venue=market.venue, clock=clock)
        if self._settings.is_simulated:
            from trading_pipeline.adapters.exchanges.simulated.profile import simulated_source

            return self._resources.enter_context(simulated_source())
        from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource

        return CcxtCandleSource(market.venue, market.base_url)


def quotes(settings: Settings, venue: VenueAccess) -> "QuoteSource":
    """Return where current prices come from."""
    source = venue.source()
    if settings.market.candle_files:
        from trading_pipeline.adapters.exchanges.last_close import LastCloseQuotes

        return LastCloseQuotes(source, settings.market.timeframe)
    return cast("QuoteSource", source)
