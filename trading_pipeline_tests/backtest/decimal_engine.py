"""The backtest once more, in Decimal, bar by bar, as a careful person would do it on paper."""

from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal, localcontext

import polars as pl

from trading_pipeline.backtest.directions import HOLD
from trading_pipeline.backtest.settings import BacktestSettings
from trading_pipeline.core.instrument import Instrument
from trading_pipeline_tests.matching import decimal_rules as rules


@dataclass
class Position:
    side: int
    quantity: Decimal
    entry_bar: int
    entry_price: Decimal
    entry_fee: Decimal
    stop: Decimal | None
    target: Decimal | None
    ruin: Decimal | None


@dataclass
class Account:
    instrument: Instrument
    settings: BacktestSettings
    cash: Decimal
    position: Position | None = None
    stopped_out: int = 0
    skipped: int = 0
    trades: list[tuple[object, ...]] = field(default_factory=list)

    def enter(self, bar: int, side: int, open_: Decimal, size: Decimal) -> None:
        tick, lot = self.instrument.tick_size, self.instrument.lot_size
        costs = self.settings.costs
        fee_bps = Decimal(str(costs.taker_fee_bps))
        price = rules.fill_price(open_, side, Decimal(str(costs.slippage_bps)), tick)
        unit = tick * lot
        budget = Decimal(0)
        if self.cash > 0:
            share = Decimal(str(self.settings.position_fraction))
            budget = rules.on_grid(self.cash * share, unit, ROUND_FLOOR)
            budget = rules.on_grid(budget * size, unit, ROUND_FLOOR)
        quantity = rules.on_grid(budget / price, lot, ROUND_FLOOR)
        if side > 0:
            quantity = self._affordable(quantity, price, fee_bps)
        if quantity <= 0 or not self.instrument.is_large_enough(quantity, price):
            self.skipped += 1
            return
        fee = rules.fee(quantity * price, fee_bps, self.instrument)
        self.cash -= side * quantity * price + fee
        stop_loss = Decimal(str(self.settings.stop_loss or 0))
        take_profit = Decimal(str(self.settings.take_profit or 0))
        ruin = None
        if side < 0:
            ruin = rules.on_grid(self.cash / quantity, tick, ROUND_FLOOR)
        self.position = Position(
            side,
            quantity,
            bar,
            price,
            fee,
            rules.stop_price(price, side, stop_loss, tick),
            rules.target_price(price, side, take_profit, tick),
            ruin,
        )

    def _affordable(self, quantity: Decimal, price: Decimal, fee_bps: Decimal) -> Decimal:
        """Return the largest quantity up to ``quantity`` that cash pays together with its fee."""
        lot = self.instrument.lot_size
        fits, too_many = 0, int(quantity / lot) + 1
        while too_many - fits > 1:
            lots = (fits + too_many) // 2
            notional = lots * lot * price
            if notional + rules.fee(notional, fee_bps, self.instrument) <= self.cash:
                fits = lots
            else:
                too_many = lots
        return fits * lot

    def leave(self, bar: int, reference: Decimal, reason: str) -> None:
        held = self.position
        assert held is not None
        costs = self.settings.costs
        price = rules.fill_price(
            reference, -held.side, Decimal(str(costs.slippage_bps)), self.instrument.tick_size
        )
        fee = rules.fee(held.quantity * price, Decimal(str(costs.taker_fee_bps)), self.instrument)
        self.cash += held.side * held.quantity * price - fee
        fees = held.entry_fee + fee
        pnl = held.side * held.quantity * (price - held.entry_price) - fees
        self.trades.append(
            (
                held.entry_bar,
                bar,
                held.side,
                held.quantity,
                held.entry_price,
                price,
                fees,
                pnl,
                reason,
            )
        )
        self.position = None

    def value(self, price: Decimal) -> Decimal:
        if self.position is None:
            return self.cash
        return self.cash + self.position.side * self.position.quantity * price


def decimal_backtest(
    candles: pl.DataFrame,
    direction: list[int],
    strength: list[Decimal] | None,
    instrument: Instrument,
    settings: BacktestSettings,
) -> tuple[list[Decimal], Account]:
    with localcontext() as context:
        context.prec = rules.DIGITS
        return _run(candles, direction, strength, instrument, settings)


def _run(candles, direction, strength, instrument, settings):  # type: ignore[no-untyped-def]
    account = Account(instrument, settings, Decimal(str(settings.initial_balance)))
    equity: list[Decimal] = []
    rows = [
        tuple(instrument.round_price(row[name]) for name in ("open", "high", "low", "close"))
        for row in candles.iter_rows(named=True)
    ]
    for bar, (open_, high, low, close) in enumerate(rows):
        if bar > 0 and direction[bar - 1] != HOLD:
            size = Decimal(1) if strength is None else strength[bar - 1]
            _decide(account, bar, direction[bar - 1], open_, size)
        if account.position is not None:
            _survive(account, bar, (open_, high, low))
        equity.append(account.value(close))
    if account.position is not None:
        account.leave(len(rows) - 1, rows[-1][3], "end_of_data")
        equity[-1] = account.cash
    return equity, account


def _decide(account: Account, bar: int, wanted: int, open_: Decimal, size: Decimal) -> None:
    if wanted == -1 and not account.settings.allow_short:
        wanted = 0
    if wanted != account.stopped_out:
        account.stopped_out = 0
    if account.position is not None and account.position.side != wanted:
        account.leave(bar, open_, "signal")
    if wanted != 0 and account.position is None and account.stopped_out == 0:
        account.enter(bar, wanted, open_, size)


def _survive(account: Account, bar: int, prices: tuple[Decimal, Decimal, Decimal]) -> None:
    held = account.position
    assert held is not None
    stop, is_ruin = held.stop, False
    if held.ruin is not None and (stop is None or held.ruin < stop):
        stop, is_ruin = held.ruin, True
    event = rules.exit_inside(held.side, stop, held.target, prices)
    if event is None:
        return
    reason, reference = event
    if reason == "stop_loss" and is_ruin:
        reason = "liquidation"
    account.leave(bar, reference, reason)
    account.stopped_out = held.side
