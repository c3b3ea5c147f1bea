"""Walk-forward folds in whole months, and the purge that keeps their test months unseen.

A fold of month M trains on the months before M, on labels that **ended** before M: a label of the
last hours before M looks into M and would carry its prices into training.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from trading_pipeline.core.candles import BoolArray
from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe


@dataclass(frozen=True, slots=True)
class Fold:
    """Months of one fold; all bounds are included."""

    train_first: Month
    train_last: Month
    test_first: Month
    test_last: Month

    @property
    def key(self) -> str:
        """Name of the fold: its first test month."""
        return self.test_first.key


@dataclass(frozen=True, slots=True)
class WalkForward:
    """A training window that slides over the months.

    Parameters
    ----------
    train_months, test_months, step_months : int
        Lengths of the windows and distance between folds, at least 1; the step is at most the
        test window, so that every month has a fold.
    embargo_bars : int
        Bars that a training label must have ended before the test starts, beyond the purge.

    Raises
    ------
    ConfigError
        If a length is out of its range.

    References
    ----------
    M. Lopez de Prado, Advances in Financial Machine Learning, 2018, section 7.4.

    Examples
    --------
    >>> [str(month) for month in WalkForward().training_months(Month(2024, 1))]
    ['2023-01', '2023-12']
    """

    train_months: int = 12
    test_months: int = 1
    step_months: int = 1
    embargo_bars: int = 0

    def __post_init__(self) -> None:
        for name in ("train_months", "test_months", "step_months"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1 month, was {getattr(self, name)}")
        if self.step_months > self.test_months:
            raise ConfigError(
                f"step_months must be at most test_months {self.test_months}, was "
                f"{self.step_months}: months between two folds would have no forecast"
            )
        if self.embargo_bars < 0:
            raise ConfigError(f"embargo_bars must be at least 0 bars, was {self.embargo_bars}")

    def training_months(self, month: Month) -> tuple[Month, Month]:
        """Return the first and the last training month of the fold that starts in ``month``."""
        return month.shift(-self.train_months), month.shift(-1)

    def fold(self, month: Month) -> Fold:
        """Return the fold whose first test month is ``month``."""
        first, last = self.training_months(month)
        return Fold(first, last, month, month.shift(self.test_months - 1))

    def folds(self, first: Month, last: Month) -> Iterator[Fold]:
        """Yield the folds that data of ``first`` to ``last`` (both included) allows, oldest first.

        The first one starts when a whole training window lies before it; the last one may have
        test months after ``last``.
        """
        month = first.shift(self.train_months)
        while month <= last:
            yield self.fold(month)
            month = month.shift(self.step_months)

    def embargo(self, timeframe: Timeframe) -> timedelta:
        """Return the embargo as a time."""
        return self.embargo_bars * timeframe.duration


def purge(
    labels: pl.DataFrame, test_start: datetime, embargo: timedelta = timedelta(0)
) -> BoolArray:
    """Mark the rows that may train a model that is tested from ``test_start`` on.

    Parameters
    ----------
    labels : DataFrame
        With ``label`` and ``label_end`` (null where a label is not mature).
    test_start : datetime
        First open time of the test, timezone-aware.
    embargo : timedelta
        Further distance, not negative.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
        True where the label is known and ``label_end < test_start - embargo``. Strictly: what was
        decided by the very bar that closes at ``test_start`` stays out too.

    Raises
    ------
    ConfigError
        If ``embargo`` is negative.
    DataError
        If a column is missing.
    """
    if embargo < timedelta(0):
        raise ConfigError(f"embargo must not be negative, was {embargo}")
    missing = [name for name in ("label", "label_end") if name not in labels.columns]
    if missing:
        raise DataError(f"purging needs the columns {missing}, had {labels.columns}")
    is_known = pl.col("label").is_not_null() & (pl.col("label_end") < test_start - embargo)
    return labels.select(is_known.fill_null(value=False)).to_series().to_numpy()
