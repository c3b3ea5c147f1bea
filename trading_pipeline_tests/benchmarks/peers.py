"""Peers that need libraries of their own: an environment for each, and a process that computes.

The environment is made once beside the results. A worker reads one word per line and answers with
one line, so that its start and its imports are in no figure.
"""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from trading_pipeline.core.errors import DataError

_ANSWER = "worker:"
_INSTALLING_S = 600


class PeerMissingError(DataError):
    """A peer cannot be installed here."""


def peer_python(folder: Path, requirement: str) -> Path:
    """Return the interpreter of the environment that has ``requirement``; make it if needed.

    Raises
    ------
    PeerMissingError
        If it cannot be installed.
    """
    home = folder / requirement.replace("==", "-")
    python, done = home / "bin" / "python", home / "installed"
    if done.exists():
        return python
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(home)],
        [str(python), "-m", "pip", "install", "--quiet", requirement],
    ):
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_INSTALLING_S
        )
        if ended.returncode:
            reason = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise PeerMissingError(f"{requirement} cannot be installed: {reason}")
    done.touch()
    return python


class Worker:
    """A script that runs in a peer's environment."""

    def __init__(self, python: Path, script: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [str(python), str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, words: str) -> str:
        """Send a line and return the answer to it.

        Raises
        ------
        DataError
            If the worker ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{words}\n")
        self._process.stdin.flush()
        # Libraries print, too.
        for line in self._process.stdout:
            if line.startswith(_ANSWER):
                return line.removeprefix(_ANSWER).strip()
        raise DataError(f"the worker ended instead of answering {words!r}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # What could not be sent to a worker that ended is sent again when its pipe is closed.
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=60)
