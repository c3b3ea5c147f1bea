"""Every indicator by name, and the columns that a table of indicators has.

Whoever needs indicators of candles goes through here: a **request** is an indicator with its
parameters and a name; ``indicator_frame`` turns candles and requests into columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import polars as pl

from trading_pipeline.core.candles import (
    CandleArrays,
    FloatArray,
    IntArray,
    candle_arrays,
    conform,
)
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.indicators import (  # noqa: F401  each registers what it defines
    anchored,
    averages,
    bands,
    divergences,
    momentum,
    oscillators,
    sessions,
    statistical,
    trend,
    volatility,
    volume,
)
from trading_pipeline.indicators.bars import bars_of
from trading_pipeline.indicators.definition import compute_bars, registered
from trading_pipeline.indicators.patterns import double, single, triple  # noqa: F401
from trading_pipeline.indicators.specs import Category, IndicatorSpec, Parameters, Scale

__all__ = [
    "CATALOG",
    "DEFAULT_REQUESTS",
    "Category",
    "IndicatorRequest",
    "IndicatorSpec",
    "Parameters",
    "Scale",
    "compute",
    "indicator_columns",
    "indicator_frame",
    "indicator_spec",
    "longest_window",
]


class _Catalog(Mapping[str, IndicatorSpec]):
    """The entries by name, those of plugins included as soon as they are imported."""

    def __getitem__(self, name: str) -> IndicatorSpec:
        return registered()[name].spec

    def __iter__(self) -> Iterator[str]:
        return iter(registered())

    def __len__(self) -> int:
        return len(registered())


CATALOG: Mapping[str, IndicatorSpec] = _Catalog()


def indicator_spec(name: str) -> IndicatorSpec:
    """Return the catalogue's entry.

    Raises
    ------
    ConfigError
        If there is none; the nearest names are in the message.
    """
    if name not in CATALOG:
        raise ConfigError.unknown_name("indicator", name, list(CATALOG))
    return CATALOG[name]


def compute(
    spec_name: str, arrays: CandleArrays, parameters: Parameters | None = None
) -> dict[str, FloatArray]:
    """Compute one indicator of candles.

    Parameters
    ----------
    spec_name : str
        Name in the catalogue.
    arrays : CandleArrays
        Candles, oldest first.
    parameters : mapping, optional
        What differs from the defaults.

    Returns
    -------
    dict of str to ndarray of shape (n_bars,)
        One array per output, NaN during the warm-up.

    Raises
    ------
    ConfigError
        If the indicator or a parameter is unknown or out of range.
    """
    spec = indicator_spec(spec_name)
    bars = bars_of(**{name: _column(arrays, name) for name in spec.inputs})
    return dict(
        zip(spec.outputs, compute_bars(spec, bars, spec.resolve(parameters or {})), strict=True)
    )


def _column(arrays: CandleArrays, name: str) -> FloatArray | IntArray:
    column: FloatArray | IntArray = getattr(arrays, "open_time" if name == "time" else name)
    return column


@dataclass(frozen=True, slots=True)
class IndicatorRequest:
    """One configured indicator, such as the EMA over 21 bars.

    Parameters
    ----------
    name : str
        Start of its column names, such as ``ema_21``.
    indicator : str
        Name in the catalogue.
    parameters : mapping of str to int or float, optional
        What differs from the defaults; completed when the request is made.

    Raises
    ------
    ConfigError
        If the indicator or a parameter is unknown or out of range.

    Examples
    --------
    >>> IndicatorRequest.of("bollinger", period=10).columns
    ('bollinger_10_upper', 'bollinger_10_middle', 'bollinger_10_lower')
    """

    name: str
    indicator: str
    parameters: Parameters = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", self.spec.resolve(self.parameters))

    @classmethod
    def of(cls, indicator: str, **parameters: int | float) -> Self:
        """Return the request with the usual name: the indicator, its bars, unusual fractions."""
        spec = indicator_spec(indicator)
        parts = [
            f"{value:g}".replace(".", "p")
            for key, value in spec.resolve(parameters).items()
            if isinstance(spec.parameters[key], int) or value != spec.parameters[key]
        ]
        return cls("_".join([indicator, *parts]), indicator, parameters)

    @property
    def spec(self) -> IndicatorSpec:
        """The catalogue's entry."""
        return indicator_spec(self.indicator)

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names, in the order of the indicator's outputs."""
        return tuple(
            self.name if output == self.indicator else f"{self.name}_{output}"
            for output in self.spec.outputs
        )

    @property
    def warm_up(self) -> int:
        """Leading nulls of its columns."""
        return self.spec.warm_up(self.parameters)

    @property
    def window(self) -> int:
        """Bars that one value reads, see :meth:`IndicatorSpec.window`."""
        return self.spec.window(self.parameters)


DEFAULT_REQUESTS: tuple[IndicatorRequest, ...] = (
    IndicatorRequest.of("rsi", period=14),
    *(IndicatorRequest.of("ema", period=period) for period in (9, 21, 50, 200)),
    IndicatorRequest.of("macd", fast=12, slow=26, signal=9),
    IndicatorRequest.of("bollinger", period=20, deviations=2.0),
    IndicatorRequest.of("atr", period=14),
    IndicatorRequest.of("adx", period=14),
    IndicatorRequest.of("stochastic", k_period=14, k_smooth=3, d_period=3),
    IndicatorRequest.of("roc", period=10),
    IndicatorRequest.of("cci", period=20),
    IndicatorRequest.of("obv"),
    IndicatorRequest.of("mfi", period=14),
    IndicatorRequest.of("vwap", period=24),
    IndicatorRequest.of("zscore", period=20),
    IndicatorRequest.of("realised_volatility", period=24),
    IndicatorRequest.of("volume_zscore", period=24),
)


def indicator_frame(candles: pl.DataFrame, requests: Sequence[IndicatorRequest]) -> pl.DataFrame:
    """Compute requested indicators of candles.

    Parameters
    ----------
    candles : DataFrame
        Closed candles in the contract of ``core.candles``, from the start of the history.
    requests : sequence of IndicatorRequest
        What to compute; every column name only once.

    Returns
    -------
    DataFrame
        ``open_time`` and a Float64 column per output (see ``indicator_columns``), one row per
        candle in their order; null during an indicator's warm-up.

    Raises
    ------
    CandleSchemaError
        If the candles break their contract.
    ConfigError
        If two requests make a column of one name.

    Notes
    -----
    Causal: a row reads candles up to its own. Rows count as consecutive: a gap is not seen here,
    rows after it are blocked by whoever knows the gaps, for ``longest_window`` bars.
    """
    names = indicator_columns(requests)
    checked = conform(candles)
    arrays = candle_arrays(checked)
    columns = [
        values
        for request in requests
        for values in compute(request.indicator, arrays, request.parameters).values()
    ]
    return pl.DataFrame(
        [checked["open_time"]]
        + [
            pl.Series(name, values, dtype=pl.Float64, nan_to_null=True)
            for name, values in zip(names, columns, strict=True)
        ]
    )


def indicator_columns(requests: Sequence[IndicatorRequest]) -> tuple[str, ...]:
    """Return the column names of ``indicator_frame``, without ``open_time``.

    Raises
    ------
    ConfigError
        If two requests make a column of one name.
    """
    names = [name for request in requests for name in request.columns]
    doubled = sorted({name for name in names if names.count(name) > 1 or name == "open_time"})
    if doubled:
        raise ConfigError(
            f"every indicator column needs a name of its own, {doubled} came twice; "
            "give one of the requests another name"
        )
    return tuple(names)


def longest_window(requests: Sequence[IndicatorRequest]) -> int:
    """Return the most bars that one value of the requests reads, its own included; 0 for none.

    Rows less than that after an unexplained gap have seen it. Recursive indicators count with
    their nominal length.
    """
    return max((request.window for request in requests), default=0)
