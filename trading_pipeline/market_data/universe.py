"""What may be studied and traded, and when: listing, delisting and former names of symbols.

No asset is studied before it existed or after it was delisted: its candles outside its life never
leave ``raw_candles``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import polars as pl

from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Symbol


@dataclass(frozen=True, slots=True)
class FormerName:
    """The name under which a symbol traded before ``until`` (UTC, exclusive)."""

    symbol: Symbol
    until: datetime


@dataclass(frozen=True, slots=True)
class Listing:
    """One symbol of the universe.

    Parameters
    ----------
    symbol : Symbol
        Its name now, under which everything is stored.
    listed : datetime, optional
        First instant of its life, UTC; None: found from its first candle.
    delisted : datetime, optional
        First instant after its life, UTC; None: it still trades.
    formerly : tuple of FormerName
        Earlier names, oldest first.
    min_order_size : Decimal
        Smallest order, in quote currency.

    Raises
    ------
    ConfigError
        If the life ends before it begins, or the former names are not oldest first.
    """

    symbol: Symbol
    listed: datetime | None = None
    delisted: datetime | None = None
    formerly: tuple[FormerName, ...] = ()
    min_order_size: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if self.listed and self.delisted and self.delisted <= self.listed:
            raise ConfigError(
                f"{self.symbol} must be delisted after it was listed, was listed "
                f"{self.listed:%Y-%m-%d} and delisted {self.delisted:%Y-%m-%d}",
                symbol=self.symbol.key,
            )
        ends = [name.until for name in self.formerly]
        if ends != sorted(set(ends)):
            raise ConfigError(
                f"the former names of {self.symbol} must end one after the other, oldest first; "
                f"ended {', '.join(f'{end:%Y-%m-%d}' for end in ends)}",
                symbol=self.symbol.key,
            )

    def is_alive(self, at: datetime) -> bool:
        """Tell whether the symbol is listed at ``at``; without a listing date it always was."""
        return not self.is_delisted(at) and (self.listed is None or self.listed <= at)

    def is_delisted(self, at: datetime) -> bool:
        """Tell whether the symbol is delisted at ``at``."""
        return self.delisted is not None and self.delisted <= at

    def clip(self, start: datetime, end: datetime) -> tuple[datetime, datetime]:
        """Return the part of ``start`` to ``end`` in which the symbol lives; empty if start=end."""
        first = start if self.listed is None else max(start, self.listed)
        stop = end if self.delisted is None else min(end, self.delisted)
        return first, max(first, stop)

    def names(self, start: datetime, end: datetime) -> Iterator[tuple[Symbol, datetime, datetime]]:
        """Yield under which name each part of ``start`` to ``end`` traded, oldest first."""
        for former in self.formerly:
            if start < min(former.until, end):
                yield former.symbol, start, min(former.until, end)
                start = min(former.until, end)
        if start < end:
            yield self.symbol, start, end

    def alive_rows(self, candles: pl.DataFrame) -> pl.DataFrame:
        """Return the candles of the symbol's life."""
        time = pl.col("open_time")
        alive = pl.lit(value=True)
        if self.listed is not None:
            alive &= time >= self.listed
        if self.delisted is not None:
            alive &= time < self.delisted
        return candles.filter(alive)


class Universe:
    """The enabled symbols, in the order of the settings.

    Parameters
    ----------
    listings : mapping of Symbol to Listing
    """

    def __init__(self, listings: Mapping[Symbol, Listing]) -> None:
        self._listings = dict(listings)

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """Every enabled symbol, delisted ones included: their history is still studied."""
        return tuple(self._listings)

    def listing(self, symbol: Symbol) -> Listing:
        """Return what is known about ``symbol``; of an unknown one nothing but its name."""
        return self._listings.get(symbol, Listing(symbol))

    def tradable(self, at: datetime) -> tuple[Symbol, ...]:
        """Return the symbols that are listed at ``at``."""
        return tuple(s for s, listing in self._listings.items() if listing.is_alive(at))
