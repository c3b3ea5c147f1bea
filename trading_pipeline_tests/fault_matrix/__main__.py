"""``make fault-matrix``: kill writers of the lake at every named point, and keep the table.

Resumable: what was done is not done again, unless ``--fresh`` forgets it.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from itertools import count
from pathlib import Path

from trading_pipeline.adapters.storage.durable_files import write_durably
from trading_pipeline_tests.fault_matrix.lake_cells import OPERATIONS, STORES, all_cells
from trading_pipeline_tests.fault_matrix.lake_kills import kill
from trading_pipeline_tests.fault_matrix.lake_nursery import nursery
from trading_pipeline_tests.s3_server import new_bucket, s3_environment, s3_server

RESULTS = Path(__file__).resolve().parents[2] / "data" / "bench" / "lake_faults.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="make fault-matrix")
    parser.add_argument("--fresh", action="store_true", help="forget what was done")
    parser.add_argument("--seconds", type=float, default=3_600.0, help="stop after this long")
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    done = {} if chosen.fresh else _done(chosen.results)
    failed = _run(done, chosen.results, time.monotonic() + chosen.seconds)
    _show(done)
    sys.exit(1 if failed else 0)


def _run(done: dict[str, dict[str, object]], results: Path, end: float) -> int:
    left = [cell for cell in all_cells() if cell.name not in done]
    if not left:
        return 0
    failed = 0
    with s3_server() as endpoint, tempfile.TemporaryDirectory() as folder:
        environment = s3_environment(endpoint)
        os.environ.update(environment)
        with nursery(environment) as children:
            for cell, n in zip(left, count(1), strict=False):
                if time.monotonic() > end:
                    break
                here = Path(folder, str(n))
                root = f"s3://{new_bucket(endpoint)}/lake" if cell.store == "s3" else f"{here}/lake"
                try:
                    done[cell.name] = kill(cell, root, here, children)
                except AssertionError as error:
                    failed += 1
                    print(f"FAILED {cell.name}: {error}", flush=True)  # noqa: T201
                    continue
                write_durably(results, json.dumps(done, indent=1).encode())
                if n % 20 == 0:
                    print(f"{n} of {len(left)} killed", flush=True)  # noqa: T201
    return failed


def _done(results: Path) -> dict[str, dict[str, object]]:
    known = {cell.name for cell in all_cells()}
    if not results.is_file():
        return {}
    stored: dict[str, dict[str, object]] = json.loads(results.read_text())
    return {name: result for name, result in stored.items() if name in known}


def _show(done: dict[str, dict[str, object]]) -> None:
    rows = Counter((cell.store, cell.operation) for cell in all_cells())
    header = f"{'store':8}{'operation':12}{'kills':>8}{'left old':>10}{'left new':>10}"
    print(f"{header}{'orphans':>10}{'not yet run':>13}")  # noqa: T201
    for store in STORES:
        for operation in OPERATIONS:
            found = [r for name, r in done.items() if name.startswith(f"{store}/{operation}/")]
            new = sum(result["left"] == "new" for result in found)
            orphans = sum(int(str(result["orphans"])) for result in found)
            left = rows[store, operation] - len(found)
            print(  # noqa: T201
                f"{store:8}{operation:12}{len(found):8}{len(found) - new:10}{new:10}"
                f"{orphans:10}{left:13}"
            )
    print(f"{len(done)} kills, each left one whole generation; {rows.total() - len(done)} to do")  # noqa: T201


if __name__ == "__main__":
    main()
