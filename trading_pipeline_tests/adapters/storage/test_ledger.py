"""The SQL ledger keeps the promises of an execution store, on SQLite and on PostgreSQL."""

import shutil

import pytest

from trading_pipeline.adapters.storage.ledger import open_ledger
from trading_pipeline.core.errors import LedgerError
from trading_pipeline.core.orders import OrderStatus
from trading_pipeline.execution.order import BrokerAnswer
from trading_pipeline.risk.pre_trade import Denial, Denied
from trading_pipeline_tests.contracts.execution_store import ExecutionStoreContract
from trading_pipeline_tests.contracts.order_store import intended, opened, sent
from trading_pipeline_tests.ledgers import empty_tables, postgres_schema
from trading_pipeline_tests.trading_builders import (
    BTC,
    CANDLE,
    ETH,
    HOUR,
    NOW,
    PAPER,
    d,
    make_fill,
    make_signal,
)


class _LedgerContract(ExecutionStoreContract):
    def test_signals_and_denials_are_listed_by_time(self, store):
        lease = opened(store)
        first, second = make_signal(), make_signal(candle=CANDLE + HOUR, symbol=ETH)
        store.insert_signal(second)
        store.insert_signal(first)
        assert store.signals(PAPER) == (first, second)
        assert store.signals(PAPER, since=CANDLE + 2 * HOUR) == (second,)
        assert store.signals(PAPER, until=CANDLE + 2 * HOUR) == (first,)
        store.deny_signal(second.signal_id, Denied(Denial.NO_QUOTE, "no price"), lease, NOW)
        (record,) = store.denials(PAPER, since=NOW, until=NOW + HOUR)
        assert (record.symbol, record.denied.reason) == (ETH, Denial.NO_QUOTE)
        assert store.denials(PAPER, since=NOW + HOUR) == ()

    def test_accounts_and_their_portfolio_are_listed(self, store):
        assert store.accounts() == ()
        order = sent(store, opened(store))
        fill = make_fill(quantity="1", price="100.10", fee="0.00000001")
        store.apply_answer(
            order.client_order_id, BrokerAnswer(OrderStatus.FILLED, (fill,)), "sim", NOW
        )
        (account,) = store.accounts()
        assert (account.account, account.opened_at) == (PAPER, NOW)
        assert store.portfolio(PAPER).cash == d("9899.89999999")
        assert store.portfolio(PAPER).position(BTC).quantity == 1

    def test_decimals_keep_every_digit(self, store):
        order = sent(store, opened(store), quantity="0.00000001", price="123456789012.000000010")
        kept = store.order(order.client_order_id).request
        assert kept.quantity.as_tuple() == d("0.00000001").as_tuple()
        assert kept.reference_price == d("123456789012.00000001")

    def test_a_number_that_is_no_finite_decimal_is_refused_and_nothing_is_written(self, store):
        lease = opened(store)
        order = intended(store, lease)
        with pytest.raises(LedgerError, match="finite Decimals"):
            store.record_day_open(PAPER, NOW.date(), d("NaN"), NOW)
        with pytest.raises(LedgerError, match="finite Decimals"):
            store.record_day_open(PAPER, NOW.date(), 1.5, NOW)
        assert store.state(PAPER, NOW).day_open_equity is None
        with pytest.raises(LedgerError, match="timezone-aware"):
            store.record_miss(order.client_order_id, NOW.replace(tzinfo=None))


@pytest.fixture(scope="module")
def sqlite_template(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "template.db"
    open_ledger(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="module")
def postgres():
    with postgres_schema() as url, open_ledger(url) as ledger:
        yield url, ledger


class TestSqliteLedger(_LedgerContract):
    @pytest.fixture
    def store(self, sqlite_template, tmp_path):
        path = tmp_path / "ledger.db"
        shutil.copy(sqlite_template, path)
        with open_ledger(f"sqlite:///{path}") as ledger:
            yield ledger


@pytest.mark.postgres
class TestPostgresLedger(_LedgerContract):
    @pytest.fixture
    def store(self, postgres):
        url, ledger = postgres
        empty_tables(url)
        return ledger
