"""Raw rows to contract candles: what breaks the contract is dropped, counted and listed.

Nothing is repaired or filled. A row that is dropped leaves a hole, and holes are judged in
``market_data.gaps``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import polars as pl

from trading_pipeline.core.candles import CANDLE_SCHEMA, OPEN_TIME_TYPE, conform
from trading_pipeline.core.errors import CandleFileError, CandleSchemaError
from trading_pipeline.core.timeframe import Timeframe

_VALUES = ("open", "high", "low", "close", "volume")
_PRICES = _VALUES[:4]

DROPPED_SCHEMA: dict[str, pl.DataType] = {
    "row": pl.Int64(),
    "open_time": OPEN_TIME_TYPE,
    "reason": pl.String(),
    "detail": pl.String(),
    **{name: pl.Float64() for name in _VALUES},
}
"""Columns of ``CleanedCandles.dropped``; ``row`` counts the raw rows from 1."""


class DropReason(StrEnum):
    """Why a raw row is not a candle; a row with several faults has the first of them."""

    UNREADABLE_TIME = "unreadable time"
    MISSING_VALUE = "missing value"
    PRICE_NOT_POSITIVE = "price not positive"
    NEGATIVE_VOLUME = "negative volume"
    HIGH_BELOW_LOW = "high below low"
    OUTSIDE_RANGE = "open or close outside low to high"
    OFF_GRID = "not on the timeframe's grid"
    NOT_CLOSED = "not closed yet"
    EXACT_DUPLICATE = "exact duplicate"
    CONFLICTING_DUPLICATE = "conflicting duplicate"


@dataclass(frozen=True, slots=True)
class CleanedCandles:
    """Candles that keep the contract, and what was left out.

    Parameters
    ----------
    candles : DataFrame
        In ``core.candles.CANDLE_SCHEMA``, unique, ascending.
    dropped : DataFrame
        In ``DROPPED_SCHEMA``, in the order of the raw rows.
    counts : mapping of str to int
        Dropped rows by :class:`DropReason` value; reasons without a row are absent.
    """

    candles: pl.DataFrame
    dropped: pl.DataFrame
    counts: Mapping[str, int]


def clean_candles(
    raw: pl.DataFrame, timeframe: Timeframe, *, now: datetime | None = None
) -> CleanedCandles:
    """Split raw rows into contract candles and dropped rows; values are never changed.

    Of equal rows for one open time the first stays. Of rows that disagree on one open time none
    stays, because nobody knows which is true: the bar becomes a hole.

    Parameters
    ----------
    raw : DataFrame
        ``open_time`` (Datetime in UTC, null where it could not be read) and float64 ``open``,
        ``high``, ``low``, ``close``, ``volume``; any order, nulls and NaN allowed.
    timeframe : Timeframe
        Length of the candles; open times off its grid are dropped.
    now : datetime, optional
        The venue's clock; candles that close after it are dropped. Left out, none is.

    Raises
    ------
    CandleSchemaError
        If a column is missing or of another kind.
    CandleFileError
        If more than half of the rows would be dropped: this is not a candle table then.
    """
    candles, dropped = sort_out(raw, timeframe, now=now)
    counts = {str(reason): n for reason in DropReason if (n := _count(dropped, reason))}
    n_rows = len(raw)
    if 2 * len(dropped) > n_rows:
        _refuse(dropped, counts, n_rows, timeframe)
    return CleanedCandles(candles, dropped, counts)


def sort_out(
    raw: pl.DataFrame, timeframe: Timeframe, *, now: datetime | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return contract candles and dropped rows, as :func:`clean_candles`, however many drop."""
    now = None if now is None else now.astimezone(UTC)
    rows = _typed(raw).with_columns(_first_fault(timeframe, now).alias("reason"))
    if rows["reason"].is_null().all() and _is_ascending(rows["open_time"]):
        # Nearly every table: nothing to drop, and no two rows of one time.
        return conform(rows.select(list(CANDLE_SCHEMA))), pl.DataFrame(schema=DROPPED_SCHEMA)
    rows = _mark_duplicates(rows)
    is_kept = pl.col("reason").is_null()
    dropped = rows.filter(~is_kept).with_columns(_detail(timeframe, now).alias("detail"))
    candles = rows.filter(is_kept).select(list(CANDLE_SCHEMA)).sort("open_time")
    return conform(candles), dropped.select(list(DROPPED_SCHEMA))


def _is_ascending(times: pl.Series) -> bool:
    stored = times.to_physical()
    return bool((stored.diff().drop_nulls() > 0).all())


def describe_counts(counts: Mapping[str, int]) -> str:
    """Return counts by reason as one line, largest first: ``3 not closed yet, 1 ...``."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{n:,} {reason}" for reason, n in ranked) or "none"


def _typed(raw: pl.DataFrame) -> pl.DataFrame:
    missing = [name for name in CANDLE_SCHEMA if name not in raw.columns]
    if missing:
        raise CandleSchemaError(f"raw candles need the columns {missing}, had {raw.columns}")
    time_type = raw.schema["open_time"]
    if not isinstance(time_type, pl.Datetime) or time_type.time_zone != "UTC":
        raise CandleSchemaError(f"raw open_time must be a Datetime in UTC, was {time_type}")
    for name in _VALUES:
        if not raw.schema[name].is_numeric():
            raise CandleSchemaError(f"raw column {name} must be numeric, was {raw.schema[name]}")
    rows = raw.select(pl.col(name).cast(kind) for name, kind in CANDLE_SCHEMA.items())
    return rows.with_row_index("row", offset=1).with_columns(pl.col("row").cast(pl.Int64))


def _first_fault(timeframe: Timeframe, now: datetime | None) -> pl.Expr:
    body_low = pl.min_horizontal("open", "close")
    body_high = pl.max_horizontal("open", "close")
    off_grid = pl.col("open_time").dt.epoch("us") % timeframe.microseconds != 0
    closes_at = pl.col("open_time") + timeframe.duration
    faults = {
        DropReason.UNREADABLE_TIME: pl.col("open_time").is_null(),
        DropReason.MISSING_VALUE: ~pl.all_horizontal(
            pl.col(name).is_finite().fill_null(value=False) for name in _VALUES
        ),
        DropReason.PRICE_NOT_POSITIVE: pl.min_horizontal(_PRICES) <= 0,
        DropReason.NEGATIVE_VOLUME: pl.col("volume") < 0,
        DropReason.HIGH_BELOW_LOW: pl.col("high") < pl.col("low"),
        DropReason.OUTSIDE_RANGE: (body_low < pl.col("low")) | (body_high > pl.col("high")),
        DropReason.OFF_GRID: off_grid,
        DropReason.NOT_CLOSED: pl.lit(value=False) if now is None else closes_at > now,
    }
    # coalesce takes the first fault; a comparison with a null is null, hence no fault by itself.
    return pl.coalesce(pl.when(is_fault).then(pl.lit(str(r))) for r, is_fault in faults.items())


def _mark_duplicates(rows: pl.DataFrame) -> pl.DataFrame:
    sound = rows.filter(pl.col("reason").is_null())
    is_repeat = pl.struct(list(CANDLE_SCHEMA)).is_first_distinct().not_()
    sound = sound.with_columns(
        pl.when(is_repeat).then(pl.lit(str(DropReason.EXACT_DUPLICATE))).alias("reason")
    )
    is_contested = (pl.col("reason").is_null().sum().over("open_time") > 1) & pl.col(
        "reason"
    ).is_null()
    sound = sound.with_columns(
        pl.when(is_contested)
        .then(pl.lit(str(DropReason.CONFLICTING_DUPLICATE)))
        .otherwise(pl.col("reason"))
        .alias("reason")
    )
    faulty = rows.filter(pl.col("reason").is_not_null())
    return pl.concat([sound, faulty]).sort("row")


def _detail(timeframe: Timeframe, now: datetime | None) -> pl.Expr:
    missing = pl.concat_str(
        [
            pl.when(pl.col(name).is_finite().fill_null(value=False))
            .then(pl.lit(""))
            .otherwise(pl.lit(f"{name} "))
            for name in _VALUES
        ]
    ).str.strip_chars()
    texts = {
        DropReason.UNREADABLE_TIME: pl.lit("the time is missing, unknown in form, or out of range"),
        DropReason.MISSING_VALUE: pl.format("no number in {}", missing),
        DropReason.PRICE_NOT_POSITIVE: pl.format("lowest price {}", pl.min_horizontal(_PRICES)),
        DropReason.NEGATIVE_VOLUME: pl.format("volume {}", "volume"),
        DropReason.HIGH_BELOW_LOW: pl.format("high {} under low {}", "high", "low"),
        DropReason.OUTSIDE_RANGE: pl.format(
            "open {} and close {} in low {} to high {}", "open", "close", "low", "high"
        ),
        DropReason.OFF_GRID: pl.lit(f"open times are multiples of {timeframe} from 00:00 UTC"),
        DropReason.NOT_CLOSED: pl.lit(f"closes after {now:%Y-%m-%d %H:%M:%S} UTC" if now else ""),
        DropReason.EXACT_DUPLICATE: pl.lit("same as an earlier row; that one is kept"),
        DropReason.CONFLICTING_DUPLICATE: pl.lit(
            "another row has other values for this time; neither is kept"
        ),
    }
    return pl.coalesce(
        pl.when(pl.col("reason") == str(reason)).then(text) for reason, text in texts.items()
    )


def _count(dropped: pl.DataFrame, reason: DropReason) -> int:
    return dropped.filter(pl.col("reason") == str(reason)).height


def _refuse(
    dropped: pl.DataFrame, counts: Mapping[str, int], n_rows: int, timeframe: Timeframe
) -> None:
    first = dropped.row(0, named=True)
    raise CandleFileError(
        f"more than half of the rows are no {timeframe} candles: {len(dropped):,} of {n_rows:,} "
        f"({describe_counts(counts)}). First: row {first['row']}, time {first['open_time']}, "
        f"{first['reason']} ({first['detail']}). Check the columns, the time format and the "
        "timeframe",
        dropped=len(dropped),
        rows=n_rows,
        counts=dict(counts),
    )
