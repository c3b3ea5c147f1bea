"""Sensors read a cursor, the clock and the ledger, and nothing else."""

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.streams import CANDLES
from trading_pipeline.defs.handover import CandleHandover
from trading_pipeline.defs.jobs import asset_jobs
from trading_pipeline.defs.sensors import sensors
from trading_pipeline.market_data.candle_events import CandleEvent, Series
from trading_pipeline.market_data.collecting import Bar
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


def publish(settings: Settings, symbol: Symbol, opened: datetime, close: float = 100.0) -> None:
    bar = Bar(opened, 100.0, 101.0, 99.0, close, 1.0)
    event = CandleEvent(Series("trial", symbol, settings.market.timeframe), bar)
    with closing(wiring.event_stream(settings)) as stream:
        stream.publish(CANDLES, event.key, event.payload())


def keys(result: dg.SensorResult) -> list[str]:
    return [request.run_key for request in result.run_requests]


def live(root: Path) -> Settings:
    # Without `now` the market moves with this machine's clock.
    return make_settings(root, (), now=None)


def test_a_published_candle_is_handed_over_once_and_a_revision_of_it_is_not(tmp_path: Path):
    settings = live(tmp_path)
    opened = settings.market.timeframe.last_closed_open(datetime.now(UTC))
    publish(settings, BTC, opened)
    first = tick(settings, "candle_closed_sensor")
    assert f"BTC-USDT:{opened.isoformat()}" in keys(first)
    publish(settings, BTC, opened, close=100.5)
    again = tick(settings, "candle_closed_sensor", first.cursor)
    assert again.run_requests == []
    assert json.loads(again.cursor)["BTC-USDT"] == opened.isoformat()


def test_a_tick_whose_cursor_was_lost_asks_for_the_same_runs_again(tmp_path: Path):
    settings = live(tmp_path)
    opened = settings.market.timeframe.last_closed_open(datetime.now(UTC))
    publish(settings, BTC, opened - HOUR)
    before = tick(settings, "candle_closed_sensor")
    publish(settings, BTC, opened)
    lost = tick(settings, "candle_closed_sensor", before.cursor)
    # Dagster died before it stored the cursor; the run keys let it see that it knows the runs.
    assert keys(tick(settings, "candle_closed_sensor", before.cursor)) == keys(lost)
    with closing(wiring.event_stream(settings)) as stream:
        assert len(stream.read(CANDLES, "candle_closed_sensor")) == 1
        tick(settings, "candle_closed_sensor", lost.cursor)
        assert stream.read(CANDLES, "candle_closed_sensor") == ()


def test_while_a_collector_is_at_work_the_clock_waits_for_it():
    handover = CandleHandover({})
    market = make_settings(Path("unused"), (), now=None).market
    now = datetime(2024, 3, 1, 12, 0, 10, tzinfo=UTC)
    newest, before = now.replace(hour=11, second=0), now.replace(hour=10, second=0)
    assert handover.closed_by_the_clock(BTC, market, now) == newest
    collecting = replace(handover, live=frozenset({"BTC-USDT"}))
    assert collecting.closed_by_the_clock(BTC, market, now) == before
    # It is given half a minute; then the clock decides without it.
    assert collecting.closed_by_the_clock(BTC, market, now + timedelta(seconds=20)) == newest
    # Nobody collects Ether: waiting would be for nothing.
    assert collecting.closed_by_the_clock(ETH, market, now) == newest
    published = replace(collecting, streamed={"BTC-USDT": newest.isoformat()})
    assert published.due({BTC: before, ETH: before}) == {
        "BTC-USDT": newest.isoformat(),
        "ETH-USDT": before.isoformat(),
    }


def test_a_collector_that_stopped_hours_ago_keeps_nothing_waiting(tmp_path: Path):
    settings = live(tmp_path)
    now = datetime(2024, 3, 1, 12, 0, 10, tzinfo=UTC)
    publish(settings, BTC, now.replace(hour=8, second=0))
    with closing(wiring.event_stream(settings)) as stream:
        assert CandleHandover({}).read(stream, settings.market, now).live == frozenset()
        publish(settings, BTC, now.replace(hour=10, second=0))
        assert CandleHandover({}).read(stream, settings.market, now).live == {"BTC-USDT"}


def test_a_position_of_another_store_is_given_up(tmp_path: Path):
    settings = live(tmp_path)
    opened = settings.market.timeframe.last_closed_open(datetime.now(UTC))
    publish(settings, BTC, opened)
    cursor = json.dumps({"BTC-USDT": "2024-01-01T00:00:00+00:00", "@candles": "1709251200000-0"})
    found = tick(settings, "candle_closed_sensor", cursor)
    assert f"BTC-USDT:{opened.isoformat()}" in keys(found)
    assert json.loads(found.cursor)["@candles"] == "1"


def test_without_its_redis_the_sensor_goes_by_the_clock(tmp_path: Path):
    address = {"redis_url": "redis://127.0.0.1:1/0"}
    settings = make_settings(tmp_path, (), storage=address)
    found = tick(settings, "candle_closed_sensor")
    assert len(found.run_requests) == 2


def test_a_damaged_stream_file_leaves_the_sensor_to_the_clock(tmp_path: Path):
    (tmp_path / "streams.sqlite").write_bytes(b"no database at all" * 500)
    assert len(tick(at(NOW, tmp_path), "candle_closed_sensor").run_requests) == 2


def test_an_event_that_is_no_candle_is_passed_over_and_never_read_again(tmp_path: Path):
    settings = live(tmp_path)
    opened = settings.market.timeframe.last_closed_open(datetime.now(UTC))
    with closing(wiring.event_stream(settings)) as stream:
        stream.publish(CANDLES, "foreign", {"hello": "world"})
    publish(settings, BTC, opened)
    first = tick(settings, "candle_closed_sensor")
    assert f"BTC-USDT:{opened.isoformat()}" in keys(first)
    tick(settings, "candle_closed_sensor", first.cursor)
    with closing(wiring.event_stream(settings)) as stream:
        assert stream.read(CANDLES, "candle_closed_sensor") == ()
        told = CandleHandover({}).read(stream, settings.market, datetime.now(UTC))
    # It was acknowledged with the candle behind it, so it is told of once.
    assert told.foreign == ()


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
