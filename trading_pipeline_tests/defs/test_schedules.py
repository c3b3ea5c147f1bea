"""Schedules ask for the partitions of the market's present."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from trading_pipeline.config import Settings
from trading_pipeline.definitions import build_definitions

# Dagster 1.13 tags a run of month x symbol partitions with keys that it calls deprecated itself.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:Non-compliant tag keys like \['dagster/partition/month', 'dagster/partition/symbol'\]"
)


def asked(settings: Settings, schedule: str) -> list[str]:
    """Return the partition keys that a tick asks for, after checking that they exist."""
    built = build_definitions(settings)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance,
            scheduled_execution_time=datetime(2030, 1, 1, tzinfo=UTC),
            repository_def=built.get_repository_def(),
        )
        tick = built.resolve_schedule_def(schedule).evaluate_tick(context)
    job = built.resolve_job_def(built.resolve_schedule_def(schedule).job_name)
    keys = [request.partition_key for request in tick.run_requests or ()]
    run_keys = [request.run_key for request in tick.run_requests or ()]
    assert len(set(run_keys)) == len(keys)
    assert job.partitions_def is not None
    assert set(keys) <= set(job.partitions_def.get_partition_keys())
    return [key for key in keys if key]


def market(now: datetime, **keys: object) -> Settings:
    values = {"history_start": "2024-01", "history_end": "2024-06", "now": now, **keys}
    return Settings(market=values, walk_forward={"train_months": 3})


MID_MONTH = datetime(2024, 5, 14, 10, 0, 5, tzinfo=UTC)
FIRST_NIGHT = datetime(2024, 5, 1, 1, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    "schedule", ["refresh_market_data_hourly", "rebuild_signals_nightly", "walk_forward_nightly"]
)
def test_the_running_month_of_every_symbol_is_made_by_the_frozen_clock(schedule: str):
    assert asked(market(MID_MONTH), schedule) == ["2024-05|BTC-USDT", "2024-05|ETH-USDT"]


@pytest.mark.parametrize(
    "schedule", ["refresh_market_data_hourly", "rebuild_signals_nightly", "walk_forward_nightly"]
)
def test_a_month_is_finished_in_the_first_days_of_the_next_one(schedule: str):
    wanted = ["2024-04|BTC-USDT", "2024-04|ETH-USDT", "2024-05|BTC-USDT", "2024-05|ETH-USDT"]
    assert asked(market(FIRST_NIGHT), schedule) == wanted
    # The last label of April ends 24 hours into May; its candle comes with the refresh after.
    assert asked(market(datetime(2024, 5, 2, 0, 30, tzinfo=UTC)), schedule) == wanted


def test_there_is_no_fold_before_the_first_training_window_is_whole():
    assert asked(market(datetime(2024, 3, 20, tzinfo=UTC)), "walk_forward_nightly") == []
    first = asked(market(datetime(2024, 4, 1, 2, tzinfo=UTC)), "walk_forward_nightly")
    assert first == ["2024-04|BTC-USDT", "2024-04|ETH-USDT"]


def test_nothing_before_the_first_month_and_after_the_last_one_is_asked_for():
    first = asked(market(datetime(2024, 1, 1, 5, tzinfo=UTC)), "refresh_market_data_hourly")
    assert first == ["2024-01|BTC-USDT", "2024-01|ETH-USDT"]
    over = asked(market(datetime(2024, 7, 9, tzinfo=UTC)), "refresh_market_data_hourly")
    assert over == ["2024-06|BTC-USDT", "2024-06|ETH-USDT"]


def test_models_are_retrained_for_every_enabled_symbol():
    symbols = {"BTC-USDT": {}, "SOL-USDT": {}, "ETH-USDT": {"enabled": False}}
    settings = market(MID_MONTH, symbols=symbols)
    assert asked(settings, "retrain_models_nightly") == ["BTC-USDT", "SOL-USDT"]


def test_the_report_is_that_of_the_day_that_ended():
    assert asked(market(MID_MONTH), "publish_reports_daily") == ["2024-05-13"]
    assert asked(market(FIRST_NIGHT), "publish_reports_daily") == ["2024-04-30"]


def test_a_day_before_the_history_has_no_report():
    assert asked(market(datetime(2024, 1, 1, 0, 5, tzinfo=UTC)), "publish_reports_daily") == []


def test_the_last_day_of_a_market_that_ended_at_midnight_has_a_report():
    ended = market(datetime(2024, 8, 1, tzinfo=UTC))
    assert asked(ended, "publish_reports_daily") == ["2024-07-31"]


def test_a_market_without_an_end_goes_by_the_clock_of_this_machine(tmp_path: Path):
    settings = Settings(market={"history_start": "2024-01"}, storage={"root": str(tmp_path)})
    today = datetime.now(UTC)
    months = {key[:7] for key in asked(settings, "refresh_market_data_hourly")}
    assert f"{today:%Y-%m}" in months
    assert list(tmp_path.iterdir()) == []
