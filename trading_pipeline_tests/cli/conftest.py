"""A machine per test, and two that a whole session shares because their demo takes long."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from trading_pipeline_tests.cli.candle_folders import six_formats
from trading_pipeline_tests.cli.desk import QUICK, Desk, Done


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a machine on which nothing was run yet."""
    return Desk.furnished(tmp_path)


@dataclass(frozen=True)
class FilesDemo:
    """A demo on candle files that ended well."""

    desk: Desk
    candles: Path
    written: dict[str, pl.DataFrame]
    done: Done


@pytest.fixture(scope="session")
def files_demo(tmp_path_factory: pytest.TempPathFactory) -> FilesDemo:
    """Run the demo once on candle files of six formats; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("files")
    written = six_formats(folder / "candles")
    machine = Desk.furnished(folder / "machine", QUICK)
    done = machine.succeed("demo", folder / "candles", "--json")
    return FilesDemo(machine, folder / "candles", written, done)


@dataclass(frozen=True)
class SimulatedDemo:
    """The demo of the simulated exchange, from nothing."""

    desk: Desk
    done: Done


@pytest.fixture(scope="session")
def simulated_demo(tmp_path_factory: pytest.TempPathFactory) -> SimulatedDemo:
    """Run the whole demo once."""
    machine = Desk.furnished(tmp_path_factory.mktemp("simulated"))
    return SimulatedDemo(machine, machine.succeed("demo"))
