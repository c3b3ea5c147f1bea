"""A trader's machine for one test: a home, a storage root, and the ``trading`` command in it."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
TRADING = Path(sys.executable).with_name("trading")
_OURS = ("TRADING_", "DAGSTER_", "DATABASE_URL", "REDIS_URL", "LOG_LEVEL", "DRY_RUN")

QUICK = {
    "TRADING__WALK_FORWARD__TRAIN_MONTHS": "1",
    "TRADING__WALK_FORWARD__MIN_TRAIN_ROWS": "100",
    "TRADING__MODELS__XGBOOST__N_TREES": "10",
    "TRADING__SIGNALS__WEIGHTS": '{"rsi": 1, "ema_cross": 20, "forecast": 1}',
    "TRADING__SIGNALS__THRESHOLD": "0.01",
}
"""Settings under which a few months make folds, and a rising symbol is bought on paper."""


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Desk:
    """A home with the project's files, a storage root beside it, and variables of its own."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def furnished(cls, folder: Path, variables: Mapping[str, str] | None = None) -> "Desk":
        home = folder / "home"
        home.mkdir(parents=True)
        for name in ("config.yaml", "dagster.yaml", "workspace.yaml"):
            shutil.copy(REPOSITORY / name, home / name)
        return cls(folder, dict(variables or {}))

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def root(self) -> Path:
        return self.folder / "storage"

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        outer = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        return {
            **outer,
            "TZ": "UTC",
            "TRADING_HOME": str(self.home),
            "TRADING__STORAGE__ROOT": str(self.root),
            **self.variables,
            **extra,
        }

    def start(self, *arguments: object, **extra: str) -> "subprocess.Popen[str]":
        assert TRADING.is_file(), f"{TRADING} is missing; install the package: pip install -e ."
        return subprocess.Popen(
            [str(TRADING), *map(str, arguments)],
            env=self.environment(extra),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: object, timeout_s: float = 300, **extra: str) -> Done:
        process = self.start(*arguments, **extra)
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Done(process.returncode, out, err)

    def succeed(self, *arguments: object, **extra: str) -> Done:
        done = self.run(*arguments, **extra)
        assert done.code == 0, f"{arguments}\n{done.out}\n{done.err}"
        assert "Traceback" not in done.err
        return done

    def kill_when(self, moment: Callable[[], bool], *arguments: object, **extra: str) -> None:
        """Start a command and kill it with SIGKILL as soon as ``moment`` has come."""
        process = self.start(*arguments, **extra)
        deadline = time.monotonic() + 300
        while not moment():
            ended = process.poll()
            assert ended is None, (
                f"the command ended ({ended}) before the moment:\n{process.communicate()}"
            )
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL

    def with_profile(self, name: str, content: str) -> "Desk":
        """Write a profile by hand and make it the active one."""
        folder = self.root / "profiles"
        folder.mkdir(parents=True)
        (folder / f"{name}.yaml").write_text(content)
        (folder / "current").write_text(f"{name}\n")
        return self

    def lake(self, profile: str) -> Path:
        return self.root / profile / "lake"


def manifests(lake: Path, table: str = "*") -> list[Path]:
    return sorted(lake.glob(f"{table}/**/manifest.json"))


def contents(lake: Path) -> dict[str, list[str]]:
    """Return the SHA-256 of the parts of every partition, by its folder."""
    return {
        str(path.parent.relative_to(lake)): [
            part["sha256"] for part in json.loads(path.read_text())["parts"]
        ]
        for path in manifests(lake)
    }


def commits(lake: Path) -> dict[Path, tuple[int, int, str]]:
    """Return generation, modification time and SHA-256 of every manifest."""
    found = {}
    for path in manifests(lake):
        text = path.read_bytes()
        stamp = path.stat().st_mtime_ns
        found[path] = (json.loads(text)["generation"], stamp, hashlib.sha256(text).hexdigest())
    return found


def tree(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file under ``folder``."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def assert_untouched(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Assert that a command wrote, changed and removed no file."""
    assert {name: after.get(name) for name in before} == before
    assert sorted(after.keys() - before.keys()) == []


def assert_refused(done: Done, kind: str, *words: str) -> None:
    """Assert one message of ``kind`` that says ``words``, no traceback, nothing on stdout."""
    assert done.code == 1, (done.code, done.out, done.err)
    assert done.out == ""
    assert "Traceback" not in done.err
    assert [line.partition(":")[0] for line in done.err.splitlines() if "Error: " in line] == [kind]
    for word in words:
        assert word in done.err, done.err
