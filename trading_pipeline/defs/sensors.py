"""Sensors: each reads a cursor and the clock or the ledger, never an exchange.

Dagster's daemon turns its sensor loop every five seconds at best.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime

import dagster as dg

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import DataError, StorageError
from trading_pipeline.core.fingerprint import fingerprint
from trading_pipeline.defs.handover import CandleHandover
from trading_pipeline.defs.jobs import AssetJob
from trading_pipeline.defs.trading.jobs import EXECUTES_ORDERS_TAG
from trading_pipeline.wiring import VenueAccess

_PARTITION_TAG = "dagster/partition"
_IN_PROGRESS = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
)


def sensors(settings: Settings, jobs: Mapping[str, AssetJob]) -> Sequence[dg.SensorDefinition]:
    """Return every sensor for the active settings; all are off until turned on in the UI."""
    return [
        _candle_closed(settings),
        _signals_ready(settings),
        _features_follow_market_data(jobs),
        _run_failure(settings),
    ]


def _candle_closed(settings: Settings) -> dg.SensorDefinition:
    market, venue = settings.market, VenueAccess(settings)
    universe = wiring.universe(settings)

    @dg.sensor(job_name="candle_close_job", minimum_interval_seconds=5)
    def candle_closed_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """A candle closed: decide on it, once per symbol.

        Where `trading data collect` publishes candles they are taken from the stream as they come;
        by the clock where there are none, where the collector is more than 30 seconds late, and
        while the stream cannot be read.
        The cursor holds the open time of the newest candle that was handed over, and the position
        in the stream.
        """
        now = venue.clock().now()
        handover = CandleHandover.parse(context.cursor)
        try:
            with closing(wiring.event_stream(settings)) as stream:
                handover = handover.read(stream, market, now)
        except (StorageError, DataError) as error:
            context.log.warning("%s; candles are taken by the clock", error.message)
        if handover.foreign:
            context.log.warning(
                "%d events were passed over; %s", len(handover.foreign), handover.foreign[0]
            )
        closed = {s: handover.closed_by_the_clock(s, market, now) for s in market.enabled_symbols}
        due = handover.due(
            {s: at for s, at in closed.items() if not universe.listing(s).is_delisted(at)}
        )
        cursor = handover.cursor(due)
        if not due:
            # Empty for the living.
            told = [w for s, at in closed.items() if (w := wiring.delisted_words(settings, s, at))]
            newest = max(closed.values())
            decided = f"the newest closed candle, {newest:%Y-%m-%d %H:%M} UTC, is decided"
            return dg.SensorResult(skip_reason="; ".join([decided, *told]), cursor=cursor)
        return dg.SensorResult(
            run_requests=[_close_request(key, opened) for key, opened in due.items()],
            cursor=cursor,
        )

    return candle_closed_sensor


def _close_request(symbol_key: str, opened: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{symbol_key}:{opened}",
        run_config={
            "ops": {"close_candle": {"config": {"symbol": symbol_key, "open_time": opened}}}
        },
        tags={"dagster/priority": "10"},
    )


def _signals_ready(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(job_name="live_execution_job", minimum_interval_seconds=5)
    def signals_ready_sensor(
        context: dg.SensorEvaluationContext,
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """A live signal waits in the ledger: execute it.

        Only live signals are read. The lake's `signals`, which backfills rewrite, never come here.
        """
        if not settings.execution.enabled:
            yield dg.SkipReason("execution.enabled is off: signals are stored, none is executed")
            return
        account = wiring.account(settings)
        with wiring.ledger(settings) as ledger:
            is_open = any(known.account == account for known in ledger.accounts())
            pending = ledger.pending_signals(account) if is_open else ()
        if not pending:
            yield dg.SkipReason("no live signal waits")
            return
        running = dg.RunsFilter(job_name="live_execution_job", statuses=list(_IN_PROGRESS))
        if context.instance.get_runs_count(running):
            yield dg.SkipReason("an execution run is in progress")
            return
        # Of all that wait, and of the minute: a run that failed is followed by another, which the
        # ledger makes safe, until the signal is settled or too old.
        minute = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M")
        key = fingerprint(minute, *(live.signal_id for live in pending))
        yield dg.RunRequest(
            run_key=key, tags={"dagster/priority": "10", EXECUTES_ORDERS_TAG: "true"}
        )

    return signals_ready_sensor


def _features_follow_market_data(jobs: Mapping[str, AssetJob]) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        monitored_jobs=[jobs["refresh_market_data"]],
        request_job=jobs["rebuild_features"],
    )
    def features_follow_market_data_sensor(
        context: dg.RunStatusSensorContext,
    ) -> dg.RunRequest | dg.SkipReason:
        """Candles of a month were refreshed: rebuild its features and labels."""
        partition = context.dagster_run.tags.get(_PARTITION_TAG)
        if partition is None:
            return dg.SkipReason("a range run; its own walk or backfill goes on with the features")
        return dg.RunRequest(run_key=context.dagster_run.run_id, partition_key=partition)

    return features_follow_market_data_sensor


def _run_failure(settings: Settings) -> dg.SensorDefinition:
    @dg.run_failure_sensor(name="run_failure_sensor")
    def run_failure_sensor(context: dg.RunFailureSensorContext) -> None:
        """A run failed: write a line to `logs/failures.log` under the storage root."""
        folder = settings.storage_root / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        run = context.dagster_run
        line = json.dumps(
            {
                "at": datetime.now(UTC).isoformat(),
                "job": run.job_name,
                "partition": run.tags.get(_PARTITION_TAG),
                "run_id": run.run_id,
                "error": context.failure_event.message,
            }
        )
        with (folder / "failures.log").open("a") as log:
            log.write(line + "\n")
        context.log.error("%s failed: %s", run.job_name, context.failure_event.message)

    return run_failure_sensor
