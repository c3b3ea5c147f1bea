"""Whether anybody traded, asked of the real ccxt against an exchange on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import polars as pl
import pytest

from trading_pipeline.adapters.exchanges.ccxt_trades import CcxtTradeWitness
from trading_pipeline.adapters.exchanges.simulated.faults import (
    Fault,
    FaultPlan,
    FaultyExchange,
    failing,
    html,
    rate_limited,
    text,
)
from trading_pipeline.core.clock import FrozenClock
from trading_pipeline.core.errors import (
    MalformedReplyError,
    RateLimitedError,
    SymbolNotListedError,
    VenueError,
    VenueUnavailableError,
)
from trading_pipeline.core.instrument import Symbol
from trading_pipeline_tests.adapters.exchanges.exchange_cases import (
    BTC,
    END,
    N_HOURS,
    START,
    app_at,
    serve_in_background,
)
from trading_pipeline_tests.builders import make_candles

HOUR = timedelta(hours=1)
HOLE = (START + 50 * HOUR, START + 57 * HOUR)


@contextmanager
def witness(plan: FaultPlan | None = None) -> Iterator[CcxtTradeWitness]:
    rows = make_candles(N_HOURS, start=START)
    cut = rows.filter(~pl.col("open_time").is_between(*HOLE, closed="left"))
    app = FaultyExchange(app_at(cut, FrozenClock(END)), plan or FaultPlan())
    with serve_in_background(app) as url:
        asked = CcxtTradeWitness("binance", url, sleep=lambda _: None)
        yield asked
        asked.close()


@pytest.mark.parametrize(
    ("first", "last", "traded"),
    [
        (50, 57, False),  # the whole hole
        (52, 53, False),  # an hour inside it
        (20, 21, True),
        (49, 51, True),  # half of it was traded
        (-5, -3, None),  # nothing before
        (N_HOURS, N_HOURS + 2, None),  # nothing after
    ],
)
def test_no_trade_is_proved_only_between_two_trades(first: int, last: int, traded: bool | None):
    with witness() as asked:
        assert asked.traded(BTC, START + first * HOUR, START + last * HOUR) is traded


_NEWEST = '[{"a":1,"p":"1","q":"1","f":1,"l":1,"T":%d,"m":false,"M":true}]'


@pytest.mark.parametrize(
    "answer", [_NEWEST % (int(END.timestamp() * 1000) - 1), '[{"a":1,"p":"1","q":"1"}]']
)
def test_a_venue_that_ignores_since_or_tells_no_time_proves_nothing(answer: str):
    plan = FaultPlan()
    plan.always("aggTrades", text(answer))
    with witness(plan) as asked:
        assert asked.traded(BTC, *HOLE) is None


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (html(), MalformedReplyError),
        (text("{}"), MalformedReplyError),
        (failing(), VenueUnavailableError),
        (rate_limited("600"), RateLimitedError),
    ],
    ids=["web page", "empty object", "down", "slow down"],
)
def test_what_is_no_answer_is_no_evidence(fault: Fault, error: type[VenueError]):
    plan = FaultPlan()
    plan.always("aggTrades", fault)
    with witness(plan) as asked, pytest.raises(error):
        asked.traded(BTC, *HOLE)


def test_an_outage_is_tried_again():
    plan = FaultPlan()
    plan.script("aggTrades", [failing(), None])
    with witness(plan) as asked:
        assert asked.traded(BTC, *HOLE) is False


def test_an_unlisted_symbol_is_refused():
    with witness() as asked, pytest.raises(SymbolNotListedError):
        asked.traded(Symbol("NOSUCH", "COIN"), *HOLE)
