"""From candles, smart money and indicators to what a picture shows."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl

from trading_pipeline.adapters.reports.market_marks import marks
from trading_pipeline.adapters.reports.market_picture import MarketView, Panel
from trading_pipeline.core.candles import CandleArrays, FloatArray, candle_arrays
from trading_pipeline.core.errors import DataError
from trading_pipeline.indicators.catalog import IndicatorRequest, Scale, indicator_frame
from trading_pipeline.smart_money.reading import MarketReading

MOST_BARS = 1500
# Levels that traders draw into an oscillator.
_GUIDES = {
    "rsi": (30.0, 70.0),
    "mfi": (20.0, 80.0),
    "stochastic": (20.0, 80.0),
    "cci": (-100.0, 100.0),
}


def market_view(
    reading: MarketReading,
    *,
    title: str,
    subtitle: str,
    last: datetime,
    n_bars: int,
    requests: Sequence[IndicatorRequest] = (),
    with_marks: bool = True,
) -> MarketView:
    """Return the view of ``n_bars`` candles up to the one that opens at ``last``.

    Everything in it was known at that candle's close.

    Parameters
    ----------
    reading : MarketReading
    title, subtitle : str
        The subtitle goes on with the range of the window.
    last : datetime
        Open time of the newest candle that is shown.
    n_bars : int
        From 2 to 1,500; fewer if the history is shorter.
    requests : sequence of IndicatorRequest
        Drawn over the candles where their unit is a price near the candles', else in a panel.
    with_marks : bool
        Whether smart money is drawn.

    Raises
    ------
    DataError
        If fewer than 2 candles, or more than 1,500, would be shown.
    """
    known = reading.candles.filter(pl.col("open_time") <= last)
    n_shown = min(n_bars, known.height)
    if not 2 <= n_shown <= MOST_BARS:
        raise DataError(
            f"a picture shows 2 to {MOST_BARS} candles, was asked for {n_shown}; "
            "choose another range"
        )
    first = known.height - n_shown
    arrays = candle_arrays(known)
    shown = candle_arrays(known[first:])
    overlays: dict[str, FloatArray] = {}
    panels: list[Panel] = []
    values = indicator_frame(known, requests)[first:]
    for request in requests:
        lines = {
            name: values[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
            for name in request.columns
        }
        if request.spec.scale is Scale.PRICE and _is_near(shown, lines):
            overlays |= lines
        else:
            panels.append(Panel(request.name, lines, _GUIDES.get(request.indicator, ())))
    start, end = known["open_time"][first], known["open_time"][-1]
    return MarketView(
        title=title,
        subtitle=f"{subtitle}, {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC",
        candles=shown,
        first=first,
        marks=marks(reading.events, arrays, first, known.height - 1) if with_marks else None,
        overlays=overlays,
        levels=_day_before(known, first) if with_marks else {},
        panels=panels,
    )


def _is_near(candles: CandleArrays, lines: dict[str, FloatArray]) -> bool:
    middle = float(np.median(candles.close))
    finite = np.concatenate([line[np.isfinite(line)] for line in lines.values()])
    return not len(finite) or 0.5 < float(np.median(finite)) / middle < 2.0


def _day_before(candles: pl.DataFrame, first: int) -> dict[str, FloatArray]:
    day = pl.col("open_time").dt.date().alias("day")
    days = (
        candles.group_by(day, maintain_order=True)
        .agg(pl.col("high").max(), pl.col("low").min())
        .select("day", pl.col("high", "low").shift(1).fill_null(np.nan))
    )
    levels = candles.select(day).join(days, on="day", how="left", maintain_order="left")[first:]
    return {
        "previous day high": levels["high"].to_numpy(),
        "previous day low": levels["low"].to_numpy(),
    }
