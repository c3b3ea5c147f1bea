"""A walk over the pipeline from the command line, with progress that a person can read."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from trading_pipeline import wiring
from trading_pipeline.cli.console import stderr
from trading_pipeline.cli.instance import is_alive, open_instance
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month

if TYPE_CHECKING:
    from trading_pipeline.defs.partitions import Cell, Partitions
    from trading_pipeline.defs.walk import Stage, StageRun, Walker
    from trading_pipeline.wiring import VenueAccess


@dataclass
class _Ticker:
    """Passes on that a partition is up to date, to whoever shows progress at the moment."""

    on_partition: "Callable[[str, Cell], None] | None" = None

    def __call__(self, table: str, cell: "Cell") -> None:
        if self.on_partition is not None:
            self.on_partition(table, cell)


@dataclass
class Session:
    """A code location, an instance and a venue for one command."""

    settings: Settings
    partitions: "Partitions"
    walker: "Walker"
    venue: "VenueAccess"
    ticker: _Ticker

    def newest_month(self) -> Month:
        """Return the month of the market's present."""
        month = Month.of(self.venue.clock().now())
        last = self.partitions.last_month
        return month if last is None else min(month, last)

    def walk(
        self,
        stages: "Sequence[Stage]",
        *,
        first: Month | None = None,
        last: Month | None = None,
        symbols: tuple[Symbol, ...] | None = None,
        run_config: "Mapping[str, Any] | None" = None,
    ) -> float:
        """Run ``stages`` over a range of months with a progress display; return the seconds.

        A symbol that fails goes no further than its candles; the others go on, and the error is
        raised at the end.

        Raises
        ------
        ConfigError
            If the range leaves the market's months.
        TradingPipelineError
            What stopped a symbol, or several; at once, what would stop every symbol.
        """
        from trading_pipeline.defs.isolation import WalkFailures

        newest = self.newest_month()
        if last is not None and last > newest:
            raise ConfigError(f"the market's newest month is {newest}; asked for months to {last}")
        plan = self.walker.plan(
            newest if last is None else last,
            tuple(stages),
            first=first,
            symbols=symbols,
        )
        started, failures = time.monotonic(), WalkFailures()
        with _progress() as progress:
            task = progress.add_task("", total=sum(map(_n_steps, plan)))
            done = 0
            for planned in plan:
                whose = planned.symbol.pair if planned.symbol else "all symbols"
                what = f"{planned.stage.title}, {whose}"
                progress.update(task, description=what)
                self.ticker.on_partition = partial(
                    _tick, progress, task, what, done, _n_steps(planned)
                )
                before = time.monotonic()
                with failures.isolated(planned.symbol):
                    if failures.lets_pass(planned.stage.name, planned.symbol):
                        self.walker.run(planned, run_config)
                done += _n_steps(planned)
                progress.update(task, completed=done)
                if not progress.console.is_terminal:
                    took = time.monotonic() - before
                    progress.console.print(f"  {planned.stage.title}, {whose}: {took:.1f} s")
        failures.raise_all()
        return time.monotonic() - started


@contextmanager
def open_session(settings: Settings) -> Iterator[Session]:
    """Open the code location, Dagster's instance and the venue of ``settings``.

    What a killed command left behind is tidied first: runs without a process, files that no
    manifest names.
    """
    from trading_pipeline.definitions import build_definitions
    from trading_pipeline.defs.io_managers import LakeIOManager
    from trading_pipeline.defs.partitions import Partitions
    from trading_pipeline.defs.walk import Walker, end_abandoned_runs

    venue, ticker = wiring.VenueAccess(settings), _Ticker()
    lake_io = LakeIOManager(wiring.lake(settings), settings, ticker)
    definitions = build_definitions(settings, {"venue": venue, "lake_io": lake_io})
    partitions = Partitions(settings)
    with open_instance(settings) as instance:
        end_abandoned_runs(instance, is_alive)
        wiring.lake(settings).sweep()
        try:
            walker = Walker(definitions, partitions, instance)
            yield Session(settings, partitions, walker, venue, ticker)
        finally:
            venue.close()


def _n_steps(planned: "StageRun") -> int:
    """Return how many steps of the bar a run is: its months, where it has months."""
    from trading_pipeline.defs.partitions import PartitionSet

    if planned.stage.partition_set in (PartitionSet.MONTH_SYMBOL, PartitionSet.FOLD_SYMBOL):
        n_months = len(list(planned.first.until(planned.last)))
        return n_months * len(planned.stage.assets)
    return 1


def _tick(
    progress: Progress, task: TaskID, what: str, done: int, most: int, _: str, cell: "Cell"
) -> None:
    month = f" {cell.month}" if cell.month else ""
    so_far = progress.tasks[0].completed
    completed = min(so_far + 1, done + most)
    progress.update(task, completed=completed, description=what + month)


def _progress() -> Progress:
    console = stderr()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
