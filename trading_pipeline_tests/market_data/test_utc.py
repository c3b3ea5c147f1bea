"""Daylight saving and leap days do not exist in UTC: no machine's time zone changes a count."""

import json
import os
import subprocess
import sys
from calendar import monthrange

import pytest

from trading_pipeline.core.month import Month

# In Europe the clocks change on 29 March and 25 October 2026, in America on 8 March and 1 November.
MONTHS = ("2024-02", "2026-02", "2026-03", "2026-10", "2026-11")
SCRIPT = """
import json, sys
from datetime import UTC, datetime, timedelta
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.gaps import find_gaps
from trading_pipeline.market_data.quality import assess
from trading_pipeline_tests.builders import make_candles

told = {}
for key in sys.argv[1:]:
    month = Month.parse(key)
    for name in ("15m", "1h", "4h", "1d"):
        timeframe = Timeframe(name)
        n = (month.end - month.start) // timeframe.duration
        rows = make_candles(n, start=month.start, timeframe=timeframe)
        holed = rows.filter(rows["open_time"] != rows["open_time"][n // 2])
        gaps = find_gaps(holed["open_time"], timeframe, month.start, month.end, venue="x")
        quality = assess(holed, timeframe, month, gaps, {}, month.end)
        told[f"{key} {name}"] = [
            quality.expected, quality.present, str(quality.first), str(quality.last),
            [str(gap) for gap in gaps], str(timeframe.floor(month.end - timedelta(seconds=1))),
        ]
print(json.dumps(told))
"""


def counts_in(zone: str) -> dict[str, list[object]]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *MONTHS],
        env={**os.environ, "TZ": zone, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    told: dict[str, list[object]] = json.loads(done.stdout)
    return told


@pytest.fixture(scope="module")
def in_utc() -> dict[str, list[object]]:
    return counts_in("UTC")


def test_every_month_has_as_many_bars_as_its_days_have_hours(in_utc: dict[str, list[object]]):
    per_day = {"15m": 96, "1h": 24, "4h": 6, "1d": 1}
    for key, (expected, present, *_) in in_utc.items():
        month, name = key.split()
        days = monthrange(Month.parse(month).year, Month.parse(month).number)[1]
        assert (expected, present) == (days * per_day[name], days * per_day[name] - 1)
    assert in_utc["2024-02 1h"][0] == 29 * 24
    assert in_utc["2026-03 1h"][0] == in_utc["2026-10 1h"][0] == 744


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_the_time_zone_of_the_machine_changes_nothing(zone: str, in_utc: dict[str, list[object]]):
    assert counts_in(zone) == in_utc
