"""Where the real candles are, for tests marked ``real_data``."""

import os
from pathlib import Path

import pytest

_VARIABLE = "TRADING_TEST_DATA"
_REPOSITORY = Path(__file__).resolve().parents[1]


def real_data_root() -> Path | None:
    """Return the folder of real candles; None where there is none.

    ``TRADING_TEST_DATA`` names it; otherwise ``shared/market-data`` beside the repository counts.
    A variable that names a missing folder is a mistake and fails, instead of skipping tests.
    """
    named = os.environ.get(_VARIABLE)
    if named:
        root = Path(named)
        if not root.is_dir():
            raise FileNotFoundError(f"{_VARIABLE} must name a folder, was {named}")
        return root
    beside = _REPOSITORY.parent / "shared" / "market-data"
    return beside if beside.is_dir() else None


def real_file(relative: str) -> Path:
    """Return a file or folder of the real candles, or skip the test with the reason."""
    root = real_data_root()
    if root is None:
        pytest.skip(f"no real candles here; set {_VARIABLE} to the folder that holds them")
    path = root / relative
    if not path.exists():
        pytest.skip(f"the real candles lack {relative}")
    return path
