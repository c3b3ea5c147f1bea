"""Custom indicators: modules and files that the settings name are imported once."""

import importlib
import sys
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from trading_pipeline.core.errors import ConfigError


def load_plugins(plugins: Sequence[str], home: Path) -> None:
    """Import each plugin, so that what it defines stands in the catalogue.

    A plugin is a module (``my_package.trend``) or a file, relative to ``home`` (``my_trend.py``).
    It is code and runs with all rights of this process.

    Raises
    ------
    ConfigError
        If it cannot be found or imported.
    """
    for plugin in plugins:
        try:
            if plugin.endswith(".py"):
                _load_file((home / plugin).resolve())
            else:
                importlib.import_module(plugin)
        except (ImportError, OSError, SyntaxError) as error:
            raise ConfigError(
                f"indicators.plugins: cannot import {plugin}: {error}; name a module, or a file "
                f"relative to {home}"
            ) from error


def _load_file(path: Path) -> None:
    name = f"trading_plugin_{path.stem}"
    if name in sys.modules:
        return
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
