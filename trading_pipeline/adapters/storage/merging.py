"""New rows into stored rows: the result, and how much of what is stored stays as it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from trading_pipeline.adapters.storage.addresses import Address
from trading_pipeline.core.candles import BoolArray, IntArray
from trading_pipeline.core.errors import DataError


@dataclass(frozen=True, slots=True)
class Merged:
    """All rows, ordered and unique by their key; the first ``n_kept`` are the stored ones."""

    rows: pl.DataFrame
    n_kept: int


def merge(
    stored: pl.DataFrame | None, rows: pl.DataFrame, keys: Sequence[str], address: Address
) -> Merged:
    """Merge ``rows`` into ``stored``; of two rows with one key the later one stays.

    Raises
    ------
    DataError
        If ``rows`` has other columns than the stored rows.
    """
    if stored is None:
        return Merged(_in_order(rows, keys), 0)
    new = _like(stored, rows, address)
    start = _start(stored, new, keys)
    changed = _in_order(pl.concat([stored[start:], new]), keys)
    after = pl.concat([stored[:start], changed]) if start else changed
    return Merged(after, start + _n_same(stored[start:], changed))


def _in_order(rows: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    return rows.unique(keys, keep="last", maintain_order=True).sort(keys)


def _start(stored: pl.DataFrame, new: pl.DataFrame, keys: Sequence[str]) -> int:
    """Return how many stored rows come before all new ones, as far as that is seen at once."""
    if len(keys) > 1 or new.is_empty() or not stored.schema[keys[0]].is_temporal():
        return 0
    known, first = stored[keys[0]], new[keys[0]].min()
    instants = known.to_physical().to_numpy()
    is_ordered = known.null_count() == 0 and bool(np.all(instants[1:] > instants[:-1]))
    return int((known < first).sum()) if is_ordered and first is not None else 0


def _n_same(stored: pl.DataFrame, after: pl.DataFrame) -> int:
    n = min(stored.height, after.height)
    is_same = np.ones(n, dtype=bool)
    for name in stored.columns:
        is_same &= _same(stored[name][:n], after[name][:n])
    return n if is_same.all() else int(np.argmin(is_same))


def _same(left: pl.Series, right: pl.Series) -> BoolArray:
    if not left.dtype.is_float():
        equal: BoolArray = left.eq_missing(right).to_numpy()
        return equal
    # By bits: -0.0 equals 0.0, and still is a revision.
    same: BoolArray = _bits(left) == _bits(right)
    same &= (left.is_null() == right.is_null()).to_numpy()
    return same


def _bits(column: pl.Series) -> IntArray:
    values = column.fill_null(0.0).to_numpy()
    return values.view(f"i{values.itemsize}")


def _like(stored: pl.DataFrame, rows: pl.DataFrame, address: Address) -> pl.DataFrame:
    if dict(stored.schema) != dict(rows.schema):
        raise DataError(
            f"{address} holds {dict(stored.schema)}, the new rows {dict(rows.schema)}; "
            "use the same columns, or delete the folder and materialise the partition again",
            address=str(address),
        )
    return rows.select(stored.columns)
