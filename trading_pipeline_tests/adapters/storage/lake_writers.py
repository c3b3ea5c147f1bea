"""Writers that tests start as processes of their own: ``python -m ... NAME LAKE ARGUMENT``."""

import os
import resource
import sys
import tempfile
from functools import cache
from itertools import count
from pathlib import Path

import polars as pl

from trading_pipeline.adapters.storage.lake import Lake, month_address
from trading_pipeline.core.errors import StorageError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.fault_matrix.lake_cells import open_lake

JANUARY = month_address(
    "candles", "binance", Symbol("BTC", "USDT"), Timeframe("1h"), Month(2024, 1)
)
UPSERTERS = 8
TURNS = 12
MEETING = 200
REVISED = [3, 50, 120, 160, 175, 198]
ROLES = ("backfill", "refresh", "collector", "revision")
EXIT_KILLED = 99
EXIT_REFUSED = 3

_REPOSITORY = Path(__file__).resolve().parents[3]
_MOMENTS = {
    # what the operating system is asked for, and whether for the part or for the manifest
    ("open", "part"): "before the part",
    ("os.rename", "part"): "part written, not renamed",
    ("open", "manifest"): "part renamed, no manifest",
    ("os.rename", "manifest"): "manifest written, not renamed",
}


def command(name: str, lake: Lake | str, argument: object) -> dict[str, object]:
    """Return the arguments of ``subprocess`` that start a writer on a lake, or on its URL."""
    root = lake if isinstance(lake, str) else lake.root
    arguments = [sys.executable, "-m", __spec__.name, name, str(root), str(argument)]
    return {"args": arguments, "cwd": _REPOSITORY}


def generation(n: int) -> pl.DataFrame:
    """Return the rows of generation ``n``: every close is ``n``."""
    return _rows().with_columns(close=pl.lit(float(n)))


@cache
def _rows() -> pl.DataFrame:
    return make_candles(2000)


def replace_for_ever(lake: Lake, start: str) -> None:
    """Commit generation after generation from ``start`` on, until it is killed."""
    for n in count(int(start)):
        lake.commit(JANUARY, generation(n), fingerprint=str(n))
        if n == int(start):
            print("ready", flush=True)  # noqa: T201


def meet(lake: Lake, role: str) -> None:
    """Write one month as one of those who meet there, as soon as a line arrives."""
    rows = make_candles(MEETING)
    sys.stdin.readline()
    if role == "backfill":
        pieces = [rows[start : start + 60] for start in range(0, MEETING, 20)]
    elif role == "refresh":
        pieces = [rows[start : start + 3] for start in range(0, MEETING, 2)][-30:]
    elif role == "collector":
        pieces = [rows[n : n + 1] for n in range(MEETING - 40, MEETING)]
    else:
        # Candles that the exchange revised: only this writer knows the new values.
        pieces = [rows[n : n + 1].with_columns(volume=pl.lit(0.5)) for n in REVISED]
    for piece in pieces:
        others = piece if role == "revision" else piece.filter(~_is_revised(rows))
        lake.upsert(JANUARY, others, key="open_time", fingerprint=role)
        if role == "refresh":
            lake.compact(JANUARY)


def _is_revised(rows: pl.DataFrame) -> pl.Expr:
    return pl.col("open_time").is_in(rows["open_time"].gather(REVISED).to_list())


def met() -> pl.DataFrame:
    """Return what a month holds after all have met there."""
    volume = make_candles(MEETING)["volume"].to_list()
    for n in REVISED:
        volume[n] = 0.5
    return make_candles(MEETING).with_columns(volume=pl.Series(volume))


def upsert_rows(lake: Lake, worker: str) -> None:
    """Upsert every eighth row, one at a time, as soon as a line arrives."""
    rows = make_candles(UPSERTERS * TURNS)
    sys.stdin.readline()
    for index in range(int(worker), len(rows), UPSERTERS):
        lake.upsert(JANUARY, rows[index : index + 1], key="open_time", fingerprint=str(index))


def die_at(lake: Lake, moment: str) -> None:
    """Commit ten candles and end without cleaning up at a named moment of the commit."""

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        path = str(arguments[0]) if arguments else ""
        file = "part" if ".parquet." in path else "manifest" if ".json." in path else ""
        if _MOMENTS.get((event, file)) == moment:
            os._exit(EXIT_KILLED)

    rows = make_candles(10)
    sys.addaudithook(watch)
    lake.commit(JANUARY, rows, fingerprint="new")


def read_while_replaced(lake: Lake, times: str) -> None:
    """Read a partition that is replaced twice between every look-up and the read of its part."""
    left = int(times)

    def replace(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        path = str(arguments[0]) if arguments else ""
        # Only parts that are about to be read; a writer opens ".part-...partial".
        if event == "open" and left and path.endswith(".parquet"):
            left, now = 0, left
            for n in (2 * now, 2 * now + 1):
                lake.commit(JANUARY, generation(n), fingerprint=str(n))
            left = now - 1

    sys.addaudithook(replace)
    rows = lake.read(JANUARY)
    print(len(rows), rows["close"].unique().to_list())  # noqa: T201


def fill_disk_at_the_part(lake: Lake, limit: str) -> None:
    """Commit a part that is larger than a file may be."""
    _limit_files(int(limit))
    lake.commit(JANUARY, make_candles(5000), fingerprint="new")


def fill_disk_at_the_manifest(lake: Lake, limit: str) -> None:
    """Commit a small part whose manifest is larger than a file may be."""
    _limit_files(int(limit))
    notes = {"long": "x" * 2 * int(limit)}
    lake.commit(JANUARY, make_candles(2), fingerprint="new", notes=notes)


def fill_disk_at_an_appended_part(lake: Lake, limit: str) -> None:
    """Append rows whose part is larger than a file may be."""
    rows = make_candles(900)
    _limit_files(int(limit))
    lake.upsert(JANUARY, rows, key="open_time", fingerprint="new")


def fill_disk_at_the_compaction(lake: Lake, limit: str) -> None:
    """Compact into a part that is larger than a file may be."""
    _limit_files(int(limit))
    lake.compact(JANUARY)


def read_on_a_full_disk(lake: Lake, limit: str) -> None:
    """Read a part whose copy is larger than a file may be."""
    _limit_files(int(limit))
    lake.read(JANUARY)


def _limit_files(n_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


if __name__ == "__main__":
    try:
        # Each process with a cache of its own, as on a machine of its own.
        with tempfile.TemporaryDirectory() as cache:
            lake = open_lake(sys.argv[2], Path(cache))
            globals()[sys.argv[1]](lake, sys.argv[3])
    except StorageError as error:
        print(error)  # noqa: T201
        sys.exit(EXIT_REFUSED)
