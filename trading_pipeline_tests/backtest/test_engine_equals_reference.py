"""The compiled engine equals the Decimal engine exactly, and so does its plain Python form."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.backtest import engine, kernel
from trading_pipeline.backtest.engine import run_backtest
from trading_pipeline.backtest.result import BacktestResult
from trading_pipeline.backtest.settings import BacktestSettings
from trading_pipeline.core.candles import IntArray
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.matching.costs import Costs
from trading_pipeline.matching.grid import quote_unit, with_room
from trading_pipeline_tests.backtest.decimal_engine import decimal_backtest
from trading_pipeline_tests.builders import make_candles

SYMBOL = Symbol("BTC", "USDT")
GRIDS = [
    Instrument(SYMBOL, Decimal(tick), Decimal(lot), Decimal(least), Decimal(notional))
    for tick, lot, least, notional in [
        ("0.01", "0.00001", "0.00001", "5"),
        ("0.5", "0.001", "0.01", "10"),
        ("0.01", "1", "1", "0"),
        ("0.00000001", "0.00000001", "0", "0.0000000123"),
    ]
]


@st.composite
def _runs(draw: st.DrawFn) -> tuple[object, ...]:
    n_bars = draw(st.integers(1, 40))
    candles = make_candles(
        n_bars,
        seed=draw(st.integers(0, 10_000)),
        volatility=draw(st.sampled_from([0.001, 0.01, 0.05, 0.3])),
        price=draw(st.sampled_from([0.05, 3.0, 100.0, 60_000.0])),
    )
    direction = draw(st.lists(st.sampled_from([-1, 0, 1, 1, 2]), min_size=n_bars, max_size=n_bars))
    strength = draw(
        st.none() | st.lists(st.integers(0, 1_000_000), min_size=n_bars, max_size=n_bars)
    )
    lowest = Decimal(str(candles["low"].min()))
    fitting = [grid for grid in GRIDS if grid.tick_size <= lowest]
    return candles, direction, strength, draw(st.sampled_from(fitting)), draw(_settings())


@st.composite
def _settings(draw: st.DrawFn) -> BacktestSettings:
    def parts(most: int) -> st.SearchStrategy[Decimal]:
        return st.integers(0, most).map(lambda ppm: Decimal(ppm) / 1_000_000)

    return BacktestSettings(
        initial_balance=draw(st.sampled_from([50, 10_000, Decimal("123456.78")])),
        position_fraction=draw(st.sampled_from([Decimal(1), Decimal("0.1"), Decimal("0.999999")])),
        stop_loss=draw(parts(300_000)),
        take_profit=draw(parts(1_500_000)),
        costs=Costs(
            Decimal(draw(st.integers(0, 20_000))) / 100, Decimal(draw(st.integers(0, 20_000))) / 100
        ),
        allow_short=draw(st.booleans()),
    )


def _trades(result: BacktestResult, raw: IntArray) -> list[tuple[object, ...]]:
    grid, unit = result.instrument, quote_unit(result.instrument)
    return [
        (
            entry_bar,
            exit_bar,
            position,
            lots * grid.lot_size,
            entry * grid.tick_size,
            exit_ * grid.tick_size,
            fees * unit,
            pnl * unit,
            engine.EXIT_REASONS[reason],
        )
        for entry_bar, exit_bar, position, lots, entry, exit_, fees, pnl, reason in raw.tolist()
    ]


@settings(deadline=None, max_examples=200)
@given(_runs())
def test_engine_equals_the_decimal_engine_exactly(run: tuple[object, ...]) -> None:
    candles, direction, strength, instrument, rules = run
    directions = np.array(direction, dtype=np.int8)
    sizes = None if strength is None else np.array(strength) / 1_000_000
    result = run_backtest(candles, directions, sizes, instrument, rules)
    expected, account = decimal_backtest(
        candles,
        direction,
        None if strength is None else [Decimal(size) / 1_000_000 for size in strength],
        result.instrument,
        rules,
    )
    unit = quote_unit(result.instrument)
    assert [units * unit for units in result.equity_units.tolist()] == expected
    assert result.skipped_entries == account.skipped

    bars = engine._bars(candles, directions, sizes, result.instrument)
    _, raw, _, _ = kernel.simulate(bars, engine._rules(result.instrument, rules))
    assert _trades(result, raw) == account.trades
    assert len(result.trades) == len(account.trades)


def _kernel_inputs(run: tuple[object, ...]) -> tuple[kernel.Bars, kernel.Rules]:
    candles, direction, _, instrument, rules = run
    grid = with_room(instrument, float(candles["close"].median()), rules.initial_balance)
    bars = engine._bars(candles, np.array(direction, dtype=np.int8), None, grid)
    return bars, engine._rules(grid, rules)


@settings(deadline=None, max_examples=60)
@given(_runs())
def test_the_kernel_gives_the_same_without_being_compiled(run: tuple[object, ...]) -> None:
    bars, rules = _kernel_inputs(run)
    compiled = kernel.simulate(bars, rules)
    plain = kernel.simulate.py_func(bars, rules)
    for left, right in zip(compiled, plain, strict=True):
        np.testing.assert_array_equal(left, right)


@settings(deadline=None, max_examples=100)
@given(_runs())
def test_profits_of_the_trades_add_up_to_the_equity(run: tuple[object, ...]) -> None:
    bars, rules = _kernel_inputs(run)
    equity, trades, _, _ = kernel.simulate(bars, rules)
    assert equity[-1] - rules.initial_units == trades[:, 7].sum()


@settings(deadline=None, max_examples=100)
@given(_runs(), st.integers(1, 39))
def test_equity_before_a_bar_does_not_depend_on_what_follows(
    run: tuple[object, ...], cut: int
) -> None:
    candles, direction, _, instrument, rules = run
    n_kept = min(cut, len(candles))
    whole = run_backtest(candles, np.array(direction, dtype=np.int8), None, instrument, rules)
    head = run_backtest(
        candles.head(n_kept), np.array(direction[:n_kept], dtype=np.int8), None, instrument, rules
    )
    # The grid may be chosen from the typical price; the last bar carries the closing trade.
    if whole.instrument == head.instrument:
        assert head.equity_units[:-1].tolist() == whole.equity_units[: n_kept - 1].tolist()


@pytest.mark.parametrize("n_bars", [1000, 5000])
def test_many_trades_survive_the_growth_of_the_trade_table(n_bars: int) -> None:
    candles = make_candles(n_bars)
    direction = np.tile(np.array([1, 0], dtype=np.int8), n_bars // 2)
    result = run_backtest(candles, direction, None, GRIDS[0], BacktestSettings(stop_loss=None))
    expected, account = decimal_backtest(
        candles, direction.tolist(), None, GRIDS[0], BacktestSettings(stop_loss=None)
    )
    assert len(result.trades) == len(account.trades) == n_bars // 2 - 1 + 1
    assert result.equity_units[-1] * quote_unit(GRIDS[0]) == expected[-1]


def test_the_kernel_was_compiled_from_the_matching_code_of_today() -> None:
    candles = make_candles(3)
    bars = engine._bars(candles, np.ones(3, dtype=np.int8), None, GRIDS[0])
    assert kernel.simulate(bars, engine._rules(GRIDS[0], BacktestSettings()))[3] == kernel.REVISION
