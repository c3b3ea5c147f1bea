"""Candle files as a source of candles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl

from trading_pipeline.adapters.clock import SystemClock
from trading_pipeline.adapters.exchanges.files.candle_file import CandleFile, read_candle_file
from trading_pipeline.adapters.exchanges.files.merge import merge_files
from trading_pipeline.core.clock import Clock, FrozenClock
from trading_pipeline.core.errors import CandleFileError, SymbolNotListedError
from trading_pipeline.core.fingerprint import fingerprint
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.cleaning import CleanedCandles

_RECENT_ROWS = 1000
_MAX_DECIMALS = 8
_SHARE_ON_GRID = 0.99
_MIN_NOTIONAL = Decimal(5)


@dataclass(frozen=True, slots=True)
class Holding:
    """What the files hold of one symbol and timeframe; ``first`` and ``last`` are open times."""

    symbol: Symbol
    timeframe: Timeframe
    files: tuple[CandleFile, ...]
    n_candles: int
    first: datetime | None
    last: datetime | None
    dropped: Mapping[str, int]


class FileCandleSource:
    """A ``CandleSource`` over candle files.

    Files are read on first use and kept in memory. The clock stands at the close of the newest
    candle over all files, unless one is given, so that a run on files does not depend on the day.

    Parameters
    ----------
    files : sequence of CandleFile
        From ``scan_candle_files``; several files of one symbol and timeframe are merged.
    venue : str
        Where the candles are from, such as ``binance``.
    instruments : mapping of Symbol to Instrument, optional
        Trading rules that are known; the others are inferred from the data.
    clock : Clock, optional
        The time to which the market has come.
    """

    def __init__(
        self,
        files: Sequence[CandleFile],
        *,
        venue: str,
        instruments: Mapping[Symbol, Instrument] | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not files:
            raise CandleFileError("a source of candle files needs at least one file, had none")
        self.venue = venue
        self._instruments = dict(instruments or {})
        self._clock = clock
        self._files: dict[tuple[Symbol, Timeframe], list[CandleFile]] = {}
        self._read: dict[tuple[Symbol, Timeframe], CleanedCandles] = {}
        for file in files:
            self._files.setdefault((file.symbol, file.timeframe), []).append(file)

    @property
    def name(self) -> str:
        """``files``, for lineage."""
        return "files"

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """Symbols of the files, in alphabetical order."""
        return tuple(sorted({symbol for symbol, _ in self._files}))

    def now(self) -> datetime:
        """Return the given clock's time, otherwise the close of the newest candle.

        Raises
        ------
        CandleFileError
            If a file cannot be read or no file holds a closed candle.
        """
        if self._clock is not None:
            return self._clock.now().astimezone(UTC)
        closes = [
            holding.last + holding.timeframe.duration
            for holding in self.holdings()
            if holding.last is not None
        ]
        if not closes:
            raise CandleFileError("the candle files hold no closed candle; name other files")
        return max(closes)

    def instrument(self, symbol: Symbol) -> Instrument:
        """Return the trading rules that were given, otherwise inferred ones.

        Inferred from the newest 1,000 candles: the tick is the step of the decimals that 99 % of
        their prices need, the lot the same for volumes, both at least 1e-8. The smallest quantity
        is one lot, the smallest notional 5 units of the quote currency.

        Raises
        ------
        SymbolNotListedError
            If no file holds the symbol.
        """
        timeframe = self._shortest_timeframe(symbol)
        if symbol in self._instruments:
            return self._instruments[symbol]
        recent = self._load(symbol, timeframe).candles.tail(_RECENT_ROWS)
        prices = pl.concat([recent[name] for name in ("open", "high", "low", "close")])
        lot = _step(recent["volume"])
        return Instrument(symbol, _step(prices), lot, lot, _MIN_NOTIONAL)

    def candles(
        self, symbol: Symbol, timeframe: Timeframe, start: datetime, end: datetime
    ) -> pl.DataFrame:
        """Return the closed candles with ``start <= open_time < end``; see ``CandleSource``.

        Raises
        ------
        SymbolNotListedError
            If no file holds the symbol.
        CandleFileError
            If its files have another timeframe or cannot be read.
        CandleConflictError
            If two files disagree on a candle.
        """
        history = self._load(symbol, timeframe).candles
        closed_by = self.now() - timeframe.duration
        opens = pl.col("open_time")
        first, stop = start.astimezone(UTC), end.astimezone(UTC)
        return history.filter((opens >= first) & (opens < stop) & (opens <= closed_by))

    def fingerprint(self, symbol: Symbol, timeframe: Timeframe) -> str | None:
        """Return a text made of the SHA-256 of the symbol's files; None if there are none."""
        files = self._files.get((symbol, timeframe))
        if files is None:
            return None
        return fingerprint(symbol.key, timeframe.name, sorted(file.sha256 for file in files))

    def holdings(self) -> tuple[Holding, ...]:
        """Return what the files hold, by symbol and timeframe; reads every file."""
        keys = sorted(self._files, key=lambda key: (key[0], key[1].seconds))
        return tuple(self._holding(symbol, timeframe) for symbol, timeframe in keys)

    def dropped(self, symbol: Symbol, timeframe: Timeframe) -> pl.DataFrame:
        """Return the dropped rows, in ``DROPPED_SCHEMA`` with the column ``file``."""
        return self._load(symbol, timeframe).dropped

    def dropped_counts(
        self,
        symbol: Symbol,
        timeframe: Timeframe,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> dict[str, int]:
        """Return dropped rows by reason with ``start <= open_time < end``.

        Rows without a readable time belong to no range; without bounds they are counted too.
        """
        rows = self.dropped(symbol, timeframe)
        if start is not None:
            rows = rows.filter(pl.col("open_time") >= start.astimezone(UTC))
        if end is not None:
            rows = rows.filter(pl.col("open_time") < end.astimezone(UTC))
        return dict(sorted(rows.group_by("reason").len().iter_rows()))

    def _holding(self, symbol: Symbol, timeframe: Timeframe) -> Holding:
        cleaned = self._load(symbol, timeframe)
        times = cleaned.candles["open_time"]
        return Holding(
            symbol=symbol,
            timeframe=timeframe,
            files=tuple(self._files[symbol, timeframe]),
            n_candles=len(times),
            first=times[0] if len(times) else None,
            last=times[-1] if len(times) else None,
            dropped=cleaned.counts,
        )

    def _shortest_timeframe(self, symbol: Symbol) -> Timeframe:
        lengths = [timeframe for held, timeframe in self._files if held == symbol]
        if not lengths:
            raise SymbolNotListedError.unknown_name(
                "symbol", symbol.pair, [held.pair for held in self.symbols], venue=self.name
            )
        return min(lengths, key=lambda timeframe: timeframe.seconds)

    def _load(self, symbol: Symbol, timeframe: Timeframe) -> CleanedCandles:
        self._shortest_timeframe(symbol)
        key = (symbol, timeframe)
        if key not in self._files:
            lengths = sorted(length.name for held, length in self._files if held == symbol)
            raise CandleFileError(
                f"the files of {symbol} hold {', '.join(lengths)} candles, asked for {timeframe}; "
                "name files of that timeframe or change market.base_timeframe",
                symbol=symbol.key,
            )
        if key not in self._read:
            clock = self._reading_clock()
            parts = [(file, read_candle_file(file, clock=clock)) for file in self._files[key]]
            self._read[key] = merge_files(parts)
        return self._read[key]

    def _reading_clock(self) -> Clock:
        # A replay's clock stands in the past of its files; candles() hides what is later than it.
        machine = SystemClock().now()
        return FrozenClock(machine if self._clock is None else max(machine, self._clock.now()))


def _step(values: pl.Series) -> Decimal:
    for decimals in range(_MAX_DECIMALS):
        scaled = values * 10.0**decimals
        # Scaling rounds once more than the stored value, by at most a few units in the last place.
        is_on_grid = (scaled - scaled.round()).abs() <= scaled * 1e-14
        if int(is_on_grid.sum()) >= _SHARE_ON_GRID * len(values):
            return Decimal(1).scaleb(-decimals)
    return Decimal(1).scaleb(-_MAX_DECIMALS)
