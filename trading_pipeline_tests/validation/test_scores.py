import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_pipeline.core.errors import DataError
from trading_pipeline.validation.scores import score

# Four labels up, up, flat, down; the most probable classes are up, down, flat, down.
PROBABILITIES = [[0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.8, 0.1, 0.1]]
LABELS = [1, 1, 0, -1]


def test_scores_are_what_a_hand_computes():
    scores = score(PROBABILITIES, LABELS, [-1, -1, -1, 0, 1, 1, 1, 1])
    assert scores.n_rows == 4
    assert scores.accuracy == 3 / 4
    assert scores.train_base_rate == 2 / 4  # up was the majority of training
    assert scores.test_base_rate == 2 / 4
    assert scores.balanced_accuracy == pytest.approx((1 + 1 + 1 / 2) / 3)
    expected = -(math.log(0.7) + math.log(0.1) + math.log(0.5) + math.log(0.8)) / 4
    assert scores.log_loss == pytest.approx(expected)
    frequencies = -(2 * math.log(4 / 8) + math.log(1 / 8) + math.log(3 / 8)) / 4
    assert scores.train_log_loss == pytest.approx(frequencies)
    squares = (
        (0.01 + 0.04 + 0.09) + (0.36 + 0.09 + 0.81) + (0.04 + 0.25 + 0.09) + (0.04 + 0.01 + 0.01)
    )
    assert scores.brier == pytest.approx(squares / 4)


def test_the_base_rate_of_training_may_differ_from_that_of_the_test():
    scores = score(PROBABILITIES, LABELS, [-1, -1, 0])
    assert (scores.train_base_rate, scores.test_base_rate) == (0.25, 0.5)


def test_certainty_that_is_wrong_costs_a_finite_loss():
    scores = score([[1.0, 0.0, 0.0]], [1], [1, -1])
    assert scores.log_loss == pytest.approx(-math.log(1e-15))
    assert scores.brier == 2.0


def test_a_perfect_forecast_scores_perfectly():
    scores = score(np.eye(3), [-1, 0, 1], [0])
    assert (scores.accuracy, scores.balanced_accuracy, scores.log_loss, scores.brier) == (
        1,
        1,
        0,
        0,
    )


def test_classes_that_do_not_occur_do_not_enter_the_balance():
    assert score([[0.9, 0.0, 0.1], [0.2, 0.0, 0.8]], [-1, -1], [-1]).balanced_accuracy == 0.5


@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(-1, 1)),
        min_size=1,
        max_size=30,
    ),
    st.lists(st.integers(-1, 1), min_size=1, max_size=30),
)
def test_scores_equal_slow_sums(rows, trained):
    p = [[a / (a + b + c), b / (a + b + c), c / (a + b + c)] for a, b, c, _ in rows]
    y = [label for *_, label in rows]
    scores = score(p, y, trained)
    hits = [row.index(max(row)) == label + 1 for row, label in zip(p, y, strict=True)]
    assert scores.accuracy == pytest.approx(sum(hits) / len(y))
    by_class = {c: [h for h, label in zip(hits, y, strict=True) if label == c] for c in set(y)}
    recalls = [sum(h) / len(h) for h in by_class.values()]
    assert scores.balanced_accuracy == pytest.approx(sum(recalls) / len(recalls))
    losses = [-math.log(row[label + 1]) for row, label in zip(p, y, strict=True)]
    assert scores.log_loss == pytest.approx(sum(losses) / len(y))
    majority = min({-1, 0, 1}, key=lambda c: (-trained.count(c), c))
    assert scores.train_base_rate == pytest.approx(y.count(majority) / len(y))
    assert scores.test_base_rate == pytest.approx(max(y.count(c) for c in (-1, 0, 1)) / len(y))
    assert scores.train_base_rate <= scores.test_base_rate


@pytest.mark.parametrize(
    ("probabilities", "labels", "trained", "message"),
    [
        (np.zeros((0, 3)), [], [1], "labels must have the shape"),
        ([[0.2, 0.3, 0.5]], [1], [], "train_labels must have the shape"),
        ([[0.2, 0.3, 0.5]], [2], [1], "labels must be in"),
        ([[0.2, 0.3, 0.5]], [1, 1], [1], "probabilities must have the shape"),
        ([[0.2, 0.8]], [1], [1], "probabilities must have the shape"),
        ([[0.2, 0.3, 0.6]], [1], [1], "must sum to 1, row 0"),
        ([[-0.2, 0.6, 0.6]], [1], [1], "must sum to 1, row 0"),
        ([[0.2, 0.3, 0.5], [math.nan, 0.5, 0.5]], [1, 1], [1], "row 1 was"),
    ],
)
def test_what_is_no_forecast_is_refused(probabilities, labels, trained, message):
    with pytest.raises(DataError, match=message):
        score(probabilities, labels, trained)


def test_scores_are_available_by_name():
    assert score(PROBABILITIES, LABELS, LABELS).to_dict()["accuracy"] == 0.75
