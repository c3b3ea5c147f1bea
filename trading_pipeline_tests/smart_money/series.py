"""Candles as the tests of smart money want them: arrays, columns, cuts, events as tuples."""

import numpy as np
from hypothesis import strategies as st

from trading_pipeline.core.candles import CandleArrays
from trading_pipeline.smart_money.events import KINDS, Concept, EventLog
from trading_pipeline.smart_money.swings import Swings
from trading_pipeline_tests.smart_money.slow_loops import Label

NAMES = ("open_time", "open", "high", "low", "close", "volume")
HOUR_US = 3_600_000_000


def arrays_of(rows, *, volume=None, start_us=0, step_us=HOUR_US):
    """Return candles of (open, high, low, close) rows."""
    prices = np.array(rows, dtype=np.float64).reshape(-1, 4).T.copy()
    n = prices.shape[1]
    times = start_us + step_us * np.arange(n, dtype=np.int64)
    volumes = np.ones(n) if volume is None else np.array(volume, dtype=np.float64)
    return CandleArrays(times, *prices, volumes)


@st.composite
def drawn(draw, min_size=20, max_size=110):
    """Draw candles in whole ticks: small moves, so that equal prices and flat bars are common."""
    move = st.sampled_from([0, 0, 1, -1, 2, -2, 3, -3, 9, -9])
    bar = st.tuples(
        move, st.sampled_from([0, 0, 0, 1, -2, 4]), st.integers(0, 3), st.integers(0, 3)
    )
    rows, close = [], 1000
    for change, jump, above, below in draw(st.lists(bar, min_size=min_size, max_size=max_size)):
        opened = close + jump
        close = opened + change
        rows.append((opened, max(opened, close) + above, min(opened, close) - below, close))
    volumes = draw(st.lists(st.integers(0, 4), min_size=len(rows), max_size=len(rows)))
    return arrays_of(rows, volume=volumes)


def closes(*values):
    """Return candles that open at the close before and have no wicks."""
    rows = [
        (a, max(a, b), min(a, b), b) for a, b in zip((values[0], *values), values, strict=False)
    ]
    return arrays_of(rows)


def columns(arrays):
    return {name: getattr(arrays, name).tolist() for name in NAMES}


def cut(arrays, start, stop=None):
    return CandleArrays(*(getattr(arrays, name)[start:stop] for name in NAMES))


def said(log: EventLog, concept: Concept, *fields):
    """Return the events of a concept as tuples (known_at, change, direction, origin, ...)."""
    chosen = log.of(concept)
    named = [
        chosen.known_at.tolist(),
        [KINDS[kind][1].value for kind in chosen.kind],
        chosen.direction.tolist(),
        chosen.origin.tolist(),
        *(getattr(chosen, field).tolist() for field in fields),
    ]
    return list(zip(*named, strict=True))


def same_features(left, right):
    return left.keys() == right.keys() and all(
        left[name].tobytes() == right[name].tobytes() for name in left
    )


def same_events(left: EventLog, right: EventLog):
    return all(
        getattr(left, name).tobytes() == getattr(right, name).tobytes()
        for name in ("known_at", "kind", "direction", "origin", "top", "bottom", "value")
    )


def up_to(log: EventLog, stop: int) -> EventLog:
    """Return the events that the first ``stop`` bars made known."""
    chosen = log.known_at < stop
    names = ("known_at", "kind", "direction", "origin", "top", "bottom", "value")
    return EventLog(*(getattr(log, name)[chosen] for name in names))


def hindsight(labels: list[Label], n_bars: int) -> Swings:
    """Return labels as if each were known one bar after its own: what the library reads."""
    swings = Swings.empty(n_bars)
    at, level, run = np.full(4, -1), np.full(4, np.nan), 0
    by_bar = {label.at + 1: label for label in labels}
    for bar in range(n_bars):
        label = by_bar.get(bar)
        swings.new[bar] = 0
        if label is not None:
            column = 0 if label.kind == 1 else 1
            at[column + 2], level[column + 2] = at[column], level[column]
            at[column], level[column], run = label.at, label.level, label.kind
            swings.new[bar] = label.kind
        swings.at[bar], swings.level[bar], swings.run[bar] = at, level, run
    swings.dropped[:], swings.dropped_level[:] = -1, np.nan
    return swings
