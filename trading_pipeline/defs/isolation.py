"""One bad partition stops what reads it, and no other of its range.

A run over a range is for one symbol: walks plan it so, and Dagster cuts backfills by symbol. Within
it the partitions that can be made are made; then the step fails with one error that names symbol
and month of every other.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from trading_pipeline.core.errors import (
    ConfigError,
    DataError,
    PartitionNotFoundError,
    RateLimitedError,
    RiskLimitBreachedError,
    StorageError,
    SymbolNotListedError,
    TradingPipelineError,
    VenueError,
    VenueUnavailableError,
)
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.defs.walk import CANDLE_STAGES

STOPS_EVERYTHING = (
    ConfigError,
    RateLimitedError,
    RiskLimitBreachedError,
    StorageError,
    VenueUnavailableError,
)
"""Errors that say something about venue, disk or settings, and not about one partition."""

# A venue that answers garbage for so many months in a row is not asked for the rest of a range.
_MOST_IN_A_ROW = 3
_NAMED = 10


@dataclass(frozen=True, slots=True)
class Failure:
    """A partition that could not be made."""

    cell: Cell
    error: TradingPipelineError


class Failures:
    """What failed in a range so far, and whose symbols are given up."""

    def __init__(self) -> None:
        self._found: list[Failure] = []
        self._in_a_row = 0
        self._given_up: TradingPipelineError | None = None

    def __bool__(self) -> bool:
        return bool(self._found)

    def passed(self) -> None:
        """Note a partition that was made."""
        self._in_a_row = 0

    def add(self, cell: Cell, error: TradingPipelineError) -> None:
        """Note a partition that could not be made.

        Raises
        ------
        TradingPipelineError
            The error itself, if it concerns every partition.
        """
        if isinstance(error, STOPS_EVERYTHING):
            raise error
        self._found.append(Failure(cell, error))
        self._in_a_row = self._in_a_row + 1 if isinstance(error, VenueError) else 0
        if isinstance(error, SymbolNotListedError) or self._in_a_row >= _MOST_IN_A_ROW:
            self._given_up = error

    def is_given_up(self, cell: Cell) -> bool:
        """Tell whether ``cell`` need not be tried, and note it as failed if so."""
        if self._given_up is not None:
            self._found.append(Failure(cell, self._given_up))
        return self._given_up is not None

    def raise_all(self, table: str) -> None:
        """Raise one error for all failures; nothing happens without any.

        Raises
        ------
        TradingPipelineError
            Of the kind of the failures if they share one, else :class:`DataError`.
        """
        if not self._found:
            return
        told = [(failure.cell.key or table, failure.error) for failure in self._found]
        raise joined(told) from self._found[0].error


class WalkFailures:
    """What failed in a walk so far: a symbol that failed goes no further than its candles."""

    def __init__(self) -> None:
        self._found: list[tuple[Symbol | None, TradingPipelineError]] = []
        self._faults: list[tuple[Symbol | None, dg.DagsterError]] = []

    def lets_pass(self, stage: str, symbol: Symbol | None) -> bool:
        """Tell whether ``stage`` may run for ``symbol`` (None: for all together).

        Candles of the good months of a symbol are still validated when others failed.
        """
        failed = {name for name, _ in (*self._found, *self._faults)}
        return stage in CANDLE_STAGES or symbol not in failed

    @contextmanager
    def isolated(self, symbol: Symbol | None) -> Iterator[None]:
        """Keep an error of one symbol for the end; what stops every symbol passes."""
        try:
            yield
        except STOPS_EVERYTHING:
            raise
        except TradingPipelineError as error:
            is_known = symbol in {name for name, _ in (*self._found, *self._faults)}
            # What was never made because of a failure that is told already says nothing new.
            if not (is_known and isinstance(error, PartitionNotFoundError)):
                self._found.append((symbol, error))
        except dg.DagsterError as fault:
            # An error that is none of ours, as Dagster wraps what happens in a step.
            self._faults.append((symbol, fault))

    def raise_all(self) -> None:
        """Raise one error for all failures; nothing happens without any.

        Raises
        ------
        DagsterError
            If one is a fault of the program.
        TradingPipelineError
            The only error, or one of their common kind that says all of them.
        """
        for _, fault in self._faults:
            raise fault
        errors = [error for _, error in self._found]
        if len(errors) == 1:
            raise errors[0]
        if errors:
            told = [(symbol.pair if symbol else "all symbols", e) for symbol, e in self._found]
            raise joined(told) from errors[0]


def joined(failures: Sequence[tuple[str, TradingPipelineError]]) -> TradingPipelineError:
    """Return one error for several, each given with what it is about.

    It is of their common kind if they share one, else a :class:`DataError`. Equal messages are
    said once, with everything that they are about.
    """
    kinds = {type(error) for _, error in failures}
    kind = kinds.pop() if len(kinds) == 1 else DataError
    about: dict[str, list[str]] = {}
    for what, error in failures:
        about.setdefault(error.message, []).append(what)
    text = "; ".join(f"{_named(names)}: {message}" for message, names in about.items())
    return kind(text, partitions=[what for what, _ in failures])


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(sorted(names)[:_NAMED]) + more
