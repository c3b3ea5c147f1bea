"""A chunk of bars with those before it, and events as kernels write them."""

from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np

from trading_pipeline.core.candles import CandleArrays, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Bars:
    """A chunk of candles with the bars before it that kernels look back at.

    ``start`` is the place of the chunk's first bar; ``base`` the number of the bar at place 0.
    """

    candles: CandleArrays
    start: int
    base: int

    @property
    def n_new(self) -> int:
        """Bars of the chunk."""
        return len(self.candles) - self.start


@dataclass(frozen=True, slots=True)
class RawEvents:
    """Events as a kernel wrote them: known_at, kind, direction, origin; top, bottom, value."""

    bar: IntArray
    price: FloatArray

    @classmethod
    def room(cls, n_events: int) -> Self:
        """Return arrays for a kernel to write."""
        return cls(np.empty((n_events, 4), np.int64), np.empty((n_events, 3)))

    def first(self, n_events: int) -> "RawEvents":
        """Return the events that were written."""
        return RawEvents(self.bar[:n_events], self.price[:n_events])


_Array = TypeVar("_Array", FloatArray, IntArray)


def grown(array: _Array, axis: int, length: int) -> _Array:
    """Return a copy with room for ``length`` entries along ``axis``; the new ones are not set."""
    shape = list(array.shape)
    shape[axis] = length
    larger = np.empty(shape, array.dtype)
    larger[tuple(slice(0, n) for n in array.shape)] = array
    return larger
