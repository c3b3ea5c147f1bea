"""A venue with an archive on this machine, for the tests of the sources over it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from trading_pipeline.adapters.exchanges.archive import (
    ArchiveHistory,
    ArchiveReader,
    LayeredCandleSource,
)
from trading_pipeline.adapters.exchanges.archive.paths import ArchiveFile
from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource
from trading_pipeline.adapters.exchanges.request_gate import RequestGate
from trading_pipeline.adapters.exchanges.simulated.archive import ArchiveShelf, archive_app
from trading_pipeline.adapters.exchanges.simulated.faults import FaultPlan, FaultyExchange
from trading_pipeline.adapters.exchanges.simulated.market import ReplayMarket
from trading_pipeline.adapters.exchanges.simulated.server import exchange_app
from trading_pipeline.adapters.exchanges.simulated.serving import serve_in_background
from trading_pipeline.adapters.exchanges.web import WebReader
from trading_pipeline.core.clock import FrozenClock
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.adapters.exchanges.exchange_cases import BTC, ETH, rules
from trading_pipeline_tests.builders import make_candles

M1 = Timeframe("1m")
START = datetime(2024, 12, 1, tzinfo=UTC)
NOW = datetime(2025, 2, 4, 3, 17, 30, tzinfo=UTC)
"""Two months have their monthly file, three days of the third their daily one."""

DECEMBER, JANUARY, FEBRUARY = Month(2024, 12), Month(2025, 1), Month(2025, 2)
N_MINUTES = (NOW - START) // M1.duration
TRUTH = make_candles(N_MINUTES, start=START, timeframe="1m", volatility=0.0005)


def monthly(month: Month, symbol=BTC, timeframe=M1) -> ArchiveFile:
    return ArchiveFile(symbol, timeframe, month)


@dataclass
class TrialArchive:
    """A layered source, the archive alone, and the faults in front of both servers."""

    source: LayeredCandleSource
    history: ArchiveHistory
    reader: ArchiveReader
    plan: FaultPlan
    rest_plan: FaultPlan
    pauses: list[float]

    def read(self, start: datetime, end: datetime, timeframe: Timeframe = M1) -> pl.DataFrame:
        return self.source.candles(BTC, timeframe, start, end)

    def clear(self) -> None:
        self.plan.clear()
        self.rest_plan.clear()
        self.pauses.clear()


@contextmanager
def trial_archive(
    candles: pl.DataFrame = TRUTH,
    now: datetime = NOW,
    *,
    header: bool = False,
    timeout_s: float = 10.0,
    listed_at_rest: bool = True,
) -> Iterator[TrialArchive]:
    clock = FrozenClock(now)
    other = make_candles(3, seed=2, start=START, timeframe="1m")
    market = ReplayMarket({(BTC, M1): candles, (ETH, M1): other}, [rules(BTC), rules(ETH)], now)
    at_rest = market if listed_at_rest else ReplayMarket({(ETH, M1): other}, [rules(ETH)], now)
    plan, rest_plan, pauses = FaultPlan(), FaultPlan(), []
    shelf = ArchiveShelf(market, clock, header=header)
    with (
        serve_in_background(FaultyExchange(archive_app(shelf), plan)) as url,
        serve_in_background(FaultyExchange(exchange_app(at_rest, clock), rest_plan)) as rest_url,
    ):
        impatient = RequestGate("the archive", longest_wait_s=0.0)
        web = WebReader(
            "the archive", url, timeout_s=timeout_s, gate=impatient, sleep=pauses.append
        )
        reader = ArchiveReader(web)
        rest = CcxtCandleSource("binance", rest_url, sleep=pauses.append)
        with LayeredCandleSource(rest, reader) as source:
            history = ArchiveHistory(reader, clock)
            yield TrialArchive(source, history, reader, plan, rest_plan, pauses)


def within(start: datetime, end: datetime, candles: pl.DataFrame = TRUTH) -> pl.DataFrame:
    opens = pl.col("open_time")
    return candles.filter((opens >= start) & (opens < end) & (opens + M1.duration <= NOW))


def a_day(number: int, month: int = 2, year: int = 2025) -> datetime:
    return datetime(year, month, number, tzinfo=UTC)


DAY = timedelta(days=1)
