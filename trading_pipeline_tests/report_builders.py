"""Builders of reports: complete, seeded, and as small or large as a test wants them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np

from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.orders import Fill, OrderStatus, Side
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.reporting.curves import monthly_returns
from trading_pipeline.reporting.daily import (
    DailyReport,
    DenialRow,
    EquityHistory,
    FreshnessRow,
    OrderRow,
    PortfolioLine,
    PositionRow,
    SymbolLine,
)
from trading_pipeline.reporting.quality import DataQuality, GapRow, QualityRow
from trading_pipeline.reporting.report import (
    Assumptions,
    BacktestReport,
    EquityCurve,
    LineageEntry,
    SourceLine,
    Trade,
    TradeStatistics,
)
from trading_pipeline.reporting.verdict import Fold, Performance, verdict
from trading_pipeline.signals.signal import Signal, SignalStatus, Vote

BTC = Symbol("BTC", "USDT")
ETH = Symbol("ETH", "USDT")
START = datetime(2023, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def make_curve(n_bars: int, *, seed: int = 3, volatility: float = 0.004) -> EquityCurve:
    """Return ``n_bars`` hourly bars from 2023 on."""
    steps = np.random.default_rng(seed).standard_normal((2, n_bars)) * [
        [volatility / 3],
        [volatility],
    ]
    strategy, buy_hold = 10_000 * np.exp(np.cumsum(steps, axis=1))
    first = int(START.timestamp()) * 1_000_000
    return EquityCurve(first + np.arange(n_bars) * 3_600_000_000, strategy, buy_hold)


def make_trade(i: int = 0, *, return_: float = 0.01, exit_reason: str = "signal") -> Trade:
    """Return the ``i``-th trade: 0.1 BTC, ten hours, one trade per day."""
    entry = START + timedelta(days=i)
    return Trade(
        entry_time=entry,
        exit_time=entry + 10 * HOUR,
        side="long",
        quantity=0.1,
        entry_price=20_000.0,
        exit_price=20_000.0 * (1 + return_),
        fees=4.0,
        pnl=2_000.0 * return_,
        return_=return_,
        exit_reason=exit_reason,
    )


def make_folds(n: int, *, lead: float = 0.01) -> tuple[Fold, ...]:
    """Return ``n`` monthly folds with a base rate of 0.40 and an accuracy ``lead`` above it."""
    return tuple(
        Fold(
            Month(2024, 1).shift(i),
            8_000,
            720,
            0.40 + lead,
            0.40,
            log_loss=1.05,
            base_log_loss=1.06,
        )
        for i in range(n)
    )


def make_quality(n_months: int) -> DataQuality:
    """Return months from 2023-01 on; the second has a listed halt and an unexplained gap."""
    first = Month.of(START)
    rows = [QualityRow(first.shift(i), 720, 720, 0, 0, 0) for i in range(n_months)]
    if n_months < 2:
        return DataQuality(tuple(rows))
    rows[1] = QualityRow(first.shift(1), 720, 716, 3, 1, 2)
    halt = first.shift(1).start + 50 * HOUR
    gaps = (
        GapRow(halt, halt + 3 * HOUR, 3, "listed halt", is_explained=True),
        GapRow(halt + 90 * HOUR, halt + 91 * HOUR, 1, "unexplained", is_explained=False),
    )
    return DataQuality(tuple(rows), gaps, {"exact_duplicate": 1, "high_below_low": 1})


def make_backtest_report(
    *,
    n_bars: int = 2_000,
    n_trades: int = 40,
    n_folds: int = 3,
    is_simulated: bool = True,
    title: str = "Walk-forward backtest",
    venue_label: str = "simulated exchange",
    strategy: Performance | None = None,
    notes: tuple[str, ...] = (),
) -> BacktestReport:
    """Return a report whose parts agree in kind, not in value: it tests pages, not performance."""
    curve = make_curve(n_bars)
    draws = np.random.default_rng(5).normal(0.001, 0.02, n_trades)
    reasons = ("signal", "stop_loss", "take_profit")
    trades = tuple(
        make_trade(i, return_=float(draw), exit_reason=reasons[i % 3])
        for i, draw in enumerate(draws)
    )
    own = strategy or Performance(
        total_return=0.031,
        annual_return=0.12,
        volatility=0.08,
        sharpe=0.9,
        sortino=1.2,
        max_drawdown=-0.05,
        max_drawdown_duration=timedelta(days=31, hours=4),
        exposure=0.21,
        final_equity=10_310.0,
    )
    held = Performance(0.25, 0.9, 0.55, 1.4, 2.0, -0.2, timedelta(days=40), 1.0, 12_500.0)
    folds = make_folds(n_folds)
    end = START + n_bars * HOUR
    n_months = len(monthly_returns(curve))
    return BacktestReport(
        title=title,
        symbol=BTC,
        timeframe=Timeframe("1h"),
        venue_label=venue_label,
        is_simulated=is_simulated,
        start=START,
        end=end,
        as_of=end + timedelta(seconds=5),
        strategy=own,
        buy_hold=held,
        curve=curve,
        monthly=monthly_returns(curve),
        trades=trades,
        trade_statistics=TradeStatistics(
            n_trades=n_trades,
            win_rate=0.55 if n_trades else None,
            profit_factor=1.2 if n_trades else None,
            total_fees=4.0 * n_trades,
        ),
        folds=folds,
        quality=make_quality(n_months),
        assumptions=Assumptions(
            initial_balance=10_000.0,
            taker_fee_bps=10.0,
            slippage_bps=5.0,
            fill_rule="A signal at the close of a bar is filled at the open of the next one.",
            sizing="10% of equity per position, rounded down to the lot.",
            stop_loss=0.02,
            take_profit=0.04,
            notes=notes,
        ),
        verdict=verdict(
            own,
            held,
            folds,
            n_trades,
            period=end - START,
            label_horizon=24,
            is_simulated=is_simulated,
        ),
        lineage=(
            LineageEntry("candles", "a" * 64),
            LineageEntry("model", "xgboost 2024-03 7f3c"),
        ),
        comparison=(
            SourceLine("rsi", Performance(0.02, sharpe=0.4, max_drawdown=-0.03), 21),
            SourceLine("forecast", Performance(None), 0),
        ),
    )


def make_vote(source: str = "rsi", *, reason: str = "oversold") -> Vote:
    """Return an active vote to be long."""
    return Vote(source, 1, 0.6, SignalStatus.ACTIVE, reason)


def make_daily_report(
    *, is_simulated: bool = True, detail: str = "signal is 3 h old", is_stale: bool = False
) -> DailyReport:
    """Return a day with one order, one fill, one denial and one signal."""
    noon = datetime(2024, 3, 5, 12, 0, 10, tzinfo=UTC)
    history = make_curve(400)
    age = timedelta(hours=5 if is_stale else 0, minutes=12)
    return DailyReport(
        date=date(2024, 3, 5),
        account="paper",
        mode="paper",
        venue_label="simulated exchange",
        is_simulated=is_simulated,
        as_of=noon + 12 * HOUR,
        quote="USDT",
        portfolio=PortfolioLine(
            equity=Decimal("10031.52"),
            cash=Decimal("9031.52"),
            realised_pnl=Decimal("25.20"),
            unrealised_pnl=Decimal("-6.32"),
            fees=Decimal("1.01"),
            day_pnl=Decimal("-6.32"),
            day_return=-0.00063,
        ),
        positions=(
            PositionRow(
                BTC,
                Decimal("0.015"),
                Decimal("67000.10"),
                Decimal("66578.77"),
                Decimal("998.68"),
                Decimal("-6.32"),
                0.0996,
            ),
        ),
        orders=(
            OrderRow(
                noon,
                BTC,
                Side.BUY,
                OrderStatus.FILLED,
                Decimal("0.015"),
                Decimal("66966.60"),
                "tp0123456789abcdef0123456789ab",
            ),
        ),
        fills=(
            Fill(
                "paper-0123456789abcdef",
                "tp0123456789abcdef0123456789ab",
                BTC,
                Side.BUY,
                Decimal("0.015"),
                Decimal("67000.10"),
                Decimal("1.0050015"),
                noon,
            ),
        ),
        denials=(DenialRow(noon, ETH, "STALE_SIGNAL", detail),),
        signals=(
            Signal(
                "BTC-USDT",
                "1h",
                noon - HOUR,
                1,
                0.45,
                SignalStatus.ACTIVE,
                "score 0.45 above 0.20",
                noon,
                (
                    make_vote(),
                    Vote("forecast", 0, 0.0, SignalStatus.ABSTAINED, "warm-up"),
                ),
            ),
        ),
        freshness=(FreshnessRow(BTC, "1h", noon + 11 * HOUR, age, HOUR),),
        symbols=(SymbolLine(BTC, "Bought 0.015 on a long signal of 0.45."),),
        history=EquityHistory(history.time_us, history.strategy),
    )
