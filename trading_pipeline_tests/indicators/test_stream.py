"""Bar by bar, in chunks and all at once: the same bits."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.candles import candle_arrays
from trading_pipeline.core.errors import DataError
from trading_pipeline.indicators.catalog import CATALOG, IndicatorRequest, compute
from trading_pipeline.indicators.stream import IndicatorStream
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.indicators.market import cut, ticks
from trading_pipeline_tests.indicators.oracles import short

REQUESTS = [IndicatorRequest.of(name) for name in CATALOG]
QUICK = [IndicatorRequest.of(name, **short(name, 3)) for name in CATALOG]


def whole(requests, arrays):
    """Return every column of a whole history, as the catalogue computes it."""
    lines = [
        values for r in requests for values in compute(r.indicator, arrays, r.parameters).values()
    ]
    return np.array(lines).reshape(len(lines), len(arrays))


def rows(arrays):
    names = ("open_time", "open", "high", "low", "close", "volume")
    return zip(*(getattr(arrays, name).tolist() for name in names), strict=True)


def replay(stream, arrays):
    return np.array([stream.update(*row).copy() for row in rows(arrays)]).T


def differing(stream, left, right):
    pairs = zip(stream.columns, left, right, strict=True)
    return [name for name, a, b in pairs if a.tobytes() != np.ascontiguousarray(b).tobytes()]


def test_bar_by_bar_gives_the_bits_of_a_whole_history():
    # Longer than the room that a stream has before it moves its history to the front.
    arrays = candle_arrays(make_candles(2_700, seed=3))
    stream = IndicatorStream(REQUESTS)
    assert differing(stream, whole(REQUESTS, arrays), replay(stream, arrays)) == []
    assert stream.n_bars == 2_700


@settings(max_examples=40, deadline=None)
@given(candles=ticks(max_size=60), data=st.data())
def test_any_cut_into_chunks_and_bars_gives_the_same_bits(candles, data):
    arrays = candles.arrays
    stream, parts, at = IndicatorStream(QUICK), [], 0
    while at < len(arrays):
        n_bars = data.draw(st.integers(1, 20))
        chunk = cut(arrays, at, at + n_bars)
        one_by_one = data.draw(st.booleans())
        parts.append(replay(stream, chunk) if one_by_one else stream.extend(chunk))
        at += n_bars
    streamed = np.concatenate(parts, axis=1)
    assert differing(stream, whole(QUICK, arrays), streamed) == []


def test_chunks_across_the_edges_of_blocks_give_the_same_bits(rng):
    arrays = candle_arrays(make_candles(4_000, seed=4))
    expected = whole(REQUESTS, arrays)
    for longest in (900, 1_500):
        stream, parts, at = IndicatorStream(REQUESTS), [], 0
        while at < len(arrays):
            n_bars = int(rng.integers(1, longest))
            parts.append(stream.extend(cut(arrays, at, at + n_bars)))
            at += n_bars
        assert differing(stream, expected, np.concatenate(parts, axis=1)) == []


def test_a_missing_value_is_the_same_in_a_stream():
    arrays = candle_arrays(make_candles(300, seed=6))
    close = arrays.close.copy()
    close[77] = np.nan
    damaged = type(arrays)(
        arrays.open_time, arrays.open, arrays.high, arrays.low, close, arrays.volume
    )
    expected, stream = whole(REQUESTS, damaged), IndicatorStream(REQUESTS)
    streamed = replay(stream, damaged)
    assert np.array_equal(np.isnan(expected), np.isnan(streamed))
    assert np.array_equal(expected, streamed, equal_nan=True)


def test_a_stream_is_stored_and_goes_on():
    arrays = candle_arrays(make_candles(500, seed=5))
    stream = IndicatorStream(REQUESTS)
    first = replay(stream, cut(arrays, 0, 230))
    stored = pickle.loads(pickle.dumps(stream))
    later = replay(stored, cut(arrays, 230))
    streamed = np.concatenate([first, later], axis=1)
    assert differing(stream, whole(REQUESTS, arrays), streamed) == []


def test_an_empty_chunk_changes_nothing_and_a_stream_may_ask_for_nothing():
    arrays = candle_arrays(make_candles(10))
    stream = IndicatorStream.of("ema", period=3)
    assert stream.extend(cut(arrays, 0, 0)).shape == (1, 0)
    assert stream.extend(arrays).shape == (1, 10)
    nothing = IndicatorStream([])
    assert nothing.extend(arrays).shape == (0, 10)
    assert IndicatorStream([]).update(1, 1.0, 1.0, 1.0, 1.0, 1.0).shape == (0,)


def test_bars_that_go_back_are_refused():
    arrays = candle_arrays(make_candles(10))
    stream = IndicatorStream.of("sma", period=2)
    stream.extend(arrays)
    with pytest.raises(DataError, match="a stream never goes back"):
        stream.update(int(arrays.open_time[9]), 1.0, 1.0, 1.0, 1.0, 1.0)
    with pytest.raises(DataError, match="each later than the one before"):
        stream.extend(arrays)
