"""From a closed candle to one paper order, and from a backfill to none."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from trading_pipeline import wiring
from trading_pipeline.core.errors import StaleDataError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.orders import OrderStatus, Side
from trading_pipeline.defs.models.recipe import champion_key, fold_key
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.defs.trading.candle_close import close_newest_candle
from trading_pipeline.defs.walk import stage
from trading_pipeline.execution.live_signal import LiveSignal
from trading_pipeline.execution.order import Order
from trading_pipeline.risk.pre_trade import Denial
from trading_pipeline_tests.pipelines import (
    BTC,
    ETH,
    FOLDS,
    HOUR,
    MONTHS,
    NOW,
    Pipeline,
    copied,
    make_settings,
    open_pipeline,
)

# At NOW the RSI rule holds Bitcoin long and Ether flat, and it alone counts here.
RSI_DECIDES = {"weights": {"rsi": 1.0, "ema_cross": 0.0, "forecast": 0.0}, "threshold": 0.05}
NEWEST = datetime.fromisoformat("2024-04-19T23:00+00:00")


def close_candles(pipeline: Pipeline, *symbols: Symbol) -> None:
    for symbol in symbols or (BTC, ETH):
        config = {"ops": {"close_candle": {"config": {"symbol": symbol.key}}}}
        pipeline.walker.run_job("candle_close_job", config)


def execute(pipeline: Pipeline) -> None:
    pipeline.walker.run_job("live_execution_job", {})


def live_signals(pipeline: Pipeline) -> tuple[LiveSignal, ...]:
    with wiring.ledger(pipeline.settings) as ledger:
        return ledger.signals(wiring.open_account(pipeline.settings, ledger, NOW))


def orders(pipeline: Pipeline) -> list[Order]:
    with wiring.ledger(pipeline.settings) as ledger:
        wiring.open_account(pipeline.settings, ledger, NOW)
        return list(ledger.orders(wiring.account(pipeline.settings)))


def denials(pipeline: Pipeline) -> dict[str, Denial]:
    with wiring.ledger(pipeline.settings) as ledger:
        found = ledger.denials(wiring.account(pipeline.settings))
    return {denial.symbol.key: denial.denied.reason for denial in found}


def newest_metadata(pipeline: Pipeline, asset: str) -> dict[str, object]:
    event = pipeline.instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event is not None
    assert event.asset_materialization is not None
    return {key: value.value for key, value in event.asset_materialization.metadata.items()}


@pytest.fixture
def desk(batch: Pipeline, tmp_path: Path) -> Iterator[Pipeline]:
    with copied(batch, tmp_path / "data", signals=RSI_DECIDES) as pipeline:
        yield pipeline


def test_a_candle_is_decided_once_however_often_the_job_runs(desk: Pipeline):
    close_candles(desk)
    first = live_signals(desk)
    assert [(s.symbol, s.signal.candle_open_time) for s in first] == [(BTC, NEWEST), (ETH, NEWEST)]
    assert newest_metadata(desk, "live_signals")["written_now"] is True
    close_candles(desk)
    assert live_signals(desk) == first
    assert newest_metadata(desk, "live_signals")["written_now"] is False


def test_the_first_decision_stays_when_the_settings_change(desk: Pipeline):
    close_candles(desk)
    first = live_signals(desk)
    files = desk.settings.market.candle_files
    other = make_settings(desk.settings.storage_root, files, signals={"threshold": 0.9})
    assert wiring.strategy_version(other) != first[0].version
    with open_pipeline(other) as pipeline:
        close_candles(pipeline, ETH, BTC)
        assert live_signals(pipeline) == first
        # What is shown is what counts, not what the new settings would have said.
        shown = newest_metadata(pipeline, "live_signals")
        assert (shown["symbol"], shown["direction"]) == ("BTC-USDT", 1)


def test_a_signal_makes_one_order_however_often_it_is_executed(desk: Pipeline):
    close_candles(desk)
    execute(desk)
    (order,) = orders(desk)
    assert order.status is OrderStatus.FILLED
    assert (order.request.symbol, order.request.side) == (BTC, Side.BUY)
    assert order.signal_id == live_signals(desk)[0].signal_id
    assert denials(desk) == {"ETH-USDT": Denial.NOTHING_TO_DO}
    for _ in range(3):
        close_candles(desk)
        execute(desk)
    assert orders(desk) == [order]
    assert "none waited" in str(newest_metadata(desk, "order_journal")["outcomes"])
    with open_pipeline(desk.settings) as restarted:
        execute(restarted)
        assert orders(restarted) == [order]


def test_the_order_is_sized_by_the_limits_at_the_price_of_the_candle(desk: Pipeline):
    close_candles(desk)
    execute(desk)
    (order,) = orders(desk)
    close = Decimal(str(desk.rows("candles", BTC, MONTHS[-1])["close"][-1]))
    assert order.request.reference_price == close
    # At most a tenth of 10,000 may be held.
    assert Decimal(950) < order.request.quantity * close <= Decimal(1000)


def test_a_backfill_of_signals_with_execution_on_orders_nothing(desk: Pipeline):
    assert desk.settings.execution.enabled
    before = desk.generations()
    desk.walk(("signals",))
    rewritten = {where for where, n in desk.generations().items() if n != before.get(where)}
    assert len([where for where in rewritten if where.startswith("signals/")]) == 8
    rows = desk.history("signals", BTC)
    assert int((rows["direction"] == 1).sum()) > 100
    for month in MONTHS:
        desk.materialise(stage("signals"), BTC, month)
    execute(desk)
    assert live_signals(desk) == ()
    assert orders(desk) == []


def test_a_dry_run_stores_the_signal_and_executes_nothing(batch: Pipeline, tmp_path: Path):
    dry = {"signals": RSI_DECIDES, "execution": {"enabled": False}}
    with copied(batch, tmp_path / "data", **dry) as pipeline:
        close_candles(pipeline)
        execute(pipeline)
        assert len(live_signals(pipeline)) == 2
        assert orders(pipeline) == []
        assert denials(pipeline) == {}


def test_an_old_signal_is_denied_as_stale(desk: Pipeline):
    close_candles(desk, BTC)
    files = desk.settings.market.candle_files
    later = make_settings(desk.settings.storage_root, files, now=NOW + 3 * HOUR)
    with open_pipeline(later) as pipeline:
        execute(pipeline)
        assert orders(pipeline) == []
        assert denials(pipeline) == {"BTC-USDT": Denial.STALE_SIGNAL}


def test_what_grew_candle_by_candle_equals_what_a_range_run_makes(
    desk: Pipeline, candle_files: tuple[str, ...], tmp_path: Path
):
    root, now = desk.settings.storage_root, NOW
    for hours in range(1, 4):
        now = NOW + hours * HOUR
        with open_pipeline(make_settings(root, candle_files, now=now)) as pipeline:
            close_candles(pipeline, ETH, BTC)
    live = live_signals(pipeline)
    assert [s.signal.candle_open_time for s in live if s.symbol == BTC] == [
        NEWEST + hours * HOUR for hours in range(1, 4)
    ]
    with open_pipeline(make_settings(tmp_path / "fresh", candle_files, now=now)) as fresh:
        fresh.walk(("fetch", "validate"), first=MONTHS[-1])
        for symbol in (BTC, ETH):
            for table in ("raw_candles", "candles"):
                made = [p.manifest(table, symbol, MONTHS[-1]) for p in (pipeline, fresh)]
                assert made[0].parts == made[1].parts
                assert made[0].n_rows == 19 * 24 + 3


@pytest.fixture
def with_fold(batch: Pipeline, tmp_path: Path) -> Iterator[Pipeline]:
    """Give the live decision the very model that research used in this month."""
    with copied(batch, tmp_path / "data", models=OLD_ALLOWED) as pipeline:
        for symbol in (BTC, ETH):
            wiring.champions(pipeline.settings).promote(
                champion_key(pipeline.settings, symbol),
                model_key=fold_key(pipeline.settings, symbol, FOLDS[-1]),
                version=pipeline.rows("fold_models", symbol, FOLDS[-1])["version"][0],
                effective_from=NOW - timedelta(seconds=5),
                reason="the fold of the month",
                recorded_at=NOW,
            )
        yield pipeline


OLD_ALLOWED = {"xgboost": {"n_trees": 6, "max_depth": 3}, "max_age_days": 60}


def test_the_live_decision_is_the_research_signal_of_its_candle(
    with_fold: Pipeline, symbol: Symbol
):
    close_candles(with_fold, symbol)
    (live,) = live_signals(with_fold)
    research = with_fold.rows("signals", symbol, MONTHS[-1]).row(-1, named=True)
    decided = live.signal
    assert decided.candle_open_time == research["open_time"] == NEWEST
    for name in ("direction", "strength", "reason", "known_at"):
        assert getattr(decided, name) == research[name], name
    assert decided.status.value == research["status"]
    votes = [
        {**{n: getattr(vote, n) for n in ("source", "direction", "strength", "reason")},
         "status": vote.status.value}
        for vote in decided.votes
    ]  # fmt: skip
    assert votes == research["votes"]
    assert [vote["source"] for vote in votes] == ["ema_cross", "forecast", "rsi"]
    assert "abstained" not in {vote["status"] for vote in votes}
    features = with_fold.rows("feature_matrix", symbol, MONTHS[-1]).row(-1, named=True)
    assert {"open_time": NEWEST, **live.decision.features} == features
    assert live.decision.model_version == with_fold.rows(
        "fold_models", symbol, FOLDS[-1]
    )["version"][0]  # fmt: skip
    close = with_fold.rows("candles", symbol, MONTHS[-1])["close"][-1]
    assert live.decision.price == Decimal(str(close))


def test_a_champion_that_is_too_old_abstains(batch: Pipeline, tmp_path: Path):
    aged = {**OLD_ALLOWED, "max_age_days": 1.0}
    with copied(batch, tmp_path / "data", models=aged) as pipeline:
        close_candles(pipeline, BTC)
        files, root = pipeline.settings.market.candle_files, pipeline.settings.storage_root
    later = make_settings(root, files, now=NOW + 25 * HOUR, models=aged)
    with open_pipeline(later) as pipeline:
        close_candles(pipeline, BTC)
        fresh, old = live_signals(pipeline)
    by_source = [{vote.source: vote for vote in live.signal.votes} for live in (fresh, old)]
    assert fresh.decision.model_version is not None
    assert by_source[0]["forecast"].status == "active"
    assert old.decision.model_version is None
    assert by_source[1]["forecast"].status == "abstained"
    assert by_source[1]["rsi"].status == "active"


def test_a_champion_decides_only_candles_that_close_after_it_was_trained(
    batch: Pipeline, tmp_path: Path
):
    (entry,) = wiring.champions(batch.settings).entries(champion_key(batch.settings, BTC))
    assert entry.effective_from == NEWEST + HOUR
    files = batch.settings.market.candle_files
    with copied(batch, tmp_path / "data") as pipeline:
        root = pipeline.settings.storage_root
    with open_pipeline(make_settings(root, files, now=NOW - HOUR)) as earlier:
        close_candles(earlier, BTC)
        (live,) = live_signals(earlier)
    assert live.signal.candle_open_time == NEWEST - HOUR
    assert live.decision.model_version is None


def test_a_candle_that_the_venue_has_not_published_is_not_decided(
    batch: Pipeline, candle_files: tuple[str, ...], tmp_path: Path
):
    # The files end with April.
    now = MONTHS[-1].end + timedelta(hours=1, seconds=3)
    market = {"history_end": "2024-05"}
    with copied(batch, tmp_path / "data") as pipeline:
        root = pipeline.settings.storage_root
    with open_pipeline(make_settings(root, candle_files, now=now, market=market)) as late:
        with pytest.raises(StaleDataError, match="ask again in a few seconds"):
            close_newest_candle(BTC, late.settings, wiring.lake(late.settings), late.venue)
        assert live_signals(late) == ()


def test_the_account_is_valued_and_the_day_is_reported(desk: Pipeline):
    close_candles(desk)
    execute(desk)
    desk.walker.run_asset("value_portfolio", "portfolio_snapshot")
    (order,) = orders(desk)
    (position,) = desk.table("portfolio_snapshot").rows(Cell()).to_dicts()
    assert (position["symbol"], position["quantity"]) == ("BTC-USDT", str(order.request.quantity))
    desk.walker.run_day("publish_reports", "daily_report_pdf", NOW.date())
    report = wiring.reports_folder(desk.settings) / "daily-2024-04-20.pdf"
    assert report.read_bytes().startswith(b"%PDF")


def test_accounts_of_two_profiles_do_not_share_signals(desk: Pipeline):
    close_candles(desk, BTC)
    (live,) = live_signals(desk)
    other = replace(live, account=replace(live.account, name="paper.other"))
    assert other.signal_id != live.signal_id
