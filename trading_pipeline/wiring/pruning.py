"""What a profile may delete by age, and what another profile still uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from trading_pipeline.adapters.clock import SystemClock
from trading_pipeline.adapters.storage.pruning import (
    OldFile,
    OldPartition,
    delete_files,
    old_files,
    old_partitions,
)
from trading_pipeline.config import NO_PROFILE, Settings, known_profiles, load_settings
from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.retention import Age, Cutoffs
from trading_pipeline.core.streams import CANDLES
from trading_pipeline.wiring.live import event_stream
from trading_pipeline.wiring.stores import lake, reports_folder


@dataclass(frozen=True, slots=True)
class InUse:
    """An old partition that a profile's history still contains."""

    partition: OldPartition
    profile: str

    @property
    def series(self) -> tuple[str, str]:
        """Table and symbol, for people."""
        columns = dict(self.partition.address.columns)
        return self.partition.address.table, columns.get("symbol", "")


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What would go, and what stays because it is in use."""

    cutoffs: Cutoffs
    partitions: tuple[OldPartition, ...] = ()
    in_use: tuple[InUse, ...] = ()
    files: Mapping[str, tuple[OldFile, ...]] = field(default_factory=dict)

    @property
    def advice(self) -> list[str]:
        """For each profile that keeps old partitions: what to change to let them go."""
        newest: dict[str, InUse] = {}
        for kept in self.in_use:
            before = newest.get(kept.profile)
            if before is None or kept.partition.month > before.partition.month:
                newest[kept.profile] = kept
        return [
            f"{sum(kept.profile == name for kept in self.in_use)} partitions are part of the "
            f"history of {name}: to let them go, raise its market.history_start to "
            f"{kept.partition.month.shift(1)} or disable their symbols"
            for name, kept in newest.items()
        ]


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went."""

    partitions: int
    files: Mapping[str, int]
    orphan_parts: int
    stream_events: int


def cutoffs_of(settings: Settings, now: datetime, older_than: Age | None = None) -> Cutoffs:
    """Return since when each kind is kept: ``older_than`` for all of them, else by the settings."""
    if older_than is not None:
        cutoff = older_than.cutoff(now)
        return Cutoffs(cutoff, cutoff, cutoff, cutoff, cutoff)
    ages = settings.storage.retention.ages()
    return Cutoffs(**{kind: age.cutoff(now) for kind, age in ages.items()})


def plan_prune(
    settings: Settings, cutoffs: Cutoffs, tables: Sequence[str] | None = None
) -> PrunePlan:
    """Return what ``cutoffs`` let go; with ``tables`` only partitions of those.

    Raises
    ------
    DataError
        If the lake has no such table.
    ConfigError
        If another profile cannot be read: it might use what would go.
    """
    store = lake(settings)
    known = store.tables()
    for table in tables or ():
        if table not in known:
            raise DataError.unknown_name("table", table, known)
    free, in_use = [], []
    if cutoffs.lake is not None:
        users = _users(settings)
        for old in old_partitions(store, cutoffs.lake, tables):
            profile = next((name for name, user in users.items() if _uses(user, old)), None)
            if profile is None:
                free.append(old)
            else:
                in_use.append(InUse(old, profile))
    files = {} if tables else _old_files(settings, cutoffs)
    return PrunePlan(cutoffs, tuple(free), tuple(in_use), files)


def prune(settings: Settings, plan: PrunePlan) -> Pruned:
    """Delete what ``plan`` names, what killed writers left in the lake, and old events of streams.

    Each partition goes manifest first: after a kill half-way it does not exist, and its files are
    orphans that the next call deletes.

    Raises
    ------
    StorageError
        If something cannot be deleted; what went before it is gone, and a second call goes on.
    """
    store = lake(settings)
    for old in plan.partitions:
        store.drop(old.address)
    files = {kind: delete_files(found) for kind, found in plan.files.items()}
    return Pruned(len(plan.partitions), files, store.sweep(), _trim(settings, plan.cutoffs))


def _users(settings: Settings) -> dict[str, Settings]:
    """Return the profiles whose lake is this one."""
    names = {settings.profile or NO_PROFILE, NO_PROFILE, *known_profiles(settings.storage_base)}
    found = {}
    for name in sorted(names):
        is_own = name == (settings.profile or NO_PROFILE)
        user = settings if is_own else _other(settings, name)
        if user.lake_root == settings.lake_root:
            found["config.yaml" if name == NO_PROFILE else f"profile {name}"] = user
    return found


def _other(settings: Settings, name: str) -> Settings:
    try:
        return load_settings(settings.home, profile=name)
    except ConfigError as error:
        raise ConfigError(
            f"profile {name} cannot be read, and it might use what would go; mend or delete it: "
            f"{error.message}",
            profile=name,
        ) from error


def _uses(settings: Settings, old: OldPartition) -> bool:
    market, columns = settings.market, dict(old.address.columns)
    base = columns.get("base_timeframe", columns.get("timeframe"))
    return (
        columns.get("venue") == market.venue
        and base == market.base_timeframe
        and columns.get("symbol") in {symbol.key for symbol in market.enabled_symbols}
        and market.history_start <= old.month.key <= (market.history_end or old.month.key)
    )


def _old_files(settings: Settings, cutoffs: Cutoffs) -> dict[str, tuple[OldFile, ...]]:
    root = settings.storage_root
    folders = {
        "reports": (cutoffs.reports, [reports_folder(settings)]),
        "logs": (cutoffs.logs, [root / "logs", root / "dagster" / "logs"]),
    }
    return {
        kind: tuple(old_files(paths, before))
        for kind, (before, paths) in folders.items()
        if before is not None
    }


def _trim(settings: Settings, cutoffs: Cutoffs) -> int:
    if cutoffs.streams is None:
        return 0
    stream = event_stream(settings)
    try:
        return stream.trim(CANDLES, max_age=SystemClock().now() - cutoffs.streams)
    finally:
        stream.close()
