"""The feature matrix: candles and indicators in stationary form.

A model that learned "60,000 is high" is useless at 90,000, so nothing here depends on the level
of the price or of a running sum such as OBV: prices enter as log ratios, oscillators on their own
scale, volume as a z-score, time as angles.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from trading_pipeline.core.candles import BoolArray, conform
from trading_pipeline.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from trading_pipeline.indicators.catalog import IndicatorRequest

_LONGEST_LAG = 10_000
# Polars divides one row by a literal and multiplies many by its reciprocal, which differs in the
# last bit (2.1.0); multiplying gives one row and many the same bits.
_PERCENT = 0.01
_PER_DAY_OF_MINUTES = 1.0 / 1440.0
_PER_WEEK_OF_DAYS = 1.0 / 7.0


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """What is computed beside the indicators.

    Parameters
    ----------
    lags : tuple of int
        Distances in bars of log returns, and lengths in bars of ranges; ascending, without
        repeats, at least 1.

    Raises
    ------
    ConfigError
        If there is no lag or they break that order.
    """

    lags: tuple[int, ...] = (1, 2, 3, 6, 12, 24)

    def __post_init__(self) -> None:
        is_ascending = all(a < b for a, b in zip(self.lags, self.lags[1:], strict=False))
        if (
            not self.lags
            or not is_ascending
            or not 1 <= self.lags[0] <= self.lags[-1] <= _LONGEST_LAG
        ):
            raise ConfigError(
                f"features.lags must be ascending bars in 1 .. {_LONGEST_LAG}, such as [1, 6, 24], "
                f"were {list(self.lags)}",
                lags=list(self.lags),
            )


def feature_reach(settings: FeatureSettings) -> int:
    """Return the bars before a row that its own formulas read; indicators reach on their own.

    Examples
    --------
    >>> feature_reach(FeatureSettings(lags=(1, 24)))
    24
    """
    return settings.lags[-1]


def feature_names(
    settings: FeatureSettings, requests: Sequence["IndicatorRequest"]
) -> tuple[str, ...]:
    """Return the features that :func:`build_features` makes of these indicators, in order.

    Features of an indicator that is not requested are left out; so are indicators under a name
    that is not the usual one of ``IndicatorRequest.of``.
    """
    columns = [column for request in requests for column in request.columns]
    return tuple(feature.meta.output_name() for feature in _features(settings, columns))


def build_features(
    candles: pl.DataFrame,
    indicators: pl.DataFrame,
    blocked: BoolArray | None,
    settings: FeatureSettings,
) -> pl.DataFrame:
    """Build the feature matrix of candles.

    Parameters
    ----------
    candles : DataFrame
        In ``core.candles.CANDLE_SCHEMA``, with ``feature_reach`` candles before the first row
        that matters.
    indicators : DataFrame
        ``open_time`` of the candles, row by row, and columns as ``indicators.catalog`` names
        them; null in the warm-up. Columns without a stationary form (OBV) are left out.
    blocked : ndarray of bool, shape (n_bars,), optional
        Rows whose windows reach over an unexplained gap.
    settings : FeatureSettings

    Returns
    -------
    DataFrame
        ``open_time`` and :func:`feature_names` as float64, one row per candle, in order. A row
        that is blocked, or in which any feature is not known yet, is null in **all** features;
        every other value is finite.

    Raises
    ------
    CandleSchemaError
        If the candles break their contract.
    DataError
        If indicators or ``blocked`` do not belong to the candles row by row.

    Notes
    -----
    Causal: a row reads candles and indicators up to its own, which is closed. A value does not
    depend on where the candles start, bit for bit, once ``feature_reach`` candles precede it.

    ======================================= ================================================
    ``log_return_<lag>``                    ln(close / close ``lag`` bars ago)
    ``log_range_<lag>``                     ln(highest high / lowest low) of ``lag`` bars
    ``close_location``                      (close - low) / (high - low); 0.5 without a range
    ``log_body``                            ln(close / open)
    ``log_close_to_<average>``              ln(close / SMA, EMA or VWAP)
    ``rsi_.. mfi_.. adx_.. stochastic_..``  divided by 100
    ``adx_.._direction``                    (+DI - -DI) / 100
    ``macd_.._to_close``                    line and histogram / close
    ``bollinger_.._position``               (close - lower) / (upper - lower); 0.5 without width
    ``bollinger_.._width``                  (upper - lower) / middle
    ``atr_.._to_close``                     ATR / close
    ``cci_..``                              divided by 100
    ``roc_ zscore_ volume_zscore_``         as they are, and ``realised_volatility_``
    ``hour_sin/cos, weekday_sin/cos``       angle of the open time (UTC) in the day, the week
    ======================================= ================================================
    """
    candles = conform(candles)
    _refuse_misaligned(candles, indicators, blocked)
    features = list(_features(settings, indicators.columns))
    rows = pl.concat([candles, indicators.drop("open_time")], how="horizontal")
    needed = {name for feature in features for name in feature.meta.root_names()}
    if missing := sorted(needed - set(rows.columns)):
        raise DataError(f"indicators lack {missing}, had {indicators.columns}; keep every output")
    matrix = rows.select("open_time", *features)
    names = matrix.columns[1:]
    is_known = pl.all_horizontal(pl.col(name).is_finite().fill_null(value=False) for name in names)
    if blocked is not None:
        is_known = is_known & ~pl.lit(pl.Series(blocked))
    return matrix.with_columns(pl.when(is_known).then(pl.col(name)).alias(name) for name in names)


def _refuse_misaligned(
    candles: pl.DataFrame, indicators: pl.DataFrame, blocked: BoolArray | None
) -> None:
    if "open_time" not in indicators.columns:
        raise DataError(f"indicators need the column open_time, had {indicators.columns}")
    if not indicators["open_time"].equals(candles["open_time"]):
        raise DataError(
            "indicators must have the open times of the candles, row by row; candles "
            f"{_extent(candles)}, indicators {_extent(indicators)}. Compute them of these candles"
        )
    if blocked is not None and blocked.shape != (candles.height,):
        raise DataError(f"blocked must have the shape ({candles.height},), was {blocked.shape}")


def _extent(frame: pl.DataFrame) -> str:
    if frame.is_empty():
        return "have no rows"
    first, last = frame["open_time"][0], frame["open_time"][-1]
    return f"have {frame.height} rows from {first} to {last}"


def _features(settings: FeatureSettings, columns: Sequence[str]) -> Iterator[pl.Expr]:
    yield from _of_candles(settings)
    for pattern, formulas in _OF_INDICATORS:
        for column in columns:
            if match := pattern.fullmatch(column):
                yield from formulas(match.group(1))
    yield from _of_time()


def _of_candles(settings: FeatureSettings) -> Iterator[pl.Expr]:
    open_, high, low, close = (pl.col(name) for name in ("open", "high", "low", "close"))
    for lag in settings.lags:
        yield (close / close.shift(lag)).log().alias(f"log_return_{lag}")
    for lag in settings.lags:
        extent = high.rolling_max(lag) / low.rolling_min(lag)
        yield extent.log().alias(f"log_range_{lag}")
    yield _position(close, low, high).alias("close_location")
    yield (close / open_).log().alias("log_body")


def _of_time() -> Iterator[pl.Expr]:
    opened = pl.col("open_time").dt
    minutes = opened.hour().cast(pl.Float64) * 60.0 + opened.minute().cast(pl.Float64)
    for name, turn in (
        ("hour", minutes * _PER_DAY_OF_MINUTES),
        ("weekday", (opened.weekday().cast(pl.Float64) - 1.0) * _PER_WEEK_OF_DAYS),
    ):
        yield (turn * math.tau).sin().alias(f"{name}_sin")
        yield (turn * math.tau).cos().alias(f"{name}_cos")


def _position(value: pl.Expr, low: pl.Expr, high: pl.Expr) -> pl.Expr:
    return pl.when(high == low).then(0.5).otherwise((value - low) / (high - low))


def _as_it_is(name: str) -> Iterator[pl.Expr]:
    yield pl.col(name)


def _hundredth(name: str) -> Iterator[pl.Expr]:
    yield pl.col(name) * _PERCENT


def _log_distance(name: str) -> Iterator[pl.Expr]:
    yield (pl.col("close") / pl.col(name)).log().alias(f"log_close_to_{name}")


def _atr(name: str) -> Iterator[pl.Expr]:
    yield (pl.col(name) / pl.col("close")).alias(f"{name}_to_close")


def _macd(name: str) -> Iterator[pl.Expr]:
    yield (pl.col(name) / pl.col("close")).alias(f"{name}_to_close")
    yield (pl.col(f"{name}_histogram") / pl.col("close")).alias(f"{name}_histogram_to_close")


def _adx(name: str) -> Iterator[pl.Expr]:
    yield pl.col(name) * _PERCENT
    difference = pl.col(f"{name}_plus_di") - pl.col(f"{name}_minus_di")
    yield (difference * _PERCENT).alias(f"{name}_direction")


def _bollinger(name: str) -> Iterator[pl.Expr]:
    upper, middle, lower = (pl.col(f"{name}_{band}") for band in ("upper", "middle", "lower"))
    yield _position(pl.col("close"), lower, upper).alias(f"{name}_position")
    yield ((upper - lower) / middle).alias(f"{name}_width")


def _stochastic(name: str) -> Iterator[pl.Expr]:
    yield pl.col(f"{name}_k") / 100
    yield pl.col(f"{name}_d") / 100


def _named(indicator: str, output: str = "") -> re.Pattern[str]:
    return re.compile(rf"({indicator}(?:_[0-9][0-9p]*)+){output}")


# In the order of the matrix. The group is the instance (``macd_12_26_9``), whose outputs are
# columns of the same prefix.
_OF_INDICATORS: tuple[tuple[re.Pattern[str], Callable[[str], Iterator[pl.Expr]]], ...] = (
    (_named("sma"), _log_distance),
    (_named("ema"), _log_distance),
    (_named("vwap"), _log_distance),
    (_named("rsi"), _hundredth),
    (_named("macd"), _macd),
    (_named("stochastic", "_k"), _stochastic),
    (_named("roc"), _as_it_is),
    (_named("cci"), _hundredth),
    (_named("mfi"), _hundredth),
    (_named("adx"), _adx),
    (_named("bollinger", "_middle"), _bollinger),
    (_named("atr"), _atr),
    (_named("realised_volatility"), _as_it_is),
    (_named("zscore"), _as_it_is),
    (_named("volume_zscore"), _as_it_is),
)
