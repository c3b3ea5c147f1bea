"""One kill of the matrix: prepare, let a writer die, and look at what it left."""

from datetime import timedelta
from pathlib import Path

import polars as pl

from trading_pipeline.adapters.storage import warehouse
from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline_tests.fault_matrix.lake_cells import (
    JANUARY,
    OPERATIONS,
    Cell,
    month,
    open_lake,
    outcome,
    prepare,
)
from trading_pipeline_tests.fault_matrix.lake_nursery import Nursery

KILLED = -9
_ALL = timedelta(minutes=-5)


def kill(cell: Cell, root: str, folder: Path, nursery: Nursery) -> dict[str, object]:
    """Run one cell; return what it left.

    Raises
    ------
    AssertionError
        If the writer did not die there, or left anything but one whole generation.
    """
    lake = open_lake(root, folder / "parent")
    before = prepare(lake, cell.operation, cell.size)
    manifest = lake.manifest(JANUARY)
    ended = nursery.run(root, folder / "child", cell.operation, cell.point, cell.size)
    assert ended == KILLED, f"the writer was to die at {cell.point}, it ended with {ended}"

    after = outcome(cell.operation, cell.size)
    expected = after if cell.leaves_the_new_generation else before
    generation = (manifest.generation if manifest else 0) + cell.leaves_the_new_generation
    _assert_whole(lake, expected, generation)
    orphans = lake.sweep(grace=_ALL)
    assert lake.sweep(grace=_ALL) == 0
    _assert_whole(lake, expected, generation)
    _assert_nothing_loose(lake, root)

    # The dead writer's lock holds nobody up, and the same again brings what it was about.
    OPERATIONS[cell.operation](open_lake(root, folder / "next"), month(cell.size))
    last = lake.manifest(JANUARY)
    assert last is not None
    _assert_whole(lake, after, last.generation)
    return {
        "left": "new"
        if cell.leaves_the_new_generation
        else "old"
        if before is not None
        else "none",
        "orphans": orphans,
    }


def _assert_whole(lake: Lake, expected: pl.DataFrame | None, generation: int) -> None:
    manifest, rows = lake.manifest(JANUARY), lake.read_if_present(JANUARY)
    assert (manifest.generation if manifest else 0) == generation
    if expected is None:
        assert rows is None
        return
    assert rows is not None
    assert rows.equals(expected)
    with warehouse.connect(lake, ["candles"]) as sql:
        counted = sql.execute("SELECT count(*), sum(close) FROM candles").fetchone()
    assert counted is not None
    assert counted[0] == expected.height
    assert abs(counted[1] - sum(expected["close"].to_list())) < 1e-6


def _assert_nothing_loose(lake: Lake, root: str) -> None:
    manifest = lake.manifest(JANUARY)
    if root.startswith("s3://") or manifest is None:
        return
    found = {path.name for path in (lake.root / JANUARY.path).iterdir()}
    assert found == {"manifest.json", *(part.name for part in manifest.parts)}
