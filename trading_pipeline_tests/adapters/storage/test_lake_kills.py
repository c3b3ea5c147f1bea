"""Every tenth kill of ``make fault-matrix``, and proof that the matrix would notice."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from trading_pipeline.adapters.storage.durable_files import WriteStep, write_durably
from trading_pipeline.adapters.storage.lake_crash_points import LakePoint
from trading_pipeline_tests.fault_matrix.lake_cells import OPERATIONS, Cell, all_cells
from trading_pipeline_tests.fault_matrix.lake_kills import kill
from trading_pipeline_tests.fault_matrix.lake_nursery import nursery
from trading_pipeline_tests.s3_server import new_bucket, s3_environment

_CHOSEN = [
    cell
    for n, cell in enumerate(sorted(all_cells(), key=lambda cell: (cell.operation, cell.name)))
    if n % 10 == 0
]


@pytest.fixture(scope="module")
def children(s3_endpoint):
    with nursery(s3_environment(s3_endpoint)) as found:
        yield found


@pytest.mark.parametrize("cell", _CHOSEN, ids=lambda cell: cell.name)
def test_a_killed_writer_leaves_one_whole_generation(
    cell, children, s3_endpoint, tmp_path, monkeypatch
):
    for name, value in s3_environment(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    root = f"s3://{new_bucket(s3_endpoint)}/lake" if cell.store == "s3" else f"{tmp_path}/lake"
    kill(cell, root, tmp_path, children)


def test_the_matrix_has_more_than_two_hundred_kills_and_the_test_suite_some_of_each():
    assert len(all_cells()) >= 200
    assert len({cell.name for cell in all_cells()}) == len(all_cells())
    assert len(_CHOSEN) >= 20
    assert {cell.operation for cell in _CHOSEN} == set(OPERATIONS)
    assert {cell.store for cell in _CHOSEN} == {"local", "s3"}


def test_the_matrix_notices_a_writer_that_survives(children, tmp_path):
    cell = Cell("local", "first", "no such point", "small")
    with pytest.raises(AssertionError, match="was to die at no such point, it ended with 0"):
        kill(cell, f"{tmp_path}/lake", tmp_path, children)


def test_the_matrix_notices_a_generation_that_should_not_be_there(children, tmp_path):
    # The writer dies after its commit, and is asserted to have died before it.
    class Early(Cell):
        @property
        def leaves_the_new_generation(self) -> bool:
            return False

    cell = Early("local", "replace", str(LakePoint.MANIFEST_DURABLE), "small")
    with pytest.raises(AssertionError):
        kill(cell, f"{tmp_path}/lake", tmp_path, children)


def test_a_durable_write_tells_its_steps_in_order_and_nothing_is_there_before_the_rename(tmp_path):
    path = tmp_path / "file.txt"
    seen = []

    def hook(step: WriteStep) -> None:
        seen.append((step, path.read_bytes() if path.exists() else None))

    write_durably(path, b"content", hook)
    assert seen == [
        (WriteStep.OPENED, None),
        (WriteStep.HALF_WRITTEN, None),
        (WriteStep.WRITTEN, None),
        (WriteStep.FLUSHED, None),
        (WriteStep.RENAMED, b"content"),
        (WriteStep.DURABLE, b"content"),
    ]
    assert [found.name for found in tmp_path.iterdir()] == ["file.txt"]


def _matrix(results: Path, *options: str) -> list[str]:
    arguments = [sys.executable, "-m", "trading_pipeline_tests.fault_matrix"]
    done = subprocess.run(
        [*arguments, "--results", str(results), *options],
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_matrix_goes_on_where_it_stopped_and_counts_what_is_left(tmp_path):
    results, cells = tmp_path / "faults.json", all_cells()
    names = [cell.name for cell in cells]
    outcomes = {name: {"left": "old", "orphans": 1} for name in names}
    results.write_text(json.dumps({**outcomes, "a cell of another version": {}}))
    assert _matrix(results)[-1] == f"{len(cells)} kills, each left one whole generation; 0 to do"
    del outcomes[names[3]]
    results.write_text(json.dumps(outcomes))
    assert _matrix(results)[-1].endswith("; 0 to do")
    assert set(json.loads(results.read_text())) == set(names)
    assert _matrix(results, "--fresh", "--seconds", "0")[-1].startswith("0 kills")
