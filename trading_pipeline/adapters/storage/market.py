"""The lake as a person uses it from Python: SQL and candles as polars frames, read-only."""

from collections.abc import Iterator
from datetime import UTC, datetime

import polars as pl

from trading_pipeline.adapters.storage.lake import Address, Lake
from trading_pipeline.adapters.storage.queries import LakeQueries, Parameters
from trading_pipeline.core.candles import CANDLE_SCHEMA
from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.resampling import RESAMPLED_SCHEMA

_BASE, _CONTEXTS = "candles", "resampled_candles"


class Market:
    """A read-only handle on the data of one profile.

    Every call reads the newest state; nothing is kept open, nothing can be written.

    Parameters
    ----------
    lake : Lake
    venue : str
        Whose candles :meth:`candles` returns.
    base : Timeframe
        Length of the stored candles.
    contexts : tuple of Timeframe
        Longer timeframes that are made from them.
    """

    def __init__(
        self, lake: Lake, venue: str, base: Timeframe, contexts: tuple[Timeframe, ...]
    ) -> None:
        self._lake = lake
        self._queries = LakeQueries(lake)
        self._venue = venue
        self._base = base
        self._contexts = contexts

    def tables(self) -> list[str]:
        """Return the names of the tables that SQL sees."""
        return self._queries.tables()

    def sql(
        self, query: str, parameters: Parameters | None = None, *, limit: int | None = None
    ) -> pl.DataFrame:
        """Return the rows of one SELECT in DuckDB's dialect.

        Parameters
        ----------
        query : str
            Values go where ``?`` or ``$name`` stands.
        parameters : sequence or mapping, optional
            Those values.
        limit : int, optional
            Rows at most.

        Raises
        ------
        QueryError
            If it is not one SELECT, or names what does not exist (the nearest is named).
        LakeCorruptionError
            If stored bytes are not what was written.
        """
        return self._queries.answer(query, parameters, limit=limit)

    def candles(
        self,
        symbol: str,
        timeframe: str | None = None,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
    ) -> pl.DataFrame:
        """Return validated candles, oldest first.

        Parameters
        ----------
        symbol : str
            Either spelling, ``BTC/USDT`` or ``BTC-USDT``.
        timeframe : str, optional
            The base timeframe (default) or a context timeframe of the settings.
        start, end : datetime or str, optional
            Candles with ``start <= open_time < end``; with a time zone, or ISO text, which is UTC
            unless it says otherwise.

        Returns
        -------
        DataFrame
            In ``core.candles.CANDLE_SCHEMA``; context timeframes have ``n_bars`` too, the base
            candles in each.

        Raises
        ------
        ConfigError
            If the timeframe is not kept, or an instant has no time zone.
        DataError
            If the lake has no candles of the symbol.
        """
        asked, wanted = Symbol.parse(symbol), self._timeframe(timeframe)
        since, until = _instant(start, "start"), _instant(end, "end")
        table = _BASE if wanted == self._base else _CONTEXTS
        by_symbol: dict[str, list[Address]] = {}
        for address in self._addresses(table):
            by_symbol.setdefault(dict(address.columns)["symbol"], []).append(address)
        if asked.key not in by_symbol:
            if not by_symbol:
                raise DataError(f"the lake has no {table} yet; run: trading data history")
            raise DataError.unknown_name("symbol in the lake", asked.key, sorted(by_symbol))
        frames = [
            self._lake.read(address)
            for address in by_symbol[asked.key]
            if _overlaps(Month.parse(dict(address.columns)["month"]), since, until)
        ]
        schema = CANDLE_SCHEMA if wanted == self._base else RESAMPLED_SCHEMA
        rows = pl.concat(frames) if frames else pl.DataFrame(schema=schema)
        if table == _CONTEXTS and frames:
            rows = rows.filter(pl.col("timeframe") == wanted.name)
        return rows.select(list(schema)).filter(_between(since, until)).sort("open_time")

    def _timeframe(self, name: str | None) -> Timeframe:
        wanted = self._base if name is None else Timeframe.parse(name)
        kept = (self._base, *self._contexts)
        if wanted not in kept:
            raise ConfigError(
                f"candles are kept in {', '.join(map(str, kept))}, not in {wanted}; add it to "
                "market.context_timeframes and run: trading run resample",
                timeframe=wanted.name,
            )
        return wanted

    def _addresses(self, table: str) -> Iterator[Address]:
        length = "timeframe" if table == _BASE else "base_timeframe"
        for address in self._lake.addresses(table):
            columns = dict(address.columns)
            if (columns["venue"], columns[length]) == (self._venue, self._base.name):
                yield address


def _instant(value: datetime | str | None, name: str) -> datetime | None:
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ConfigError(f"{name} must be an instant such as 2024-01-31, was {value!r}") from error
    if instant.tzinfo is None:
        if not isinstance(value, str):
            raise ConfigError(f"{name} needs a time zone, such as UTC; was {value!r}")
        return instant.replace(tzinfo=UTC)
    return instant.astimezone(UTC)


def _overlaps(month: Month, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or since < month.end) and (until is None or month.start < until)


def _between(since: datetime | None, until: datetime | None) -> pl.Expr:
    time = pl.col("open_time")
    return (pl.lit(value=True) if since is None else time >= since) & (
        pl.lit(value=True) if until is None else time < until
    )
