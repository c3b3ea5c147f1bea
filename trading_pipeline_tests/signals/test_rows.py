"""Signal rows are stamped at the close, clipped by nobody, and abstain with a reason."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from trading_pipeline.core.errors import DataError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.signals.rows import empty_signals, signal_rows, stack_signals, votes_of
from trading_pipeline.signals.signal import SIGNAL_SCHEMA, SignalStatus, Vote

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = Timeframe("1h")


def _rows(direction: list[int], strength: list[float], abstained: list[bool], source: str = "a"):
    n = len(direction)
    times = pl.Series([START + k * HOUR.duration for k in range(n)], dtype=pl.Datetime("us", "UTC"))
    return signal_rows(
        times,
        source,
        np.array(direction, dtype=np.int8),
        np.array(strength),
        pl.Series(["why"] * n),
        pl.Series(abstained),
        timeframe=HOUR,
        latency=timedelta(seconds=10),
    )


def test_rows_are_in_the_signal_schema_and_known_after_the_close() -> None:
    rows = _rows([1, -1], [0.5, 1.0], [False, False])
    assert dict(rows.schema) == SIGNAL_SCHEMA
    assert rows["known_at"].to_list() == [
        START + timedelta(hours=1, seconds=10),
        START + timedelta(hours=2, seconds=10),
    ]
    assert rows["status"].to_list() == ["active", "active"]


def test_an_abstention_has_neither_direction_nor_strength() -> None:
    rows = _rows([1, 9], [float("nan"), float("nan")], [True, True])
    assert rows.select("direction", "strength", "status").rows() == [(0, 0.0, "abstained")] * 2


@pytest.mark.parametrize(("direction", "strength"), [(2, 0.5), (1, 1.5), (1, -0.1), (1, np.nan)])
def test_an_opinion_out_of_range_is_refused(direction: int, strength: float) -> None:
    with pytest.raises(DataError, match="a must give direction -1, 0 or 1"):
        _rows([0, direction], [0.0, strength], [False, False])


def test_the_rows_of_one_candle_become_votes_by_source() -> None:
    both = stack_signals([_rows([1], [0.5], [False], "b"), _rows([0], [0.0], [True], "a")])
    assert votes_of(both) == (
        Vote("a", 0, 0.0, SignalStatus.ABSTAINED, "why"),
        Vote("b", 1, 0.5, SignalStatus.ACTIVE, "why"),
    )
    assert votes_of(empty_signals()) == ()


def test_votes_of_several_candles_are_refused() -> None:
    with pytest.raises(DataError, match="these have 2 open times"):
        votes_of(_rows([1, 1], [1.0, 1.0], [False, False]))
