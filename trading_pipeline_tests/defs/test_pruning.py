"""The weekly deleting in Dagster, and which records of runs may go."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from trading_pipeline import wiring
from trading_pipeline.adapters.storage.lake import month_address
from trading_pipeline.config import Settings
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.definitions import build_definitions
from trading_pipeline.defs.pruning import delete_runs, old_runs
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.pipelines import BTC, QUIET

LATER = datetime.now(UTC) + timedelta(days=1)


@dg.op
def think() -> None:
    """Do nothing that is seen."""


@dg.op
def fail() -> None:
    """End badly."""
    raise ValueError("as planned")


@dg.op
def make(context: dg.OpExecutionContext) -> None:
    """Materialise something."""
    context.log_event(dg.AssetMaterialization("thing", partition="2024-01"))


def run(instance: dg.DagsterInstance, op: dg.OpDefinition) -> str:
    @dg.job(name=f"{op.name}_alone")
    def alone() -> None:
        op()

    done = alone.execute_in_process(instance=instance, run_config=QUIET, raise_on_error=False)
    return done.run_id


def test_runs_that_made_something_stay_and_the_others_go_by_age():
    with dg.DagsterInstance.ephemeral() as instance:
        made, thought, failed = (run(instance, op) for op in (make, think, fail))
        assert old_runs(instance, datetime(2020, 1, 1, tzinfo=UTC)) == []
        assert set(old_runs(instance, LATER)) == {thought, failed}
        assert delete_runs(instance, old_runs(instance, LATER)) == 2
        assert [record.run_id for record in instance.get_runs()] == [made]
        assert instance.get_materialized_partitions(dg.AssetKey("thing")) == {"2024-01"}


def settings(root: Path, **retention: str) -> Settings:
    market = {"venue": "trial", "history_start": "2024-01", "history_end": "2024-02"}
    return Settings(market=market, storage={"root": str(root), "retention": retention})


def test_without_a_retention_there_is_no_schedule_and_no_job(tmp_path: Path):
    built = build_definitions(settings(tmp_path)).get_repository_def()
    assert not built.has_job("prune_storage")
    assert not built.has_schedule_def("prune_storage_weekly")


@pytest.mark.usefixtures("plain_environment")
def test_with_a_retention_a_weekly_schedule_is_off_until_it_is_turned_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    asked = settings(tmp_path, lake="24m", runs="90d")
    built = build_definitions(asked)
    dg.Definitions.validate_loadable(built)
    schedule = built.resolve_schedule_def("prune_storage_weekly")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert (schedule.cron_schedule, schedule.job_name) == ("0 3 * * 0", "prune_storage")
    lake = wiring.lake(asked)
    for month in (Month(2023, 12), Month(2024, 1)):
        address = month_address("candles", "trial", BTC, Timeframe("1h"), month)
        lake.commit(address, make_candles(5, start=month.start), fingerprint="x")
    with dg.DagsterInstance.ephemeral() as instance:
        done = built.resolve_job_def("prune_storage").execute_in_process(
            instance=instance, run_config=QUIET
        )
    assert done.success
    # The history begins in January: December is nobody's.
    left = [dict(address.columns)["month"] for address in lake.addresses("candles")]
    assert left == ["2024-01"]
