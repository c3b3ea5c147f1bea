"""No asset is studied before it existed or after it was delisted, and none is traded then."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from trading_pipeline import wiring
from trading_pipeline.core.errors import SymbolNotListedError
from trading_pipeline.core.month import Month
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.defs.trading.candle_close import close_newest_candle
from trading_pipeline_tests.contracts.order_store import answer, intended, opened
from trading_pipeline_tests.pipelines import (
    BTC,
    ETH,
    HOUR,
    MONTHS,
    NOW,
    Pipeline,
    make_settings,
    open_pipeline,
    whole_history,
    write_candles,
)
from trading_pipeline_tests.trading_builders import NOW as TRADED_AT
from trading_pipeline_tests.trading_builders import make_fill, make_signal

# Ether's files begin in January; its life begins on 10 February. Bitcoin's ends on 25 March.
BORN = datetime(2024, 2, 10, tzinfo=UTC)
GONE = datetime(2024, 3, 25, 3, tzinfo=UTC)
SYMBOLS = {"BTC-USDT": {"delisted": GONE}, "ETH-USDT": {"listed": BORN.date()}}
TABLES = ("candles", "indicator_features", "feature_matrix", "labels", "signals")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    root = tmp_path_factory.mktemp("lives")
    files = write_candles(root / "files", {symbol: whole_history(symbol) for symbol in (BTC, ETH)})
    settings = make_settings(root / "data", files, market={"symbols": SYMBOLS})
    with open_pipeline(settings) as opened:
        opened.walk(("fetch", "validate", "features", "walk-forward", "signals"))
        yield opened


@pytest.mark.parametrize("table", TABLES)
def test_every_row_lies_within_the_life_of_its_symbol(table: str, pipeline: Pipeline):
    ether, bitcoin = pipeline.history(table, ETH), pipeline.history(table, BTC)
    assert ether["open_time"].min() == BORN
    assert ether["open_time"].max() == datetime(2024, 4, 19, 23, tzinfo=UTC)
    assert bitcoin["open_time"].min() == MONTHS[0].start
    assert bitcoin["open_time"].max() == GONE - HOUR


def test_the_source_had_more_and_it_is_counted(pipeline: Pipeline):
    raw = pipeline.history("raw_candles", ETH)
    assert raw["open_time"].min() == BORN
    january = pipeline.table("candles").notes(Cell(ETH, MONTHS[0]))
    assert (january["expected"], january["present"], january["gaps"]) == (0, 0, [])
    february = pipeline.table("candles").notes(Cell(ETH, MONTHS[1]))
    assert (february["expected"], february["unexplained"]) == (20 * 24, 0)
    march = pipeline.table("candles").notes(Cell(BTC, MONTHS[2]))
    # 24 days and three hours, of which two were silent at the venue.
    assert (march["expected"], march["explained"], march["unexplained"]) == (24 * 24 + 3, 2, 0)
    april = pipeline.table("candles").notes(Cell(BTC, MONTHS[3]))
    assert (april["expected"], april["gaps"]) == (0, [])


def test_the_settings_take_back_what_was_stored_before_they_said_so(tmp_path: Path):
    files = write_candles(tmp_path / "f", {symbol: whole_history(symbol) for symbol in (BTC, ETH)})
    with open_pipeline(make_settings(tmp_path / "data", files)) as before:
        before.walk(("fetch", "validate"), last=MONTHS[1])
    listed = make_settings(tmp_path / "data", files, market={"symbols": SYMBOLS})
    with open_pipeline(listed) as after:
        after.walk(("validate",), last=MONTHS[1])
        assert after.rows("candles", ETH, MONTHS[0]).is_empty()
        notes = after.table("candles").notes(Cell(ETH, MONTHS[0]))
        assert notes["dropped"] == {"outside its listing": 31 * 24}


def test_folds_are_trained_on_nothing_that_lies_outside_the_life(pipeline: Pipeline):
    april = pipeline.rows("fold_models", ETH, MONTHS[3])
    assert april["labels_end"][0] <= MONTHS[3].start
    # Two months of training would be 1,440 hours; the life has less than 1,224 before April.
    assert 0 < april["n_rows"][0] < (MONTHS[3].start - BORN) // HOUR
    assert pipeline.rows("walk_forward_predictions", BTC, MONTHS[3]).is_empty()


def test_labels_do_not_look_beyond_the_delisting(pipeline: Pipeline):
    ends = pipeline.history("labels", BTC)
    assert ends["label_end"].max() <= GONE
    last_day = ends.filter(pl.col("open_time") >= GONE - 5 * HOUR)
    assert set(last_day.filter(pl.col("label").is_null())["status"]) <= {"immature"}


def test_a_delisted_symbol_makes_no_live_signal(pipeline: Pipeline):
    with pytest.raises(SymbolNotListedError, match=r"BTC/USDT was delisted on 2024-03-25 03:00"):
        close_newest_candle(BTC, pipeline.settings, wiring.lake(pipeline.settings), pipeline.venue)
    with wiring.ledger(pipeline.settings) as ledger:
        assert ledger.accounts() == ()
    assert set(pipeline.venue.instruments()) == {ETH}


def test_the_sensor_asks_for_the_living_and_says_who_is_gone(pipeline: Pipeline):
    sensor = pipeline.definitions.resolve_sensor_def("candle_closed_sensor")
    with dg.build_sensor_context(instance=pipeline.instance) as context:
        due = sensor.evaluate_tick(context)
    assert [request.run_key.partition(":")[0] for request in due.run_requests] == ["ETH-USDT"]
    with dg.build_sensor_context(instance=pipeline.instance, cursor=due.cursor) as context:
        idle = sensor.evaluate_tick(context)
    assert "BTC/USDT was delisted on 2024-03-25 03:00 UTC: no signal is made" in idle.skip_message


def test_an_open_position_in_a_delisted_symbol_is_said(tmp_path: Path, pipeline: Pipeline):
    settings = make_settings(
        tmp_path / "data", pipeline.settings.market.candle_files, market={"symbols": SYMBOLS}
    )
    account = wiring.account(settings)
    with wiring.ledger(settings) as ledger:
        lease = opened(ledger, account)
        order = intended(ledger, lease, make_signal(account=account))
        ledger.begin_sending(order.client_order_id, lease, TRADED_AT, lambda _: order.request)
        ledger.apply_answer(order.client_order_id, answer(make_fill()), "paper", TRADED_AT)
    assert wiring.stranded_positions(settings, NOW) == {BTC: Decimal(1)}
    words = wiring.delisted_words(settings, BTC, NOW)
    assert "still holds 1 BTC, which no signal will close" in words
    assert "no new position is opened" in words
    assert wiring.stranded_positions(settings, GONE - HOUR) == {}
    assert Month.of(GONE) == MONTHS[2]
