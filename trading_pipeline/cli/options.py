"""Options that several commands share."""

from collections.abc import Callable
from typing import Generic, TypeVar

import click

from trading_pipeline.core.errors import TradingPipelineError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.retention import Age
from trading_pipeline.core.timeframe import Timeframe

T = TypeVar("T")


class _Parsed(click.ParamType[T], Generic[T]):
    """A value that a function of ``core`` parses; what it refuses becomes a usage error."""

    def __init__(self, name: str, parse: Callable[[str], T]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """Parse ``value``."""
        try:
            return self._parse(str(value))
        except TradingPipelineError as error:
            self.fail(error.message, param, ctx)


SYMBOL = _Parsed("symbol", Symbol.parse)
MONTH = _Parsed("month", Month.parse)
TIMEFRAME = _Parsed("timeframe", Timeframe.parse)
AGE = _Parsed("age", Age.parse)
