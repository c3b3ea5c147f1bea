"""``python -m trading_pipeline_tests.benchmarks``: measure against named peers."""

import logging
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

from trading_pipeline.config import project_home
from trading_pipeline.core.errors import ConfigError
from trading_pipeline_tests.benchmarks.measure import FULL, QUICK, Bench
from trading_pipeline_tests.benchmarks.results import notes_of, table_of, write_results
from trading_pipeline_tests.benchmarks.suites import SUITES, NotTimed, run


@click.command()
@click.option("--quick", is_flag=True, help="Smaller inputs; the figures mean less.")
@click.option("--only", metavar="NAME", help=f"One benchmark, or a suite: {', '.join(SUITES)}.")
def main(quick: bool, only: str | None) -> None:
    """Measure our functions against named peers; every figure is a ratio of this run."""
    # Dagster says every step of every run.
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    sizes = QUICK if quick else FULL
    target = project_home() / "data" / "bench" / "results.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    progress = Console(stderr=True)
    # Beside the lake that users have, so that both sides write to that disk.
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        bench = Bench(sizes, Path(folder))
        try:
            results = list(run(bench, only, lambda name: progress.print(f"  {name}", style="dim")))
        except ConfigError as error:
            raise click.UsageError(error.message) from error
    console = Console(width=max(Console().width, 140))
    console.print(table_of(results, sizes))
    for note in notes_of(results):
        console.print(note, style="dim", highlight=False, markup=False)
    write_results(target, results, sizes, only)
    console.print(f"Every round is in {target}", highlight=False)
    if any(isinstance(result, NotTimed) and result.outcome == "refused" for result in results):
        sys.exit(1)


if __name__ == "__main__":
    main()
