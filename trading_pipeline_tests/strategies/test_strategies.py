"""Strategies by hand, over prefixes, and where their inputs are missing."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.signals.signal import SIGNAL_SCHEMA
from trading_pipeline.strategies.catalog import STRATEGIES, strategy
from trading_pipeline_tests.builders import make_candles

HOUR = Timeframe("1h")


def _indicators(candles: pl.DataFrame, **columns: list[float | None]) -> pl.DataFrame:
    series = [pl.Series(name, values, dtype=pl.Float64) for name, values in columns.items()]
    return candles.select("open_time").with_columns(series)


def _run(name: str, parameters: dict[str, float] | None = None, blocked=None, **columns):  # type: ignore[no-untyped-def]
    candles = make_candles(len(next(iter(columns.values()))))
    rows = strategy(name, **(parameters or {})).run(
        candles, _indicators(candles, **columns), timeframe=HOUR, blocked=blocked
    )
    assert dict(rows.schema) == SIGNAL_SCHEMA
    assert rows["open_time"].equals(candles["open_time"])
    return rows


def test_rsi_is_long_from_oversold_until_overbought() -> None:
    rows = _run("rsi", rsi_14=[50, 30, 45, 69, 70, 60, 29, None])
    assert rows["direction"].to_list() == [0, 1, 1, 1, 0, 0, 1, 0]
    assert rows["strength"].to_list() == pytest.approx([0, 1, 0.625, 0.025, 0, 0, 1, 0])
    assert rows["status"].to_list() == ["active"] * 7 + ["abstained"]
    assert rows["reason"].to_list() == [
        "waits for oversold",
        "oversold",
        "oversold before, not yet overbought",
        "oversold before, not yet overbought",
        "overbought",
        "waits for oversold",
        "oversold",
        "warm-up",
    ]


def test_rsi_keeps_its_state_over_rows_that_a_gap_blocks() -> None:
    blocked = np.array([False, False, True, True, False])
    rows = _run("rsi", blocked=blocked, rsi_14=[50, 20, 80, 50, 50])
    assert rows["direction"].to_list() == [0, 1, 0, 0, 1]
    assert rows["status"].to_list() == ["active", "active", "abstained", "abstained", "active"]
    assert rows["reason"][2] == "blocked by a gap"


def test_rsi_reads_the_column_of_its_own_period_and_levels() -> None:
    rows = _run("rsi", {"period": 7, "oversold": 20, "overbought": 60}, rsi_7=[25, 20, 59, 60])
    assert rows["direction"].to_list() == [0, 1, 1, 0]


def test_ema_cross_takes_the_side_of_the_fast_average() -> None:
    rows = _run(
        "ema_cross",
        ema_9=[None, 101.0, 99.0, 100.0, 103.0, 100.0],
        ema_21=[None, 100.0, 100.0, 100.0, 100.0, 100.5],
        atr_14=[2.0, 2.0, 4.0, 2.0, 2.0, 0.0],
    )
    assert rows["direction"].to_list() == [0, 1, -1, 0, 1, -1]
    assert rows["strength"].to_list() == [0.0, 0.5, 0.25, 0.0, 1.0, 1.0]
    assert rows["status"].to_list() == ["abstained"] + ["active"] * 5
    assert rows["reason"].to_list()[:4] == [
        "warm-up",
        "fast EMA above slow",
        "fast EMA below slow",
        "fast EMA equals slow",
    ]


def test_signals_are_known_at_the_close_plus_the_latency() -> None:
    candles = make_candles(2)
    rows = strategy("rsi").run(
        candles,
        _indicators(candles, rsi_14=[50, 50]),
        timeframe=HOUR,
        latency=timedelta(seconds=10),
    )
    assert rows["known_at"][0] == candles["open_time"][0] + timedelta(hours=1, seconds=10)


def test_a_candle_without_an_indicator_row_is_abstained_on() -> None:
    candles = make_candles(3)
    indicators = _indicators(candles, rsi_14=[20, 20, 20]).head(2)
    rows = strategy("rsi").run(candles, indicators, timeframe=HOUR)
    assert rows["status"].to_list() == ["active", "active", "abstained"]


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_no_candles_give_no_signals(name: str) -> None:
    needs = strategy(name).needs
    assert _run(name, **{column: [] for column in needs}).is_empty()


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(list(STRATEGIES)),
    st.integers(0, 1000),
    st.integers(1, 60),
    st.lists(st.integers(0, 59), max_size=8),
)
def test_no_strategy_looks_ahead(name: str, seed: int, cut: int, holes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    candles = make_candles(60, seed=seed)
    kind = strategy(name)
    columns = {
        column: [None if row in holes else value for row, value in enumerate(values)]
        for column, values in zip(
            kind.needs, rng.uniform(1, 99, (len(kind.needs), 60)).tolist(), strict=True
        )
    }
    indicators = _indicators(candles, **columns)
    blocked = rng.random(60) < 0.1
    whole = kind.run(candles, indicators, timeframe=HOUR, blocked=blocked)
    head = kind.run(candles.head(cut), indicators.head(cut), timeframe=HOUR, blocked=blocked[:cut])
    assert head.equals(whole.head(cut))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.none() | st.floats(0, 100), min_size=1, max_size=40))
def test_rsi_equals_a_state_machine_written_out(values: list[float | None]) -> None:
    expected, is_long = [], False
    for value in values:
        if value is not None:
            is_long = value <= 30 or (is_long and value < 70)
        expected.append(int(is_long and value is not None))
    assert _run("rsi", rsi_14=values)["direction"].to_list() == expected


def test_a_missing_indicator_is_named() -> None:
    with pytest.raises(ConfigError, match=r"ema_cross needs the indicators \['ema_9', 'atr_14'\]"):
        _run("ema_cross", ema_21=[1.0])


def test_a_mask_of_another_length_is_refused() -> None:
    with pytest.raises(DataError, match="blocked must have 1 rows"):
        _run("rsi", blocked=np.zeros(2, dtype=bool), rsi_14=[50.0])


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("rsy", {}, r"unknown strategy 'rsy'; did you mean rsi\?"),
        (
            "rsi",
            {"perod": 3},
            r"parameter of strategy rsi 'perod'; did you mean period or oversold",
        ),
        ("rsi", {"period": 1}, r"rsi: period \(bars of the RSI\) must be a whole number in \[2"),
        ("rsi", {"period": 3.5}, "must be a whole number"),
        ("rsi", {"oversold": float("nan")}, "must be a number in"),
        ("rsi", {"oversold": 70}, "oversold must be below overbought"),
        ("ema_cross", {"fast": 21}, "fast must be below slow"),
    ],
)
def test_wrong_parameters_are_refused(
    name: str, parameters: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        strategy(name, **parameters)


def test_whole_parameters_name_columns_without_a_decimal_point() -> None:
    assert strategy("rsi", period=21.0).needs == ("rsi_21",)
