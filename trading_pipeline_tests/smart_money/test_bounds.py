"""No kernel reads or writes outside its arrays: numba checks every index, in a fresh process."""

import os
import subprocess
import sys
from pathlib import Path

from trading_pipeline.core.candles import candle_arrays
from trading_pipeline.smart_money.settings import SmartMoneySettings
from trading_pipeline.smart_money.tracker import SmartMoney
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.smart_money.series import cut


def follow_many() -> int:
    """Follow series of several kinds in chunks of several lengths; return how many events."""
    n_events = 0
    for seed, length, volatility in ((1, 2, 0.01), (2, 5, 0.05), (3, 30, 0.001)):
        arrays = candle_arrays(make_candles(1500, seed=seed, volatility=volatility))
        for step in (1500, 301, 7):
            tracker = SmartMoney(SmartMoneySettings(swing_length=length))
            for first in range(0, len(arrays), step):
                n_events += len(tracker.update(cut(arrays, first, first + step)).events)
    return n_events


def test_every_index_lies_within_its_array(tmp_path):
    checked = subprocess.run(
        [sys.executable, "-m", "trading_pipeline_tests.smart_money.test_bounds"],
        env={**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert int(checked.stdout) == follow_many()


if __name__ == "__main__":
    sys.stdout.write(str(follow_many()))
