"""Schedules, in UTC; all are off until they are turned on in the UI."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.core.month import Month
from trading_pipeline.defs.io_managers import StoredTable
from trading_pipeline.defs.market_data.months import unsettled_months
from trading_pipeline.defs.partitions import Cell, Partitions, PartitionSet
from trading_pipeline.defs.walk import fetch_again
from trading_pipeline.wiring import VenueAccess

# How long into a month the one before it is still looked after.
_AFTERGLOW = timedelta(days=3)


def schedules(settings: Settings, partitions: Partitions) -> Sequence[dg.ScheduleDefinition]:
    """Return every schedule for the active settings."""
    venue = VenueAccess(settings)

    def newest_month() -> Month:
        newest = Month.of(venue.clock().now())
        return newest if partitions.last_month is None else min(newest, partitions.last_month)

    def month_runs(partition_set: PartitionSet) -> Iterator[dg.RunRequest]:
        now, newest = venue.clock().now(), newest_month()
        first = partitions.first_month
        if partition_set is PartitionSet.FOLD_SYMBOL:
            first = partitions.first_fold
        # The last candles of a month close, and its labels end, in the next one.
        matures = settings.market.timeframe.duration * (settings.labels.horizon + 1)
        is_young = now - newest.start < max(_AFTERGLOW, matures)
        begin = newest.shift(-1) if is_young else newest
        raw = StoredTable(wiring.lake(settings), settings, "raw_candles")
        due = {
            (month, symbol)
            for symbol in partitions.symbols
            for month in (*begin.until(newest), *unsettled_months(raw, symbol, newest))
        }
        for month, symbol in sorted(due):
            if month >= first:
                yield _request(Cell(symbol, month).key)

    @dg.schedule(job_name="refresh_market_data", cron_schedule="30 * * * *")
    def refresh_market_data_hourly() -> Iterator[dg.RunRequest]:
        """Half past each hour: candles that the candle job did not bring, and late corrections."""
        yield from month_runs(PartitionSet.MONTH_SYMBOL)

    @dg.schedule(job_name="refresh_market_data", cron_schedule="10 4 * * *")
    def ask_settled_candles_again_nightly() -> Iterator[dg.RunRequest]:
        """Each night: the month that ended in the last days is fetched once more.

        Its gaps are asked about again, and what the venue changed is kept as a revision.
        """
        newest, first = newest_month(), partitions.first_month
        settled = Month.of(venue.clock().now() - _AFTERGLOW)
        for symbol in partitions.symbols:
            if first <= settled < newest:
                yield _request(Cell(symbol, settled).key, fetch_again())

    @dg.schedule(job_name="walk_forward", cron_schedule="45 1 * * *")
    def walk_forward_nightly() -> Iterator[dg.RunRequest]:
        """Each night: what the fold of the running month says of the candles since yesterday.

        The fold itself is trained once, on the first night of its month.
        """
        yield from month_runs(PartitionSet.FOLD_SYMBOL)

    @dg.schedule(job_name="rebuild_signals", cron_schedule="15 2 * * *")
    def rebuild_signals_nightly() -> Iterator[dg.RunRequest]:
        """Each night: the research signals of the running month."""
        yield from month_runs(PartitionSet.MONTH_SYMBOL)

    @dg.schedule(job_name="retrain_models", cron_schedule="30 2 * * *")
    def retrain_models_nightly() -> Iterator[dg.RunRequest]:
        """Each night: a challenger per symbol, and the gate to the champion."""
        for symbol in partitions.symbols:
            yield _request(symbol.key)

    @dg.schedule(job_name="publish_reports", cron_schedule="5 0 * * *")
    def publish_reports_daily() -> Iterator[dg.RunRequest]:
        """Five past midnight: the report of the day that ended."""
        yesterday = venue.clock().now() - timedelta(days=1)
        if partitions.day.has_partition_key(yesterday.date().isoformat()):
            yield _request(yesterday.date().isoformat())

    return [
        refresh_market_data_hourly,
        ask_settled_candles_again_nightly,
        walk_forward_nightly,
        rebuild_signals_nightly,
        retrain_models_nightly,
        publish_reports_daily,
    ]


def _request(partition: str, run_config: Mapping[str, Any] | None = None) -> dg.RunRequest:
    # Dagster refuses a tick with several runs that have no key; keys are compared within a tick.
    return dg.RunRequest(
        run_key=partition, partition_key=partition, run_config=dict(run_config or {})
    )
