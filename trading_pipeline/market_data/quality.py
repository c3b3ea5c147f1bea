"""What a month of candles is worth: counts for people, findings for checks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

import polars as pl

from trading_pipeline.core.candles import CANDLE_SCHEMA
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.gaps import Gap, GapClass

IMPLAUSIBLE_RANGE = 3.0
"""High over low from which one candle is suspicious; ETH/USDT 1h reached 2.14 in 2017-2022."""


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Data quality of one month and symbol, in bars.

    ``expected`` counts the bars that are closed and not before the listing; it is ``present`` plus
    ``missing``, and ``missing`` is ``explained`` plus ``unexplained``. ``first`` and ``last`` are
    open times of candles, None without any. ``gaps`` are cut to the month. ``repaired`` counts the
    candles that filled a hole, ``revised`` those that the source changed after they were stored,
    ``quarantined`` the rows that were refused and are kept with a reason.
    """

    month: Month
    expected: int
    present: int
    missing: int
    explained: int
    unexplained: int
    dropped: Mapping[str, int]
    first: datetime | None
    last: datetime | None
    gaps: tuple[Gap, ...]
    repaired: int = 0
    revised: int = 0
    quarantined: int = 0

    @property
    def n_dropped(self) -> int:
        """Raw rows that were dropped, over all reasons."""
        return sum(self.dropped.values())

    @property
    def coverage(self) -> float | None:
        """Present over expected bars as a fraction; None if nothing is expected."""
        return self.present / self.expected if self.expected else None


class CandleClaim(StrEnum):
    """What the contract claims about every candle table."""

    UNIQUE = "open times are unique"
    SORTED = "open times ascend"
    FINITE = "values are finite numbers"
    OHLC = "low <= open, close <= high; prices positive; volume not negative"
    ON_GRID = "open times are on the timeframe's grid"
    CLOSED = "candles are closed"
    PLAUSIBLE = f"high is at most {IMPLAUSIBLE_RANGE:g} times low"

    @property
    def is_blocking(self) -> bool:
        """Whether a breach must stop what depends on the candles; otherwise it is a warning."""
        return self is not CandleClaim.PLAUSIBLE


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim that does not hold: for how many rows, and the first of them."""

    claim: CandleClaim
    n_rows: int
    first_open_time: datetime | None
    message: str

    @property
    def is_blocking(self) -> bool:
        """Whether the finding must stop what depends on the candles."""
        return self.claim.is_blocking


def assess(
    candles: pl.DataFrame,
    timeframe: Timeframe,
    month: Month,
    gaps: Sequence[Gap],
    dropped_counts: Mapping[str, int],
    now: datetime,
    *,
    repaired: int = 0,
    revised: int = 0,
    quarantined: int = 0,
) -> QualityReport:
    """Return the quality of one month.

    Parameters
    ----------
    candles : DataFrame
        In the candle contract; rows outside the month or not closed at ``now`` do not count.
    gaps : sequence of Gap
        From :func:`~trading_pipeline.market_data.gaps.find_gaps`; cut to the month here.
    dropped_counts : mapping of str to int
        Raw rows of the month that cleaning dropped, by reason.
    repaired, revised, quarantined : int
        As counted where the rows are stored.
    """
    closed_end = min(month.end, timeframe.floor(now.astimezone(UTC)))
    is_inside = pl.col("open_time").is_between(month.start, closed_end, closed="left")
    inside = candles.filter(is_inside)["open_time"]
    cut = tuple(
        part for gap in gaps if (part := _clip(gap, month.start, closed_end, timeframe)) is not None
    )
    missing = sum(gap.n_bars for gap in cut)
    unexplained = sum(gap.n_bars for gap in cut if gap.kind is GapClass.UNEXPLAINED)
    return QualityReport(
        month=month,
        expected=len(inside) + missing,
        present=len(inside),
        missing=missing,
        explained=missing - unexplained,
        unexplained=unexplained,
        dropped={reason: n for reason, n in sorted(dropped_counts.items()) if n},
        first=inside[0] if len(inside) else None,
        last=inside[-1] if len(inside) else None,
        gaps=cut,
        repaired=repaired,
        revised=revised,
        quarantined=quarantined,
    )


def check_candles(
    candles: pl.DataFrame, timeframe: Timeframe, now: datetime
) -> tuple[Finding, ...]:
    """Return the claims of the candle contract that do not hold; none if all hold.

    Every claim is checked on its own, so that one fault does not hide another. The columns of
    ``core.candles.CANDLE_SCHEMA`` are required; rows may be in any order and of any value.
    """
    body_low, body_high = pl.min_horizontal("open", "close"), pl.max_horizontal("open", "close")
    values = [name for name in CANDLE_SCHEMA if name != "open_time"]
    time = pl.col("open_time")
    breaches = {
        CandleClaim.UNIQUE: time.is_duplicated(),
        CandleClaim.SORTED: time < time.shift(1),
        CandleClaim.FINITE: time.is_null()
        | ~pl.all_horizontal(pl.col(name).is_finite().fill_null(value=False) for name in values),
        CandleClaim.OHLC: (body_low < pl.col("low"))
        | (body_high > pl.col("high"))
        | (pl.col("low") > pl.col("high"))
        | (pl.col("low") <= 0)
        | (pl.col("volume") < 0),
        CandleClaim.ON_GRID: time.dt.epoch("us") % timeframe.microseconds != 0,
        CandleClaim.CLOSED: time + timeframe.duration > now.astimezone(UTC),
        CandleClaim.PLAUSIBLE: pl.col("high") > IMPLAUSIBLE_RANGE * pl.col("low"),
    }
    findings = []
    for claim, is_breach in breaches.items():
        rows = candles.filter(is_breach)
        if len(rows):
            findings.append(_finding(claim, rows, timeframe))
    return tuple(findings)


def _finding(claim: CandleClaim, rows: pl.DataFrame, timeframe: Timeframe) -> Finding:
    first = rows.row(0, named=True)
    shown = ", ".join(f"{name} {first[name]}" for name in CANDLE_SCHEMA if name != "open_time")
    return Finding(
        claim,
        len(rows),
        first["open_time"],
        f"{len(rows):,} rows break the claim '{claim}' for {timeframe} candles, first "
        f"{first['open_time']}: {shown}",
    )


def _clip(gap: Gap, start: datetime, end: datetime, timeframe: Timeframe) -> Gap | None:
    begin, stop = max(gap.start, start), min(gap.end, end)
    if begin >= stop:
        return None
    return replace(gap, start=begin, end=stop, n_bars=(stop - begin) // timeframe.duration)
