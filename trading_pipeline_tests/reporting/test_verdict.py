from dataclasses import replace
from datetime import timedelta

import pytest

from trading_pipeline.core.month import Month
from trading_pipeline.reporting.verdict import (
    Fold,
    Performance,
    VerdictOutcome,
    pooled_score,
    verdict,
)
from trading_pipeline.validation.scores import Scores
from trading_pipeline_tests.report_builders import make_folds

# 24 folds of 720 rows with a lead of 0.05: the error is sqrt(0.4 * 0.6 * 24 / 17280) = 0.0183,
# so the lead is 2.7 errors. A Sharpe of 2 over 3 years: 2 / sqrt((1 + 2) / 3) = 2 errors.
GOOD = Performance(total_return=0.5, sharpe=2.0)
HELD = Performance(total_return=0.3, sharpe=1.0)
THREE_YEARS = timedelta(days=3 * 365)


def judge(
    strategy=GOOD, held=HELD, folds=None, n_trades=100, *, period=THREE_YEARS, simulated=False
):
    return verdict(
        strategy,
        held,
        make_folds(24, lead=0.05) if folds is None else folds,
        n_trades,
        period=period,
        label_horizon=24,
        is_simulated=simulated,
    )


def reasons(judged):
    return " ".join(judged.reasons)


def test_all_evidence_together_indicates_an_edge_and_claims_no_more():
    judged = judge()
    assert judged.outcome is VerdictOutcome.INDICATED
    assert "less than proven" in judged.headline
    assert "It led in 24 of 24 months." in reasons(judged)


@pytest.mark.parametrize("lead", [0.0, -0.02])
def test_no_edge_if_the_forecast_is_not_above_its_base_rate(lead):
    judged = judge(folds=make_folds(24, lead=lead))
    assert judged.outcome is VerdictOutcome.NO_EDGE
    assert judged.headline == "No edge found."
    assert "It adds nothing." in reasons(judged)


@pytest.mark.parametrize("own", [0.3, 0.1])
def test_no_edge_if_holding_returned_as_much(own):
    judged = judge(replace(GOOD, total_return=own))
    assert judged.outcome is VerdictOutcome.NO_EDGE
    assert "holding returned +30.0%" in reasons(judged)
    assert "Sharpe ratio is the higher" in reasons(judged)


def test_no_edge_if_it_lost_less_than_holding_but_lost():
    judged = judge(replace(GOOD, total_return=-0.1), replace(HELD, total_return=-0.5))
    assert judged.outcome is VerdictOutcome.NO_EDGE
    assert "It lost less than holding, but it lost." in reasons(judged)


@pytest.mark.parametrize(("n_trades", "outcome"), [(29, "not proven"), (30, "indicated")])
def test_fewer_than_thirty_trades_prove_nothing(n_trades, outcome):
    assert judge(n_trades=n_trades).outcome == outcome


def test_a_lead_within_chance_is_not_proven():
    # 0.03 / 0.0183 = 1.6 standard errors.
    judged = judge(folds=make_folds(24, lead=0.03))
    assert judged.outcome is VerdictOutcome.UNPROVEN
    assert "1.6 standard errors" in reasons(judged)


def test_a_sharpe_ratio_over_a_short_time_is_not_proven():
    judged = judge(period=timedelta(days=365))
    assert judged.outcome is VerdictOutcome.UNPROVEN
    # 2 / sqrt((1 + 2) / 1) = 1.15
    assert "Sharpe ratio of 2.00 over 1.0 years is 1.2 standard errors" in reasons(judged)


def test_without_folds_the_forecast_is_not_judged():
    judged = judge(folds=())
    assert judged.outcome is VerdictOutcome.UNPROVEN
    assert "No walk-forward fold has been scored" in reasons(judged)


@pytest.mark.parametrize("undefined", [None, float("nan")])
def test_undefined_numbers_never_count_in_favour(undefined):
    assert judge(replace(GOOD, total_return=undefined)).outcome is VerdictOutcome.UNPROVEN
    assert judge(GOOD, Performance(undefined)).outcome is VerdictOutcome.UNPROVEN
    assert judge(replace(GOOD, sharpe=undefined)).outcome is VerdictOutcome.UNPROVEN
    assert judge(period=timedelta(0)).outcome is VerdictOutcome.UNPROVEN
    folds = [replace(fold, accuracy=undefined) for fold in make_folds(24)]
    assert judge(folds=folds).outcome is VerdictOutcome.UNPROVEN


def test_a_simulated_market_is_always_named():
    assert "simulated" not in reasons(judge())
    for strategy in (GOOD, replace(GOOD, total_return=-1.0)):
        assert "The market is simulated" in judge(strategy, simulated=True).reasons[-1]


def test_folds_are_pooled_by_their_rows():
    folds = [
        Fold(Month(2024, 1), 100, 300, 0.5, 0.4),
        Fold(Month(2024, 2), 100, 100, 0.1, 0.3),
        Fold(Month(2024, 3), 100, 0, None, None),
    ]
    score = pooled_score(folds)
    assert (score.n_folds, score.n_test, score.n_won) == (2, 400, 1)
    assert score.accuracy == pytest.approx(160 / 400)
    assert score.base_rate == pytest.approx(150 / 400)
    assert pooled_score([]) is None


def test_a_fold_takes_the_base_rate_of_training():
    scores = Scores(720, 0.41, 0.40, 0.44, 0.35, 1.05, 1.07, 0.6)
    assert Fold.of(Month(2024, 1), 8000, scores) == Fold(
        Month(2024, 1), 8000, 720, 0.41, 0.40, log_loss=1.05, base_log_loss=1.07
    )
