"""Jobs, schedules and sensors of the code location."""

from typing import Any

from trading_pipeline.config import Settings
from trading_pipeline.defs.jobs import asset_jobs
from trading_pipeline.defs.partitions import Partitions
from trading_pipeline.defs.pruning import prune_schedules, prune_storage
from trading_pipeline.defs.schedules import schedules
from trading_pipeline.defs.sensors import sensors
from trading_pipeline.defs.trading.jobs import candle_close_job, live_execution_job


def automation(settings: Settings, partitions: Partitions) -> dict[str, Any]:
    """Return jobs, schedules and sensors as arguments of ``Definitions``."""
    jobs = asset_jobs()
    pruning = list(prune_schedules(settings))
    return {
        "jobs": [
            *jobs.values(),
            candle_close_job,
            live_execution_job,
            *([prune_storage] if pruning else []),
        ],
        "schedules": [*schedules(settings, partitions), *pruning],
        "sensors": sensors(settings, jobs),
    }
