"""Deleting what is old: Dagster's own records, and the weekly job."""

from collections.abc import Iterator
from datetime import datetime

import dagster as dg

from trading_pipeline.adapters.clock import SystemClock
from trading_pipeline.config import Settings

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def old_runs(instance: dg.DagsterInstance, before: datetime) -> list[str]:
    """Return the runs that ended, were made before ``before``, and materialised nothing.

    The record of a run is also what Dagster knows of the partitions that it made: without it they
    would show as never made.
    """
    found = instance.get_runs(filters=dg.RunsFilter(statuses=_ENDED, created_before=before))
    return [run.run_id for run in found if not _made_something(instance, run.run_id)]


def delete_runs(instance: dg.DagsterInstance, run_ids: list[str]) -> int:
    """Delete runs with their events; return how many."""
    for run_id in run_ids:
        instance.delete_run(run_id)
    return len(run_ids)


def _made_something(instance: dg.DagsterInstance, run_id: str) -> bool:
    kinds = {
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        dg.DagsterEventType.ASSET_CHECK_EVALUATION,
        dg.DagsterEventType.ASSET_OBSERVATION,
    }
    return bool(instance.all_logs(run_id, kinds))


@dg.op(description="Delete what storage.retention lets go; what a history uses stays.")
def prune_old_data(context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings]) -> None:
    """Delete by the ages of the settings, and say what went and what stayed."""
    from trading_pipeline.wiring.pruning import cutoffs_of, plan_prune, prune

    cutoffs = cutoffs_of(settings, SystemClock().now())
    plan = plan_prune(settings, cutoffs)
    pruned = prune(settings, plan)
    n_runs = 0
    if cutoffs.runs is not None:
        n_runs = delete_runs(context.instance, old_runs(context.instance, cutoffs.runs))
    context.log.info(
        "%d partitions, %s files, %d runs, %d events and %d orphan parts deleted; %d kept in use",
        pruned.partitions,
        sum(pruned.files.values()),
        n_runs,
        pruned.stream_events,
        pruned.orphan_parts,
        len(plan.in_use),
    )


@dg.job(description="Delete what storage.retention lets go.")
def prune_storage() -> None:
    """Delete what is old."""
    prune_old_data()


def prune_schedules(settings: Settings) -> Iterator[dg.ScheduleDefinition]:
    """Yield the weekly schedule if the settings have a retention."""
    if settings.storage.retention.ages():
        yield dg.ScheduleDefinition(
            name="prune_storage_weekly",
            job=prune_storage,
            cron_schedule="0 3 * * 0",
            description="Sunday, 03:00: delete what storage.retention lets go.",
        )
