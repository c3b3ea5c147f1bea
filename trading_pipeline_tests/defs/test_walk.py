"""The ordered walk: what it plans, what it says when it stops, and what a kill left behind."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from trading_pipeline.core.errors import CandleFileError, ConfigError, DataError
from trading_pipeline.core.month import Month
from trading_pipeline.defs.jobs import ASSET_JOBS
from trading_pipeline.defs.partitions import Partitions
from trading_pipeline.defs.walk import (
    PID_TAG,
    STAGES,
    Walker,
    end_abandoned_runs,
    stage,
)
from trading_pipeline_tests.pipelines import (
    BTC,
    ETH,
    MONTHS,
    Pipeline,
    make_settings,
    open_pipeline,
)


@pytest.fixture
def pipeline(tmp_path: Path):
    with open_pipeline(make_settings(tmp_path, (str(tmp_path / "gone.csv"),))) as opened:
        yield opened


def test_the_plan_goes_stage_by_stage_through_every_symbol(pipeline: Pipeline):
    plan = pipeline.walker.plan(MONTHS[-1])
    assert [(run.stage.name, run.symbol) for run in plan] == [
        (name, symbol)
        for name in (
            "fetch", "validate", "resample", "features", "walk-forward", "signals", "backtest",
            "train",
        )
        for symbol in (BTC, ETH)
    ] + [("summary", None)]  # fmt: skip
    firsts = {run.stage.name: run.first for run in plan}
    assert firsts.pop("walk-forward") == Month(2024, 3)
    assert set(firsts.values()) == {Month(2024, 1)}
    assert {run.last for run in plan} == {MONTHS[-1]}


def test_a_stage_runs_only_what_lies_before_it(pipeline: Pipeline):
    graph = pipeline.definitions.resolve_asset_graph()
    order = [name for item in STAGES for name in item.assets]
    for name in order:
        parents = {key.to_user_string() for key in graph.get(dg.AssetKey(name)).parent_keys}
        later = parents & set(order[order.index(name) :])
        assert later == set(), f"{name} is made before {later}"


def test_every_stage_is_a_part_of_its_job():
    for item in STAGES:
        assert set(item.assets) <= set(ASSET_JOBS[item.job])


def test_a_part_of_the_months_and_symbols_can_be_walked(pipeline: Pipeline):
    chosen = (stage("features"), stage("walk-forward"))
    plan = pipeline.walker.plan(Month(2024, 2), chosen, first=Month(2024, 2), symbols=(ETH,))
    # No fold exists in February.
    assert [(run.stage.name, run.symbol, run.first) for run in plan] == [
        ("features", ETH, Month(2024, 2))
    ]


@pytest.mark.parametrize(
    ("first", "last"), [(Month(2023, 12), Month(2024, 2)), (Month(2024, 3), Month(2024, 2))]
)
def test_months_outside_the_history_are_refused(pipeline: Pipeline, first: Month, last: Month):
    with pytest.raises(ConfigError, match=r"from 2024-01 \(market.history_start\) on"):
        pipeline.walker.plan(last, first=first)


def test_an_unknown_stage_is_refused_with_the_nearest():
    with pytest.raises(DataError, match="walk-forward"):
        stage("walkforward")


def test_the_error_that_stopped_a_walk_comes_as_it_was_raised(pipeline: Pipeline):
    with pytest.raises(CandleFileError, match="does not exist"):
        pipeline.walk(("fetch",))
    (run,) = pipeline.instance.get_runs()
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert run.tags[PID_TAG] == str(os.getpid())


def test_runs_of_a_killed_process_are_ended_and_others_are_left(pipeline: Pipeline):
    def started(**tags: str) -> str:
        job = pipeline.definitions.resolve_job_def("live_execution_job")
        run = pipeline.instance.create_run_for_job(
            job, status=dg.DagsterRunStatus.STARTED, tags=tags
        )
        return run.run_id

    gone, alive = started(**{PID_TAG: "4194304"}), started(**{PID_TAG: str(os.getpid())})
    launched = started()
    done = pipeline.instance.create_run_for_job(
        pipeline.definitions.resolve_job_def("live_execution_job"),
        status=dg.DagsterRunStatus.SUCCESS,
        tags={PID_TAG: "4194304"},
    ).run_id
    assert end_abandoned_runs(pipeline.instance, lambda pid: pid == os.getpid()) == 1
    statuses = {run.run_id: run.status.value for run in pipeline.instance.get_runs()}
    assert statuses == {gone: "FAILURE", alive: "STARTED", launched: "STARTED", done: "SUCCESS"}
    assert end_abandoned_runs(pipeline.instance, lambda pid: pid == os.getpid()) == 0


_WALK = """
import sys
from pathlib import Path
import dagster as dg
from trading_pipeline.definitions import build_definitions
from trading_pipeline.defs.partitions import Partitions
from trading_pipeline.defs.walk import STAGES, Walker
from trading_pipeline_tests.pipelines import BTC, MONTHS, make_settings
home, root, *files = sys.argv[1:]
settings = make_settings(Path(root), files)
with dg.DagsterInstance.local_temp(home) as instance:
    walker = Walker(build_definitions(settings), Partitions(settings), instance)
    for planned in walker.plan(MONTHS[-1], STAGES[:2]):
        walker.run(planned)
        print("done", planned.stage.name, flush=True)
"""


def test_a_walk_that_was_killed_goes_on_where_it_stopped(
    candle_files: tuple[str, ...], batch: Pipeline, tmp_path: Path
):
    home, root = tmp_path / "home", tmp_path / "data"
    home.mkdir()
    command = [sys.executable, "-c", _WALK, str(home), str(root), *candle_files]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        # Both symbols are fetched, the validation of the first one runs.
        assert [process.stdout.readline() for _ in range(2)] == ["done fetch\n"] * 2
        process.kill()
    settings = make_settings(root, candle_files)
    with (
        open_pipeline(settings) as pipeline,
        dg.DagsterInstance.local_temp(str(home)) as instance,
    ):
        kept = pipeline.generations()
        assert {where.split("/")[0] for where in kept} >= {"raw_candles"}
        unfinished = [run for run in instance.get_runs() if not run.is_finished]
        assert end_abandoned_runs(instance, lambda _: False) == len(unfinished)
        assert all(run.is_finished for run in instance.get_runs())
        walker = Walker(pipeline.definitions, Partitions(settings), instance)
        for planned in walker.plan(MONTHS[-1], STAGES[:2]):
            walker.run(planned)
        after = pipeline.generations()
        assert {where: after[where] for where in kept} == kept
        whole = batch.contents()
        assert pipeline.contents() == {where: whole[where] for where in after}
        months = [where for where in after if not where.startswith("candle_gaps/")]
        assert len(months) == 16
