from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.candles import OPEN_TIME_TYPE
from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.features.labels import TripleBarrier, triple_barrier_labels
from trading_pipeline.validation.walk_forward import Fold, WalkForward, purge
from trading_pipeline_tests.builders import make_candles

HOUR = timedelta(hours=1)
START = datetime(2024, 1, 1, tzinfo=UTC)


def labels_of(ends: list[int | None]) -> pl.DataFrame:
    """Labels of consecutive hours that end at the given hours."""
    return pl.DataFrame(
        {
            "open_time": [START + i * HOUR for i in range(len(ends))],
            "label": [None if end is None else 0 for end in ends],
            "label_end": [None if end is None else START + end * HOUR for end in ends],
        },
        schema={"open_time": OPEN_TIME_TYPE, "label": pl.Int8, "label_end": OPEN_TIME_TYPE},
    )


def test_a_fold_trains_on_the_months_before_its_test_month():
    fold = WalkForward(train_months=12).fold(Month(2024, 3))
    assert fold == Fold(Month(2023, 3), Month(2024, 2), Month(2024, 3), Month(2024, 3))
    assert fold.key == "2024-03"


def test_folds_start_when_a_whole_training_window_exists():
    folds = list(WalkForward(train_months=3).folds(Month(2023, 11), Month(2024, 4)))
    assert [fold.key for fold in folds] == ["2024-02", "2024-03", "2024-04"]
    assert folds[0].train_first == Month(2023, 11)


def test_longer_windows_step_as_told():
    walk = WalkForward(train_months=2, test_months=3, step_months=2)
    folds = list(walk.folds(Month(2023, 1), Month(2023, 7)))
    assert [(f.test_first.key, f.test_last.key) for f in folds] == [
        ("2023-03", "2023-05"),
        ("2023-05", "2023-07"),
        ("2023-07", "2023-09"),
    ]


@given(
    st.integers(1, 24), st.integers(1, 6), st.integers(1, 6), st.integers(0, 60), st.integers(0, 40)
)
def test_every_month_after_the_first_window_is_tested_and_never_trained_on(
    train, test, step, offset, length
):
    walk = WalkForward(train_months=train, test_months=test, step_months=min(step, test))
    first = Month(2019, 1).shift(offset)
    last = first.shift(train + length)
    folds = list(walk.folds(first, last))
    tested = {month for f in folds for month in f.test_first.until(f.test_last)}
    assert set(first.shift(train).until(last)) <= tested
    for fold in folds:
        trained = list(fold.train_first.until(fold.train_last))
        assert len(trained) == train
        assert fold.train_last.end == fold.test_first.start
        assert not set(trained) & set(fold.test_first.until(fold.test_last))
        assert fold.train_first >= first


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train_months": 0}, "train_months must be at least 1 month, was 0"),
        ({"test_months": 0}, "test_months must be at least 1 month, was 0"),
        ({"step_months": 0}, "step_months must be at least 1 month, was 0"),
        ({"step_months": 2}, "step_months must be at most test_months 1, was 2"),
        ({"embargo_bars": -1}, "embargo_bars must be at least 0 bars, was -1"),
    ],
)
def test_impossible_windows_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        WalkForward(**values)


def test_an_embargo_is_bars_of_the_timeframe():
    assert WalkForward(embargo_bars=6).embargo(Timeframe("4h")) == timedelta(days=1)


def test_only_labels_that_ended_before_the_test_may_train():
    labels = labels_of([1, 4, 5, 6, None, 3])
    assert purge(labels, START + 5 * HOUR).tolist() == [True, True, False, False, False, True]


def test_an_embargo_takes_further_rows_out():
    labels = labels_of([1, 2, 3, 4, 5])
    kept = purge(labels, START + 5 * HOUR, 2 * HOUR)
    assert kept.tolist() == [True, True, False, False, False]


def test_an_end_without_a_label_may_not_train():
    labels = labels_of([1, 2]).with_columns(label=pl.Series([None, 1], dtype=pl.Int8))
    assert purge(labels, START + 9 * HOUR).tolist() == [False, True]


@given(
    st.lists(st.one_of(st.none(), st.integers(1, 30)), max_size=60),
    st.integers(-5, 80),
    st.integers(0, 30),
)
@settings(deadline=None)
def test_no_training_label_reaches_a_test_label(spans, test_hour, embargo):
    """Every pair of a training and a test label, one by one."""
    ends = [None if span is None else i + span for i, span in enumerate(spans)]
    test_start = START + test_hour * HOUR
    kept = purge(labels_of(ends), test_start, embargo * HOUR)
    tested = [i for i in range(len(spans)) if i >= test_hour]
    for train in np.flatnonzero(kept):
        assert ends[train] < test_hour - embargo
        for test in tested:
            assert ends[train] < test
    lost = [i for i in range(len(spans)) if not kept[i]]
    assert all(ends[i] is None or ends[i] >= test_hour - embargo for i in lost)


def test_triple_barrier_labels_of_a_fold_share_no_candle_with_its_test_month():
    candles = make_candles(24 * 91, seed=4)
    labels = triple_barrier_labels(candles, TripleBarrier(upper=4.0, lower=4.0), Timeframe("1h"))
    february = Month(2024, 2)
    kept = labels.filter(purge(labels, february.start))
    used = {
        time
        for row in kept.iter_rows(named=True)
        for time in pl.datetime_range(
            row["open_time"], row["label_end"] - HOUR, "1h", eager=True
        ).to_list()
    }
    assert max(used) < february.start
    in_january = labels.filter(pl.col("open_time") < february.start)["label"].drop_nulls()
    assert 0 < len(in_january) - kept.height <= 25


@pytest.mark.parametrize("column", ["label", "label_end"])
def test_missing_columns_are_named(column):
    with pytest.raises(DataError, match=column):
        purge(labels_of([1]).drop(column), START)


def test_a_negative_embargo_is_refused():
    with pytest.raises(ConfigError, match="embargo must not be negative"):
        purge(labels_of([1]), START, -HOUR)
