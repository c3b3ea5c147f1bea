"""What a strategy is: declared parameters, the indicator columns it needs, and two hooks.

A strategy writes ``signals`` (and ``prepare``, where it derives columns of its own); the template
``run`` does what all share: it finds the columns, abstains where an input is missing or a gap is
near, and writes the rows.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import isfinite
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from trading_pipeline.core.candles import BoolArray, FloatArray
from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.signals.rows import signal_rows

WARM_UP = "warm-up"
BLOCKED = "blocked by a gap"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a strategy can be tuned with.

    Parameters
    ----------
    default, minimum, maximum : float
        Bounds included; an integer default takes integers only.
    meaning : str
        What it is, with its unit.
    """

    default: float
    minimum: float
    maximum: float
    meaning: str

    def checked(self, value: float, name: str) -> float:
        """Return ``value`` if it is allowed.

        Raises
        ------
        ConfigError
            If it is not.
        """
        whole = isinstance(self.default, int)
        if not (isfinite(value) and self.minimum <= value <= self.maximum) or (
            whole and value != int(value)
        ):
            raise ConfigError(
                f"{name} ({self.meaning}) must be {'a whole number' if whole else 'a number'} in "
                f"[{self.minimum}, {self.maximum}], was {value}"
            )
        return int(value) if whole else float(value)


class Opinions(NamedTuple):
    """What a strategy thinks of each candle, all of shape (n_bars,).

    ``direction`` is int8 in {-1, 0, 1}, ``strength`` float64 in [0, 1], ``reason`` a Series of
    short texts. Rows with a missing input may hold anything: the template abstains on them.
    """

    direction: npt.NDArray[np.int8]
    strength: FloatArray
    reason: pl.Series


class Strategy(ABC):
    """A rule that has an opinion about every closed candle.

    What it says of candle ``t`` may depend on candles up to ``t`` only; a test replays prefixes
    of every strategy in the catalogue. A strategy may carry a state from candle to candle, so it
    is run from the start of history, not month by month.

    Parameters
    ----------
    **values : float
        What differs from the defaults in ``parameters``.

    Raises
    ------
    ConfigError
        If a parameter is unknown or out of range.
    """

    name: ClassVar[str]
    parameters: ClassVar[Mapping[str, Parameter]]

    def __init__(self, **values: float) -> None:
        for given in values:
            if given not in self.parameters:
                raise ConfigError.unknown_name(
                    f"parameter of strategy {self.name}", given, list(self.parameters)
                )
        self.values: Mapping[str, float] = MappingProxyType(
            {
                name: parameter.checked(
                    values.get(name, parameter.default), f"strategy {self.name}: {name}"
                )
                for name, parameter in self.parameters.items()
            }
        )

    @property
    @abstractmethod
    def needs(self) -> tuple[str, ...]:
        """Indicator columns that it reads, such as ``rsi_14``."""

    @abstractmethod
    def signals(self, prepared: pl.DataFrame) -> Opinions:
        """Return the opinion on each row of ``prepared``; needed columns may be null."""

    def prepare(self, candles: pl.DataFrame, indicators: pl.DataFrame) -> pl.DataFrame:
        """Return one row per candle with the needed columns; null where there is no indicator.

        Raises
        ------
        ConfigError
            If an indicator that is needed is not computed.
        """
        missing = [column for column in self.needs if column not in indicators.columns]
        if missing:
            raise ConfigError(
                f"strategy {self.name} needs the indicators {missing}, computed are "
                f"{[column for column in indicators.columns if column != 'open_time']}; enable "
                "them in the section indicators, or switch the strategy off"
            )
        return candles.join(
            indicators.select("open_time", *self.needs),
            on="open_time",
            how="left",
            maintain_order="left",
        )

    def run(
        self,
        candles: pl.DataFrame,
        indicators: pl.DataFrame,
        *,
        timeframe: Timeframe,
        latency: timedelta = timedelta(0),
        blocked: BoolArray | None = None,
    ) -> pl.DataFrame:
        """Return the signals of this strategy on ``candles``.

        Parameters
        ----------
        candles : DataFrame
            Candle contract, from the start of history.
        indicators : DataFrame
            ``open_time`` and indicator columns, null in their warm-up.
        timeframe : Timeframe
        latency : timedelta
            From the candle's close to the decision.
        blocked : ndarray of bool, shape (n_bars,), optional
            Rows that an unexplained gap can reach: the strategy abstains and keeps its state.

        Returns
        -------
        DataFrame
            In ``SIGNAL_SCHEMA``, one row per candle.

        Raises
        ------
        ConfigError
            If an indicator that is needed is not computed.
        DataError
            If ``blocked`` has another shape, or the strategy's opinion is out of range.
        """
        stops = pl.Series(np.zeros(len(candles), dtype=np.bool_) if blocked is None else blocked)
        if len(stops) != len(candles):
            raise DataError(
                f"blocked must have {len(candles)} rows, one per candle, had {len(stops)}"
            )
        prepared = self.prepare(candles, indicators)
        absent = prepared.select(
            pl.any_horizontal(pl.col(column).is_null() for column in self.needs)
        ).to_series()
        visible = prepared.with_columns(
            pl.when(~(absent | stops)).then(pl.col(column)).alias(column) for column in self.needs
        )
        opinions = self.signals(visible)
        reason = (
            pl.when(stops)
            .then(pl.lit(BLOCKED))
            .when(absent)
            .then(pl.lit(WARM_UP))
            .otherwise(opinions.reason)
        )
        return signal_rows(
            candles["open_time"],
            self.name,
            opinions.direction,
            opinions.strength,
            pl.select(reason.alias("reason")).to_series(),
            absent | stops,
            timeframe=timeframe,
            latency=latency,
        )
