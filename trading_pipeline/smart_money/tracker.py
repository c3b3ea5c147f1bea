"""Smart money as it becomes known, bar by bar or in chunks of any length.

One state, one text: a batch is a single chunk, a stream is chunks of one bar. Every kernel goes
over a chunk once and looks back a fixed number of bars, whose values are kept.
"""

from dataclasses import dataclass, fields

import numpy as np

from trading_pipeline.core.candles import (
    CandleArrays,
    FloatArray,
    candle_arrays,
    empty_candles,
)
from trading_pipeline.core.errors import DataError
from trading_pipeline.smart_money.calendar_levels import PeriodFollower, SessionFollower
from trading_pipeline.smart_money.chunks import Bars, RawEvents
from trading_pipeline.smart_money.events import FIRST_KIND, Concept, EventLog
from trading_pipeline.smart_money.features import FEATURES, Observed, StructureState, stationary
from trading_pipeline.smart_money.liquidity import PoolFollower
from trading_pipeline.smart_money.settings import PERIODS, SESSIONS, SmartMoneySettings
from trading_pipeline.smart_money.structure import StructureFollower
from trading_pipeline.smart_money.swings import SwingFollower
from trading_pipeline.smart_money.zones import BlockFollower, GapFollower

# Bars per pass: bounds the memory that a chunk may need.
_CHUNK = 16_384


@dataclass(frozen=True, slots=True)
class Readings:
    """What the bars of a call made known.

    Attributes
    ----------
    features : dict of str to ndarray of shape (n_bars,)
        The columns of ``FEATURES``, NaN where there is nothing.
    events : EventLog
        In the order in which they became known.
    """

    features: dict[str, FloatArray]
    events: EventLog


class SmartMoney:
    """Follow one series of candles.

    Parameters
    ----------
    settings : SmartMoneySettings, optional

    Notes
    -----
    Causal: what :meth:`update` returns for a bar depends on bars up to it, and no later call
    changes it. Any chunking of a series gives the same numbers bit for bit. Bars count as
    consecutive: a gap in time is not seen.

    References
    ----------
    ``docs/smart_money.md`` has the definition, the source and the known_at rule of each concept.
    """

    def __init__(self, settings: SmartMoneySettings | None = None) -> None:
        self.settings = settings or SmartMoneySettings()
        self._n_seen = 0
        self._tail = candle_arrays(empty_candles())
        self._swings = SwingFollower(self.settings.swing_length, self.settings.atr_period)
        self._structure = StructureFollower()
        self._structure_state = StructureState()
        self._blocks = BlockFollower()
        self._gaps = GapFollower()
        self._pools = PoolFollower()
        self._periods = tuple(PeriodFollower(period) for period in PERIODS)
        self._sessions = tuple(SessionFollower(session) for session in SESSIONS)

    @property
    def n_seen(self) -> int:
        """Bars so far."""
        return self._n_seen

    def update(self, candles: CandleArrays) -> Readings:
        """Take the next bars, one or many.

        Parameters
        ----------
        candles : CandleArrays
            Closed candles that follow those of the calls before, oldest first.

        Returns
        -------
        Readings
            One row of features per bar, and what became known at the close of these bars.

        Raises
        ------
        DataError
            If lengths differ, a value is not finite, or times do not ascend from call to call.
        """
        self._check(candles)
        if len(candles) <= _CHUNK:
            return self._advance(candles)
        features = {name: np.empty(len(candles)) for name in FEATURES}
        logs = []
        for first in range(0, len(candles), _CHUNK):
            part = self._advance(_cut(candles, first, first + _CHUNK))
            for name, values in part.features.items():
                features[name][first : first + _CHUNK] = values
            logs.append(part.events)
        return Readings(features, EventLog.joined(logs))

    def _check(self, candles: CandleArrays) -> None:
        names = [field.name for field in fields(CandleArrays)]
        lengths = {name: np.shape(getattr(candles, name)) for name in names}
        if set(lengths.values()) != {(len(candles),)}:
            raise DataError(f"candles must be series of one length, were {lengths}")
        for name in names[1:]:
            values = getattr(candles, name)
            if not np.isfinite(values).all():
                place = int(np.flatnonzero(~np.isfinite(values))[0])
                raise DataError(
                    f"candles must be finite, {name} of bar {self._n_seen + place} was "
                    f"{values[place]}; drop or refetch that candle"
                )
        before = self._tail.open_time[-1:]
        steps = np.diff(np.concatenate([before, candles.open_time]))
        if (steps <= 0).any():
            place = int(np.flatnonzero(steps <= 0)[0]) + 1 - len(before)
            raise DataError(
                f"candles must ascend by open_time and follow those before, bar "
                f"{self._n_seen + place} did not"
            )

    def _advance(self, chunk: CandleArrays) -> Readings:
        candles = _join(self._tail, chunk)
        start = len(candles) - len(chunk)
        bars = Bars(candles, start, self._n_seen - start)
        swings, swing_events = self._swings.advance(bars)
        ranges = self._swings.average_range(bars)
        # Before there is a mean range only swings of exactly one level make a pool.
        tolerance = self.settings.pool_tolerance * np.nan_to_num(ranges)
        structure_events = self._structure.advance(bars, swings)
        blocks, block_events = self._blocks.advance(bars, swings)
        gaps, gap_events = self._gaps.advance(bars)
        pools, pool_events = self._pools.advance(bars, swings, tolerance)
        given_back, deepest = self._swings.legs(bars, swings)
        features = stationary(
            Observed(
                first=self._n_seen,
                close=candles.close[start:],
                average_range=ranges,
                swings=swings,
                structure=self._structure_state.advance(structure_events, self._n_seen, len(chunk)),
                zones={"block": blocks, "gap": gaps},
                liquidity=pools,
                periods=tuple(follower.advance(bars) for follower in self._periods),
                sessions=tuple(follower.advance(bars) for follower in self._sessions),
                given_back=given_back,
                deepest=deepest,
            )
        )
        self._n_seen += len(chunk)
        kept = 2 * self.settings.swing_length + 2
        self._tail = _cut(candles, max(len(candles) - kept, 0), len(candles))
        log = _log(
            {
                Concept.SWING: swing_events,
                Concept.STRUCTURE: structure_events,
                Concept.ORDER_BLOCK: block_events,
                Concept.GAP: gap_events,
                Concept.POOL: pool_events,
            }
        )
        return Readings(features, log)


def _log(events: dict[Concept, RawEvents]) -> EventLog:
    bars, prices = [], []
    for concept, found in events.items():
        bar = found.bar.copy()
        bar[:, 1] += FIRST_KIND[concept]
        bars.append(bar)
        prices.append(found.price)
    return EventLog.sorted(np.concatenate(bars), np.concatenate(prices))


def _cut(candles: CandleArrays, start: int, stop: int) -> CandleArrays:
    return CandleArrays(*(getattr(candles, field.name)[start:stop] for field in fields(candles)))


def _join(tail: CandleArrays, chunk: CandleArrays) -> CandleArrays:
    # Always new arrays: numba compiles a kernel once more for every mixture of read-only and
    # writable inputs, and the columns of a frame are read-only.
    return CandleArrays(
        *(
            np.concatenate([getattr(tail, field.name), getattr(chunk, field.name)])
            for field in fields(chunk)
        )
    )
