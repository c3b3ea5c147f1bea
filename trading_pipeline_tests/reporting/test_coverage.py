import pytest

from trading_pipeline.core.month import Month
from trading_pipeline.reporting.coverage import Coverage, CoverageCell, CoverageState

JANUARY, FEBRUARY = Month(2024, 1), Month(2024, 2)


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        ({"is_made": False}, CoverageState.NOT_FETCHED),
        ({"expected": 10, "present": 10}, CoverageState.COMPLETE),
        ({"expected": 10, "present": 10, "repaired": 1}, CoverageState.REPAIRED),
        ({"expected": 10, "present": 8, "explained": 2}, CoverageState.EXPLAINED),
        ({"expected": 10, "present": 8, "explained": 1, "unexplained": 1}, "unexplained gaps"),
        ({"expected": 10, "unexplained": 1, "broken": ("x",)}, CoverageState.BROKEN),
        ({"expected": 0}, CoverageState.NOT_LISTED),
    ],
)
def test_a_month_is_the_worst_that_is_true_of_it(counts: dict[str, object], state: str):
    cell = CoverageCell("BTC/USDT", JANUARY, **({"is_made": True} | counts))
    assert cell.state == state


def test_months_that_nobody_made_are_not_fetched_and_harm_nothing():
    good = CoverageCell("BTC/USDT", JANUARY, is_made=True, expected=744, present=744)
    coverage = Coverage((JANUARY, FEBRUARY), ("BTC/USDT",), {("BTC/USDT", JANUARY): good})
    assert [cell.state.value for cell in coverage.all_cells()] == ["complete", "not fetched"]
    assert coverage.is_sound
    assert good.coverage == 1.0
    assert coverage.row("BTC/USDT")[1].coverage is None
