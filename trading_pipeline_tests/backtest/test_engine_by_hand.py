"""Candle tables with the trades that a person works out from them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from trading_pipeline.backtest.benchmark import buy_and_hold
from trading_pipeline.backtest.directions import HOLD, signal_directions
from trading_pipeline.backtest.engine import run_backtest
from trading_pipeline.backtest.result import TRADE_SCHEMA, BacktestResult
from trading_pipeline.backtest.settings import BacktestSettings
from trading_pipeline.core.candles import CANDLE_SCHEMA, OPEN_TIME_TYPE
from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.orders import OrderRequest, Side
from trading_pipeline.matching.costs import NO_COSTS, Costs
from trading_pipeline.matching.fills import market_fill
from trading_pipeline_tests.builders import make_candles

START = datetime(2026, 1, 1, tzinfo=UTC)
ONE = Instrument(Symbol("ABC", "USDT"), Decimal("0.01"), Decimal("0.1"), Decimal("0.1"), Decimal(5))
FREE = BacktestSettings(
    initial_balance=1000, position_fraction=1, stop_loss=None, take_profit=None, costs=NO_COSTS
)


def _candles(*bars: tuple[float, float, float, float], hours: list[int] | None = None):  # type: ignore[no-untyped-def]
    hours = list(range(len(bars))) if hours is None else hours
    rows = [
        (START + timedelta(hours=hour), *map(float, bar), 1.0)
        for hour, bar in zip(hours, bars, strict=True)
    ]
    return pl.DataFrame(rows, schema=CANDLE_SCHEMA, orient="row")


def _run(
    bars: list[tuple[float, float, float, float]],
    direction: list[int],
    settings: BacktestSettings = FREE,
    strength: list[float] | None = None,
) -> BacktestResult:
    sizes = None if strength is None else np.array(strength)
    return run_backtest(_candles(*bars), np.array(direction, dtype=np.int8), sizes, ONE, settings)


def _with(**changes: object) -> BacktestSettings:
    from dataclasses import replace

    return replace(FREE, **changes)  # type: ignore[arg-type]


FLAT = (100, 100, 100, 100)


def test_a_signal_executes_at_the_next_open_and_closes_at_the_open_after_its_end() -> None:
    bars = [(90, 95, 85, 92), (100, 112, 99, 110), (120, 125, 118, 122), (130, 131, 129, 130)]
    result = _run(bars, [1, 1, 0, 0])
    assert result.trades.select(
        "side", "quantity", "entry_price", "exit_price", "pnl", "return_", "exit_reason", "bars"
    ).rows() == [("long", 10.0, 100.0, 130.0, 300.0, 0.3, "signal", 2)]
    assert result.trades["entry_time"][0] == START + timedelta(hours=1)
    assert result.trades["exit_time"][0] == START + timedelta(hours=3)
    assert result.equity.tolist() == [1000.0, 1100.0, 1220.0, 1300.0]
    assert (result.bars_in_position, result.exposure) == (2, 0.5)
    assert result.total_return == pytest.approx(0.3)


def test_the_signal_of_the_last_bar_never_executes() -> None:
    result = _run([FLAT, FLAT], [0, 1])
    assert result.trades.is_empty()
    assert dict(result.trades.schema) == TRADE_SCHEMA


def test_fees_and_slippage_are_paid_on_both_sides() -> None:
    result = _run(
        [FLAT, FLAT, (200, 200, 200, 200)],
        [1, 0, 0],
        _with(costs=Costs(taker_fee_bps=10, slippage_bps=5), position_fraction=0.5),
    )
    # Buys at 100.05: 500 / 100.05 = 4.99 -> 4.9; sells at 200 * 0.9995 = 199.90.
    assert result.trades.select("quantity", "entry_price", "exit_price").rows() == [
        (4.9, 100.05, 199.9)
    ]
    # 0.490245 and 0.979510, each up to the next unit of 0.01 x 0.1.
    assert result.trades["fees"].to_list() == [1.471]
    assert result.trades["pnl"].to_list() == [487.794]
    assert result.equity[-1] == 1487.794


def test_a_full_position_leaves_room_for_its_fee() -> None:
    result = _run([FLAT, FLAT, FLAT], [1, 1, 1], _with(costs=Costs(100, 0)))
    # 1000 / 1.01 = 990.09 of notional, so 9.9 pieces and 9.90 of fee.
    assert result.trades["quantity"].to_list() == [9.9]
    assert result.equity.tolist() == [1000.0, 990.1, 980.2]


def test_the_stop_is_checked_on_the_bar_of_the_entry() -> None:
    result = _run([FLAT, (100, 101, 97, 100), FLAT], [1, 1, 1], _with(stop_loss=0.02))
    assert result.trades.select("exit_price", "exit_reason", "bars").rows() == [
        (98.0, "stop_loss", 0)
    ]


def test_a_bar_that_reaches_stop_and_target_is_a_loss() -> None:
    result = _run(
        [FLAT, FLAT, (100, 110, 90, 105)], [1, 1, 1], _with(stop_loss=0.02, take_profit=0.04)
    )
    assert result.trades.select("exit_price", "exit_reason").rows() == [(98.0, "stop_loss")]


def test_a_gap_through_the_stop_fills_at_the_open() -> None:
    result = _run([FLAT, FLAT, (80, 99, 79, 90)], [1, 1, 1], _with(stop_loss=0.02))
    assert result.trades.select("exit_price", "pnl").rows() == [(80.0, -200.0)]


def test_a_gap_through_the_target_fills_at_the_target() -> None:
    result = _run([FLAT, FLAT, (120, 125, 119, 121)], [1, 1, 1], _with(take_profit=0.04))
    assert result.trades.select("exit_price", "exit_reason").rows() == [(104.0, "take_profit")]


def test_after_a_stop_the_same_side_waits_for_a_new_signal() -> None:
    drop = (100, 100, 90, 100)
    bars = [FLAT, drop, FLAT, FLAT, FLAT, FLAT]
    result = _run(bars, [1, 1, HOLD, 0, 1, 1], _with(stop_loss=0.05))
    assert result.trades.select("entry_time", "exit_reason").rows() == [
        (START + timedelta(hours=1), "stop_loss"),
        (START + timedelta(hours=5), "end_of_data"),
    ]


def test_an_abstention_keeps_what_is_held() -> None:
    result = _run([FLAT] * 5, [1, HOLD, HOLD, 0, 0])
    assert result.trades.select("exit_reason", "bars").rows() == [("signal", 3)]


def test_minus_one_closes_on_a_spot_venue() -> None:
    result = _run([FLAT] * 4, [1, -1, -1, -1])
    assert result.trades.select("side", "exit_reason", "bars").rows() == [("long", "signal", 1)]


def test_minus_one_reverses_where_shorts_are_allowed() -> None:
    bars = [FLAT, FLAT, (110, 110, 110, 110), (99, 99, 99, 99)]
    result = _run(bars, [1, -1, 0, 0], _with(allow_short=True))
    assert result.trades.select("side", "quantity", "pnl").rows() == [
        ("long", 10.0, 100.0),
        ("short", 10.0, 110.0),
    ]
    assert result.equity.tolist() == [1000.0, 1000.0, 1100.0, 1210.0]


def test_a_short_is_liquidated_where_it_has_used_up_the_account() -> None:
    bars = [FLAT, FLAT, (150, 250, 150, 240), FLAT]
    result = _run(bars, [-1, -1, -1, -1], _with(allow_short=True))
    # 10 sold at 100: 2000 in cash buys them back up to 200.
    assert result.trades.select("exit_price", "exit_reason", "pnl").rows() == [
        (200.0, "liquidation", -1000.0)
    ]
    assert result.equity.tolist() == [1000.0, 1000.0, 0.0, 0.0]


def test_strength_scales_the_entry() -> None:
    result = _run([FLAT] * 3, [1, 1, 1], strength=[0.25, 1.0, 1.0])
    assert result.trades["quantity"].to_list() == [2.5]


def test_an_entry_below_the_minimum_order_is_skipped_and_counted() -> None:
    result = _run([FLAT] * 3, [1, 1, 1], _with(position_fraction=0.004))
    assert result.trades.is_empty()
    assert result.skipped_entries == 2


def test_after_a_gap_the_next_bar_that_exists_is_used() -> None:
    bars = [FLAT, (110, 110, 110, 110), (120, 120, 120, 120)]
    candles = _candles(*bars, hours=[0, 30, 31])
    result = run_backtest(candles, np.array([1, 0, 0], dtype=np.int8), None, ONE, FREE)
    assert result.trades.select("entry_time", "entry_price", "exit_price").rows() == [
        (START + timedelta(hours=30), 110.0, 120.0)
    ]


def test_buy_and_hold_buys_at_the_second_open_and_pays_its_costs() -> None:
    candles = _candles((50, 50, 50, 50), FLAT, (150, 150, 150, 150))
    settings = _with(position_fraction=0.1, stop_loss=0.02, costs=Costs(100, 0))
    result = buy_and_hold(candles, ONE, settings)
    # 9.9 pieces: 1000 - 990 - 9.90 = 0.10 in cash; sold for 1485 less 14.85.
    assert result.equity.tolist() == [1000.0, 990.1, 1470.25]


def test_a_backtest_fill_equals_the_paper_fill_of_the_same_order() -> None:
    candles = make_candles(50, seed=3)
    direction = np.tile(np.array([1, 1, 0, 0, 0], dtype=np.int8), 10)
    settings = BacktestSettings(stop_loss=None, take_profit=None)
    result = run_backtest(candles, direction, None, ONE, settings)
    opens = dict(candles.select("open_time", "open").iter_rows())
    for trade in result.trades.head(9).iter_rows(named=True):
        fees = Decimal(0)
        for side, when, price in (
            (Side.BUY, trade["entry_time"], trade["entry_price"]),
            (Side.SELL, trade["exit_time"], trade["exit_price"]),
        ):
            quantity = Decimal(str(trade["quantity"]))
            request = OrderRequest("tp", ONE.symbol, side, quantity, Decimal(1))
            fill = market_fill(
                request,
                Decimal(str(opens[when])),
                ONE,
                settings.costs,
                executed_at=when,
                trade_id="t",
            )
            assert float(fill.price) == price
            fees += fill.fee
        assert float(fees) == trade["fees"]


def test_prices_with_eight_decimals_fit_a_coarser_grid() -> None:
    fine = Instrument(
        Symbol("BTC", "USDT"), Decimal("1E-8"), Decimal("1E-8"), Decimal("1E-8"), Decimal(5)
    )
    candles = make_candles(300, price=60_000.0)
    result = run_backtest(
        candles, np.ones(300, dtype=np.int8), None, fine, BacktestSettings(stop_loss=None)
    )
    # 10,000 quote is 1e20 of the venue's units; the accounts are kept in at least 1e-11.
    assert result.instrument.tick_size * result.instrument.lot_size >= Decimal("1E-11")
    assert result.trades["entry_price"][0] == pytest.approx(candles["open"][1] * 1.0005, rel=1e-6)


def test_signals_align_with_candles_and_abstentions_hold() -> None:
    candles = _candles(FLAT, FLAT, FLAT, FLAT)
    signals = pl.DataFrame(
        {
            "open_time": [START + timedelta(hours=hour) for hour in (3, 0, 1, 9)],
            "direction": [0, 1, 0, 1],
            "strength": [0.0, 0.5, 0.0, 1.0],
            "status": ["active", "active", "abstained", "active"],
        },
        schema_overrides={"open_time": OPEN_TIME_TYPE},
    )
    direction, strength = signal_directions(candles, signals)
    assert direction.tolist() == [1, HOLD, HOLD, 0]
    assert strength.tolist() == [0.5, 0.0, 0.0, 0.0]
    with pytest.raises(DataError, match="one signal per candle"):
        signal_directions(candles, pl.concat([signals, signals]))


def test_wrong_inputs_are_refused_with_the_reason() -> None:
    candles = _candles(FLAT, FLAT)
    good = np.zeros(2, dtype=np.int8)
    with pytest.raises(DataError, match="at least one candle"):
        run_backtest(candles.clear(), good[:0], None, ONE, FREE)
    with pytest.raises(DataError, match=r"direction must have shape \(2,\)"):
        run_backtest(candles, good[:1], None, ONE, FREE)
    with pytest.raises(DataError, match="direction must be -1, 0, 1 or HOLD"):
        run_backtest(candles, good + np.int8(7), None, ONE, FREE)
    with pytest.raises(DataError, match=r"strength must have shape \(2,\)"):
        run_backtest(candles, good, np.zeros(3), ONE, FREE)
    with pytest.raises(DataError, match=r"strength must be in \[0, 1\]"):
        run_backtest(candles, good, np.array([0.0, np.nan]), ONE, FREE)
    with pytest.raises(DataError, match="open and close must lie between low and high"):
        run_backtest(_candles(FLAT, (100, 90, 80, 85)), good, None, ONE, FREE)


def test_an_account_that_outgrows_int64_is_refused() -> None:
    bars = [(0.01, 0.01, 0.01, 0.01)] * 2 + [(1e9, 1e9, 1e9, 1e9)]
    settings = _with(initial_balance=10**9)
    with pytest.raises(DataError, match="outgrew"):
        _run(bars, [1, 1, 1], settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"initial_balance": 0}, "initial_balance must be positive"),
        ({"initial_balance": float("nan")}, "initial_balance must be positive"),
        ({"position_fraction": 0}, r"position_fraction must be in \(0, 1\]"),
        ({"position_fraction": 1.01}, r"position_fraction must be in \(0, 1\]"),
        ({"stop_loss": 1.0}, "stop_loss must be at least 0 and below 1"),
        ({"stop_loss": -0.1}, "stop_loss must be at least 0 and below 1"),
        ({"take_profit": 0.0000001}, "take_profit must be a multiple of"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BacktestSettings(**changes)
