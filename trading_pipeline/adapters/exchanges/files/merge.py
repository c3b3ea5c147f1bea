"""Several files of one symbol become one history."""

from collections.abc import Sequence

import polars as pl

from trading_pipeline.adapters.exchanges.files.candle_file import CandleFile
from trading_pipeline.core.candles import CANDLE_SCHEMA, conform
from trading_pipeline.core.errors import CandleConflictError
from trading_pipeline.market_data.cleaning import (
    DROPPED_SCHEMA,
    CleanedCandles,
    DropReason,
)

_VALUES = [name for name in CANDLE_SCHEMA if name != "open_time"]


def merge_files(parts: Sequence[tuple[CandleFile, CleanedCandles]]) -> CleanedCandles:
    """Return the union of the candles of several files of one symbol and timeframe.

    A candle that several files hold equally is taken once; the others are listed as dropped.
    ``dropped`` has the extra column ``file``.

    Raises
    ------
    CandleConflictError
        If two files give different values for one open time.
    """
    tables = [
        part.candles.with_columns(pl.lit(number).alias("number"))
        for number, (_, part) in enumerate(parts)
    ]
    rows = pl.concat(tables).sort("open_time", "number", maintain_order=True)
    is_repeat = rows["open_time"].is_duplicated() & ~rows["open_time"].is_first_distinct()
    repeats = rows.filter(is_repeat)
    kept = rows.filter(~is_repeat)
    _refuse_conflict(kept, repeats, [file for file, _ in parts])
    dropped = pl.concat(
        [
            *(
                part.dropped.with_columns(pl.lit(str(file.path)).alias("file"))
                for file, part in parts
            ),
            _listed_repeats(repeats, kept, [str(file.path) for file, _ in parts]),
        ]
    )
    found = dict(dropped.group_by("reason").len().iter_rows())
    counts = {str(reason): found[reason] for reason in DropReason if reason in found}
    return CleanedCandles(conform(kept.select(list(CANDLE_SCHEMA))), dropped, counts)


def _refuse_conflict(
    kept: pl.DataFrame, repeats: pl.DataFrame, files: Sequence[CandleFile]
) -> None:
    pairs = repeats.join(kept, on="open_time", how="left", suffix="_kept")
    differs = pl.any_horizontal(pl.col(name) != pl.col(f"{name}_kept") for name in _VALUES)
    conflicts = pairs.filter(differs).sort("open_time")
    if conflicts.is_empty():
        return
    row = conflicts.row(0, named=True)
    name = next(name for name in _VALUES if row[name] != row[f"{name}_kept"])
    first, second = files[row["number_kept"]], files[row["number"]]
    raise CandleConflictError(
        f"two files disagree on {len(conflicts):,} candles of {first.symbol} {first.timeframe}; "
        f"the first opens at {row['open_time']:%Y-%m-%d %H:%M} UTC: {name} is "
        f"{row[f'{name}_kept']} in {first.path} and {row[name]} in {second.path}. "
        "Leave one of the files out",
        files=[str(first.path), str(second.path)],
        open_time=row["open_time"],
        column=name,
        values=[row[f"{name}_kept"], row[name]],
        conflicts=len(conflicts),
    )


def _listed_repeats(
    repeats: pl.DataFrame, kept: pl.DataFrame, names: Sequence[str]
) -> pl.DataFrame:
    owners = kept.select("open_time", pl.col("number").alias("owner"))
    paths = dict(enumerate(names))
    return (
        repeats.join(owners, on="open_time", how="left")
        .select(
            pl.lit(None, dtype=pl.Int64).alias("row"),
            "open_time",
            pl.lit(str(DropReason.EXACT_DUPLICATE)).alias("reason"),
            pl.format(
                "the same candle is in {}",
                pl.col("owner").replace_strict(paths, return_dtype=pl.String),
            ).alias("detail"),
            *_VALUES,
            pl.col("number").replace_strict(paths, return_dtype=pl.String).alias("file"),
        )
        .select([*DROPPED_SCHEMA, "file"])
    )
