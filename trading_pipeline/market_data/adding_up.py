"""Whether longer candles say what their base candles say, worked out a second time by polars."""

from datetime import datetime

import polars as pl

from trading_pipeline.core.timeframe import Timeframe

VOLUME_TOLERANCE = 1e-9
"""Relative; polars sums floats in an order of its own, the bars hold the exact decimal sum."""

_EXACT = ("open", "high", "low", "close", "n_bars")


def contradictions(
    candles: pl.DataFrame,
    bars: pl.DataFrame,
    base: Timeframe,
    target: Timeframe,
    *,
    closed_until: datetime,
) -> tuple[str, ...]:
    """Return what ``bars`` of ``target`` get wrong about the ``candles`` of ``base``; none is good.

    Parameters
    ----------
    candles : DataFrame
        In the contract of ``core.candles``, cut between two bars.
    bars : DataFrame
        In ``resampling.RESAMPLED_SCHEMA``.
    closed_until : datetime
        By the source's clock; no bar may close later, and every whole bar until then must exist.
    """
    expected = candles.group_by_dynamic("open_time", every=target.name).agg(
        pl.first("open"),
        pl.max("high"),
        pl.min("low"),
        pl.last("close"),
        pl.sum("volume"),
        pl.len().cast(pl.Int32).alias("n_bars"),
    )
    both = bars.join(expected, on="open_time", how="full", suffix="_base", coalesce=True)
    is_known = pl.col("open_time") + target.duration <= closed_until
    is_whole = pl.col("n_bars_base") == target.seconds // base.seconds
    volume, again = pl.col("volume"), pl.col("volume_base")
    claims = {
        "bars without a base candle": pl.col("n_bars_base").is_null(),
        "whole bars are missing": pl.col("n_bars").is_null() & is_whole & is_known,
        "bars are not closed": pl.col("n_bars").is_not_null() & ~is_known,
        **{f"{name} differs": pl.col(name) != pl.col(f"{name}_base") for name in _EXACT},
        "volume differs": (volume - again).abs() > VOLUME_TOLERANCE * again.abs(),
    }
    found = []
    for claim, is_broken in claims.items():
        rows = both.filter(is_broken)
        if rows.height:
            found.append(f"{target}: {claim} in {rows.height}, first {rows['open_time'].sort()[0]}")
    if not (bars["open_time"].is_sorted() and bars["open_time"].is_unique().all()):
        found.append(f"{target}: bars must be unique and ascending")
    return tuple(found)
