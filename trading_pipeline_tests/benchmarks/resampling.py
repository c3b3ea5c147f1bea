"""Longer candles against the libraries that group rows by time."""

from collections.abc import Generator
from datetime import UTC, datetime
from functools import partial

import polars as pl

from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.resampling import resample
from trading_pipeline_tests.benchmarks.inputs import tick_arrays
from trading_pipeline_tests.benchmarks.measure import Bench, Comparison, Side

_MINUTE = Timeframe("1m")
_VALUES = ("open", "high", "low", "close", "volume")
_LATER = datetime(2100, 1, 1, tzinfo=UTC)
_SQL = """
SELECT time_bucket(INTERVAL '{seconds} seconds', open_time) AS open_time,
       arg_min(open, open_time) AS open, max(high) AS high, min(low) AS low,
       arg_max(close, open_time) AS close, sum(volume) AS volume
FROM minutes GROUP BY 1 ORDER BY 1
"""


def comparisons(bench: Bench) -> Generator[Comparison, None, None]:
    """Yield comparisons of making longer candles from minutes, in one frame, in memory."""
    import duckdb

    minutes = _minutes(bench.sizes.n_resampled)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("minutes", minutes.to_arrow())
    for name, goal in (("5m", 1.0), ("1h", 8.0), ("4h", 8.0)):
        target = Timeframe(name)
        ours = Side("resample", partial(_ours, minutes, target))
        note = (
            f"{len(minutes):,} minutes of whole lots, where float sums are exact; ours also checks "
            "the grid, what is closed and what is missing, and sums volumes as decimals"
        )
        peer = Side(f"polars {pl.__version__} group_by_dynamic", partial(_polars, minutes, target))
        yield Comparison(f"resample/1m-{name}-polars", ours, peer, _difference, goal, note)
        if name == "1h":
            query = _SQL.format(seconds=target.seconds)
            peer = Side(f"duckdb {duckdb.__version__}", partial(_duckdb, connection, query))
            yield Comparison(f"resample/1m-{name}-duckdb", ours, peer, _difference, goal, note)
    connection.close()


def _minutes(n: int) -> pl.DataFrame:
    # A whole number of days: every bar of every timeframe is full.
    arrays = tick_arrays(n // 1440 * 1440)
    times = pl.Series("open_time", arrays.open_time // 60).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame([times, *(pl.Series(name, getattr(arrays, name)) for name in _VALUES)])


def _ours(minutes: pl.DataFrame, target: Timeframe) -> pl.DataFrame:
    return resample(minutes, _MINUTE, target, closed_until=_LATER).candles


def _polars(minutes: pl.DataFrame, target: Timeframe) -> pl.DataFrame:
    return minutes.group_by_dynamic("open_time", every=target.name).agg(
        pl.first("open"), pl.max("high"), pl.min("low"), pl.last("close"), pl.sum("volume")
    )


def _duckdb(connection: object, query: str) -> pl.DataFrame:
    found = pl.from_arrow(connection.sql(query).to_arrow_table())
    assert isinstance(found, pl.DataFrame)
    return found


def _difference(ours: pl.DataFrame, theirs: pl.DataFrame) -> str | None:
    names = ["open_time", *_VALUES]
    if ours.height != theirs.height:
        return f"{ours.height} bars against {theirs.height}"
    for name in names:
        if not (ours[name] == theirs[name].cast(ours.schema[name])).all():
            return f"{name} differs"
    return None
