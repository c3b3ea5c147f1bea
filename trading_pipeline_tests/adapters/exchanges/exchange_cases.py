"""Exchanges on this machine for the tests of the ccxt source."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
from starlette.types import ASGIApp

from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource
from trading_pipeline.adapters.exchanges.request_gate import RequestGate
from trading_pipeline.adapters.exchanges.simulated.faults import FaultPlan, FaultyExchange
from trading_pipeline.adapters.exchanges.simulated.market import ReplayMarket
from trading_pipeline.adapters.exchanges.simulated.server import exchange_app
from trading_pipeline.adapters.exchanges.simulated.serving import serve_in_background
from trading_pipeline.core.clock import Clock, FrozenClock
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.builders import make_candles

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
H1 = Timeframe("1h")
START = datetime(2024, 1, 1, tzinfo=UTC)
N_HOURS = 200
END = START + timedelta(hours=N_HOURS)


def rules(symbol: Symbol) -> Instrument:
    return Instrument(symbol, Decimal("0.01"), Decimal("0.001"), Decimal("0.001"), Decimal(5))


def replay(candles: pl.DataFrame, now: datetime = END) -> ReplayMarket:
    """Return a market of BTC with ``candles`` and of ETH with others."""
    other = make_candles(N_HOURS, seed=2, start=START)
    return ReplayMarket({(BTC, H1): candles, (ETH, H1): other}, [rules(BTC), rules(ETH)], now)


@dataclass
class TrialExchange:
    """A source, the faults in front of its exchange, and the pauses that it took."""

    source: CcxtCandleSource
    plan: FaultPlan
    pauses: list[float] = field(default_factory=list)

    def read(self, start: datetime = START, end: datetime = END) -> pl.DataFrame:
        return self.source.candles(BTC, H1, start, end)


@contextmanager
def trial_exchange(
    app: ASGIApp | None = None,
    *,
    attempts: int = 3,
    timeout_s: float = 10.0,
    gate: RequestGate | None = None,
) -> Iterator[TrialExchange]:
    plan = FaultPlan()
    pauses: list[float] = []
    inner = app or exchange_app(replay(make_candles(N_HOURS, start=START)), FrozenClock(END))
    with (
        serve_in_background(FaultyExchange(inner, plan)) as url,
        CcxtCandleSource(
            "binance", url, timeout_s, attempts=attempts, sleep=pauses.append, gate=gate
        ) as source,
    ):
        yield TrialExchange(source, plan, pauses)


def app_at(candles: pl.DataFrame, clock: Clock) -> ASGIApp:
    return exchange_app(replay(candles), clock)
