"""A walk over the pipeline from the command line, with progress that a person can read."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from trading_pipeline import wiring
from trading_pipeline.cli.console import stderr
from trading_pipeline.cli.instance import is_alive, open_instance
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month

if TYPE_CHECKING:
    from trading_pipeline.defs.partitions import Partitions
    from trading_pipeline.defs.walk import Stage, Walker
    from trading_pipeline.wiring import VenueAccess


@dataclass
class Session:
    """A code location, an instance and a venue for one command."""

    settings: Settings
    partitions: "Partitions"
    walker: "Walker"
    venue: "VenueAccess"

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
    ) -> float:
        """Run ``stages`` over a range of months with a progress display; return the seconds.

        Raises
        ------
        ConfigError
            If the range leaves the market's months.
        """
        newest = self.newest_month()
        if last is not None and last > newest:
            raise ConfigError(f"the market's newest month is {newest}; asked for months to {last}")
        plan = self.walker.plan(
            newest if last is None else last,
            tuple(stages),
            first=first,
            symbols=symbols,
        )
        started = time.monotonic()
        with _progress() as progress:
            task = progress.add_task("", total=len(plan))
            for planned in plan:
                whose = planned.symbol.pair if planned.symbol else "all symbols"
                progress.update(task, description=f"{planned.stage.title}, {whose}")
                before = time.monotonic()
                self.walker.run(planned)
                progress.advance(task)
                if not progress.console.is_terminal:
                    took = time.monotonic() - before
                    progress.console.print(f"  {planned.stage.title}, {whose}: {took:.1f} s")
        return time.monotonic() - started


@contextmanager
def open_session(settings: Settings) -> Iterator[Session]:
    """Open the code location, Dagster's instance and the venue of ``settings``.

    What a killed command left behind is tidied first: runs without a process, files that no
    manifest names.
    """
    from trading_pipeline.definitions import build_definitions
    from trading_pipeline.defs.partitions import Partitions
    from trading_pipeline.defs.walk import Walker, end_abandoned_runs

    venue = wiring.VenueAccess(settings)
    definitions = build_definitions(settings, {"venue": venue})
    partitions = Partitions(settings)
    with open_instance(settings) as instance:
        end_abandoned_runs(instance, is_alive)
        wiring.lake(settings).sweep()
        try:
            yield Session(settings, partitions, Walker(definitions, partitions, instance), venue)
        finally:
            venue.close()


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
