"""Writers that tests start as processes of their own: ``python -m ... NAME LAKE ARGUMENT``."""

import os
import resource
import sys
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

JANUARY = month_address(
    "candles", "binance", Symbol("BTC", "USDT"), Timeframe("1h"), Month(2024, 1)
)
UPSERTERS = 8
TURNS = 12
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


def command(name: str, lake: Lake, argument: object) -> dict[str, object]:
    """Return the arguments of ``subprocess`` that start a writer."""
    arguments = [sys.executable, "-m", __spec__.name, name, str(lake.root), str(argument)]
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


def _limit_files(n_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


if __name__ == "__main__":
    try:
        globals()[sys.argv[1]](Lake(Path(sys.argv[2])), sys.argv[3])
    except StorageError as error:
        print(error)  # noqa: T201
        sys.exit(EXIT_REFUSED)
