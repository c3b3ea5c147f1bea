"""Settings of the whole suite: UTC, reproducible numbers, no skips in CI of what CI must run."""

import os
from collections.abc import Iterator

import numpy as np
import pytest

_SETTINGS = ("TRADING_", "DATABASE_URL", "LOG_LEVEL", "DRY_RUN")
_MUST_RUN_IN_CI = {"real_data", "postgres", "browser"}


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
