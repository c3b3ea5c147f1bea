"""The cost of orchestration: Dagster range runs against a loop over the same functions.

A loop does strictly less than Dagster around the same functions, so the figure is below 1 by
nature; the goal says how far below it may be. Not in it: starting Dagster, opening its instance,
building the definitions, starting the simulated exchange.
"""

import os
import shutil
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from trading_pipeline.core.month import Month
from trading_pipeline_tests.benchmarks.measure import Bench, Comparison, Side

if TYPE_CHECKING:
    from trading_pipeline.adapters.storage.lake import Lake
    from trading_pipeline.config import Settings
    from trading_pipeline.defs.io_managers import StoredTable
    from trading_pipeline.defs.partitions import Cell
    from trading_pipeline.wiring import VenueAccess

_TABLES = ("raw_candles", "candles")
_GOAL = 1 / 1.3


class _Backfill:
    """Range runs of one profile, each time in a new Dagster instance and an empty lake."""

    def __init__(self, settings: "Settings", venue: "VenueAccess") -> None:
        from trading_pipeline.definitions import build_definitions

        self._settings = settings
        self._definitions = build_definitions(settings, {"venue": venue})
        self._instances = ExitStack()
        self._walk: Callable[[], None] | None = None

    def reset(self) -> None:
        """Throw away what the last backfill wrote, and open a new instance."""
        from trading_pipeline.cli.instance import open_instance
        from trading_pipeline.defs.partitions import Partitions
        from trading_pipeline.defs.walk import Walker, stage

        self.close()
        shutil.rmtree(self._settings.storage_root, ignore_errors=True)
        instance = self._instances.enter_context(open_instance(self._settings))
        partitions = Partitions(self._settings)
        walker = Walker(self._definitions, partitions, instance)
        assert partitions.last_month is not None
        plan = walker.plan(partitions.last_month, (stage("fetch"), stage("validate")))

        def walk() -> None:
            for planned in plan:
                walker.run(planned)

        self._walk = walk

    def run(self) -> "Lake":
        """Run every stage for every symbol; return the lake that was filled."""
        from trading_pipeline import wiring

        assert self._walk is not None
        self._walk()
        return wiring.lake(self._settings)

    def close(self) -> None:
        """Close the instance."""
        self._instances.close()
        # Opening an instance names its home to the process.
        os.environ.pop("DAGSTER_HOME", None)


def comparisons(bench: Bench) -> Generator[Comparison, None, None]:
    """Yield Dagster's runs against two loops: one with all their work, one with the bare steps."""
    import dagster as dg

    from trading_pipeline import wiring

    n_months = bench.sizes.dagster_months
    settings = _settings(bench.folder / "orchestration", n_months)
    looped = _settings(bench.folder / "loop", n_months)
    n_symbols = len(settings.market.enabled_symbols)
    kept = os.environ.get("DAGSTER_HOME")
    try:
        # One exchange for both: it is served from a thread of this process.
        with (
            closing(wiring.VenueAccess(settings)) as venue,
            closing(_Backfill(settings, venue)) as backfill,
        ):
            for kind, is_whole, note in (
                ("same-work", True, "the loop also describes, draws and checks each partition"),
                ("bare-loop", False, "the loop only fetches, validates and commits"),
            ):
                yield Comparison(
                    f"orchestration/{kind}",
                    Side(f"Dagster {dg.__version__} range runs", backfill.run, backfill.reset),
                    Side(
                        "plain Python loop",
                        partial(_loop, looped, venue, is_whole=is_whole),
                        partial(shutil.rmtree, looped.storage_root, ignore_errors=True),
                    ),
                    _difference,
                    _GOAL,
                    f"ours is Dagster {dg.__version__}: refresh_market_data over {n_months} months "
                    f"of {n_symbols} symbols, simulated market over HTTP, {2 * n_symbols} range "
                    f"runs in a new instance; {note}",
                )
    finally:
        if kept is not None:
            os.environ["DAGSTER_HOME"] = kept


def _settings(home: Path, n_months: int) -> "Settings":
    from trading_pipeline.adapters.exchanges.simulated.profile import DEMO_START, DEMO_SYMBOLS
    from trading_pipeline.config import load_settings, project_home

    first = Month.of(DEMO_START)
    home.mkdir(parents=True)
    market = {
        "venue": "simulated",
        "symbols": {symbol.key: {} for symbol in DEMO_SYMBOLS},
        "base_timeframe": "1h",
        "history_start": first.key,
        "history_end": first.shift(n_months - 1).key,
    }
    (home / "config.yaml").write_text(yaml.safe_dump({"market": market}))
    shutil.copy(project_home() / "dagster.yaml", home)
    return load_settings(home, "none")


def _loop(settings: "Settings", venue: "VenueAccess", *, is_whole: bool) -> "Lake":
    from trading_pipeline import wiring
    from trading_pipeline.defs.io_managers import StoredTable
    from trading_pipeline.defs.market_data.months import RawMonths, ValidatedMonths
    from trading_pipeline.defs.partitions import Cell

    lake, market = wiring.lake(settings), settings.market
    first, last = Month.parse(market.history_start), Month.parse(market.history_end or "")

    for table in _TABLES:
        for symbol in market.enabled_symbols:
            # As in a run: what is read before is read once per asset and symbol.
            stored = StoredTable(lake, settings, table)
            months = (
                RawMonths(settings, venue, stored)
                if table == "raw_candles"
                else ValidatedMonths(settings, StoredTable(lake, settings, "raw_candles"))
            )
            for month in first.until(last):
                _make(lake, stored, months, Cell(symbol, month), is_whole=is_whole)
            if is_whole and table == "candles":
                checked = StoredTable(lake, settings, table)
                _check(checked, venue, [Cell(symbol, month) for month in first.until(last)])
    return lake


def _make(
    lake: "Lake", table: "StoredTable", months: object, cell: "Cell", *, is_whole: bool
) -> None:
    from trading_pipeline.defs.io_managers import commit
    from trading_pipeline.defs.market_data.months import RawMonths, ValidatedMonths
    from trading_pipeline.defs.metadata import standard_metadata

    assert isinstance(months, RawMonths | ValidatedMonths)
    manifest = commit(lake, table, cell, months.make(cell), months.mark(cell))
    if is_whole:
        standard_metadata(manifest, is_current=False)
        months.describe(cell, lake.read(table.address(cell)), manifest.notes)


def _check(table: "StoredTable", venue: "VenueAccess", cells: "list[Cell]") -> None:
    from trading_pipeline.core.timeframe import Timeframe
    from trading_pipeline.defs.market_data.quality_notes import quality_from, quality_metadata
    from trading_pipeline.market_data.quality import check_candles

    now, timeframe = venue.clock().now(), Timeframe("1h")
    for cell in cells:
        check_candles(table.rows(cell), timeframe, now)
        quality_metadata(quality_from(cell.named_month, table.notes(cell)))


def _difference(ours: "Lake", theirs: "Lake") -> str | None:
    contents: Callable[[Lake, str], dict[str, str]] = lambda lake, table: {  # noqa: E731
        str(address): manifest.content
        for address in lake.addresses(table)
        if (manifest := lake.manifest(address)) is not None
    }
    for table in _TABLES:
        mine, other = contents(ours, table), contents(theirs, table)
        if not mine or mine != other:
            return f"{table}: {len(mine)} partitions against {len(other)}, or other content"
    return None
