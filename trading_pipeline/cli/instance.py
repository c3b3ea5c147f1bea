"""Dagster's instance of a profile."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from trading_pipeline.config import Settings
from trading_pipeline.core.errors import ConfigError

if TYPE_CHECKING:
    import dagster as dg

_FOLDERS = ("storage.sqlite.base_dir", "local_artifact_storage.config.base_dir")


def dagster_home(settings: Settings) -> Path:
    """Prepare Dagster's home for the active profile and return it.

    It is ``<storage root>/dagster``: the project's ``dagster.yaml`` with the folders of this
    profile, so that runs of one profile never show as partitions of another.
    """
    home = settings.storage_root / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    source = settings.home / "dagster.yaml"
    try:
        config = yaml.safe_load(source.read_text())
        config["storage"]["sqlite"]["base_dir"] = str(home)
        config["local_artifact_storage"]["config"]["base_dir"] = str(home)
        config["compute_logs"]["config"]["base_dir"] = str(home / "logs")
        config["python_logs"] = {"python_log_level": settings.log_level}
    except OSError as error:
        raise ConfigError(f"{source} must be readable: {error}") from error
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{source} must name the folders {', '.join(_FOLDERS)} and compute_logs: {error}"
        ) from error
    text = "# Made from the project's dagster.yaml at every start; change that one.\n"
    target, content = home / "dagster.yaml", text + yaml.safe_dump(config, sort_keys=False)
    if not target.is_file() or target.read_text() != content:
        temporary = target.with_suffix(".tmp")
        temporary.write_text(content)
        temporary.replace(target)
    return home


def open_instance(settings: Settings) -> "dg.DagsterInstance":
    """Open Dagster's instance of the active profile."""
    import dagster as dg

    home = dagster_home(settings)
    os.environ["DAGSTER_HOME"] = str(home)
    return dg.DagsterInstance.get()


def is_alive(pid: int) -> bool:
    """Tell whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
