"""Assets and checks as written in their files, before the settings say which partitions exist.

A decorated function stays a plain function here. ``definitions.build_definitions`` finds every
blueprint by folder and binds it, so that importing an asset file reads no settings, and no asset
can be forgotten.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from trading_pipeline.defs.partitions import Partitions, PartitionSet

# A range run is cut into runs of at most so many partitions by a backfill in the UI.
PARTITIONS_PER_RUN = 30


@dataclass(frozen=True, slots=True)
class Window:
    """Which partitions of an upstream asset one partition reads.

    ``first`` and ``last`` are offsets in months (both included), ``first`` None is the start of the
    walk-forward's training window; ``every_symbol`` adds the other symbols of the venue.
    """

    first: int | None = 0
    last: int = 0
    every_symbol: bool = False


@dataclass(frozen=True, slots=True)
class Upstream:
    """An upstream asset, by name, with the partition set it has and the window that is read."""

    partition_set: PartitionSet
    window: Window = field(default_factory=Window)


def months(first: int = 0, last: int = 0, *, every_symbol: bool = False) -> Upstream:
    """Read months M+first to M+last of a month x symbol asset."""
    return Upstream(PartitionSet.MONTH_SYMBOL, Window(first, last, every_symbol))


def training_months() -> Upstream:
    """Read the months that a fold of month M is trained on, as the settings have them."""
    return Upstream(PartitionSet.MONTH_SYMBOL, Window(None, -1))


def folds() -> Upstream:
    """Read the same month of a fold asset (none before the first fold)."""
    return Upstream(PartitionSet.FOLD_SYMBOL)


def same_symbol() -> Upstream:
    """Read the same symbol of a per-symbol asset."""
    return Upstream(PartitionSet.SYMBOL)


@dataclass(frozen=True, slots=True)
class AssetBlueprint:
    """An asset without its partitions."""

    body: Callable[..., Any]
    group: str
    partition_set: PartitionSet
    reads: Mapping[str, Upstream]
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Public name of the asset."""
        return self.body.__name__

    def bind(self, partitions: Partitions) -> dg.AssetsDefinition:
        """Return the Dagster asset for the partitions of the settings."""
        is_ranged = self.partition_set in (PartitionSet.MONTH_SYMBOL, PartitionSet.FOLD_SYMBOL)
        decorate = dg.asset(
            group_name=self.group,
            partitions_def=partitions.definition(self.partition_set),
            backfill_policy=dg.BackfillPolicy.multi_run(PARTITIONS_PER_RUN) if is_ranged else None,
            io_manager_key="lake_io",
            ins={
                name: dg.AssetIn(
                    name, partition_mapping=_mapping(upstream, self.partition_set, partitions)
                )
                for name, upstream in self.reads.items()
            },
            **self.options,
        )
        bound: dg.AssetsDefinition = decorate(self.body)
        return bound


@dataclass(frozen=True, slots=True)
class CheckBlueprint:
    """An asset check without its partitions."""

    body: Callable[..., Any]
    asset: str
    partition_set: PartitionSet
    blocking: bool

    def bind(self, partitions: Partitions) -> dg.AssetChecksDefinition:
        """Return the Dagster check for the partitions of the settings."""
        return dg.asset_check(
            asset=self.asset,
            blocking=self.blocking,
            partitions_def=partitions.definition(self.partition_set),
        )(self.body)


@contextmanager
def accepted_warnings() -> Iterator[None]:
    """Silence the beta and preview features of Dagster that this design has accepted.

    Month x symbol partitions, their mappings, range backfills, and checks per partition. Every
    other warning passes.
    """
    accepted = (
        (dg.BetaWarning, "Class `MultiToSingleDimensionPartitionMapping`"),
        (dg.BetaWarning, "Class `MultiPartitionMapping`"),
        (dg.BetaWarning, "Parameter `allow_nonexistent_upstream_partitions`"),
        (dg.BetaWarning, "Parameter `backfill_policy` of function `asset`"),
        (dg.PreviewWarning, "Specifying a partitions_def on an AssetCheckSpec"),
    )
    with warnings.catch_warnings():
        for category, message in accepted:
            warnings.filterwarnings("ignore", message=re.escape(message), category=category)
        yield


def pipeline_asset(
    group: str,
    partition_set: PartitionSet = PartitionSet.MONTH_SYMBOL,
    *,
    reads: Mapping[str, Upstream] | None = None,
    **options: Any,  # noqa: ANN401  passed to dagster.asset as they are
) -> Callable[[Callable[..., Any]], AssetBlueprint]:
    """Declare an asset; ``options`` go to ``dagster.asset``."""
    return lambda body: AssetBlueprint(body, group, partition_set, reads or {}, options)


def pipeline_check(
    asset: str, partition_set: PartitionSet = PartitionSet.MONTH_SYMBOL, *, blocking: bool
) -> Callable[[Callable[..., Any]], CheckBlueprint]:
    """Declare an asset check."""
    return lambda body: CheckBlueprint(body, asset, partition_set, blocking)


def _mapping(
    upstream: Upstream, reader: PartitionSet, partitions: Partitions
) -> dg.PartitionMapping | None:
    by_month = (PartitionSet.MONTH_SYMBOL, PartitionSet.FOLD_SYMBOL)
    if upstream.partition_set in by_month and reader in by_month:
        return _month_mapping(upstream.window, partitions.train_months)
    if upstream.partition_set in by_month and reader is PartitionSet.SYMBOL:
        return dg.MultiToSingleDimensionPartitionMapping("symbol")
    if reader in (PartitionSet.NONE, PartitionSet.DAY):
        return dg.AllPartitionMapping()
    return None


def _month_mapping(window: Window, train_months: int) -> dg.PartitionMapping:
    month = dg.TimeWindowPartitionMapping(
        start_offset=-train_months if window.first is None else window.first,
        end_offset=window.last,
        # The first months have no month before them, the newest none after it.
        allow_nonexistent_upstream_partitions=True,
    )
    symbol = dg.AllPartitionMapping() if window.every_symbol else dg.IdentityPartitionMapping()
    return dg.MultiPartitionMapping(
        {
            "month": dg.DimensionPartitionMapping("month", month),
            "symbol": dg.DimensionPartitionMapping("symbol", symbol),
        }
    )
