"""Markets that the simulated exchange serves: a generated one, and a replay of candles."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np
import polars as pl

from trading_pipeline.adapters.exchanges.simulated.generator import (
    Listing,
    decimals_of,
    generate_bars,
)
from trading_pipeline.adapters.exchanges.simulated.tape import CandleTape
from trading_pipeline.core.candles import CANDLE_SCHEMA
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.timeframe import Timeframe, known_timeframes

_MAX_DECIMALS = 8
_AHEAD = timedelta(days=7)


class Market(Protocol):
    """What trades at the simulated exchange, and at which prices."""

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Everything that is listed."""
        ...

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Return the candle lengths that ``symbol`` has, shortest first."""
        ...

    def window(
        self,
        symbol: Symbol,
        timeframe: Timeframe,
        *,
        start_ms: int | None,
        end_ms: int | None,
        limit: int,
        now: datetime,
    ) -> pl.DataFrame:
        """Return at most ``limit`` candles opened by ``now``, the forming one included.

        Both bounds are inclusive open times in milliseconds. With ``start_ms`` the first candles
        from there on, otherwise the newest ones.
        """
        ...


class SimulatedMarket:
    """A seeded market that is open around the clock and never halts.

    See :mod:`~trading_pipeline.adapters.exchanges.simulated.generator` for its law. It is honest:
    regimes drift and volatility clusters, but no edge is planted in the single bar.

    Deterministic, and prefix stable: candles before an instant depend on nothing but ``seed``,
    the listing, ``timeframe`` and ``start``; not on ``end`` and not on the other listings.
    Candles of longer timeframes are made of the base candles, so that they agree exactly.

    Parameters
    ----------
    listings : Sequence of Listing
        At least one, each symbol once.
    timeframe : Timeframe
        Base length; every timeframe that it divides is served.
    start : datetime
        Open of the first candle: timezone-aware, at midnight UTC.
    end : datetime
        The market's present, see :attr:`now`. Asking for later candles makes more of them.
    seed : int

    Raises
    ------
    ConfigError
        If nothing is listed, a symbol is listed twice, a tick or lot needs more than the 8
        decimals of the wire format, or the times do not fit.
    """

    def __init__(
        self,
        listings: Sequence[Listing],
        timeframe: Timeframe,
        start: datetime,
        end: datetime,
        seed: int,
    ) -> None:
        _check_instruments([listing.instrument for listing in listings])
        if start.tzinfo is None or end.tzinfo is None or end <= start:
            raise ConfigError(
                "a simulated market needs timezone-aware start < end, "
                f"were {start.isoformat()} and {end.isoformat()}"
            )
        if Timeframe("1d").floor(start) != start:
            raise ConfigError(
                f"a simulated market starts at midnight UTC, was {start.isoformat()}: "
                "otherwise its first daily candle would be a torso"
            )
        self._listings = {listing.instrument.symbol: listing for listing in listings}
        self._base = timeframe
        self._start = start
        self._seed = seed
        self.now = end
        self._horizon = end
        self._tapes: dict[tuple[Symbol, Timeframe], CandleTape] = {}

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Everything that is listed."""
        return tuple(listing.instrument for listing in self._listings.values())

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Return the candle lengths that ``symbol`` has, shortest first."""
        return _multiples(self._base) if symbol in self._listings else ()

    def window(
        self,
        symbol: Symbol,
        timeframe: Timeframe,
        *,
        start_ms: int | None,
        end_ms: int | None,
        limit: int,
        now: datetime,
    ) -> pl.DataFrame:
        """Return at most ``limit`` candles opened by ``now``; see :class:`Market`."""
        if now >= self._horizon:
            self._horizon = now + _AHEAD
            self._tapes.clear()
        base = self._tape(symbol, self._base)
        tape = self._tape(symbol, timeframe)
        return tape.window(start_ms, end_ms, limit, _milliseconds(now), base)

    def _tape(self, symbol: Symbol, timeframe: Timeframe) -> CandleTape:
        tape = self._tapes.get((symbol, timeframe))
        if tape is None:
            if timeframe == self._base:
                tape = self._generated(symbol)
            else:
                tape = self._tape(symbol, self._base).aggregated(timeframe)
            self._tapes[symbol, timeframe] = tape
        return tape

    def _generated(self, symbol: Symbol) -> CandleTape:
        start_us = round(self._start.timestamp()) * 1_000_000
        # One bar more than fits, so that the bar around the horizon exists.
        n_bars = (self._horizon - self._start) // self._base.duration + 1
        open_, high, low, close, volume = generate_bars(
            self._listings[symbol],
            seed=self._seed,
            start_s=start_us // 1_000_000,
            step_s=self._base.seconds,
            n_bars=n_bars,
        )
        times = start_us + self._base.microseconds * np.arange(n_bars, dtype=np.int64)
        frame = pl.DataFrame(
            {
                "open_time": times,
                "open": open_,
                "high": high,
                "low": low,
                "close": close,
                "volume": volume,
            },
            schema_overrides={"open_time": pl.Int64},
        ).with_columns(pl.col("open_time").cast(CANDLE_SCHEMA["open_time"]))
        return CandleTape.of(frame, self._base)


class ReplayMarket:
    """A market that shows given candles as time passes; gaps stay gaps.

    A timeframe that is not given is made of the finest given one that divides it.

    Parameters
    ----------
    candles : Mapping of (Symbol, Timeframe) to DataFrame
        In the candle contract. Prices and volumes must not need more than 8 decimals.
    instruments : Sequence of Instrument
        One for each symbol in ``candles``.
    now : datetime
        The market's present; timezone-aware.

    Raises
    ------
    ConfigError
        If a symbol has no instrument or no candles, or a tick or lot needs more than 8 decimals.
    CandleSchemaError
        If a frame breaks the candle contract.
    """

    def __init__(
        self,
        candles: Mapping[tuple[Symbol, Timeframe], pl.DataFrame],
        instruments: Sequence[Instrument],
        now: datetime,
    ) -> None:
        _check_instruments(instruments)
        listed = {instrument.symbol for instrument in instruments}
        given = {symbol for symbol, _ in candles}
        if listed != given:
            odd = ", ".join(sorted(symbol.key for symbol in listed ^ given))
            raise ConfigError(f"a replay needs an instrument and candles for each symbol: {odd}")
        self._instruments = tuple(instruments)
        self.now = now
        self._tapes = {
            (symbol, timeframe): CandleTape.of(frame, timeframe)
            for (symbol, timeframe), frame in candles.items()
        }
        self._finest = {
            symbol: min((t for s, t in candles if s == symbol), key=lambda t: t.seconds)
            for symbol in given
        }

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Everything that is listed."""
        return self._instruments

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Return the candle lengths that ``symbol`` has, shortest first."""
        finest = self._finest.get(symbol)
        if finest is None:
            return ()
        given = {timeframe for known, timeframe in self._tapes if known == symbol}
        return tuple(sorted(given | set(_multiples(finest)), key=lambda t: t.seconds))

    def window(
        self,
        symbol: Symbol,
        timeframe: Timeframe,
        *,
        start_ms: int | None,
        end_ms: int | None,
        limit: int,
        now: datetime,
    ) -> pl.DataFrame:
        """Return at most ``limit`` candles opened by ``now``; see :class:`Market`."""
        base = self._tapes[symbol, self._finest[symbol]]
        tape = self._tapes.get((symbol, timeframe))
        if tape is None:
            tape = base.aggregated(timeframe)
            self._tapes[symbol, timeframe] = tape
        return tape.window(start_ms, end_ms, limit, _milliseconds(now), base)


def _multiples(base: Timeframe) -> tuple[Timeframe, ...]:
    every = (Timeframe(name) for name in known_timeframes())
    return tuple(timeframe for timeframe in every if timeframe.seconds % base.seconds == 0)


def _check_instruments(instruments: Sequence[Instrument]) -> None:
    symbols = [instrument.symbol for instrument in instruments]
    if not symbols or len(set(symbols)) != len(symbols):
        raise ConfigError(
            "a market lists at least one symbol and each only once, "
            f"was {[symbol.key for symbol in symbols]}"
        )
    for instrument in instruments:
        finest = max(decimals_of(instrument.tick_size), decimals_of(instrument.lot_size))
        if finest > _MAX_DECIMALS:
            raise ConfigError(
                f"{instrument.symbol}: tick and lot must need at most {_MAX_DECIMALS} decimals, "
                f"were {instrument.tick_size} and {instrument.lot_size}"
            )


def _milliseconds(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
