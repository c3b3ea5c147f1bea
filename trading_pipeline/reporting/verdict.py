"""The verdict of a report: says plainly when there is no edge, and why."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Self

from trading_pipeline.core.month import Month
from trading_pipeline.reporting.formats import (
    count,
    is_number,
    number,
    percent,
    signed_percent,
    span,
)
from trading_pipeline.validation.scores import Scores

MIN_TRADES = 30
MIN_STANDARD_ERRORS = 2.0
_DAYS_PER_YEAR = 365.0


@dataclass(frozen=True, slots=True)
class Performance:
    """One equity curve in numbers, after costs. Fractions; ``None`` or NaN if undefined.

    ``max_drawdown`` is the largest loss from a peak; its sign does not matter here. ``exposure``
    is the fraction of bars with a position.
    """

    total_return: float | None
    annual_return: float | None = None
    volatility: float | None = None
    sharpe: float | None = None
    sortino: float | None = None
    max_drawdown: float | None = None
    max_drawdown_duration: timedelta | None = None
    exposure: float | None = None
    final_equity: float | None = None


@dataclass(frozen=True, slots=True)
class Fold:
    """One walk-forward month, scored on labels that training never saw.

    ``base_rate`` is the accuracy of always naming the most frequent class of the training window.
    """

    month: Month
    n_train: int
    n_test: int
    accuracy: float | None
    base_rate: float | None
    log_loss: float | None = None
    base_log_loss: float | None = None

    @classmethod
    def of(cls, month: Month, n_train: int, scores: Scores) -> Self:
        """Return the fold of a month for the scores of its forecasts."""
        return cls(
            month,
            n_train,
            scores.n_rows,
            scores.accuracy,
            scores.train_base_rate,
            scores.log_loss,
            scores.train_log_loss,
        )

    @property
    def is_scored(self) -> bool:
        """Whether accuracy and base rate exist for at least one row."""
        return self.n_test > 0 and is_number(self.accuracy) and is_number(self.base_rate)


@dataclass(frozen=True, slots=True)
class PooledScore:
    """Folds together, weighted by their test rows."""

    n_folds: int
    n_test: int
    n_won: int
    accuracy: float
    base_rate: float


class VerdictOutcome(StrEnum):
    """What the evidence allows to say."""

    NO_EDGE = "no edge"
    UNPROVEN = "not proven"
    INDICATED = "indicated"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, a headline, and one sentence per reason."""

    outcome: VerdictOutcome
    headline: str
    reasons: tuple[str, ...]


def pooled_score(folds: Sequence[Fold]) -> PooledScore | None:
    """Return accuracy and base rate over all scored folds; None if none is scored."""
    scored = [fold for fold in folds if fold.is_scored]
    n_test = sum(fold.n_test for fold in scored)
    if not n_test:
        return None
    return PooledScore(
        n_folds=len(scored),
        n_test=n_test,
        n_won=sum((fold.accuracy or 0.0) > (fold.base_rate or 0.0) for fold in scored),
        accuracy=sum(fold.n_test * (fold.accuracy or 0.0) for fold in scored) / n_test,
        base_rate=sum(fold.n_test * (fold.base_rate or 0.0) for fold in scored) / n_test,
    )


def verdict(
    strategy: Performance,
    buy_hold: Performance,
    folds: Sequence[Fold],
    n_trades: int,
    *,
    period: timedelta,
    label_horizon: int,
    is_simulated: bool,
) -> Verdict:
    """Judge a backtest against what needs no model at all.

    No edge: the forecast is not above its base rate, or the strategy lost money or did not beat
    buy-and-hold. Not proven: nothing of that, but fewer than 30 trades, no scored fold, or an
    accuracy or a Sharpe ratio within two standard errors of its benchmark. Otherwise an edge is
    indicated, which is still less than proven. Undefined numbers never count in favour.

    Parameters
    ----------
    strategy, buy_hold : Performance
        On the same bars, after the same costs.
    folds : sequence of Fold
    n_trades : int
    period : timedelta
        Length of the backtest.
    label_horizon : int
        Bars that a label looks ahead. Labels overlap, so only one in ``label_horizon`` counts as
        an independent observation.
    is_simulated : bool

    References
    ----------
    A. W. Lo, "The Statistics of Sharpe Ratios", Financial Analysts Journal 58(4), 2002, p. 38:
    the standard error ``sqrt((1 + SR^2 / 2) / T)``, with SR per year and T in years.
    """
    against, open_points, favour = list[str](), list[str](), list[str]()
    _judge_forecast(folds, label_horizon, against, open_points, favour)
    _judge_return(strategy, buy_hold, against, open_points, favour)
    _judge_luck(strategy, n_trades, period, open_points)
    if against:
        outcome, headline = VerdictOutcome.NO_EDGE, "No edge found."
    elif open_points:
        outcome, headline = VerdictOutcome.UNPROVEN, "An edge is not proven."
    else:
        outcome = VerdictOutcome.INDICATED
        headline = "An edge is indicated. That is less than proven."
    reasons = [*against, *open_points, *favour]
    if is_simulated:
        reasons.append(
            "The market is simulated: nothing here says how the strategy would do on a real one."
        )
    return Verdict(outcome, headline, tuple(reasons))


def _judge_forecast(
    folds: Sequence[Fold],
    label_horizon: int,
    against: list[str],
    open_points: list[str],
    favour: list[str],
) -> None:
    score = pooled_score(folds)
    if score is None:
        open_points.append("No walk-forward fold has been scored: the forecast is not judged yet.")
        return
    sentence = (
        f"The forecast was right in {percent(score.accuracy, 2)} of {count(score.n_test)} rows "
        f"that it had not seen; always naming the most frequent class would have been "
        f"right in {percent(score.base_rate, 2)}."
    )
    if score.accuracy <= score.base_rate:
        against.append(f"{sentence} It adds nothing.")
        return
    error = math.sqrt(
        score.base_rate * (1 - score.base_rate) * max(label_horizon, 1) / score.n_test
    )
    if error and score.accuracy - score.base_rate < MIN_STANDARD_ERRORS * error:
        distance = number((score.accuracy - score.base_rate) / error, 1)
        open_points.append(
            f"{sentence} That lead is {distance} standard errors, as labels overlap: chance "
            "explains it."
        )
        return
    favour.append(f"{sentence} It led in {score.n_won} of {score.n_folds} months.")


def _judge_return(
    strategy: Performance,
    buy_hold: Performance,
    against: list[str],
    open_points: list[str],
    favour: list[str],
) -> None:
    own, held = strategy.total_return, buy_hold.total_return
    if not is_number(own) or not is_number(held):
        open_points.append("The return of the strategy or of buy-and-hold is undefined.")
        return
    sentence = (
        f"After costs the strategy returned {signed_percent(own)}; buying at the start and "
        f"holding returned {signed_percent(held)}."
    )
    if own <= 0:
        addition = " It lost less than holding, but it lost." if own > held else ""
        against.append(sentence + addition)
    elif own <= held:
        is_steadier = _beats(strategy.sharpe, buy_hold.sharpe)
        addition = " Its Sharpe ratio is the higher of the two." if is_steadier else ""
        against.append(sentence + addition)
    else:
        favour.append(sentence)


def _judge_luck(
    strategy: Performance, n_trades: int, period: timedelta, open_points: list[str]
) -> None:
    if n_trades < MIN_TRADES:
        noun = "trade" if n_trades == 1 else "trades"
        open_points.append(
            f"{n_trades} {noun}: too few to judge by; an average of fewer than {MIN_TRADES} says "
            "little."
        )
    years = period / timedelta(days=_DAYS_PER_YEAR)
    if not is_number(strategy.sharpe) or years <= 0:
        open_points.append("The Sharpe ratio is undefined.")
        return
    if strategy.sharpe <= 0:
        open_points.append(f"A Sharpe ratio of {number(strategy.sharpe)} is not above zero.")
        return
    distance = strategy.sharpe / math.sqrt((1 + strategy.sharpe**2 / 2) / years)
    if distance < MIN_STANDARD_ERRORS:
        length = f"{number(years, 1)} years" if years >= 1 else span(period)
        open_points.append(
            f"A Sharpe ratio of {number(strategy.sharpe)} over {length} is "
            f"{number(distance, 1)} standard errors above zero; below two, luck explains it."
        )


def _beats(own: float | None, other: float | None) -> bool:
    return is_number(own) and is_number(other) and own > other
