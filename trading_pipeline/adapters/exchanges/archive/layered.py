"""A venue's candles: whole months and days from its archive, the rest from its REST API."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Self

import polars as pl

from trading_pipeline.adapters.exchanges.archive.paths import ArchiveFile
from trading_pipeline.adapters.exchanges.archive.reader import ArchiveReader
from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource
from trading_pipeline.core.candles import empty_candles
from trading_pipeline.core.errors import SymbolNotListedError, VenueError
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe

_DAY = timedelta(days=1)
# Below this a page of the REST API holds days, and a file per day would only be more requests.
_ROWS_OF_A_DAY_FILE = 500
# A month that is older than this and not published will not be: its days are not asked for either.
_PUBLISHING = timedelta(days=45)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the candles of one month came from: rows by source, and rows that were refused."""

    rows: Mapping[str, int]
    dropped: Mapping[str, int]


@dataclass
class _Piece:
    """A range of a month, and its rows if the archive had them."""

    start: datetime
    end: datetime
    rows: pl.DataFrame | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)


class LayeredCandleSource:
    """A ``CandleSource`` that prefers a venue's public archive to its REST API.

    A whole month comes from the monthly archive; if that is not published, or only a part of the
    month is asked for, whole days come from the daily one where a day fills a good part of a page
    of the REST API (1m candles); all else comes from REST. What time it is and what is closed is
    REST's word, and which symbols exist, but for one that was delisted: its candles are those of
    the archive, if that has any. If either side fails, nothing of the range is delivered.

    Its name is that of the REST source: both deliver the venue's own candles, and months that were
    fetched before the archive was switched on need not be fetched again. :meth:`provenance` says
    which rows came from where.

    Parameters
    ----------
    rest : CcxtCandleSource
    archive : ArchiveReader
    close_grace_s : float
        Seconds after its end until a month or day counts as closed; at least 0.
    """

    def __init__(
        self, rest: CcxtCandleSource, archive: ArchiveReader, *, close_grace_s: float = 0.0
    ) -> None:
        self._rest = rest
        self._archive = archive
        self._grace = timedelta(seconds=close_grace_s)
        self._known_now: datetime | None = None
        self._provenance: dict[tuple[Symbol, Timeframe, Month], Provenance] = {}

    @property
    def name(self) -> str:
        """What delivered the candles, for lineage: the name of the REST source."""
        return self._rest.name

    def now(self) -> datetime:
        """Return the venue's clock, timezone-aware UTC."""
        self._known_now = self._rest.now()
        return self._known_now

    def instrument(self, symbol: Symbol) -> Instrument:
        """Return the trading rules of ``symbol``; see ``CcxtCandleSource``."""
        return self._rest.instrument(symbol)

    def quote(self, symbol: Symbol) -> Decimal:
        """Return the last traded price; see ``CcxtCandleSource``."""
        return self._rest.quote(symbol)

    def fingerprint(self, symbol: Symbol, timeframe: Timeframe) -> str | None:
        """Return None: a venue's closed candles are taken as settled."""
        return None

    def candles(
        self, symbol: Symbol, timeframe: Timeframe, start: datetime, end: datetime
    ) -> pl.DataFrame:
        """Return the closed candles with ``start <= open_time < end``, oldest first.

        Raises
        ------
        VenueError
            If the venue or its archive cannot answer or answers nonsense; the message says which
            of the two.
        ConfigError
            If the venue does not have the timeframe, or an instant has no time zone.
        """
        unlisted = self._unlisted(symbol, timeframe, start, end)
        closed_by = self._closed_by(end)
        first, stop = start.astimezone(UTC), min(end, closed_by).astimezone(UTC)
        if stop <= first:
            if unlisted is not None:
                raise unlisted
            return empty_candles()
        months = Month.of(first).until(Month.of(stop - timedelta(microseconds=1)))
        parts = [
            self._month(
                symbol,
                timeframe,
                month,
                (max(first, month.start), min(stop, month.end)),
                is_listed=unlisted is None,
            )
            for month in months
        ]
        candles = pl.concat(parts)
        if unlisted is not None and candles.is_empty():
            raise unlisted
        return candles

    def provenance(self, symbol: Symbol, timeframe: Timeframe, month: Month) -> Provenance:
        """Return where the candles of ``month`` came from when it was last read."""
        return self._provenance.get((symbol, timeframe, month), Provenance({}, {}))

    def close(self) -> None:
        """Close the connections; the source can be used again and opens new ones."""
        self._rest.close()
        self._archive.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _unlisted(
        self, symbol: Symbol, timeframe: Timeframe, start: datetime, end: datetime
    ) -> SymbolNotListedError | None:
        try:
            self._rest.check_range(symbol, timeframe, start, end)
        except SymbolNotListedError as error:
            return error
        return None

    def _closed_by(self, end: datetime) -> datetime:
        # Time only goes on: what was over at an earlier look at the clock still is.
        known = self._known_now
        if known is None or end > known - self._grace:
            known = self.now()
        return known - self._grace

    def _month(
        self,
        symbol: Symbol,
        timeframe: Timeframe,
        month: Month,
        span: tuple[datetime, datetime],
        *,
        is_listed: bool,
    ) -> pl.DataFrame:
        rows: Counter[str] = Counter()
        dropped: Counter[str] = Counter()
        parts = [empty_candles()]
        pieces = self._pieces(symbol, timeframe, month, *span)
        for is_published, group in groupby(pieces, key=lambda piece: piece.rows is not None):
            neighbours = list(group)
            if is_published:
                found = pl.concat([p.rows for p in neighbours if p.rows is not None])
                for piece in neighbours:
                    dropped.update(piece.dropped)
            elif is_listed:
                lacking = neighbours[0].start, neighbours[-1].end
                found = self._by_rest(symbol, timeframe, lacking, rows["archive"])
            else:
                found = empty_candles()
            rows["archive" if is_published else "rest"] += found.height
            parts.append(found)
        self._provenance[symbol, timeframe, month] = Provenance(
            {name: n for name, n in rows.items() if n}, dict(dropped)
        )
        return pl.concat(parts)

    def _pieces(
        self, symbol: Symbol, timeframe: Timeframe, month: Month, lo: datetime, hi: datetime
    ) -> Iterator[_Piece]:
        """Yield ``lo`` to ``hi`` in ranges that the archive has or lacks, oldest first."""
        is_whole = lo == month.start and hi == month.end
        if is_whole:
            piece = self._published(ArchiveFile(symbol, timeframe, month))
            if piece is not None:
                yield piece
                return
        assert self._known_now is not None
        is_young = month.end > self._known_now - _PUBLISHING
        is_long = _DAY // timeframe.duration >= _ROWS_OF_A_DAY_FILE
        if not is_long or (is_whole and not is_young):
            yield _Piece(lo, hi)
            return
        at = lo
        while at < hi:
            midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
            until = min(midnight + _DAY, hi)
            piece = None
            if at == midnight and until == midnight + _DAY:
                piece = self._published(ArchiveFile(symbol, timeframe, at.date()))
            yield piece or _Piece(at, until)
            at = until

    def _published(self, file: ArchiveFile) -> _Piece | None:
        assert self._known_now is not None
        try:
            read = self._archive.read(file, self._known_now)
        except VenueError as error:
            raise type(error)(
                f"{error.message} (the archive; the venue's REST API does answer: without the "
                "archive, market.archive: false, candles come from there). Nothing of this month "
                "is stored",
                **{**error.facts, "symbol": file.symbol.key},
            ) from error
        if read is None:
            return None
        return _Piece(file.start, file.end, read.candles, read.dropped)

    def _by_rest(
        self,
        symbol: Symbol,
        timeframe: Timeframe,
        span: tuple[datetime, datetime],
        n_archived: int,
    ) -> pl.DataFrame:
        try:
            return self._rest.candles(symbol, timeframe, *span)
        except VenueError as error:
            if not n_archived:
                raise
            raise type(error)(
                f"{error.message} (the REST API; the archive did deliver {n_archived:,} candles "
                "of this month, which are not stored without the rest)",
                **error.facts,
            ) from error
