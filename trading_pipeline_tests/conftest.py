"""Settings of the whole suite: UTC, reproducible numbers, no skips in CI of what CI must run."""

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

_SETTINGS = ("TRADING_", "DATABASE_URL", "REDIS_URL", "LOG_LEVEL", "DRY_RUN")
# Fixtures of the session that take tens of seconds.
_MADE_ONCE = ("simulated_demo", "files_demo", "growth", "batch")
_LONGEST = ("ui", "cli", "defs")
_MUST_RUN_IN_CI = {"real_data", "postgres", "redis", "browser"}


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator with a fixed seed."""
    return np.random.default_rng(20_240_101)


@pytest.fixture
def plain_environment() -> Iterator[None]:
    """Hide the settings of this machine's environment, and put all of it back afterwards.

    Loading settings reads .env into the environment, so a test must not only undo its own changes.
    """
    kept = dict(os.environ)
    for name in kept:
        if name.startswith(_SETTINGS) and not name.startswith("TRADING_TEST_"):
            del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(kept)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """Turn a skip of real parts into a failure where CI is set."""
    outcome = yield
    report = outcome.get_result()
    marks = {mark.name for mark in item.iter_markers()} & _MUST_RUN_IN_CI
    if report.skipped and marks and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = (
            f"CI must run what is marked {sorted(marks)}, but it was skipped: {report.longrepr}"
        )


class _SharedOnce(LoadFileScheduling):
    """Keep in one process, when tests are spread over several, what shares a file or a fixture."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return _shared_fixture(self.config.rootpath / file) or file


@cache
def _shared_fixture(file: Path) -> str | None:
    text = file.read_text()
    return next((name for name in _MADE_ONCE if re.search(rf"\b{name}\b", text)), None)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Spread whole files over the processes of ``make test``."""
    return _SharedOnce(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders that take longest, so that the processes end together."""
    items.sort(key=lambda item: item.path.parent.name not in _LONGEST)
