"""Candles that changed after they were stored: both values are kept, and the past can be asked.

A hole that was filled later is a change too: from nothing to a candle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from trading_pipeline.core.candles import CANDLE_SCHEMA, OPEN_TIME_TYPE, conform
from trading_pipeline.market_data.repair import Fill

_VALUES = tuple(name for name in CANDLE_SCHEMA if name != "open_time")
_OLD = tuple(f"old_{name}" for name in _VALUES)

REVISION_SCHEMA: dict[str, pl.DataType] = {
    "open_time": OPEN_TIME_TYPE,
    "seen_at": OPEN_TIME_TYPE,
    "source": pl.String(),
    **{name: pl.Float64() for name in _OLD},
    **{name: pl.Float64() for name in _VALUES},
}
"""Columns of a table of revisions; the old values are null where a hole was filled."""

REVISION_KEY: tuple[str, str] = ("open_time", "seen_at")
"""A candle may be revised several times, but not twice at one instant."""


@dataclass(frozen=True, slots=True)
class Revisions:
    """Who gave new candles, when they were seen, and which of them filled a hole.

    Parameters
    ----------
    source : str
        Who gave the candles that are in no fill.
    seen_at : datetime
        Timezone-aware.
    fills : tuple of Fill
        Candles that another source gave for a hole.
    """

    source: str
    seen_at: datetime
    fills: tuple[Fill, ...] = ()

    def rows(self, stored: pl.DataFrame | None, new: pl.DataFrame) -> pl.DataFrame:
        """Return what ``new`` changes in ``stored``, in ``REVISION_SCHEMA``.

        That is values that differ, candles that came late into a hole, and fills.
        """
        stamp = {"seen_at": self.seen_at}
        fills = [fill.rows.with_columns(pl.lit(fill.source).alias("by")) for fill in self.fills]
        late = _late_rows(stored, new).with_columns(pl.lit(self.source).alias("by"))
        holes = pl.concat([*fills, late]).unique("open_time", keep="first", maintain_order=True)
        if stored is not None:
            holes = holes.join(stored, on="open_time", how="anti", maintain_order="left")
        filled = [
            filled_rows(part.drop("by"), source=str(by), **stamp)
            for (by,), part in holes.group_by(["by"], maintain_order=True)
        ]
        revised = revised_rows(stored, new, source=self.source, **stamp)
        return pl.concat([revised, *filled]).sort("open_time")


def _late_rows(stored: pl.DataFrame | None, new: pl.DataFrame) -> pl.DataFrame:
    """Return the candles of ``new`` that lie before the newest stored one and are not stored."""
    if stored is None or stored.is_empty():
        return new.clear()
    is_late = pl.col("open_time") < stored["open_time"].max()
    return new.filter(is_late).join(stored, on="open_time", how="anti", maintain_order="left")


def revised_rows(
    stored: pl.DataFrame | None, new: pl.DataFrame, *, source: str, seen_at: datetime
) -> pl.DataFrame:
    """Return the candles of ``new`` whose values differ from those that are stored.

    Parameters
    ----------
    stored, new : DataFrame
        In the candle contract; ``stored`` is None where nothing is stored yet.
    source : str
        Who gave ``new``.
    seen_at : datetime
        When, timezone-aware.

    Returns
    -------
    DataFrame
        In ``REVISION_SCHEMA``, ascending; no row where the values are equal bit for bit.
    """
    if stored is None or stored.is_empty() or new.is_empty():
        return pl.DataFrame(schema=REVISION_SCHEMA)
    before = stored.rename(dict(zip(_VALUES, _OLD, strict=True)))
    both = new.join(before, on="open_time", how="inner", maintain_order="left")
    is_changed = pl.any_horizontal(
        pl.col(name) != pl.col(old) for name, old in zip(_VALUES, _OLD, strict=True)
    )
    return _stamped(both.filter(is_changed), source, seen_at)


def filled_rows(rows: pl.DataFrame, *, source: str, seen_at: datetime) -> pl.DataFrame:
    """Return candles that filled a hole as revisions from nothing, in ``REVISION_SCHEMA``."""
    nothing = [pl.lit(None, dtype=pl.Float64()).alias(old) for old in _OLD]
    return _stamped(rows.with_columns(nothing), source, seen_at)


def count_revisions(revisions: pl.DataFrame) -> tuple[int, int]:
    """Return how many candles were repaired (filled a hole) and how many were revised."""
    is_fill = pl.col("old_close").is_null()
    repaired = revisions.filter(is_fill)["open_time"].n_unique()
    return repaired, revisions.filter(~is_fill)["open_time"].n_unique()


def candles_known_at(
    candles: pl.DataFrame, revisions: Sequence[pl.DataFrame] | pl.DataFrame, at: datetime
) -> pl.DataFrame:
    """Return the candles as they were stored at ``at``.

    A candle that was revised later has the value that it had then; one that filled a hole later
    is absent. Candles that were stored as they closed are taken as known from their close on, so
    pass only candles that were closed by then.

    Parameters
    ----------
    candles : DataFrame
        The newest values, in the candle contract.
    revisions : DataFrame or sequence of DataFrame
        In ``REVISION_SCHEMA``, of the same symbol and timeframe.
    at : datetime
        Timezone-aware.
    """
    tables = [revisions] if isinstance(revisions, pl.DataFrame) else list(revisions)
    empty = pl.DataFrame(schema=REVISION_SCHEMA)
    later = (
        pl.concat([empty, *tables])
        .filter(pl.col("seen_at") > at.astimezone(UTC))
        .sort(list(REVISION_KEY))
        # The first change after the instant is the one that replaced what was known then.
        .unique("open_time", keep="first", maintain_order=True)
        .with_columns(pl.lit(value=True).alias("is_later"))
        .drop(*_VALUES, "seen_at", "source")
    )
    joined = candles.join(later, on="open_time", how="left", maintain_order="left")
    is_later = pl.col("is_later").fill_null(value=False)
    known = joined.filter(~(is_later & pl.col("old_close").is_null()))
    restored = [
        pl.when(is_later).then(pl.col(old)).otherwise(pl.col(name)).alias(name)
        for name, old in zip(_VALUES, _OLD, strict=True)
    ]
    return conform(known.with_columns(restored).select(list(CANDLE_SCHEMA)))


def _stamped(rows: pl.DataFrame, source: str, seen_at: datetime) -> pl.DataFrame:
    stamp = pl.lit(seen_at.astimezone(UTC), dtype=OPEN_TIME_TYPE)
    return (
        rows.with_columns(stamp.alias("seen_at"), pl.lit(source).alias("source"))
        .select(pl.col(name).cast(kind) for name, kind in REVISION_SCHEMA.items())
        .sort("open_time")
    )
