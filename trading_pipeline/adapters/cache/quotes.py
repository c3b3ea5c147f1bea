"""Quotes that are a few seconds old, for people who look at an account."""

from decimal import Decimal
from typing import TYPE_CHECKING

from trading_pipeline.core.cache import Cache
from trading_pipeline.core.errors import StoreUnavailableError
from trading_pipeline.core.instrument import Symbol

if TYPE_CHECKING:
    from trading_pipeline.execution.ports import QuoteSource


class CachedQuotes:
    """A quote source that asks another one at most once in ``ttl_s`` seconds for each symbol.

    For showing values, not for orders: those ask the venue. While the cache itself does not
    answer, the venue is asked.

    Parameters
    ----------
    source : QuoteSource
    cache : Cache
    place : str
        Which market the quotes are of, so that two markets in one cache do not mix.
    ttl_s : float
        Greatest age of a quote in seconds; positive.
    """

    def __init__(self, source: "QuoteSource", cache: Cache, place: str, ttl_s: float) -> None:
        self._source = source
        self._cache = cache
        self._place = place
        self._ttl_s = ttl_s

    def quote(self, symbol: Symbol) -> Decimal:
        """Return a price that is at most ``ttl_s`` seconds old.

        Raises
        ------
        VenueError
            If none is kept and the venue has none.
        """
        key = f"quote:{self._place}:{symbol.key}"
        try:
            kept = self._cache.get(key)
            if kept is not None:
                return Decimal(kept.decode())
            price = self._source.quote(symbol)
            self._cache.put(key, str(price).encode(), self._ttl_s)
        except StoreUnavailableError:
            return self._source.quote(symbol)
        return price
