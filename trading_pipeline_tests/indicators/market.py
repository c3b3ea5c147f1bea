"""Candles for indicator tests: whole ticks, drawn by hypothesis, with flats, ties and silence."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from trading_pipeline.core.candles import CandleArrays
from trading_pipeline.indicators.catalog import IndicatorSpec, Scale

TICK = Fraction(1, 100)
MONDAY = 4 * 24 * 3_600_000_000
PRICE_COLUMNS = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Ticks:
    """Candles in whole ticks and whole lots of volume."""

    rows: tuple[tuple[int, int, int, int, int], ...]

    def column(self, name: str) -> list[int]:
        return [row[(*PRICE_COLUMNS, "volume").index(name)] for row in self.rows]

    @property
    def fractions(self) -> dict[str, list[Fraction]]:
        """The columns exactly, prices in units of the quote currency."""
        columns = {name: [v * TICK for v in self.column(name)] for name in PRICE_COLUMNS}
        times = [Fraction(t) for t in self.times.tolist()]
        return {**columns, "time": times, "volume": [Fraction(v) for v in self.column("volume")]}

    @property
    def rounded(self) -> dict[str, list[Fraction]]:
        """The columns as :attr:`arrays` have them, exactly."""
        names = (*PRICE_COLUMNS, "volume")
        columns = {n: [Fraction(v) for v in getattr(self.arrays, n).tolist()] for n in names}
        return {**columns, "time": [Fraction(t) for t in self.times.tolist()]}

    @property
    def times(self) -> np.ndarray:
        """Open times, an hour apart, from a Monday."""
        return MONDAY + np.arange(len(self.rows), dtype=np.int64) * 3_600_000_000

    @property
    def arrays(self) -> CandleArrays:
        """The columns as the decimals that a venue would send, rounded to float64."""
        prices = (np.array([v / 100 for v in self.column(name)]) for name in PRICE_COLUMNS)
        return CandleArrays(self.times, *prices, np.array(self.column("volume"), dtype=np.float64))


@st.composite
def ticks(draw, min_size=1, max_size=90):
    """Draw candles: small moves on few ticks, so that equal prices, gaps and silence occur."""
    close = draw(st.integers(30, 3_000_000))
    bar = st.tuples(
        st.sampled_from([0, 0, 1, -1, 2, -2, 7, -7]),
        st.integers(0, 3),
        st.integers(0, 3),
        st.sampled_from([0, 0, 1, 2, 50]),
        st.sampled_from([0, 0, 0, 0, 3, -3]),
    )
    rows = []
    for move, above, below, volume, gap in draw(
        st.lists(bar, min_size=min_size, max_size=max_size)
    ):
        opened = max(close + gap, 10)
        close = max(opened + move, 10)
        low = max(min(opened, close) - below, 1)
        rows.append((opened, max(opened, close) + above, low, close, volume))
    return Ticks(tuple(rows))


def natural_scale(spec: IndicatorSpec, arrays: CandleArrays) -> float:
    """Return what an error of the outputs is measured against, as the catalogue declares it."""
    if spec.scale is Scale.PRICE:
        return spec.natural_scale * float(np.median(arrays.close))
    if spec.scale is Scale.VOLUME:
        return spec.natural_scale * max(float(np.sum(arrays.volume)), 1.0)
    return spec.natural_scale


def cut(arrays: CandleArrays, start: int, stop: int | None = None) -> CandleArrays:
    """Return the bars from ``start`` to ``stop``."""
    names = ("open_time", *PRICE_COLUMNS, "volume")
    return CandleArrays(*(getattr(arrays, name)[start:stop] for name in names))
