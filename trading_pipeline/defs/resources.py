"""Resources: what assets, checks and ops are given."""

from typing import Any

from trading_pipeline import wiring
from trading_pipeline.config import Settings
from trading_pipeline.defs.io_managers import LakeIOManager


def resources(settings: Settings) -> dict[str, Any]:
    """Return the resources for ``settings``; nothing is opened until it is used."""
    lake = wiring.lake(settings)
    return {
        "settings": settings,
        "lake": lake,
        "lake_io": LakeIOManager(lake, settings),
        "venue": wiring.VenueAccess(settings),
    }
