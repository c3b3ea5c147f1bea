"""Probabilities become directions by rule, and silence where the model was silent."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.signals.signal import SIGNAL_SCHEMA
from trading_pipeline.strategies.forecast import forecast_signals
from trading_pipeline_tests.builders import make_candles

HOUR = Timeframe("1h")


def _signals(rows: list[tuple[float | None, ...]], *, min_margin: float = 0.0) -> pl.DataFrame:
    table = pl.DataFrame(
        rows, schema=dict.fromkeys(("p_down", "p_flat", "p_up"), pl.Float64), orient="row"
    )
    frame = make_candles(len(rows)).select("open_time").hstack(table)
    return forecast_signals(frame, timeframe=HOUR, min_margin=min_margin)


def test_the_likeliest_class_decides_and_the_difference_is_the_strength() -> None:
    rows = _signals([(0.2, 0.3, 0.5), (0.6, 0.3, 0.1), (0.3, 0.4, 0.3), (None, None, None)])
    assert rows["direction"].to_list() == [1, -1, 0, 0]
    assert rows["strength"].to_list() == pytest.approx([0.3, 0.5, 0.0, 0.0])
    assert rows["status"].to_list() == ["active", "active", "active", "abstained"]
    assert rows["reason"].to_list() == [
        "up is likeliest",
        "down is likeliest",
        "flat is likeliest",
        "no forecast",
    ]
    assert dict(rows.schema) == SIGNAL_SCHEMA
    assert rows["source"].unique().to_list() == ["forecast"]


def test_a_lead_below_the_margin_is_flat() -> None:
    rows = _signals([(0.0, 0.45, 0.55), (0.0, 0.35, 0.65)], min_margin=0.2)
    assert rows["direction"].to_list() == [0, 1]
    assert rows["reason"][0] == "no class leads clearly"


def test_a_tie_is_flat() -> None:
    assert _signals([(0.5, 0.0, 0.5), (0.4, 0.4, 0.2)])["direction"].to_list() == [0, 0]


def test_one_missing_probability_abstains() -> None:
    assert _signals([(0.5, None, 0.5)])["status"].to_list() == ["abstained"]


def test_no_forecasts_give_no_signals() -> None:
    assert _signals([]).is_empty()


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.05, 0.3]))
def test_each_row_stands_for_itself(seed: int, min_margin: float) -> None:
    shares = np.random.default_rng(seed).dirichlet((1, 1, 1), 5)
    rows = [tuple(share) for share in shares.tolist()]
    whole = _signals(rows, min_margin=min_margin)
    for number, row in enumerate(rows):
        alone = _signals([row], min_margin=min_margin)
        assert alone.drop("open_time", "known_at").equals(
            whole[number : number + 1].drop("open_time", "known_at")
        )
        down, flat, up = row
        expected = 0
        if up - max(down, flat) > 0 and up - max(down, flat) >= min_margin:
            expected = 1
        if down - max(up, flat) > 0 and down - max(up, flat) >= min_margin:
            expected = -1
        assert alone["direction"].item() == expected


@pytest.mark.parametrize("row", [(0.5, 0.5, 0.5), (-0.1, 0.6, 0.5), (float("nan"), 0.5, 0.5)])
def test_what_is_no_distribution_is_refused(row: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="probabilities of p_down, p_flat, p_up"):
        _signals([row])


def test_a_margin_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"min_margin must be in \[0, 1\), was 1"):
        _signals([(0.2, 0.3, 0.5)], min_margin=1)
