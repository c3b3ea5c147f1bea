from datetime import timedelta
from io import BytesIO

import pytest
from PIL import Image

from trading_pipeline.adapters.reports.coverage_picture import (
    STATE_COLOURS,
    coverage_picture,
    quality_page,
)
from trading_pipeline.adapters.reports.pictures import MAX_BYTES
from trading_pipeline.core.month import Month
from trading_pipeline.reporting.coverage import Coverage, CoverageCell, CoverageState
from trading_pipeline.reporting.quality import GapRow

FIRST = Month(2014, 1)


def coverage(n_symbols: int, n_months: int, **counts: object) -> Coverage:
    months = tuple(FIRST.until(FIRST.shift(n_months - 1)))
    symbols = tuple(f"S{number}/USDT" for number in range(n_symbols))
    cells = {
        (symbol, month): CoverageCell(symbol, month, is_made=True, **counts)
        for symbol in symbols
        for month in months
    }
    return Coverage(months, symbols, cells)


def colours(png: bytes) -> set[str]:
    image = Image.open(BytesIO(png)).convert("RGB")
    return {"#{:02x}{:02x}{:02x}".format(*rgb) for _, rgb in image.getcolors(1_000_000)}


@pytest.mark.parametrize(("n_symbols", "n_months"), [(1, 1), (2, 18), (12, 130)])
def test_the_heat_map_is_a_small_picture_of_any_size_of_universe(n_symbols: int, n_months: int):
    png = coverage_picture(
        coverage(n_symbols, n_months, expected=744, present=700, explained=44), title="x $1"
    )
    assert len(png) <= MAX_BYTES
    assert Image.open(BytesIO(png)).format == "PNG"


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        ({"expected": 9, "present": 9}, CoverageState.COMPLETE),
        ({"expected": 9, "present": 9, "repaired": 2}, CoverageState.REPAIRED),
        ({"expected": 9, "present": 8, "explained": 1}, CoverageState.EXPLAINED),
        ({"expected": 9, "present": 8, "unexplained": 1}, CoverageState.UNEXPLAINED),
    ],
)
def test_the_page_shows_the_colour_of_what_is_true(counts: dict[str, object], state: CoverageState):
    found = coverage(1, 3, **counts)
    png = quality_page(found, "S0/USDT", timeframe="1h", venue="trial")
    shown = colours(png)
    assert STATE_COLOURS[state] in shown
    others = {CoverageState.UNEXPLAINED, CoverageState.EXPLAINED, CoverageState.COMPLETE} - {state}
    assert shown.isdisjoint(STATE_COLOURS[other] for other in others)


def test_a_page_grows_with_its_gaps_and_survives_a_history_without_any():
    gaps = tuple(
        GapRow(FIRST.start, FIRST.start + timedelta(hours=n), n, "no trade", n % 2 == 0, "costs $5")
        for n in range(1, 40)
    )
    with_gaps = coverage(1, 2, expected=744, present=700, explained=44, gaps=gaps)
    heights = [
        Image.open(BytesIO(quality_page(c, "S0/USDT", timeframe="1h", venue="x"))).size[1]
        for c in (coverage(1, 2), with_gaps)
    ]
    assert heights[1] > heights[0] + 200
