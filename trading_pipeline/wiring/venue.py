"""The source of candles, rules and quotes that the settings name."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from trading_pipeline.adapters.clock import SystemClock
from trading_pipeline.config import Settings
from trading_pipeline.core.clock import Clock, FrozenClock
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.market_data.ports import SecondSource
from trading_pipeline.wiring.universe import universe

if TYPE_CHECKING:
    from trading_pipeline.adapters.exchanges.archive import ArchiveReader, LayeredCandleSource
    from trading_pipeline.adapters.exchanges.archive.layered import Provenance
    from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource
    from trading_pipeline.adapters.exchanges.ccxt_trades import CcxtTradeWitness
    from trading_pipeline.adapters.exchanges.request_gate import RequestGate
    from trading_pipeline.adapters.exchanges.yahoo import YahooCandleSource
    from trading_pipeline.execution.ports import QuoteSource
    from trading_pipeline.market_data.ports import CandleHistory, CandleSource
    from trading_pipeline.market_data.repair import TradeWitness

_YAHOO = "yahoo"


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
        self._second: tuple[SecondSource, ...] | None = None
        self._trades: CcxtTradeWitness | None = None
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

    def closed_by(self) -> datetime:
        """Return the instant up to which candles count as closed.

        The venue's clock less ``market.close_grace_s``; without grace where the market stands.

        Raises
        ------
        VenueError, CandleFileError
            If the source cannot be opened or does not answer.
        """
        return self.source().now() - timedelta(seconds=self._grace_s)

    def second_sources(self) -> tuple[SecondSource, ...]:
        """Return whom to ask about a gap, in the order of ``market.second_sources``.

        Nothing is asked by this; each is opened once.

        Raises
        ------
        ConfigError
            If the settings name one that this market does not have, or ccxt does not know.
        """
        if self._second is None:
            self._second = tuple(self._second_source(entry) for entry in self._second_entries())
        return self._second

    def record(self) -> str | None:
        """Return which single record of the venue the source is; None if it joins several.

        A gap is confirmed by another record of the venue, never by the same one asked twice.
        """
        from trading_pipeline.adapters.exchanges.archive import LayeredCandleSource

        if isinstance(self.source(), LayeredCandleSource):
            return None
        return "files" if self._settings.market.candle_files else "rest"

    def trades(self) -> "TradeWitness | None":
        """Return who knows the venue's single trades; None for files and the embedded exchange."""
        market = self._settings.market
        if market.candle_files or self._settings.is_simulated or market.venue == _YAHOO:
            return None
        if self._trades is None:
            from trading_pipeline.adapters.exchanges.ccxt_trades import CcxtTradeWitness

            gate = self._gate(market.venue, market.base_url)
            self._trades = CcxtTradeWitness(market.venue, market.base_url, gate=gate)
            self._resources.callback(self._trades.close)
        return self._trades

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
        """Return the trading rules of every enabled symbol that is listed now."""
        tradable = universe(self._settings).tradable(self.clock().now())
        return {symbol: self.instrument(symbol) for symbol in tradable}

    def dropped_rows(self, symbol: Symbol, month: Month) -> dict[str, int]:
        """Return how many raw rows of a month the source refused, by reason."""
        from trading_pipeline.adapters.exchanges.archive import LayeredCandleSource
        from trading_pipeline.adapters.exchanges.files import FileCandleSource
        from trading_pipeline.adapters.exchanges.yahoo import YahooCandleSource

        source, timeframe = self.source(), self._settings.market.timeframe
        if isinstance(source, FileCandleSource):
            return source.dropped_counts(symbol, timeframe, month.start, month.end)
        if isinstance(source, LayeredCandleSource):
            return _total(part.dropped for part in self._provenances(source, symbol, month))
        if isinstance(source, YahooCandleSource):
            return dict(source.dropped(symbol, timeframe, month.start))
        return {}

    def source_counts(self, symbol: Symbol, month: Month, n_rows: int) -> dict[str, int]:
        """Return how many of the ``n_rows`` just fetched for a month came from which source.

        By ``archive`` and ``rest`` where a venue has both, otherwise by the one there is.
        """
        from trading_pipeline.adapters.exchanges.archive import LayeredCandleSource

        source, market = self.source(), self._settings.market
        if isinstance(source, LayeredCandleSource):
            return _total(part.rows for part in self._provenances(source, symbol, month))
        kind = "files" if market.candle_files else "rest"
        return {_YAHOO if market.venue == _YAHOO else kind: n_rows} if n_rows else {}

    def label(self) -> str:
        """Return where candles come from, for people."""
        if self._settings.is_simulated:
            return "SIMULATED market (embedded exchange)"
        if self._settings.market.candle_files:
            return f"{self._settings.market.venue}, from candle files"
        if self._settings.market.venue == _YAHOO:
            return "Yahoo Finance (USDT is read as USD)"
        return self._settings.market.venue

    def close(self) -> None:
        """Close what was opened."""
        self._resources.close()
        self._source = self._second = self._trades = None

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
        if market.venue == _YAHOO and not self._settings.is_simulated:
            return self._yahoo(market.base_url)
        rest = self._rest()
        url = self._archive_url()
        if not market.archive or url is None:
            return rest
        from trading_pipeline.adapters.exchanges.archive import LayeredCandleSource

        return LayeredCandleSource(rest, self._archive(url), close_grace_s=self._grace_s)

    def _rest(self) -> "CcxtCandleSource":
        market = self._settings.market
        if self._settings.is_simulated:
            from trading_pipeline.adapters.exchanges.simulated.profile import simulated_source

            return self._resources.enter_context(simulated_source())
        return self._ccxt(market.venue, market.base_url)

    def _ccxt(self, venue: str, base_url: str | None) -> "CcxtCandleSource":
        from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource

        source = CcxtCandleSource(
            venue, base_url, gate=self._gate(venue, base_url), close_grace_s=self._grace_s
        )
        self._resources.callback(source.close)
        return source

    def _yahoo(self, base_url: str | None) -> "YahooCandleSource":
        from trading_pipeline.adapters.exchanges.yahoo import YahooCandleSource

        gate = self._gate(_YAHOO, base_url)
        source = YahooCandleSource(base_url, gate=gate, close_grace_s=self._grace_s)
        self._resources.callback(source.close)
        return source

    def _archive(self, url: str) -> "ArchiveReader":
        from trading_pipeline.adapters.exchanges.archive import ArchiveReader
        from trading_pipeline.adapters.exchanges.ccxt_client import checked_base_url
        from trading_pipeline.adapters.exchanges.web import WebReader

        name = f"the archive of {self._settings.market.venue}"
        gate = self._gate("archive", url)
        reader = ArchiveReader(WebReader(name, checked_base_url(url), gate=gate))
        self._resources.callback(reader.close)
        return reader

    def _provenances(
        self, source: "LayeredCandleSource", symbol: Symbol, month: Month
    ) -> "Iterator[Provenance]":
        # A symbol that was renamed within the month was read under each of its names.
        listing = universe(self._settings).listing(symbol)
        for name, _, _ in listing.names(month.start, month.end):
            yield source.provenance(name, self._settings.market.timeframe, month)

    def _gate(self, venue: str, base_url: str | None) -> "RequestGate":
        return request_gate(self._settings, venue, base_url)

    def _archive_url(self) -> str | None:
        """Return the archive's address; the public one only beside the public REST API."""
        from trading_pipeline.adapters.exchanges.archive import DEFAULT_ARCHIVES

        market = self._settings.market
        is_public = market.base_url is None and not market.candle_files
        known = DEFAULT_ARCHIVES.get(market.venue) if is_public else None
        return market.archive_url or known

    def _second_entries(self) -> tuple[str, ...]:
        market = self._settings.market
        if market.second_sources is not None:
            return market.second_sources
        if market.candle_files or market.venue == _YAHOO:
            return ()
        has_archive = market.archive and self._archive_url() is not None
        return ("archive", "rest") if has_archive else ("rest",)

    def _second_source(self, entry: str) -> SecondSource:
        name, _, url = entry.partition("@")
        if name == "archive":
            return SecondSource(name, same_venue=True, source=self._archive_alone(url or None))
        if name == "rest":
            if self._settings.market.venue == _YAHOO:
                raise ConfigError("market.second_sources: yahoo has no REST API but itself")
            return SecondSource(name, same_venue=True, source=self._rest())
        if name == _YAHOO:
            return SecondSource(name, same_venue=False, source=self._yahoo(url or None))
        is_same = name == self._settings.market.venue
        return SecondSource(name, same_venue=is_same, source=self._ccxt(name, url or None))

    def _archive_alone(self, url: str | None) -> "CandleHistory":
        from trading_pipeline.adapters.exchanges.archive import ArchiveHistory

        address = url or self._archive_url()
        if address is None:
            raise ConfigError(
                f"market.second_sources names the archive, but {self._settings.market.venue} has "
                "none that is known here; set market.archive_url or take it out"
            )
        return ArchiveHistory(self._archive(address), self.clock())

    @property
    def _grace_s(self) -> float:
        market = self._settings.market
        stands = market.now is not None or market.candle_files or self._settings.is_simulated
        return 0.0 if stands else market.close_grace_s


def _total(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part)
    return dict(counts)


def request_gate(
    settings: Settings, venue: str, base_url: str | None, longest_wait_s: float = 120.0
) -> "RequestGate":
    """Return what requests to a venue pass; a pause that it asks for is kept by all processes."""
    from trading_pipeline.adapters.exchanges.request_gate import PauseFile, RequestGate

    # A venue bans an address: the pause is that of all profiles, and of that address only.
    name = f"{venue}@{urlsplit(base_url).netloc}" if base_url else venue
    memory = PauseFile.of(settings.storage_base / "pauses", name)
    return RequestGate(venue, memory, longest_wait_s=longest_wait_s)


def quotes(settings: Settings, venue: VenueAccess) -> "QuoteSource":
    """Return where current prices come from."""
    source = venue.source()
    if settings.market.candle_files:
        from trading_pipeline.adapters.exchanges.last_close import LastCloseQuotes

        return LastCloseQuotes(source, settings.market.timeframe)
    return cast("QuoteSource", source)
