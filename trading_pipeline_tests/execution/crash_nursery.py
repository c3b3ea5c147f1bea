"""Runs the order path in processes that die: one interpreter that forks a child per case.

Reads jobs as JSON lines from standard input and answers each with one line. Started as a process
of its own, because forking a test runner with threads is not safe.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

from sqlalchemy.engine import Engine

from trading_pipeline.adapters.storage.ledger import Ledger
from trading_pipeline.adapters.storage.ledger_engine import open_engine
from trading_pipeline.core.errors import VenueUnavailableError
from trading_pipeline.core.orders import Fill, OrderRequest, OrderStatus, Side
from trading_pipeline.execution.crash_points import CrashHook, CrashPoint, survive
from trading_pipeline.execution.execute import execute_pending
from trading_pipeline.execution.order import BrokerAnswer
from trading_pipeline.execution.paper import PaperBroker
from trading_pipeline.execution.ports import Broker
from trading_pipeline.execution.valuation import take_snapshot
from trading_pipeline.matching.costs import Costs
from trading_pipeline.risk.limits import RiskLimits
from trading_pipeline.signals.signal import SignalStatus
from trading_pipeline_tests.trading_builders import (
    BTC,
    ETH,
    INSTRUMENTS,
    NOW,
    PAPER,
    Prices,
    SettableClock,
    d,
    make_signal,
)

PRICES = {BTC: d(60_000), ETH: d(2_500)}
LONG = make_signal(1)
SILENT = make_signal(0, ETH, price="2500", status=SignalStatus.ABSTAINED)
HORIZON = timedelta(seconds=20)


@dataclass(frozen=True)
class Job:
    """One case: a database, a venue with one fault, and where to die."""

    url: str
    venue_file: str
    fault: str
    point: str = ""
    signal: int = int(signal.SIGKILL)
    path: str = "ledger"
    processes: int = 1


class VenueInAFile:
    """A venue that outlives its clients; an id sent twice fills twice, as at real venues."""

    venue = "sim"
    proof_horizon = HORIZON

    def __init__(self, path: Path, fault: str) -> None:
        self._path = path
        self._fault = fault

    def place(self, request: OrderRequest, *, sent_at: datetime) -> BrokerAnswer:
        if self._fault == "slow":
            time.sleep(0.03)
        is_first = not self.executed()
        if self._fault == "lost_before" and self._is_first_contact():
            raise VenueUnavailableError("connection reset")
        share = 2 if self._fault == "partial" and is_first else 1
        fill = self._execute(request, request.quantity / share, sent_at)
        if self._fault == "lost_after" and is_first:
            raise VenueUnavailableError("502 after execution")
        status = OrderStatus.FILLED if share == 1 else OrderStatus.PARTIAL
        return BrokerAnswer(status, (fill, fill) if self._fault == "duplicate" else (fill,))

    def find(self, request: OrderRequest, *, sent_at: datetime) -> BrokerAnswer | None:
        own = self._of(request)
        filled = sum((fill.quantity for fill in own), Decimal(0))
        if own and filled < request.quantity:
            self._execute(request, request.quantity - filled, sent_at)
        own = self._of(request)
        return BrokerAnswer(OrderStatus.FILLED, own) if own else None

    def executed(self) -> tuple[Fill, ...]:
        if not self._path.exists():
            return ()
        return tuple(_fill(json.loads(line)) for line in self._path.read_text().splitlines())

    def _of(self, request: OrderRequest) -> tuple[Fill, ...]:
        return tuple(
            fill for fill in self.executed() if fill.client_order_id == request.client_order_id
        )

    def _is_first_contact(self) -> bool:
        mark = self._path.with_suffix(".contacted")
        seen = mark.exists()
        mark.touch()
        return not seen

    def _execute(self, request: OrderRequest, quantity: Decimal, at: datetime) -> Fill:
        fill = Fill(
            trade_id=f"{os.getpid()}-{time.monotonic_ns()}",
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            quantity=quantity,
            price=request.reference_price,
            fee=quantity * request.reference_price / 1000,
            executed_at=at,
        )
        row = {key: str(value) for key, value in asdict(fill).items() if key != "symbol"}
        with self._path.open("a") as handle:
            handle.write(json.dumps(row | {"side": fill.side.value}) + "\n")
        return fill


def broker_of(job: Job) -> Broker:
    if job.fault == "paper":
        return PaperBroker(Costs(), INSTRUMENTS)
    return VenueInAFile(Path(job.venue_file), job.fault)


@cache
def engine_of(url: str) -> Engine:
    """Return one engine per database, whose compiled statements the children inherit.

    Connections are never inherited: the parent closes all of its own.
    """
    return open_engine(url)


def act(job: Job, clock: SettableClock, hook: CrashHook = survive) -> None:
    """Do what the candle job and the executor do for one candle."""
    quotes = Prices(PRICES)
    with Ledger(engine_of(job.url), hook) as ledger:
        ledger.open_account(PAPER, "USDT", d(10_000), NOW)
        ledger.insert_signal(LONG)
        ledger.insert_signal(SILENT)
        hook(CrashPoint.SIGNAL_WRITTEN)
        execute_pending(
            PAPER,
            ledger,
            broker_of(job),
            quotes,
            RiskLimits(),
            clock,
            INSTRUMENTS,
            crash_point=hook,
        )
        take_snapshot(PAPER, ledger, quotes, clock, crash_point=hook)


def act_until_done(job: Job, start: datetime, hook: CrashHook = survive) -> None:
    """Act at the close, and three times after the proof horizon, as a sensor would."""
    clock = SettableClock(start)
    for _ in range(4):
        act(job, clock, hook)
        clock.instant += timedelta(seconds=25)


def naive_until_done(job: Job, start: datetime, hook: CrashHook = survive) -> None:
    """Do what most bots do: send, write down what came back, and try again if it failed."""
    venue = VenueInAFile(Path(job.venue_file), job.fault)
    done = Path(job.venue_file).with_suffix(".done")
    request = OrderRequest("tp-naive", BTC, Side.BUY, d("0.01"), PRICES[BTC])
    for _ in range(4):
        if done.exists():
            return
        hook(CrashPoint.BEFORE_INTENT)
        try:
            venue.place(request, sent_at=start)
        except VenueUnavailableError:
            continue
        hook(CrashPoint.AFTER_ANSWER)
        done.touch()


def act_once(job: Job, start: datetime, hook: CrashHook = survive) -> None:
    """Act at the close only: while others are sending, the proof horizon has not passed."""
    act(job, SettableClock(start), hook)


_PATHS: dict[str, Callable[[Job, datetime, CrashHook], None]] = {
    "ledger": act_until_done,
    "once": act_once,
    "naive": naive_until_done,
}


def run(job: Job) -> dict[str, object]:
    """Let the job's processes run or die, then recover and replay in a new one; say how."""
    if job.path == "warm":
        act_until_done(job, NOW)
        return {}
    ended = _in_children(job, [NOW], job.processes)
    job = replace(job, path="ledger" if job.path == "once" else job.path)
    again = [NOW + timedelta(seconds=seconds) for seconds in (120, 240)]
    return {"ended": ended, "recovered": _in_children(replace(job, point=""), again, 1)}


def _in_children(job: Job, starts: list[datetime], processes: int) -> list[int]:
    children = [_fork(job, starts) for _ in range(processes)]
    codes = []
    for child in children:
        _, status = os.waitpid(child, 0)
        codes.append(os.waitstatus_to_exitcode(status))
    return codes


def _fork(job: Job, starts: list[datetime]) -> int:
    child = os.fork()
    if child:
        return child

    def hook(point: CrashPoint) -> None:
        if point == job.point:
            os.kill(os.getpid(), job.signal)

    code = 1
    try:
        for start in starts:
            _PATHS[job.path](job, start, hook)
        code = 0
    finally:
        sys.stderr.flush()
        if code:
            sys.excepthook(*sys.exc_info())
        os._exit(code)


def _fill(row: dict[str, str]) -> Fill:
    return Fill(
        row["trade_id"],
        row["client_order_id"],
        BTC,
        Side(row["side"]),
        Decimal(row["quantity"]),
        Decimal(row["price"]),
        Decimal(row["fee"]),
        datetime.fromisoformat(row["executed_at"]),
    )


def main() -> None:
    warm = OrderRequest("tp-warm", BTC, Side.BUY, d("0.01"), PRICES[BTC])
    PaperBroker(Costs(), INSTRUMENTS).place(warm, sent_at=NOW)
    for line in sys.stdin:
        result = run(Job(**json.loads(line)))
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
