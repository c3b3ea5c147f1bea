"""The lake against the libraries that read and write partitioned Parquet."""

import shutil
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from trading_pipeline.adapters.storage.lake import Lake, month_address
from trading_pipeline.core.candles import CANDLE_SCHEMA
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.benchmarks.inputs import FIRST_MONTH, SYMBOLS, month_frames
from trading_pipeline_tests.benchmarks.measure import Bench, Comparison, Side

_TABLE, _VENUE = "candles", "bench"
_COLUMNS = list(CANDLE_SCHEMA)


def reading(bench: Bench) -> Generator[Comparison, None, None]:
    """Yield comparisons of reading one symbol's month: the same Parquet files on both sides."""
    import pyarrow as pa
    from pyarrow import dataset

    for timeframe in bench.sizes.lake_timeframes:
        root = bench.folder / f"read-{timeframe}"
        lake, copy = Lake(root / "lake"), root / "copy"
        for symbol, month, rows in month_frames(timeframe, bench.sizes.n_months):
            address = month_address(_TABLE, _VENUE, symbol, Timeframe(timeframe), month)
            lake.commit(address, rows, fingerprint="bench")
        # The manifests stay behind: a data set takes every file of its folder for Parquet.
        shutil.copytree(lake.root, copy, ignore=shutil.ignore_patterns("*.json", ".locks"))
        month = FIRST_MONTH.shift(bench.sizes.n_months // 2)
        wanted = month_address(_TABLE, _VENUE, SYMBOLS[1], Timeframe(timeframe), month)
        n_rows = lake.read(wanted).height
        chosen = (dataset.field("symbol") == SYMBOLS[1].key) & (dataset.field("month") == month.key)

        def open_dataset(folder: Path = copy / _TABLE) -> dataset.Dataset:
            names = pa.schema([(n, pa.string()) for n in ("venue", "symbol", "month")])
            names = names.insert(2, pa.field("timeframe", pa.string()))
            by_folder = dataset.partitioning(names, flavor="hive")
            return dataset.dataset(folder, format="parquet", partitioning=by_folder)

        opened = open_dataset()
        peers: dict[str, tuple[str, Callable[[], dataset.Dataset], float]] = {
            "cold": ("the data set is opened in each call", open_dataset, 2.0),
            "opened": ("the data set stays open, its files listed", partial(_same, opened), 1.0),
        }
        for kind, (how, source, goal) in peers.items():
            yield Comparison(
                f"lake-read/{timeframe}-{kind}",
                Side("Lake.read, SHA-256 verified", partial(lake.read, wanted)),
                Side(
                    f"pyarrow {pa.__version__} dataset",
                    partial(_to_table, source, chosen),
                ),
                lambda ours, theirs: _frame_difference(ours, pl.from_arrow(theirs)),
                goal,
                f"{n_rows:,} rows of {len(SYMBOLS) * bench.sizes.n_months} partitions, the same "
                f"files; ours reads the manifest and verifies the SHA-256, the peer verifies "
                f"nothing; {how}",
            )


def _same(value: Any) -> Any:
    return value


def _to_table(source: Callable[[], Any], chosen: object) -> Any:
    return source().to_table(columns=_COLUMNS, filter=chosen)


def writing(bench: Bench) -> Generator[Comparison, None, None]:
    """Yield the comparison of writing a frame, partitioned by symbol and month."""
    timeframe = Timeframe(bench.sizes.write_timeframe)
    frames = [
        rows.with_columns(symbol=pl.lit(symbol.key), month=pl.lit(month.key))
        for symbol, month, rows in month_frames(timeframe.name, bench.sizes.n_months)
    ]
    frame = pl.concat(frames)
    ours, theirs = bench.folder / "write-lake", bench.folder / "write-polars"
    by_key = {
        (symbol.key, month.key): month_address(_TABLE, _VENUE, symbol, timeframe, month)
        for symbol in SYMBOLS
        for month in FIRST_MONTH.until(FIRST_MONTH.shift(bench.sizes.n_months - 1))
    }

    def commit() -> Lake:
        lake = Lake(ours)
        parts = frame.partition_by("symbol", "month", as_dict=True, include_key=False)
        for key, rows in parts.items():
            lake.commit(by_key[key[0], key[1]], rows, fingerprint="bench")
        return lake

    def sink() -> Path:
        target = pl.PartitionBy(theirs, key=["symbol", "month"], include_key=False)
        frame.lazy().sink_parquet(target, compression="zstd", statistics=True, mkdir=True)
        return theirs

    def difference(lake: Lake, folder: Path) -> str | None:
        keys = {tuple(path.parts[-3:-1]) for path in folder.rglob("*.parquet")}
        if keys != {(f"symbol={symbol}", f"month={month}") for symbol, month in by_key}:
            return "the peer has other partitions"
        for (symbol, month), address in by_key.items():
            files = folder / f"symbol={symbol}" / f"month={month}" / "*.parquet"
            other = pl.read_parquet(files, hive_partitioning=False)
            found = _frame_difference(lake.read(address), other)
            if found is not None:
                return f"{symbol} {month}: {found}"
        return None

    yield Comparison(
        f"lake-write/{timeframe}",
        Side("Lake.commit per partition", commit, partial(_empty, ours)),
        Side(f"polars {pl.__version__} PartitionBy", sink, partial(_empty, theirs)),
        difference,
        1.5,
        f"{frame.height:,} rows into {len(by_key)} partitions, zstd; ours adds SHA-256, a manifest "
        "and a flush to the disk per partition, the peer leaves its bytes in the page cache",
    )


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _frame_difference(ours: pl.DataFrame, theirs: object) -> str | None:
    assert isinstance(theirs, pl.DataFrame)
    if theirs.columns != ours.columns or theirs.height != ours.height:
        return f"{ours.height} rows of {ours.columns} against {theirs.height} of {theirs.columns}"
    same_types = theirs.cast(ours.schema)
    return None if ours.equals(same_types.sort("open_time")) else "the rows differ"
