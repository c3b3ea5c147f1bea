"""What the lake knows about the quality of the active profile's candles."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from trading_pipeline.config import Settings
from trading_pipeline.core.errors import DataError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.wiring.stores import lake

if TYPE_CHECKING:
    import polars as pl

    from trading_pipeline.adapters.storage.lake import Address
    from trading_pipeline.reporting.coverage import Coverage, CoverageCell
    from trading_pipeline.reporting.quality import GapRow


def coverage(
    settings: Settings,
    symbols: Sequence[Symbol],
    first: Month,
    last: Month,
    *,
    reads_rows: bool = False,
) -> "Coverage":
    """Return the quality of the stored ``candles`` from ``first`` to ``last``, both included.

    With ``reads_rows`` every claim of the candle contract is checked on the rows, which were closed
    by the source's clock when it was asked; otherwise only what was noted then is read.
    """
    from trading_pipeline.reporting.coverage import Coverage

    months = tuple(first.until(last))
    cells = {
        (symbol.pair, month): _cell(settings, symbol, month, reads_rows=reads_rows)
        for symbol in symbols
        for month in months
    }
    return Coverage(months, tuple(symbol.pair for symbol in symbols), cells)


def stored_months(settings: Settings, symbols: Sequence[Symbol]) -> list[Month]:
    """Return the months of which candles are stored for any of ``symbols``, oldest first."""
    market, keys = settings.market, {symbol.key for symbol in symbols}
    found = set()
    for address in lake(settings).addresses("candles"):
        columns = dict(address.columns)
        is_ours = (columns["venue"], columns["timeframe"]) == (market.venue, market.base_timeframe)
        if is_ours and columns["symbol"] in keys:
            found.add(Month.parse(columns["month"]))
    return sorted(found)


def rows_beside_candles(
    settings: Settings, table: str, symbols: Sequence[Symbol], first: Month, last: Month
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table that stands beside the candles, with symbol and month.

    Such as ``candle_revisions`` and ``quarantined_candles``; a month without any has none.
    """
    store = lake(settings)
    for symbol in symbols:
        for month in first.until(last):
            rows = store.read_if_present(_address(settings, table, symbol, month))
            for row in () if rows is None else rows.iter_rows(named=True):
                yield {"symbol": symbol.pair, "month": month.key, **row}


def candles_known_at(
    settings: Settings, symbol: Symbol, first: Month, last: Month, at: datetime
) -> "pl.DataFrame":
    """Return the raw candles of a range of months as they were stored at ``at``.

    What was revised later has its old value, what filled a hole later is absent, and what had not
    closed is not there.

    Raises
    ------
    DataError
        If nothing of the range is stored.
    """
    import polars as pl

    from trading_pipeline.market_data.revisions import candles_known_at as known_at

    store, timeframe = lake(settings), settings.market.timeframe
    tables: dict[str, list[pl.DataFrame]] = {"raw_candles": [], "candle_revisions": []}
    for name, parts in tables.items():
        for month in first.until(last):
            rows = store.read_if_present(_address(settings, name, symbol, month))
            parts.extend([] if rows is None else [rows])
    if not tables["raw_candles"]:
        raise DataError(
            f"no candles of {symbol} from {first} to {last} are stored; fetch them first: "
            f"trading data history --symbol {symbol.key} --from {first} --to {last}",
            symbol=symbol.key,
        )
    candles = pl.concat(tables["raw_candles"])
    closed = candles.filter(pl.col("open_time") + timeframe.duration <= at)
    return known_at(closed, tables["candle_revisions"], at)


def _cell(settings: Settings, symbol: Symbol, month: Month, *, reads_rows: bool) -> "CoverageCell":
    from trading_pipeline.reporting.coverage import CoverageCell

    address = _address(settings, "candles", symbol, month)
    manifest = lake(settings).manifest(address)
    if manifest is None:
        return CoverageCell(symbol.pair, month, is_made=False)
    notes = manifest.notes
    counts = {name: notes.get(name, 0) for name in _COUNTS}
    broken = _broken(settings, address) if reads_rows else ()
    return CoverageCell(
        symbol.pair,
        month,
        is_made=True,
        **counts,
        dropped=sum(notes["dropped"].values()),
        broken=broken,
        gaps=tuple(_gap_row(gap) for gap in notes["gaps"]),
    )


_COUNTS = (
    "expected",
    "present",
    "explained",
    "unexplained",
    "repaired",
    "revised",
    "quarantined",
)


def _broken(settings: Settings, address: "Address") -> tuple[str, ...]:
    from trading_pipeline.market_data.quality import check_candles

    try:
        rows = lake(settings).read(address)
    except DataError as error:
        return (error.message,)
    # Looked up after the rows: of a month that is made again meanwhile it is as new or newer.
    manifest = lake(settings).manifest(address)
    told = manifest.notes.get("as_of") if manifest else None
    if told is None:
        return ("it does not say until when its source was asked, as an earlier version wrote it",)
    findings = check_candles(rows, settings.market.timeframe, datetime.fromisoformat(told))
    return tuple(finding.message for finding in findings if finding.is_blocking)


def _gap_row(gap: Mapping[str, Any]) -> "GapRow":
    from trading_pipeline.market_data.gaps import GapClass
    from trading_pipeline.reporting.quality import GapRow

    kind = GapClass(gap["kind"])
    return GapRow(
        datetime.fromisoformat(gap["start"]),
        datetime.fromisoformat(gap["end"]),
        gap["n_bars"],
        kind.value,
        kind.is_explained,
        gap.get("evidence", ""),
    )


def _address(settings: Settings, table: str, symbol: Symbol, month: Month) -> "Address":
    from trading_pipeline.adapters.storage.lake import month_address

    return month_address(table, settings.market.venue, symbol, settings.market.timeframe, month)
