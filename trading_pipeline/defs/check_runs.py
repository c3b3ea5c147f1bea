"""How a check judges the partitions of its run.

Dagster reports one result for a range run. Here every partition gets an evaluation of its own,
and the result of the run fails if any partition does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import dagster as dg

from trading_pipeline.core.errors import DataError, ModelError
from trading_pipeline.defs.partitions import Cell

# Names of failed partitions that a result spells out.
_NAMED = 10


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a check found in one partition."""

    passed: bool
    description: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


def judge_partitions(
    context: dg.AssetCheckExecutionContext,
    judge: Callable[[Cell], Judgement],
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetCheckResult:
    """Judge every partition of the run; data that cannot be read fails its partition."""
    run = context.op_execution_context
    is_range = run.has_partition_key_range
    keys: list[str | None] = [*sorted(run.partition_keys)] if is_range else [None]
    if not is_range and run.has_partition_key:
        keys = [run.partition_key]
    judgements = {key: _judge(judge, Cell.parse(key)) for key in keys}
    if len(keys) > 1:
        _log_each(run, judgements, severity)
    if len(keys) == 1:
        only = judgements[keys[0]]
        return dg.AssetCheckResult(
            passed=only.passed,
            severity=severity,
            description=only.description,
            metadata=only.metadata,
        )
    failed = [str(key) for key, judgement in judgements.items() if not judgement.passed]
    named = ", ".join(failed[:_NAMED]) + (" ..." if len(failed) > _NAMED else "")
    return dg.AssetCheckResult(
        passed=not failed,
        severity=severity,
        description=(
            f"{len(failed)} of {len(keys)} partitions fail: {named}"
            if failed
            else f"all {len(keys)} partitions pass"
        ),
    )


def _judge(judge: Callable[[Cell], Judgement], cell: Cell) -> Judgement:
    try:
        return judge(cell)
    except (DataError, ModelError) as error:
        return Judgement(passed=False, description=error.message)


def _log_each(
    run: dg.OpExecutionContext,
    judgements: Mapping[str | None, Judgement],
    severity: dg.AssetCheckSeverity,
) -> None:
    (check,) = run.selected_asset_check_keys
    for key, judgement in judgements.items():
        evaluation = dg.AssetCheckEvaluation(
            asset_key=check.asset_key,
            check_name=check.name,
            passed=judgement.passed,
            severity=severity,
            description=judgement.description,
            metadata=dict(judgement.metadata),
            partition=key,
        )
        # The annotation of log_event lacks this event; the engine takes it (1.13.27).
        run.log_event(cast("Any", evaluation))
