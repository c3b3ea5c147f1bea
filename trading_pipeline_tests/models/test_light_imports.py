import subprocess
import sys

import pytest

HEAVY = ("xgboost", "numba", "scipy", "pandas", "sklearn", "matplotlib", "dagster")


@pytest.mark.parametrize(
    "module",
    [
        "trading_pipeline.market_data.resampling",
        "trading_pipeline.features.build",
        "trading_pipeline.features.labels",
        "trading_pipeline.validation.walk_forward",
        "trading_pipeline.models.training",
        "trading_pipeline.models.kinds",
        "trading_pipeline.adapters.storage.model_artifacts",
    ],
)
def test_importing_a_module_loads_no_heavy_library(module):
    loaded = f"import sys, {module}; print(*sorted(set(sys.modules) & set({HEAVY})))"
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []
