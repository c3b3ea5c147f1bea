"""Writers that die: one process forks a child per job, and the child kills itself at its point.

The parent never computes, so that a child starts with whole thread pools. One line of JSON in, one
out: the exit status of the child.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import obstore.store  # noqa: F401  loaded once, not by every child
import pyarrow.parquet  # noqa: F401

from trading_pipeline.adapters.storage.lake_crash_points import LakePoint
from trading_pipeline_tests.fault_matrix.lake_cells import OPERATIONS, month, open_lake

_REPOSITORY = Path(__file__).resolve().parents[2]


class Nursery:
    """Children on demand."""

    def __init__(self, stdin: TextIO, stdout: TextIO) -> None:
        self._stdin, self._stdout = stdin, stdout

    def run(self, root: str, cache: Path, operation: str, point: str, size: str) -> int:
        """Let a child die at ``point``; return its status, -9 if it did."""
        self._stdin.write(json.dumps([root, str(cache), operation, point, size]) + "\n")
        self._stdin.flush()
        return int(self._stdout.readline())


@contextmanager
def nursery(environment: dict[str, str]) -> Iterator[Nursery]:
    """Start the process whose children die."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__],
        cwd=_REPOSITORY,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Nursery(process.stdin, process.stdout)
    finally:
        process.kill()
        process.communicate()


def _live(root: str, cache: str, operation: str, fatal: str, size: str) -> None:
    def hook(point: LakePoint) -> None:
        if point == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    OPERATIONS[operation](open_lake(root, Path(cache), hook), month(size))


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _live(*json.loads(line))
                code = 0
            finally:
                if code:
                    sys.excepthook(*sys.exc_info())
                os._exit(code)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
