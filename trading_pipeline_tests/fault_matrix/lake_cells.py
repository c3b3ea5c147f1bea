"""What is killed where: operations on a partition, and the named points that they pass."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from trading_pipeline.adapters.storage.addresses import month_address
from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline.adapters.storage.lake_crash_points import LakeHook, LakePoint, survive
from trading_pipeline.adapters.storage.objects import LocalObjects
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.builders import make_candles

JANUARY = month_address(
    "candles", "binance", Symbol("BTC", "USDT"), Timeframe("1m"), Month(2024, 1)
)
STORES = ("local", "s3")
SIZES = {"small": 40, "large": 3_000}
NEW_ROWS = 5

# The first of these is the commit point: from it on the new generation is there.
_COMMITTED = (
    LakePoint.MANIFEST_RENAMED,
    LakePoint.MANIFEST_DURABLE,
    LakePoint.OLD_PART_DELETED,
    LakePoint.COMMITTED,
)
_IN_S3 = (
    LakePoint.LOCKED,
    LakePoint.PART_OPENED,
    LakePoint.PART_DURABLE,
    LakePoint.MANIFEST_OPENED,
    LakePoint.MANIFEST_DURABLE,
    LakePoint.OLD_PART_DELETED,
    LakePoint.COMMITTED,
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One kill."""

    store: str
    operation: str
    point: str
    size: str

    @property
    def name(self) -> str:
        return "/".join((self.store, self.operation, self.point, self.size))

    @property
    def leaves_the_new_generation(self) -> bool:
        return self.point in _COMMITTED


def open_lake(root: str, cache: Path, hook: LakeHook = survive) -> Lake:
    """Open a lake in a folder or in S3."""
    if not root.startswith("s3://"):
        return Lake(LocalObjects(Path(root), hook), hook)
    from trading_pipeline.adapters.storage.s3_objects import S3Objects

    return Lake(S3Objects(root, cache, cache_bytes=100_000_000, hook=hook), hook)


def month(size: str) -> pl.DataFrame:
    """Return the candles that every operation starts from, and those that it may add."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    return make_candles(SIZES[size] + NEW_ROWS, timeframe="1m", start=start)


def _upsert(lake: Lake, rows: pl.DataFrame) -> None:
    lake.upsert(JANUARY, rows, key="open_time", fingerprint="upsert")


def _first(lake: Lake, rows: pl.DataFrame) -> None:
    lake.commit(JANUARY, rows, fingerprint="first")


def _replace(lake: Lake, rows: pl.DataFrame) -> None:
    lake.commit(JANUARY, rows.with_columns(close=pl.col("close") * 2), fingerprint="replace")


def _append(lake: Lake, rows: pl.DataFrame) -> None:
    _upsert(lake, rows[-NEW_ROWS - 1 :])


def _revise(lake: Lake, rows: pl.DataFrame) -> None:
    _upsert(lake, rows[10:12].with_columns(close=pl.lit(1.25)))


def _compact(lake: Lake, rows: pl.DataFrame) -> None:
    lake.compact(JANUARY)


OPERATIONS: dict[str, Callable[[Lake, pl.DataFrame], None]] = {
    "first": _first,
    "replace": _replace,
    "append": _append,
    "revise": _revise,
    "compact": _compact,
}


def prepare(lake: Lake, operation: str, size: str) -> pl.DataFrame | None:
    """Bring a partition to where the operation starts, and return its rows; None: there is none."""
    rows = month(size)
    old = rows[:-NEW_ROWS]
    if operation == "first":
        return None
    lake.commit(JANUARY, old[:30].with_columns(close=pl.lit(2.0)), fingerprint="retired")
    lake.commit(JANUARY, old[:-2], fingerprint="old")
    _upsert(lake, old[-3:])
    if operation == "compact":
        return old
    # So that the operation finds a part of the generation before to delete.
    lake.compact(JANUARY)
    return old


def outcome(operation: str, size: str) -> pl.DataFrame:
    """Return the rows after an operation, put together by hand."""
    rows = month(size)
    match operation:
        case "first" | "append":
            return rows
        case "replace":
            return rows.with_columns(close=rows["close"] * 2)
        case "revise":
            close = rows["close"].to_list()[:-NEW_ROWS]
            close[10] = close[11] = 1.25
            return rows[:-NEW_ROWS].with_columns(close=pl.Series(close))
        case _:
            return rows[:-NEW_ROWS]


def is_passed(store: str, operation: str, point: LakePoint) -> bool:
    """Whether an operation passes a point at all."""
    if store == "s3" and point not in _IN_S3:
        return False
    # A first write retires nothing, and neither does an append, which a compaction follows.
    return not (operation in ("first", "compact") and point == LakePoint.OLD_PART_DELETED)


def all_cells() -> list[Cell]:
    """Return every cell, the stores and operations in turn."""
    return [
        Cell(store, operation, str(point), size)
        for size in SIZES
        for point in LakePoint
        for store in STORES
        for operation in OPERATIONS
        if is_passed(store, operation, point)
    ]
