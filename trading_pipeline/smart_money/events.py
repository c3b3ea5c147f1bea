"""The log of events: what became known at which bar. A line is written once and never changed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
import polars as pl

from trading_pipeline.core.candles import FloatArray, IntArray


class Concept(StrEnum):
    """What an event is about."""

    SWING = "swing"
    STRUCTURE = "structure"
    ORDER_BLOCK = "order_block"
    GAP = "fair_value_gap"
    POOL = "liquidity_pool"


class Change(StrEnum):
    """What became known."""

    FORMED = "formed"
    REPLACED = "replaced"
    BOS = "bos"
    CHOCH = "choch"
    CREATED = "created"
    TOUCHED = "touched"
    MITIGATED = "mitigated"
    INVALIDATED = "invalidated"
    RECLAIMED = "reclaimed"
    FILLED_IN_PART = "filled_in_part"
    FILLED = "filled"
    EXTENDED = "extended"
    SWEPT = "swept"


# Kinds by number, as the kernels count them.
KINDS: tuple[tuple[Concept, Change], ...] = (
    (Concept.SWING, Change.REPLACED),
    (Concept.SWING, Change.FORMED),
    (Concept.STRUCTURE, Change.BOS),
    (Concept.STRUCTURE, Change.CHOCH),
    (Concept.ORDER_BLOCK, Change.CREATED),
    (Concept.ORDER_BLOCK, Change.TOUCHED),
    (Concept.ORDER_BLOCK, Change.MITIGATED),
    (Concept.ORDER_BLOCK, Change.INVALIDATED),
    (Concept.ORDER_BLOCK, Change.RECLAIMED),
    (Concept.GAP, Change.CREATED),
    (Concept.GAP, Change.FILLED_IN_PART),
    (Concept.GAP, Change.FILLED),
    (Concept.POOL, Change.CREATED),
    (Concept.POOL, Change.EXTENDED),
    (Concept.POOL, Change.SWEPT),
)
FIRST_KIND = {
    concept: min(i for i, (known, _) in enumerate(KINDS) if known is concept) for concept in Concept
}
EVENT_SCHEMA: dict[str, pl.DataType] = {
    "known_at": pl.Datetime("us", "UTC"),
    "concept": pl.Enum([concept.value for concept in Concept]),
    "change": pl.Enum([change.value for change in Change]),
    "direction": pl.Int8(),
    "origin": pl.Datetime("us", "UTC"),
    "top": pl.Float64(),
    "bottom": pl.Float64(),
    "value": pl.Float64(),
}


@dataclass(frozen=True, slots=True)
class EventLog:
    """Events as arrays of shape (n_events,), in the order in which they became known.

    Attributes
    ----------
    known_at : ndarray of int64
        Number of the first bar at whose close the event could be known, since the start.
    kind : ndarray of int64
        Place in ``KINDS``.
    direction : ndarray of int64
        1 bullish or about a high, -1 bearish or about a low.
    origin : ndarray of int64
        Number of the bar that the event is about: the swing, the block's candle, the middle
        candle of a gap, the first swing of a pool.
    top, bottom : ndarray of float64
        Upper and lower edge in the quote currency; equal for a level.
    value : ndarray of float64
        Structure: the bar whose close broke the level. Order block created: how even the volume
        before the break was with that of the break, 0 to 1. Pool: its swings; swept: 1 if the
        bar closed back inside, else 0. NaN otherwise.
    """

    known_at: IntArray
    kind: IntArray
    direction: IntArray
    origin: IntArray
    top: FloatArray
    bottom: FloatArray
    value: FloatArray

    def __len__(self) -> int:
        return len(self.known_at)

    @classmethod
    def sorted(cls, bar: IntArray, price: FloatArray) -> Self:
        """Return the log of unsorted columns; events of one bar keep their order."""
        order = np.argsort(bar[:, 0], kind="stable")
        return cls(
            *(np.ascontiguousarray(bar[order, column]) for column in range(4)),
            *(np.ascontiguousarray(price[order, column]) for column in range(3)),
        )

    @classmethod
    def joined(cls, logs: "list[EventLog]") -> Self:
        """Return logs of one series, one after the other."""
        names = ("known_at", "kind", "direction", "origin", "top", "bottom", "value")
        return cls(*(np.concatenate([getattr(log, name) for log in logs]) for name in names))

    def of(self, concept: Concept, *changes: Change) -> "EventLog":
        """Return the events of a concept, of all changes or of those named."""
        wanted = [
            i
            for i, (known, change) in enumerate(KINDS)
            if known is concept and (not changes or change in changes)
        ]
        chosen = np.isin(self.kind, wanted)
        names = ("known_at", "kind", "direction", "origin", "top", "bottom", "value")
        return EventLog(*(getattr(self, name)[chosen] for name in names))

    def frame(self, open_time: pl.Series) -> pl.DataFrame:
        """Return the log with times for bars.

        Parameters
        ----------
        open_time : Series of shape (n_bars,)
            Open times of all bars since the start.

        Returns
        -------
        DataFrame
            Columns of ``EVENT_SCHEMA``. ``known_at`` is the open time of the bar **at whose
            close** the event is known, the key of that bar's row in any other table.
        """
        return pl.DataFrame(
            {
                "known_at": open_time.gather(self.known_at),
                "concept": [KINDS[kind][0].value for kind in self.kind],
                "change": [KINDS[kind][1].value for kind in self.kind],
                "direction": self.direction,
                "origin": open_time.gather(self.origin),
                "top": self.top,
                "bottom": self.bottom,
                "value": pl.Series(self.value, nan_to_null=True),
            },
            schema=EVENT_SCHEMA,
        )
