"""Sensors read a cursor, the clock and the ledger, and nothing else."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.defs.jobs import asset_jobs
from trading_pipeline.defs.sensors import sensors
from trading_pipeline_tests.pipelines import (
    BTC,
    ETH,
    HOUR,
    MONTHS,
    NOW,
    Pipeline,
    make_settings,
    open_pipeline,
)
from trading_pipeline_tests.trading_builders import make_signal


def sensor(settings: Settings, name: str) -> dg.SensorDefinition:
    (found,) = [each for each in sensors(settings, asset_jobs()) if each.name == name]
    return found


def tick(settings: Settings, name: str, cursor: str | None = None):
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance, cursor=cursor)
        return sensor(settings, name).evaluate_tick(context)


def at(now: datetime, root: Path) -> Settings:
    return make_settings(root, (), now=now)


def test_a_closed_candle_is_handed_over_once_per_symbol(tmp_path: Path):
    first = tick(at(NOW, tmp_path), "candle_closed_sensor")
    assert [request.run_config for request in first.run_requests] == [
        {
            "ops": {
                "close_candle": {
                    "config": {"symbol": key, "open_time": "2024-04-19T23:00:00+00:00"}
                }
            }
        }
        for key in ("BTC-USDT", "ETH-USDT")
    ]
    assert [request.run_key for request in first.run_requests] == [
        "BTC-USDT:2024-04-19T23:00:00+00:00",
        "ETH-USDT:2024-04-19T23:00:00+00:00",
    ]
    again = tick(at(NOW, tmp_path), "candle_closed_sensor", first.cursor)
    assert again.run_requests == []
    assert "2024-04-19 23:00 UTC, is decided" in again.skip_message
    late = tick(at(NOW + timedelta(minutes=59), tmp_path), "candle_closed_sensor", first.cursor)
    assert late.run_requests == []
    following = tick(at(NOW + HOUR, tmp_path), "candle_closed_sensor", first.cursor)
    assert [request.run_key for request in following.run_requests] == [
        "BTC-USDT:2024-04-20T00:00:00+00:00",
        "ETH-USDT:2024-04-20T00:00:00+00:00",
    ]


def test_a_symbol_that_was_added_is_decided_without_repeating_the_others(tmp_path: Path):
    cursor = json.dumps({"BTC-USDT": "2024-04-19T23:00:00+00:00"})
    found = tick(at(NOW, tmp_path), "candle_closed_sensor", cursor)
    assert [request.run_key for request in found.run_requests] == [
        "ETH-USDT:2024-04-19T23:00:00+00:00"
    ]
    assert set(json.loads(found.cursor)) == {"BTC-USDT", "ETH-USDT"}


def test_only_the_newest_candle_is_handed_over_after_a_pause(tmp_path: Path):
    cursor = tick(at(NOW, tmp_path), "candle_closed_sensor").cursor
    found = tick(at(NOW + 30 * HOUR, tmp_path), "candle_closed_sensor", cursor)
    assert len(found.run_requests) == 2


def test_no_sensor_asks_an_exchange_or_writes_to_the_lake(tmp_path: Path):
    # No candle file exists, so a source that was opened would fail.
    settings = make_settings(tmp_path, (str(tmp_path / "gone.csv"),))
    for name in ("candle_closed_sensor", "signals_ready_sensor"):
        tick(settings, name)
    assert not (tmp_path / "lake").exists()


def insert(settings: Settings, *symbols: Symbol) -> None:
    with wiring.ledger(settings) as ledger:
        account = wiring.open_account(settings, ledger, NOW)
        for symbol in symbols:
            live = make_signal(1, symbol, candle=NOW.replace(second=0) - HOUR)
            ledger.insert_signal(replace(live, account=account))


def test_a_live_signal_in_the_ledger_is_all_that_starts_an_execution(tmp_path: Path):
    settings = at(NOW, tmp_path)
    insert(settings, BTC)
    assert not (tmp_path / "lake").exists()
    (request,) = tick(settings, "signals_ready_sensor").run_requests
    assert request.tags["trading/executes_orders"] == "true"
    assert request.tags["dagster/priority"] == "10"


def test_every_further_signal_starts_an_execution_of_its_own(tmp_path: Path):
    settings = at(NOW, tmp_path)
    # Ether waits and could not be settled; then Bitcoin comes, which stands before it.
    insert(settings, ETH)
    (first,) = tick(settings, "signals_ready_sensor").run_requests
    insert(settings, BTC)
    (second,) = tick(settings, "signals_ready_sensor").run_requests
    assert first.run_key != second.run_key
    (again,) = tick(settings, "signals_ready_sensor").run_requests
    assert again.run_key == second.run_key


def test_the_signals_of_research_start_nothing(batch: Pipeline):
    assert batch.history("signals", BTC).height > 2000
    with wiring.ledger(batch.settings) as ledger:
        wiring.open_account(batch.settings, ledger, NOW)
    found = tick(batch.settings, "signals_ready_sensor")
    assert found.run_requests == []
    assert found.skip_message == "no live signal waits"


def test_a_new_ledger_has_nothing_to_execute(tmp_path: Path):
    found = tick(at(NOW, tmp_path / "data"), "signals_ready_sensor")
    assert found.run_requests == []
    assert found.skip_message == "no live signal waits"


def test_nothing_is_executed_while_execution_is_off(tmp_path: Path):
    settings = make_settings(tmp_path, (), execution={"enabled": False})
    insert(settings, BTC)
    found = tick(settings, "signals_ready_sensor")
    assert found.run_requests == []
    assert "execution.enabled is off" in found.skip_message


def finished(pipeline: Pipeline, **tags: str) -> dg.SensorResult | dg.RunRequest | dg.SkipReason:
    job = pipeline.definitions.resolve_job_def("refresh_market_data")
    result = job.execute_in_process(
        instance=pipeline.instance,
        tags=tags,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    context = dg.build_run_status_sensor_context(
        sensor_name="features_follow_market_data_sensor",
        dagster_event=next(
            event for event in result.all_events if event.event_type_value == "PIPELINE_SUCCESS"
        ),
        dagster_instance=pipeline.instance,
        dagster_run=result.dagster_run,
    )
    return sensor(pipeline.settings, "features_follow_market_data_sensor")(context)


def test_features_follow_a_refreshed_month_and_not_a_range(
    candle_files: tuple[str, ...], tmp_path: Path
):
    with open_pipeline(make_settings(tmp_path, candle_files)) as pipeline:
        month = MONTHS[0].key
        request = finished(pipeline, **{"dagster/partition": f"{month}|BTC-USDT"})
        assert isinstance(request, dg.RunRequest)
        assert request.partition_key == f"{month}|BTC-USDT"
        ends = [f"{month}|BTC-USDT", f"{MONTHS[1].key}|BTC-USDT"]
        skipped = finished(
            pipeline,
            **{
                "dagster/asset_partition_range_start": ends[0],
                "dagster/asset_partition_range_end": ends[1],
            },
        )
    assert isinstance(skipped, dg.SkipReason)
    assert "a range run" in (skipped.skip_message or "")


def test_a_failed_run_leaves_a_line_in_the_log(tmp_path: Path):
    settings = make_settings(tmp_path / "data", (str(tmp_path / "gone.csv"),))
    with open_pipeline(settings) as pipeline:
        job = pipeline.definitions.resolve_job_def("refresh_market_data")
        result = job.execute_in_process(
            instance=pipeline.instance,
            partition_key="2024-02|BTC-USDT",
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )
        context = dg.build_run_status_sensor_context(
            sensor_name="run_failure_sensor",
            dagster_event=result.get_run_failure_event(),
            dagster_instance=pipeline.instance,
            dagster_run=result.dagster_run,
        ).for_run_failure()
        sensor(settings, "run_failure_sensor")(context)
        sensor(settings, "run_failure_sensor")(context)
    lines = (tmp_path / "data" / "logs" / "failures.log").read_text().splitlines()
    assert len(lines) == 2
    line = json.loads(lines[0])
    assert line["job"] == "refresh_market_data"
    assert line["partition"] == "2024-02|BTC-USDT"
    assert line["run_id"] == result.run_id
    assert datetime.fromisoformat(line["at"]).tzinfo == UTC
    assert line["error"]


@pytest.mark.parametrize("name", ["candle_closed_sensor", "signals_ready_sensor"])
def test_sensors_turn_every_five_seconds(name: str, tmp_path: Path):
    assert sensor(at(NOW, tmp_path), name).minimum_interval_seconds == 5
