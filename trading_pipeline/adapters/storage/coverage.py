"""What every month of validated candles lacks, as a table: from the manifests, nothing is read."""

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from trading_pipeline.adapters.storage.lake import Lake

COVERAGE = "coverage"
_COUNTS = ("expected", "present", "explained", "unexplained", "repaired", "revised", "quarantined")

COVERAGE_SCHEMA: dict[str, pl.DataType] = {
    **{name: pl.String() for name in ("venue", "symbol", "timeframe", "month")},
    **{name: pl.Int64() for name in _COUNTS},
    "dropped": pl.Int64(),
    "coverage": pl.Float64(),
}
"""Bars per month: expected is present plus explained plus unexplained; ``coverage`` is present over
expected as a fraction, null where nothing is expected."""


def coverage(lake: "Lake") -> pl.DataFrame:
    """Return a row for every month of ``candles`` in the lake, in ``COVERAGE_SCHEMA``."""
    rows = []
    for address in lake.addresses("candles"):
        manifest = lake.manifest(address)
        if manifest is None:
            continue
        notes = manifest.notes
        rows.append(
            {
                **dict(address.columns),
                **{name: notes.get(name, 0) for name in _COUNTS},
                "dropped": sum(notes["dropped"].values()),
                "coverage": notes["present"] / notes["expected"] if notes["expected"] else None,
            }
        )
    return pl.DataFrame(rows, schema=COVERAGE_SCHEMA)
