"""A market as it was read: candles, their features, and the log of what became known."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from trading_pipeline.core.candles import candle_arrays, conform
from trading_pipeline.smart_money.events import EventLog
from trading_pipeline.smart_money.features import FEATURES
from trading_pipeline.smart_money.settings import SmartMoneySettings
from trading_pipeline.smart_money.tracker import SmartMoney


@dataclass(frozen=True, slots=True)
class MarketReading:
    """Candles and what they made known.

    Attributes
    ----------
    candles : DataFrame
        In the contract of ``core.candles``, from the start of the history.
    features : DataFrame
        ``open_time`` and the Float64 columns of ``FEATURES``, one row per candle; null where
        there is nothing, see there.
    events : EventLog
    """

    candles: pl.DataFrame
    features: pl.DataFrame
    events: EventLog

    def events_between(self, start: datetime, end: datetime) -> pl.DataFrame:
        """Return the events that bars opening in [``start``, ``end``) made known, see EventLog."""
        table = self.events.frame(self.candles["open_time"])
        return table.filter(pl.col("known_at").is_between(start, end, closed="left"))


def read_market(candles: pl.DataFrame, settings: SmartMoneySettings | None = None) -> MarketReading:
    """Return what candles make known.

    Parameters
    ----------
    candles : DataFrame
        Closed candles in the contract of ``core.candles``, from the start of the history.
    settings : SmartMoneySettings, optional

    Raises
    ------
    CandleSchemaError
        If the candles break their contract.

    Notes
    -----
    Causal: a row reads candles up to its own. Recursive: it depends on where the history starts.
    Rows count as consecutive: a gap is not seen here.
    """
    checked = conform(candles)
    readings = SmartMoney(settings).update(candle_arrays(checked))
    columns = [
        pl.Series(name, readings.features[name], dtype=pl.Float64, nan_to_null=True)
        for name in FEATURES
    ]
    return MarketReading(checked, pl.DataFrame([checked["open_time"], *columns]), readings.events)
