"""The loop over bars, in integers; ``engine`` prepares its inputs and reads its outputs.

Order of events on bar ``t``: at the open, the signal of bar ``t - 1`` closes or opens; then the
bar's high and low are held against stop and target, also on the bar of the entry; then the
account is valued at the close. After the last bar what is open is closed at its close.
"""

import inspect
import zlib
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numba.extending import register_jitable

from trading_pipeline.core.candles import IntArray
from trading_pipeline.matching import fees, products, rates, slippage, triggers
from trading_pipeline.matching.fees import affordable_notional, fee_units
from trading_pipeline.matching.products import mul_div_floor
from trading_pipeline.matching.rates import PPM
from trading_pipeline.matching.slippage import fill_price_ticks
from trading_pipeline.matching.triggers import (
    NO_EXIT,
    NO_LEVEL,
    STOP_LOSS,
    bar_exit,
    stop_level_ticks,
    target_level_ticks,
)

LARGEST = 4 * 10**18
"""Money beyond this many quote units could overflow int64."""

SIGNAL, END_OF_DATA, LIQUIDATION = 3, 4, 5
"""Exit reasons beside ``STOP_LOSS`` and ``TAKE_PROFIT`` of matching."""

CASH, LOTS, POSITION, ENTRY_BAR, ENTRY_TICKS, ENTRY_FEE = 0, 1, 2, 3, 4, 5
STOP, TARGET, IS_LIQUIDATION, CEILING = 6, 7, 8, 9
STOPPED_OUT, N_TRADES, N_SKIPPED, N_HELD, OVERFLOWED = 10, 11, 12, 13, 14
ACCOUNT_FIELDS = 15

TRADE_FIELDS = (
    "entry_bar",
    "exit_bar",
    "position",
    "lots",
    "entry_ticks",
    "exit_ticks",
    "fees",
    "pnl",
    "reason",
)
_Outcome: TypeAlias = tuple[IntArray, IntArray, IntArray, int]
_HOLD = 2
_FIRST_CAPACITY = 256
_MOST_TRADES_PER_BAR = 3


class Bars(NamedTuple):
    """Bars in ticks with what was decided at their closes, arrays of shape (n_bars,)."""

    open: IntArray
    high: IntArray
    low: IntArray
    close: IntArray
    direction: IntArray
    size_ppm: IntArray


class Rules(NamedTuple):
    """Settings in quote units, lots and parts per million."""

    initial_units: int
    fraction_ppm: int
    stop_ppm: int
    target_ppm: int
    fee_ppm: int
    slippage_ppm: int
    min_lots: int
    min_notional_units: int
    allow_short: int


@register_jitable
def _enter(account: IntArray, bar: int, side: int, open_: int, size_ppm: int, rules: Rules) -> None:
    cash = account[CASH]
    if cash > LARGEST:
        account[OVERFLOWED] = 1
        return
    price = fill_price_ticks(open_, side, rules.slippage_ppm)
    budget = mul_div_floor(mul_div_floor(max(cash, 0), rules.fraction_ppm, PPM), size_ppm, PPM)
    if side > 0:
        budget = min(budget, affordable_notional(max(cash, 0), rules.fee_ppm))
    lots = budget // price
    notional = lots * price
    if lots < rules.min_lots or notional < rules.min_notional_units:
        account[N_SKIPPED] += 1
        return
    fee = fee_units(notional, rules.fee_ppm)
    account[CASH] = cash - side * notional - fee
    account[LOTS] = lots
    account[POSITION] = side
    account[ENTRY_BAR] = bar
    account[ENTRY_TICKS] = price
    account[ENTRY_FEE] = fee
    account[STOP] = stop_level_ticks(price, side, rules.stop_ppm)
    account[TARGET] = target_level_ticks(price, side, rules.target_ppm)
    account[CEILING] = LARGEST // lots
    account[IS_LIQUIDATION] = 0
    if side < 0:
        # Beyond this price the short owes more than the account holds.
        ruin = account[CASH] // lots
        if account[STOP] == NO_LEVEL or ruin < account[STOP]:
            account[STOP] = ruin
            account[IS_LIQUIDATION] = 1


@register_jitable
def _leave(
    account: IntArray, trades: IntArray, bar: int, reference: int, reason: int, rules: Rules
) -> None:
    side, lots = account[POSITION], account[LOTS]
    price = fill_price_ticks(reference, -side, rules.slippage_ppm)
    fee = fee_units(lots * price, rules.fee_ppm)
    account[CASH] += side * lots * price - fee
    trade = trades[account[N_TRADES]]
    trade[0] = account[ENTRY_BAR]
    trade[1] = bar
    trade[2] = side
    trade[3] = lots
    trade[4] = account[ENTRY_TICKS]
    trade[5] = price
    trade[6] = account[ENTRY_FEE] + fee
    trade[7] = side * lots * (price - account[ENTRY_TICKS]) - trade[6]
    trade[8] = reason
    account[N_TRADES] += 1
    account[LOTS] = 0
    account[POSITION] = 0


@register_jitable
def _asks_for_action(account: IntArray, direction: int) -> bool:
    if direction == _HOLD:
        return False
    stopped_out = account[STOPPED_OUT]
    return bool(direction != (stopped_out if stopped_out != 0 else account[POSITION]))


@register_jitable
def _follow_signal(
    account: IntArray,
    trades: IntArray,
    bar: int,
    direction: int,
    size_ppm: int,
    open_: int,
    rules: Rules,
) -> None:
    side = 0 if direction < 0 and rules.allow_short == 0 else direction
    if side != account[STOPPED_OUT]:
        account[STOPPED_OUT] = 0
    if account[POSITION] != 0 and side != account[POSITION]:
        _leave(account, trades, bar, open_, SIGNAL, rules)
    if side != 0 and account[POSITION] == 0 and account[STOPPED_OUT] == 0:
        _enter(account, bar, side, open_, size_ppm, rules)


@register_jitable
def _stop_out(
    account: IntArray, trades: IntArray, bar: int, reference: int, kind: int, rules: Rules
) -> None:
    side = account[POSITION]
    if kind == STOP_LOSS and account[IS_LIQUIDATION] == 1:
        kind = LIQUIDATION
    _leave(account, trades, bar, reference, kind, rules)
    account[STOPPED_OUT] = side


@register_jitable
def _twice_as_long(trades: IntArray) -> IntArray:
    larger = np.empty((2 * len(trades), trades.shape[1]), np.int64)
    larger[: len(trades)] = trades
    return larger


def _build(revision: int) -> Callable[[Bars, Rules], _Outcome]:
    @njit(cache=True)
    def simulate(bars: Bars, rules: Rules) -> _Outcome:
        # Loose arrays and scalars: handing the tuple on would count six references per call.
        open_, high, low, close, direction, size_ppm = bars
        n_bars = len(open_)
        equity = np.empty(n_bars, np.int64)
        trades = np.empty((_FIRST_CAPACITY, 9), np.int64)
        account = np.zeros(ACCOUNT_FIELDS, np.int64)
        account[CASH] = rules.initial_units
        for bar in range(n_bars):
            if account[N_TRADES] + _MOST_TRADES_PER_BAR > len(trades):
                trades = _twice_as_long(trades)
            if bar > 0 and _asks_for_action(account, direction[bar - 1]):
                decided, size = direction[bar - 1], size_ppm[bar - 1]
                _follow_signal(account, trades, bar, decided, size, open_[bar], rules)
            position = account[POSITION]
            if position != 0:
                if high[bar] > account[CEILING]:
                    account[OVERFLOWED] = 1
                    break
                kind, reference = bar_exit(
                    position, account[STOP], account[TARGET], open_[bar], high[bar], low[bar]
                )
                if kind != NO_EXIT:
                    _stop_out(account, trades, bar, reference, kind, rules)
                account[N_HELD] += account[POSITION] != 0
            equity[bar] = account[CASH] + account[POSITION] * account[LOTS] * close[bar]
        if account[POSITION] != 0 and account[OVERFLOWED] == 0:
            _leave(account, trades, n_bars - 1, close[n_bars - 1], END_OF_DATA, rules)
            equity[n_bars - 1] = account[CASH]
        return equity, trades[: account[N_TRADES]], account, revision

    return simulate


# Numba's cache on disk looks at this file only. What it does look at besides are the variables
# that the function closes over, so the text of the inlined modules goes in as one of them.
_MODULES = (fees, products, rates, slippage, triggers)
REVISION = zlib.crc32("".join(inspect.getsource(module) for module in _MODULES).encode())
simulate = _build(REVISION)
