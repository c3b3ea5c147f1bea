"""Several sources on the same candles, each through an account of its own, worked out by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from trading_pipeline.backtest.comparison import (
    BUY_AND_HOLD,
    EQUITY_SCHEMA,
    METRICS_SCHEMA,
    Comparison,
    compare,
)
from trading_pipeline.backtest.settings import BacktestSettings
from trading_pipeline.core.candles import CANDLE_SCHEMA, OPEN_TIME_TYPE
from trading_pipeline.core.errors import DataError
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.matching.costs import NO_COSTS

START = datetime(2026, 1, 1, tzinfo=UTC)
RULES = Instrument(
    Symbol("ABC", "USDT"), Decimal("0.01"), Decimal("0.1"), Decimal("0.1"), Decimal(5)
)
HALF = BacktestSettings(
    initial_balance=1000, position_fraction=0.5, stop_loss=None, take_profit=None, costs=NO_COSTS
)
# Opens of 100, 100, 120, 90, 90; each candle closes where the next one opens.
OPENS = [100.0, 100.0, 120.0, 90.0, 90.0]


def candles() -> pl.DataFrame:
    closes = [*OPENS[1:], 90.0]
    rows = [
        (START + timedelta(hours=i), o, max(o, c), min(o, c), c, 1.0)
        for i, (o, c) in enumerate(zip(OPENS, closes, strict=True))
    ]
    return pl.DataFrame(rows, schema=CANDLE_SCHEMA, orient="row")


def source(*directions: int | None, strength: float = 1.0) -> pl.DataFrame:
    """Return signals of one source; None abstains."""
    return pl.DataFrame(
        {
            "open_time": candles()["open_time"],
            "direction": pl.Series([d or 0 for d in directions], dtype=pl.Int8),
            "strength": [0.0 if d is None else strength for d in directions],
            "status": ["abstained" if d is None else "active" for d in directions],
        },
        schema_overrides={"open_time": OPEN_TIME_TYPE},
    )


def run(settings: BacktestSettings = HALF, **sources: pl.DataFrame) -> Comparison:
    return compare(candles(), sources, RULES, settings, Timeframe("1h"))


def test_each_source_trades_an_account_of_its_own():
    found = run(early=source(1, 0, 0, 0, 0), late=source(0, 1, 0, 0, 0))
    # Half of 1000 buys 5 at 100 and sells at 120; the other 4.1 (lots of 0.1) at 120, sold at 90.
    assert found.runs["early"].result.equity[-1] == pytest.approx(1000 + 5 * 20)
    assert found.runs["late"].result.equity[-1] == pytest.approx(1000 - Decimal("4.1") * 30)
    assert list(found.runs) == ["early", "late", BUY_AND_HOLD]


def test_buy_and_hold_buys_everything_at_the_second_open():
    held = run(flat=source(0, 0, 0, 0, 0)).runs[BUY_AND_HOLD]
    assert held.result.equity[-1] == pytest.approx(10 * 90)
    assert held.summary.total_return == pytest.approx(-0.1)
    assert held.summary.max_drawdown == pytest.approx(90 / 120 - 1)


def test_an_abstention_holds_where_a_zero_closes():
    found = run(silent=source(1, None, None, 0, 0), closing=source(1, 0, None, 0, 0))
    assert found.runs["silent"].result.equity[-1] == pytest.approx(1000 - 5 * 10)
    assert found.runs["closing"].result.equity[-1] == pytest.approx(1000 + 5 * 20)


def test_the_size_does_not_follow_the_strength():
    found = run(
        weak=source(1, 0, 0, 0, 0, strength=0.1), strong=source(1, 0, 0, 0, 0, strength=0.9)
    )
    assert found.runs["weak"].result.equity[-1] == found.runs["strong"].result.equity[-1]


def test_the_metrics_are_one_row_per_source():
    metrics = run(early=source(1, 0, 0, 0, 0), late=source(0, 1, 0, 0, 0)).metrics()
    assert dict(metrics.schema) == METRICS_SCHEMA
    rows = {row["strategy"]: row for row in metrics.iter_rows(named=True)}
    assert list(rows) == ["early", "late", BUY_AND_HOLD]
    early = rows["early"]
    assert (early["n_trades"], early["win_rate"], early["n_bars"]) == (1, 1.0, 5)
    assert (early["initial_balance"], early["final_equity"]) == (1000.0, 1100.0)
    assert early["total_return"] == pytest.approx(0.1)
    assert (early["start"], early["end"]) == (START, START + timedelta(hours=4))
    assert early["max_drawdown"] == 0.0
    assert rows["late"]["win_rate"] == 0.0
    assert rows["late"]["worst"] < 0
    assert rows["late"]["total_fees"] == 0.0
    assert rows[BUY_AND_HOLD]["exposure"] == pytest.approx(4 / 5)


def test_trades_and_equity_name_their_source():
    found = run(early=source(1, 0, 0, 0, 0), flat=source(0, 0, 0, 0, 0))
    trades, equity = found.trades(), found.equity()
    assert trades["strategy"].to_list() == ["early", BUY_AND_HOLD]
    assert dict(equity.schema) == EQUITY_SCHEMA
    assert equity.group_by("strategy", maintain_order=True).len().rows() == [
        ("early", 5), ("flat", 5), (BUY_AND_HOLD, 5),
    ]  # fmt: skip
    flat = equity.filter(pl.col("strategy") == "flat")
    assert flat["equity"].to_list() == [1000.0] * 5
    assert flat["open_time"].equals(candles()["open_time"])


def test_without_any_trade_the_trades_are_an_empty_table():
    cents = replace(HALF, initial_balance=1)
    found = run(cents, flat=source(1, 1, 1, 1, 1))
    assert found.trades().is_empty()
    assert found.trades().columns[0] == "strategy"
    assert found.metrics().row(0, named=True)["skipped_entries"] > 0


def test_two_signals_of_one_candle_are_refused():
    twice = pl.concat([source(1, 0, 0, 0, 0), source(0, 0, 0, 0, 0)])
    with pytest.raises(DataError, match="one signal per candle"):
        run(twice=twice)
