"""The ordered list of range runs that takes a profile from nothing to a report.

``trading demo`` and ``trading run`` walk it in one process. Every stage is a Dagster run of a job
over a range of partitions; what is unchanged is not made again, so that a walk that was killed
goes on where it stopped.
"""

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from trading_pipeline.core.errors import ConfigError, DataError, TradingPipelineError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.defs.partitions import Cell, Partitions, PartitionSet

PID_TAG = "trading/pid"


@dataclass(frozen=True, slots=True)
class Stage:
    """One job, or a part of its assets, over a range of partitions."""

    name: str
    title: str
    job: str
    assets: tuple[str, ...]
    partition_set: PartitionSet = PartitionSet.MONTH_SYMBOL


STAGES: tuple[Stage, ...] = (
    # Candles of one symbol are judged beside those of the others, so all come first.
    Stage("fetch", "Fetch candles", "refresh_market_data", ("raw_candles",)),
    Stage("validate", "Validate candles", "refresh_market_data", ("candles",)),
    Stage("resample", "Longer timeframes", "refresh_market_data", ("resampled_candles",)),
    Stage(
        "features",
        "Indicators, smart money, features, labels",
        "rebuild_features",
        ("indicator_features", "smart_money_features", "feature_matrix", "labels"),
    ),
    Stage(
        "walk-forward",
        "Walk-forward: train and predict each month",
        "walk_forward",
        ("fold_models", "walk_forward_predictions"),
        PartitionSet.FOLD_SYMBOL,
    ),
    Stage(
        "signals",
        "Votes and signals",
        "rebuild_signals",
        ("strategy_signals", "forecast_signals", "signals"),
    ),
    Stage(
        "backtest",
        "Backtests and report",
        "run_backtests",
        ("walk_forward_results", "backtest_results", "backtest_report_pdf"),
        PartitionSet.SYMBOL,
    ),
    # The gate to the champion reads the walk-forward scores.
    Stage(
        "train",
        "Live model and champion",
        "retrain_models",
        ("xgboost_model", "champion"),
        PartitionSet.SYMBOL,
    ),
    Stage(
        "summary",
        "Summary over symbols",
        "summarise_performance",
        ("performance_summary",),
        PartitionSet.NONE,
    ),
)


CANDLE_STAGES = ("fetch", "validate", "resample")
"""Names of the stages that make candles, in order; the rest of the walk reads them."""


def stage(name: str) -> Stage:
    """Return the stage called ``name``.

    Raises
    ------
    DataError
        If there is none; the nearest are named.
    """
    for candidate in STAGES:
        if candidate.name == name:
            return candidate
    raise DataError.unknown_name("stage", name, [known.name for known in STAGES])


@dataclass(frozen=True, slots=True)
class StageRun:
    """One Dagster run of the walk: a stage, and the symbol that it is for (None: all)."""

    stage: Stage
    symbol: Symbol | None
    first: Month
    last: Month


def fetch_again() -> Mapping[str, Any]:
    """Return the run config that fetches whole months again and asks about their gaps."""
    return {"ops": {"raw_candles": {"config": {"ask_again": True}}}}


class Walker:
    """Runs stages in this process against an instance.

    Parameters
    ----------
    definitions : Definitions
        As assembled for the settings of ``partitions``.
    instance : DagsterInstance
        Where runs and events are recorded.
    log_level : str
        What Dagster prints to the terminal.
    """

    def __init__(
        self,
        definitions: dg.Definitions,
        partitions: Partitions,
        instance: dg.DagsterInstance,
        log_level: str = "CRITICAL",
    ) -> None:
        self._definitions = definitions
        self._partitions = partitions
        self._instance = instance
        self._run_config = {"loggers": {"console": {"config": {"log_level": log_level}}}}

    def plan(
        self,
        last: Month,
        stages: tuple[Stage, ...] = STAGES,
        *,
        first: Month | None = None,
        symbols: tuple[Symbol, ...] | None = None,
    ) -> list[StageRun]:
        """Return the runs of ``stages`` in order, from ``first`` to ``last`` (both included)."""
        start = self._partitions.first_month if first is None else first
        if start < self._partitions.first_month or last < start:
            raise ConfigError(
                f"months run from {self._partitions.first_month} (market.history_start) on, "
                f"oldest first; asked for {start} to {last}"
            )
        chosen = self._partitions.symbols if symbols is None else symbols
        runs: list[StageRun] = []
        for item in stages:
            begin = start
            if item.partition_set is PartitionSet.FOLD_SYMBOL:
                begin = max(start, self._partitions.first_fold)
            if begin > last:
                continue
            whole = item.partition_set is PartitionSet.NONE
            names: tuple[Symbol | None, ...] = (None,) if whole else chosen
            runs.extend(StageRun(item, symbol, begin, last) for symbol in names)
        return runs

    def run(self, planned: StageRun, run_config: Mapping[str, Any] | None = None) -> str:
        """Run one stage for one symbol; return the id of the Dagster run.

        ``run_config`` is that of the assets of the stage, such as ``fetch_again()``.

        Raises
        ------
        TradingPipelineError
            The error that stopped it, as it was raised.
        """
        stage, tags = planned.stage, self._tags(planned)
        # Dagster refuses configuration of an asset that a run does not have.
        of_assets = dict(run_config or {}).get("ops", {})
        ops = {name: values for name, values in of_assets.items() if name in stage.assets}
        return self._execute(stage.job, stage.assets, tags, {"ops": ops} if ops else {})

    def run_day(self, job: str, asset: str, day: date) -> str:
        """Run a job of the daily partition set for ``day``."""
        return self._execute(job, (asset,), {"dagster/partition": day.isoformat()})

    def run_asset(self, job: str, asset: str) -> str:
        """Run a job of an asset without partitions."""
        return self._execute(job, (asset,), {})

    def run_job(self, job: str, run_config: dict[str, Any]) -> str:
        """Run a job of ops with ``run_config``."""
        return self._execute(job, None, {}, run_config)

    def _tags(self, planned: StageRun) -> dict[str, str]:
        if planned.symbol is None:
            return {}
        if planned.stage.partition_set is PartitionSet.SYMBOL:
            return {"dagster/partition": planned.symbol.key}
        return {
            "dagster/asset_partition_range_start": Cell(planned.symbol, planned.first).key,
            "dagster/asset_partition_range_end": Cell(planned.symbol, planned.last).key,
        }

    def _execute(
        self,
        job: str,
        assets: tuple[str, ...] | None,
        tags: dict[str, str],
        run_config: dict[str, Any] | None = None,
    ) -> str:
        definition, run_id = self._definitions.resolve_job_def(job), str(uuid.uuid4())
        try:
            definition.execute_in_process(
                instance=self._instance,
                run_id=run_id,
                run_config={**self._run_config, **(run_config or {})},
                asset_selection=[dg.AssetKey(name) for name in assets] if assets else None,
                tags={**tags, PID_TAG: str(os.getpid())},
            )
        except dg.DagsterError as error:
            for cause in causes(error):
                if isinstance(cause, TradingPipelineError):
                    raise cause from error
            if failed := self._failed_checks(run_id):
                raise DataError(f"{job} stopped at a blocking check: {failed}") from error
            raise
        return run_id

    def _failed_checks(self, run_id: str) -> str:
        events = self._instance.all_logs(run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        found = [
            event.dagster_event.asset_check_evaluation_data
            for event in events
            if event.dagster_event is not None
        ]
        return "; ".join(
            f"{check.asset_key.to_user_string()}, {check.check_name}: {check.description}"
            for check in found
            if not check.passed and check.blocking
        )


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error`` and what caused it, outermost first."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def end_abandoned_runs(instance: dg.DagsterInstance, is_alive: Callable[[int], bool]) -> int:
    """Mark runs whose process is gone as failed; return how many.

    A kill leaves the run of a walk in the state "started" for ever, because no run launcher
    watches a run that was executed in the process of a command.
    """
    unfinished = instance.get_runs(
        filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    )
    ended = 0
    for run in unfinished:
        pid = run.tags.get(PID_TAG, "")
        if pid.isdigit() and not is_alive(int(pid)):
            instance.report_run_failed(run, message="The process of this run was killed.")
            ended += 1
    return ended
