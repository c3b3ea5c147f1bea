"""Kill the process at every named point, under every fault: nothing doubled, nothing lost.

Each case: start, die at the point, recover and replay twice in new processes, then compare the
ledger with what the venue really executed. Cells that cannot be reached are listed with the
reason; a naive bot must fail the same matrix.
"""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from trading_pipeline.adapters.storage.ledger import Ledger, open_ledger
from trading_pipeline.core.orders import Fill, OrderStatus
from trading_pipeline.execution.crash_points import CrashPoint
from trading_pipeline.execution.order import TRANSITIONS
from trading_pipeline.risk.pre_trade import Denial
from trading_pipeline_tests.execution.crash_nursery import (
    LONG,
    PRICES,
    SILENT,
    Job,
    VenueInAFile,
    engine_of,
)
from trading_pipeline_tests.ledgers import empty_tables, postgres_schema
from trading_pipeline_tests.trading_builders import BTC, NOW, PAPER, d

_ROOT = Path(__file__).resolve().parents[2]
_POINTS = tuple(CrashPoint)
_FAULTS = ("paper", "ok", "lost_after", "lost_before", "partial", "duplicate")
_UNKNOWN_PATH = {
    CrashPoint.AFTER_UNKNOWN,
    CrashPoint.RESOLVER_FOUND,
    CrashPoint.BETWEEN_MISSES,
    CrashPoint.AFTER_NOT_PLACED,
}
_MISSES = {CrashPoint.BETWEEN_MISSES, CrashPoint.AFTER_NOT_PLACED}
_NOT_REACHED = {
    # An answer that came back leaves nothing to resolve.
    "paper": _UNKNOWN_PATH,
    "ok": _UNKNOWN_PATH,
    "duplicate": _UNKNOWN_PATH,
    # The order is known to the venue, so it is never missed; the first answer is lost.
    "lost_after": _MISSES | {CrashPoint.AFTER_ANSWER, CrashPoint.AFTER_APPLY},
    # It never arrived, so it is never found; the second attempt is answered.
    "lost_before": {CrashPoint.RESOLVER_FOUND},
    # Acknowledged at once; only the rest of it has to be asked for.
    "partial": _UNKNOWN_PATH - {CrashPoint.RESOLVER_FOUND},
}


class Nursery:
    """The process that forks the victims."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "trading_pipeline_tests.execution.crash_nursery"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, job: Job) -> dict[str, list[int]]:
        self._process.stdin.write(json.dumps(asdict(job)) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait(10) == 0


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="module")
def sqlite_url(nursery, tmp_path_factory) -> Callable[[], str]:
    """Return a function that empties the database and gives its URL."""
    folder = tmp_path_factory.mktemp("crash")
    template, path = folder / "template.db", folder / "ledger.db"
    open_ledger(f"sqlite:///{template}").close()

    def fresh() -> str:
        for leftover in folder.glob("ledger.db*"):
            leftover.unlink()
        shutil.copy(template, path)
        return f"sqlite:///{path}"

    nursery.run(Job(fresh(), str(folder / "warm"), "lost_before", path="warm"))
    return fresh


@pytest.fixture(scope="module")
def postgres_url(nursery, tmp_path_factory) -> Iterator[Callable[[], str]]:
    """Yield a function that empties the database and gives its URL."""
    with postgres_schema() as url:

        def fresh() -> str:
            empty_tables(url)
            return url

        warm = str(tmp_path_factory.mktemp("crash") / "warm")
        nursery.run(Job(url, warm, "lost_before", path="warm"))
        yield fresh


def assert_settled(job: Job) -> None:
    """Compare the ledger with the venue: one order, equal fills, equal money, equal history."""
    with Ledger(engine_of(job.url)) as ledger:
        fills = ledger.fills(PAPER)
        if job.fault != "paper":
            venue_fills = VenueInAFile(Path(job.venue_file), job.fault).executed()
            assert sorted(fills, key=str) == sorted(venue_fills, key=str)
        orders = ledger.orders(PAPER)
        filled = [order for order in orders if order.status is OrderStatus.FILLED]
        assert len(filled) == 1
        assert {order.status for order in orders} <= {OrderStatus.FILLED, OrderStatus.NOT_PLACED}
        assert {fill.client_order_id for fill in fills} == {filled[0].client_order_id}
        assert _quantity(fills) == filled[0].request.quantity == d("0.01666")
        portfolio = ledger.portfolio(PAPER)
        assert portfolio.position(BTC).quantity == d("0.01666")
        paid = sum((fill.quantity * fill.price + fill.fee for fill in fills), Decimal(0))
        assert portfolio.cash == d(10_000) - paid
        worth = ledger.snapshots(PAPER)[-1]
        assert worth.equity == portfolio.cash + d("0.01666") * PRICES[BTC]
        assert ledger.pending_signals(PAPER) == ()
        assert ledger.signal(LONG.signal_id) == LONG
        assert ledger.denial(SILENT.signal_id).denied.reason is Denial.ABSTAINED
        for order in orders:
            steps = [event.status for event in ledger.order_events(order.client_order_id)]
            assert steps[0] is OrderStatus.INTENT
            assert all(b in TRANSITIONS[a] for a, b in pairwise(steps))


def _quantity(fills: tuple[Fill, ...]) -> Decimal:
    return sum((fill.quantity for fill in fills), Decimal(0))


def check_cell(nursery: Nursery, job: Job) -> None:
    result = nursery.run(job)
    is_reached = CrashPoint(job.point) not in _NOT_REACHED[job.fault]
    assert result == {"ended": [-job.signal if is_reached else 0], "recovered": [0]}
    assert_settled(job)


def test_every_point_is_reached_under_some_fault():
    missed = set.intersection(*(set(points) for points in _NOT_REACHED.values()))
    assert missed == set()
    assert len(_POINTS) >= 16


@pytest.mark.parametrize("fault", _FAULTS)
def test_killed_at_every_point_the_sqlite_ledger_equals_the_venue(
    nursery, sqlite_url, tmp_path, fault
):
    for point in _POINTS:
        venue = tmp_path / f"{point}.venue"
        check_cell(nursery, Job(sqlite_url(), str(venue), fault, point))


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("fault", "points"),
    [
        ("paper", set(_POINTS) - _UNKNOWN_PATH),
        ("lost_before", set(_POINTS) - {CrashPoint.RESOLVER_FOUND}),
        ("lost_after", _UNKNOWN_PATH - _MISSES),
    ],
    ids=["paper", "lost_before", "lost_after"],
)
def test_killed_at_every_point_the_postgres_ledger_equals_the_venue(
    nursery, postgres_url, tmp_path, fault, points
):
    for point in sorted(points):
        venue = tmp_path / f"{point}.venue"
        check_cell(nursery, Job(postgres_url(), str(venue), fault, point))


@pytest.mark.parametrize("point", [CrashPoint.AFTER_SENDING, CrashPoint.FILL_HALF_BOOKED])
def test_a_terminated_process_recovers_as_a_killed_one(nursery, sqlite_url, tmp_path, point):
    url, venue = sqlite_url(), str(tmp_path / "venue")
    check_cell(nursery, Job(url, venue, "ok", point, int(signal.SIGTERM)))


def test_four_executors_at_once_make_one_order_on_sqlite(nursery, sqlite_url, tmp_path):
    for number in range(3):
        job = Job(sqlite_url(), str(tmp_path / f"{number}"), "slow", path="once", processes=4)
        assert nursery.run(job) == {"ended": [0] * 4, "recovered": [0]}
        assert_settled(job)


@pytest.mark.postgres
def test_four_executors_at_once_make_one_order_on_postgres(nursery, postgres_url, tmp_path):
    for number in range(3):
        job = Job(postgres_url(), str(tmp_path / f"{number}"), "slow", path="once", processes=4)
        assert nursery.run(job) == {"ended": [0] * 4, "recovered": [0]}
        assert_settled(job)


def test_a_naive_bot_fails_the_same_matrix(nursery, tmp_path):
    executed = {}
    for fault, point in (
        ("ok", CrashPoint.AFTER_ANSWER),
        ("ok", CrashPoint.BEFORE_INTENT),
        ("lost_after", ""),
        ("lost_before", ""),
    ):
        venue = tmp_path / f"{fault}-{point}"
        nursery.run(Job("", str(venue), fault, point, path="naive"))
        executed[fault, point] = len(VenueInAFile(venue, fault).executed())
    assert executed["ok", CrashPoint.AFTER_ANSWER] == 2
    assert executed["lost_after", ""] == 2
    assert executed["ok", CrashPoint.BEFORE_INTENT] == 1
    assert executed["lost_before", ""] == 1


def test_the_decisions_of_the_matrix_are_fresh_during_all_of_it():
    assert (NOW - LONG.signal.known_at).total_seconds() < 3600 - 600
