"""Single trades of a venue through ccxt: evidence that nobody traded in a missing candle."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from trading_pipeline.adapters.exchanges.ccxt_client import malformed, open_exchange, translate
from trading_pipeline.adapters.exchanges.request_gate import RequestGate
from trading_pipeline.core.errors import RateLimitedError, VenueUnavailableError
from trading_pipeline.core.instrument import Symbol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_HOUR_MS = 3_600_000
_PAGE = 1_000
# ccxt gives Binance one hour at a time; a longer silence is asked for hour by hour.
_MOST_PAGES = 36
# Where trades are looked for around the interval, nearest first.
_HOURS_AWAY = (1, 2, 6, 24)
_ATTEMPTS = 3
_FIRST_BACKOFF_S = 0.25
_PARSER_ERRORS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


class CcxtTradeWitness:
    """A ``TradeWitness`` over ``fetch_trades``.

    The interval is read hour by hour, and any trade in the hours before and after it is looked
    for. A venue that ignores ``since`` and answers its newest trades proves nothing, and the
    answer is None then.

    Parameters
    ----------
    venue : str
        A ccxt name, such as ``binance``.
    base_url : str, optional
        Takes the place of every REST address of the venue.
    timeout_s : float
        Seconds that one request may take.
    gate : RequestGate, optional
        What every request passes; without it a pause is this object's own.
    sleep : callable of float, optional
        Waits that many seconds; a test passes its own.
    """

    def __init__(
        self,
        venue: str,
        base_url: str | None = None,
        timeout_s: float = 10.0,
        *,
        gate: RequestGate | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.venue = venue
        self._timeout_s = timeout_s
        self._sleep = sleep
        # ccxt's exchange object; the protocol of the candle source does not name fetch_trades.
        self._exchange: Any = open_exchange(
            venue, base_url, timeout_s, gate or RequestGate(venue, sleep=sleep)
        )

    def traded(self, symbol: Symbol, start: datetime, end: datetime) -> bool | None:
        """Tell whether anybody traded with ``start <= time < end``; see ``TradeWitness``.

        Raises
        ------
        VenueError
            If the venue cannot be asked or answers nonsense.
        """
        if not self._exchange.has.get("fetchTrades"):
            return None
        start_ms, end_ms = _milliseconds(start), _milliseconds(end)
        if end_ms - start_ms > _MOST_PAGES * _HOUR_MS:
            return None
        is_after = False
        for since in range(start_ms, end_ms, _HOUR_MS):
            times = [at for at in self._times(symbol, since) if at >= start_ms]
            if any(at < end_ms for at in times):
                return True
            if times:
                # The first trade from ``since`` on lies after the interval: nothing is between.
                is_after = True
                break
        is_after = is_after or any(
            any(at >= end_ms for at in self._times(symbol, end_ms + hours * _HOUR_MS))
            for hours in (0, *_HOURS_AWAY)
        )
        return False if is_after and self._is_seen_before(symbol, start_ms) else None

    def close(self) -> None:
        """Close the connections."""
        self._exchange.session.close()

    def _is_seen_before(self, symbol: Symbol, start_ms: int) -> bool:
        # Nearest hour first: a page holds the first trades after ``since``, not the last.
        return any(
            any(at < start_ms for at in self._times(symbol, start_ms - hours * _HOUR_MS))
            for hours in _HOURS_AWAY
        )

    def _times(self, symbol: Symbol, since: int) -> list[int]:
        trades = self._read(lambda: self._exchange.fetch_trades(symbol.pair, since, _PAGE))
        if not isinstance(trades, list):
            raise malformed(self.venue, f"{type(trades).__name__} instead of a list of trades")
        times = [trade.get("timestamp") if isinstance(trade, dict) else None for trade in trades]
        known = [at for at in times if isinstance(at, int)]
        if len(known) < len(times):
            raise malformed(self.venue, "a trade without a time", symbol=symbol.key)
        return known

    def _read(self, call: Callable[[], object]) -> object:
        import ccxt

        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return call()
            except RateLimitedError:
                raise
            except (ccxt.BaseError, VenueUnavailableError, *_PARSER_ERRORS) as error:
                known = isinstance(error, VenueUnavailableError)
                translated = error if known else translate(error, self.venue, self._timeout_s)
                again = isinstance(translated, VenueUnavailableError)
                if not again or attempt == _ATTEMPTS:
                    raise translated from error
                self._sleep(_FIRST_BACKOFF_S * 2.0 ** (attempt - 1))
        raise AssertionError("the loop returns or raises")


def _milliseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MILLISECOND
