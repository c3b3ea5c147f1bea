"""The code location: every asset, check, job, schedule and sensor, found by folder.

``build_definitions`` is the one place where settings, adapters and Dagster meet. Importing this
module does no work and loads none of the heavy libraries.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from types import ModuleType

import dagster as dg

from trading_pipeline import defs as defs_folder
from trading_pipeline.config import Settings, load_settings
from trading_pipeline.defs.automation import automation
from trading_pipeline.defs.blueprints import AssetBlueprint, CheckBlueprint, accepted_warnings
from trading_pipeline.defs.partitions import Partitions
from trading_pipeline.defs.resources import resources


def build_definitions(
    settings: Settings | None = None, overrides: Mapping[str, object] | None = None
) -> dg.Definitions:
    """Assemble the code location.

    Parameters
    ----------
    settings : Settings, optional
        Default :func:`~trading_pipeline.config.load_settings`.
    overrides : mapping of str to object, optional
        Resources to use instead of the ones that the settings ask for, by name.
    """
    settings = load_settings() if settings is None else settings
    partitions = Partitions(settings)
    found = list(_found())
    with accepted_warnings():
        assets = [item.bind(partitions) for item in found if isinstance(item, AssetBlueprint)]
        checks = [item.bind(partitions) for item in found if isinstance(item, CheckBlueprint)]
    return dg.Definitions(
        assets=[*assets, *(item for item in found if isinstance(item, dg.AssetSpec))],
        asset_checks=checks,
        resources={**resources(settings), **(overrides or {})},
        # One process for a run: a step in a process of its own costs about two seconds.
        executor=dg.in_process_executor,
        **automation(settings, partitions),
    )


@dg.definitions
def code_location() -> dg.Definitions:
    """Return the definitions for the active settings; Dagster calls this."""
    return build_definitions()


def _found() -> Iterator[object]:
    seen: set[int] = set()
    for module in _modules():
        for item in vars(module).values():
            if isinstance(item, (AssetBlueprint, CheckBlueprint, dg.AssetSpec)) and (
                id(item) not in seen
            ):
                seen.add(id(item))
                yield item


def _modules() -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(defs_folder.__path__, f"{defs_folder.__name__}."):
        if info.name.rpartition(".")[2] in {"assets", "checks"}:
            yield importlib.import_module(info.name)
