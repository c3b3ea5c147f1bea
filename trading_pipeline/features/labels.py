"""Triple-barrier labels: which of two price barriers is touched first, if any, within a horizon.

A label looks into the future on purpose; ``label_end`` says how far, and everything that trains
must keep it before what it predicts (``validation.walk_forward``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
import polars as pl

from trading_pipeline.core.candles import OPEN_TIME_TYPE, IntArray, candle_arrays, conform
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.gaps import Gap

DOWN, FLAT, UP = -1, 0, 1

LABEL_SCHEMA: dict[str, pl.DataType] = {
    "open_time": OPEN_TIME_TYPE,
    "label": pl.Int8(),
    "label_end": OPEN_TIME_TYPE,
    "status": pl.String(),
}


class LabelStatus(StrEnum):
    """What is known about the label of a candle."""

    MATURE = "mature"
    IMMATURE = "immature"
    DROPPED = "dropped"


# In the order of the codes that the kernel writes.
_STATUSES = (LabelStatus.MATURE, LabelStatus.IMMATURE, LabelStatus.DROPPED)


@dataclass(frozen=True, slots=True)
class TripleBarrier:
    """Where the barriers stand.

    Parameters
    ----------
    horizon : int
        Bars after the labelled candle within which a barrier must be touched, at least 1. Bars of
        time: an hour without a candle counts.
    upper, lower : float
        Distance of the barriers from the close, in standard deviations of **one bar's** log
        return; above 0. The barriers stand at ``close * exp(upper * sigma)`` and
        ``close * exp(-lower * sigma)``. A random walk of ``horizon`` bars moves about
        ``sqrt(horizon)`` of them, 4.9 for 24 bars: barriers much nearer leave no flat labels.
    volatility_window : int
        Log returns, up to the labelled candle's own, that sigma is estimated from, at least 2.
        Sample standard deviation (ddof 1) around the mean.

    Raises
    ------
    ConfigError
        If a value is out of its range.

    References
    ----------
    M. Lopez de Prado, Advances in Financial Machine Learning, 2018, section 3.4.
    """

    horizon: int = 24
    upper: float = 2.0
    lower: float = 2.0
    volatility_window: int = 24

    def __post_init__(self) -> None:
        if self.horizon < 1:
            raise ConfigError(f"horizon must be at least 1 bar, was {self.horizon}")
        if self.volatility_window < 2:
            raise ConfigError(
                f"volatility_window must be at least 2 bars, was {self.volatility_window}"
            )
        for name, value in (("upper", self.upper), ("lower", self.lower)):
            if not 0.0 < value < np.inf:
                raise ConfigError(f"{name} must be above 0 and finite, was {value}")

    @property
    def reach_bars(self) -> int:
        """Candles before the labelled one that its barriers are computed from."""
        return self.volatility_window

    def to_dict(self) -> dict[str, int | float]:
        """Return the settings by name, for model cards and fingerprints."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, int | float]) -> "TripleBarrier":
        """Return the settings that :meth:`to_dict` wrote."""
        return cls(
            int(values["horizon"]),
            float(values["upper"]),
            float(values["lower"]),
            int(values["volatility_window"]),
        )


def triple_barrier_labels(
    candles: pl.DataFrame,
    settings: TripleBarrier,
    timeframe: Timeframe,
    *,
    gaps_unexplained: Sequence[Gap] = (),
) -> pl.DataFrame:
    """Label every candle by the first barrier that the price touches after its close.

    Entry is at the close of the candle; the barriers are watched from the next candle on, by its
    high and low. ``label`` is 1 if the upper barrier is touched first, -1 if the lower one is, 0
    if neither is within ``horizon`` bars. **One bar that touches both counts as -1**: nobody
    knows which came first, and the pessimistic reading is that of a stop that goes first.

    Parameters
    ----------
    candles : DataFrame
        In ``core.candles.CANDLE_SCHEMA``, with ``settings.reach_bars`` candles before the first
        row that matters and ``settings.horizon`` bars after the last one.
    timeframe : Timeframe
        Length of the candles.
    gaps_unexplained : sequence of Gap
        Missing bars; explained ones are passed over. A label whose volatility window or whose
        path to ``label_end`` lies over an unexplained one is dropped. Explained gaps are hours
        without trade, in which no barrier is touched.

    Returns
    -------
    DataFrame
        ``LABEL_SCHEMA``, one row per candle, in order. ``label_end`` is the **close time** of the
        bar that decided, or the end of the horizon. Both are null where ``status`` is

        - ``immature``: not decided by the last candle. It matures with later candles.
        - ``dropped``: over an unexplained gap, before ``volatility_window`` returns exist, or
          after a window in which the price did not move.

    Raises
    ------
    CandleSchemaError
        If the candles break their contract.

    Examples
    --------
    >>> from datetime import UTC
    >>> times = [datetime(2024, 1, 1, hour, tzinfo=UTC) for hour in range(5)]
    >>> prices = [100.0, 101.0, 100.0, 100.5, 104.0]
    >>> frame = pl.DataFrame({"open_time": times} | dict.fromkeys(
    ...     ["open", "high", "low", "close", "volume"], prices)).cast({"open_time": OPEN_TIME_TYPE})
    >>> triple_barrier_labels(frame, TripleBarrier(2, 2, 2, 2), Timeframe("1h"))["label"].to_list()
    [None, None, 1, 1, None]
    """
    # Numba costs 0.2 s to import, which settings and cards should not pay.
    from trading_pipeline.features._barriers import one_bar_volatility, touch_barriers

    arrays = candle_arrays(conform(candles))
    gap_starts, gap_ends = _unexplained(gaps_unexplained)
    sigma = one_bar_volatility(arrays.close, settings.volatility_window)
    label, end, status = touch_barriers(
        arrays.open_time,
        arrays.high,
        arrays.low,
        arrays.close,
        sigma,
        gap_starts,
        gap_ends,
        timeframe.microseconds,
        settings.horizon,
        settings.volatility_window,
        float(settings.upper),
        float(settings.lower),
    )
    is_mature = pl.Series(status == 0)
    frame = pl.DataFrame(
        {
            "open_time": candles["open_time"],
            "label": pl.Series(label, dtype=pl.Int8),
            "label_end": pl.Series(end, dtype=pl.Int64).cast(OPEN_TIME_TYPE),
            "status": pl.Series([str(s) for s in _STATUSES]).gather(status),
        }
    )
    return frame.with_columns(
        pl.when(is_mature).then(pl.col(name)).alias(name) for name in ("label", "label_end")
    ).select(list(LABEL_SCHEMA))


def unsettled_labels(labels: pl.DataFrame, data_end: datetime) -> pl.DataFrame:
    """Return the rows that break the promise of labels; none is what a check wants to see.

    A mature label has a value in {-1, 0, 1} and ended after its own candle opened and not after
    ``data_end``, the close time of the newest candle; any other label has neither value nor end.
    """
    is_mature = pl.col("status") == LabelStatus.MATURE.value
    is_settled = (
        pl.col("label").is_in([DOWN, FLAT, UP])
        & (pl.col("label_end") <= data_end)
        & (pl.col("label_end") > pl.col("open_time"))
    )
    is_open = (
        pl.col("label").is_null()
        & pl.col("label_end").is_null()
        & pl.col("status").is_in([LabelStatus.IMMATURE.value, LabelStatus.DROPPED.value])
    )
    kept = pl.when(is_mature).then(is_settled).otherwise(is_open)
    return labels.filter(~kept.fill_null(value=False))


def _unexplained(gaps: Sequence[Gap]) -> tuple[IntArray, IntArray]:
    ordered = sorted((g.start, g.end) for g in gaps if not g.kind.is_explained)
    bounds = pl.DataFrame(
        ordered, schema={"start": OPEN_TIME_TYPE, "end": OPEN_TIME_TYPE}, orient="row"
    )
    return (
        bounds["start"].dt.epoch("us").to_numpy(),
        bounds["end"].dt.epoch("us").to_numpy(),
    )
