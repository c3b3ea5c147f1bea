"""Kernels against the Decimal rules, compiled and plain, and against bars worked by hand."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from trading_pipeline.matching.slippage import fill_price_ticks
from trading_pipeline.matching.triggers import (
    NO_EXIT,
    NO_LEVEL,
    STOP_LOSS,
    TAKE_PROFIT,
    bar_exit,
    stop_level_ticks,
    target_level_ticks,
)
from trading_pipeline_tests.matching import decimal_rules

TICK = Decimal("0.01")
NAMES = {STOP_LOSS: "stop_loss", TAKE_PROFIT: "take_profit"}
ticks = st.integers(1, 10**12)
sides = st.sampled_from([1, -1])


@njit
def _compiled_fill(reference: int, side: int, ppm: int) -> int:
    return fill_price_ticks(reference, side, ppm)


@njit
def _compiled_levels(entry: int, side: int, stop: int, target: int) -> tuple[int, int]:
    return stop_level_ticks(entry, side, stop), target_level_ticks(entry, side, target)


@njit
def _compiled_exit(
    side: int, stop: int, target: int, open_: int, high: int, low: int
) -> tuple[int, int]:
    return bar_exit(side, stop, target, open_, high, low)


@settings(deadline=None)
@given(ticks, sides, st.integers(0, 999_999))
def test_fill_price_equals_the_decimal_rule(reference: int, side: int, ppm: int) -> None:
    bps = Decimal(ppm) / 100
    expected = decimal_rules.fill_price(reference * TICK, side, bps, TICK) / TICK
    assert fill_price_ticks(reference, side, ppm) == expected
    assert _compiled_fill(reference, side, ppm) == expected


@pytest.mark.parametrize(
    ("reference", "side", "expected"),
    [
        (10_000, 1, 10_005),
        (10_000, -1, 9_995),
        (10_001, 1, 10_007),
        (10_001, -1, 9_995),
        (1, -1, 1),
    ],
)
def test_five_basis_points_by_hand(reference: int, side: int, expected: int) -> None:
    assert fill_price_ticks(reference, side, 500) == expected


@settings(deadline=None)
@given(ticks, sides, st.integers(0, 999_999), st.integers(0, 3_000_000))
def test_levels_equal_the_decimal_rule(entry: int, side: int, stop: int, target: int) -> None:
    price = entry * TICK
    expected = tuple(
        NO_LEVEL if level is None else int(level / TICK)
        for level in (
            decimal_rules.stop_price(price, side, Decimal(stop) / 1_000_000, TICK),
            decimal_rules.target_price(price, side, Decimal(target) / 1_000_000, TICK),
        )
    )
    plain = (stop_level_ticks(entry, side, stop), target_level_ticks(entry, side, target))
    assert plain == expected
    assert _compiled_levels(entry, side, stop, target) == expected


def test_levels_by_hand_round_away_from_the_entry() -> None:
    assert stop_level_ticks(10_001, 1, 20_000) == 9_800  # 9800.98
    assert target_level_ticks(10_001, 1, 40_000) == 10_402  # 10401.04
    assert stop_level_ticks(10_001, -1, 20_000) == 10_202  # 10201.02
    assert target_level_ticks(10_001, -1, 40_000) == 9_600  # 9600.96


@st.composite
def _bars(draw: st.DrawFn) -> tuple[int, int, int]:
    low, high = sorted(draw(st.lists(st.integers(1, 60), min_size=2, max_size=2)))
    return draw(st.integers(low, high)), high, low


@settings(deadline=None)
@given(sides, st.integers(0, 60), st.integers(0, 60), _bars())
def test_bar_exit_equals_the_decimal_rule(
    side: int, stop: int, target: int, bar: tuple[int, int, int]
) -> None:
    expected = decimal_rules.exit_inside(
        side,
        stop * TICK if stop else None,
        target * TICK if target else None,
        (bar[0] * TICK, bar[1] * TICK, bar[2] * TICK),
    )
    kind, reference = bar_exit(side, stop, target, *bar)
    got = None if kind == NO_EXIT else (NAMES[kind], reference * TICK)
    assert got == expected
    assert _compiled_exit(side, stop, target, *bar) == (kind, reference)


@pytest.mark.parametrize(
    ("case", "side", "bar", "expected"),
    [
        ("nothing reached", 1, (100, 103, 99), (NO_EXIT, 0)),
        ("stop touched", 1, (100, 101, 98), (STOP_LOSS, 98)),
        ("target touched", 1, (100, 104, 99), (TAKE_PROFIT, 104)),
        ("both reached counts as a loss", 1, (100, 110, 90), (STOP_LOSS, 98)),
        ("gap below the stop fills at the open", 1, (95, 110, 94), (STOP_LOSS, 95)),
        ("gap above the target fills at the target", 1, (108, 109, 107), (TAKE_PROFIT, 104)),
        ("short stop touched", -1, (100, 104, 99), (STOP_LOSS, 104)),
        ("short target touched", -1, (100, 101, 98), (TAKE_PROFIT, 98)),
        ("short gap above the stop fills at the open", -1, (107, 108, 90), (STOP_LOSS, 107)),
        ("short both reached counts as a loss", -1, (100, 110, 90), (STOP_LOSS, 104)),
    ],
)
def test_bars_by_hand(
    case: str, side: int, bar: tuple[int, int, int], expected: tuple[int, int]
) -> None:
    stop, target = (98, 104) if side > 0 else (104, 98)
    assert bar_exit(side, stop, target, *bar) == expected, case
