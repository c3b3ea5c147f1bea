"""The suites by name, and what each needs to be installed."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec

from trading_pipeline.core.errors import ConfigError
from trading_pipeline_tests.benchmarks import (
    archive,
    indicators,
    lake,
    orchestration,
    pdf,
    resampling,
    smart_money,
)
from trading_pipeline_tests.benchmarks.measure import (
    Bench,
    Comparison,
    Reading,
    ResultsDifferError,
    measure,
)
from trading_pipeline_tests.benchmarks.peers import PeerMissingError


@dataclass(frozen=True, slots=True)
class Suite:
    """Comparisons that share their inputs; ``needs`` are modules of the peers."""

    comparisons: Callable[[Bench], Generator[Comparison, None, None]]
    needs: tuple[str, ...] = ()


SUITES = {
    "indicators": Suite(indicators.comparisons, ("talib",)),
    "smart-money": Suite(smart_money.comparisons),
    "lake-read": Suite(lake.reading, ("pyarrow",)),
    "lake-write": Suite(lake.writing, ("polars",)),
    "archive-import": Suite(archive.comparisons, ("polars",)),
    "resample": Suite(resampling.comparisons, ("polars", "duckdb")),
    "pdf": Suite(pdf.comparisons, ("matplotlib", "pypdf")),
    "orchestration": Suite(orchestration.comparisons),
}


@dataclass(frozen=True, slots=True)
class NotTimed:
    """A benchmark that gave no figure, and why."""

    name: str
    outcome: str
    reason: str


def run(
    bench: Bench, only: str | None = None, announce: Callable[[str], None] = lambda _: None
) -> Iterator[Reading | NotTimed]:
    """Measure every benchmark, or those of one suite, or one by its whole name.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    suite_name = only.partition("/")[0] if only else None
    if suite_name is not None and suite_name not in SUITES:
        raise ConfigError.unknown_name("suite of benchmarks", suite_name, list(SUITES))
    for name, suite in SUITES.items():
        if suite_name not in (None, name):
            continue
        missing = [module for module in suite.needs if find_spec(module) is None]
        if missing:
            yield NotTimed(name, "skipped", f"{', '.join(missing)} is not installed (dev extra)")
            continue
        seen: list[str] = []
        with closing(suite.comparisons(bench)) as comparisons:
            try:
                for comparison in comparisons:
                    seen.append(comparison.name)
                    if only in (None, name, comparison.name):
                        announce(comparison.name)
                        yield _measured(comparison, bench)
            except PeerMissingError as error:
                yield NotTimed(name, "skipped", error.message)
                continue
        if only is not None and only not in (name, *seen):
            raise ConfigError.unknown_name("benchmark", only, seen)


def _measured(comparison: Comparison, bench: Bench) -> Reading | NotTimed:
    try:
        return measure(comparison, bench.sizes)
    except ResultsDifferError as error:
        return NotTimed(comparison.name, "refused", error.message)
