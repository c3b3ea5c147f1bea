"""Batch, stream and any chunking are one; nothing known is ever rewritten; bad input is refused."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_pipeline.core.candles import candle_arrays
from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.smart_money.events import EVENT_SCHEMA, Concept, EventLog
from trading_pipeline.smart_money.features import FEATURES
from trading_pipeline.smart_money.reading import read_market
from trading_pipeline.smart_money.settings import SmartMoneySettings
from trading_pipeline.smart_money.tracker import SmartMoney
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.smart_money.series import (
    arrays_of,
    closes,
    cut,
    drawn,
    said,
    same_events,
    same_features,
    up_to,
)

SHORT = SmartMoneySettings(swing_length=2, atr_period=3)


def in_chunks(arrays, places, chosen=SHORT):
    tracker = SmartMoney(chosen)
    stops = [0, *places, len(arrays)]
    parts = [tracker.update(cut(arrays, a, b)) for a, b in pairwise(stops)]
    features = {name: np.concatenate([part.features[name] for part in parts]) for name in FEATURES}
    return features, EventLog.joined([part.events for part in parts])


@settings(max_examples=40, deadline=None)
@given(arrays=drawn(), shares=st.lists(st.floats(0, 1), max_size=8))
def test_any_chunking_gives_the_same_bits(arrays, shares):
    batch = SmartMoney(SHORT).update(arrays)
    places = sorted(int(share * len(arrays)) for share in shares)
    features, events = in_chunks(arrays, places)
    assert same_features(features, batch.features)
    assert same_events(events, batch.events)


def test_bar_by_bar_over_a_long_series_gives_the_bits_of_one_batch():
    arrays = candle_arrays(make_candles(3000, seed=4))
    batch = SmartMoney().update(arrays)
    features, events = in_chunks(arrays, range(1, 3000), SmartMoneySettings())
    assert same_features(features, batch.features)
    assert same_events(events, batch.events)
    assert len(batch.events) > 1000


def test_a_series_longer_than_a_pass_gives_the_bits_of_its_chunks():
    arrays = candle_arrays(make_candles(20_000, seed=4))
    batch = SmartMoney().update(arrays)
    features, events = in_chunks(arrays, [16_000, 19_999], SmartMoneySettings())
    assert same_features(features, batch.features)
    assert same_events(events, batch.events)


@settings(max_examples=40, deadline=None)
@given(arrays=drawn(), share=st.floats(0, 1))
def test_nothing_that_was_known_is_rewritten_by_later_bars(arrays, share):
    whole, stop = SmartMoney(SHORT).update(arrays), int(share * len(arrays))
    before = SmartMoney(SHORT).update(cut(arrays, 0, stop))
    assert same_features(before.features, {n: v[:stop] for n, v in whole.features.items()})
    assert same_events(before.events, up_to(whole.events, stop))


def test_noise_in_the_future_changes_nothing_before_it(rng):
    arrays = candle_arrays(make_candles(600, seed=5))
    noise = np.sort(rng.uniform(1, 1e6, (4, 300)), axis=0)
    low, open_, close, high = noise
    columns = {"open": open_, "high": high, "low": low, "close": close, "volume": close}
    noisy = {name: np.r_[getattr(arrays, name)[:300], values] for name, values in columns.items()}
    clean = SmartMoney().update(arrays)
    other = SmartMoney().update(replace(arrays, **noisy))
    for name in FEATURES:
        assert other.features[name][:300].tobytes() == clean.features[name][:300].tobytes()
    assert same_events(up_to(other.events, 300), up_to(clean.events, 300))


@settings(max_examples=40, deadline=None)
@given(arrays=drawn())
def test_an_event_is_about_a_bar_before_it_was_known(arrays):
    events = SmartMoney(SHORT).update(arrays).events
    assert np.all(np.diff(events.known_at) >= 0)
    assert np.all(events.origin < events.known_at)
    assert np.all(events.known_at < len(arrays))
    assert np.all(events.top >= events.bottom)
    swings = events.of(Concept.SWING)
    assert np.all(swings.known_at - swings.origin >= SHORT.swing_length)


@settings(max_examples=40, deadline=None)
@given(arrays=drawn(), factor=st.sampled_from([1e-8, 1e9]))
def test_features_do_not_depend_on_the_unit_of_the_price(arrays, factor):
    # A power of two near the factor, so that no price is rounded.
    scale = float(2.0 ** round(np.log2(factor)))
    prices = ("open", "high", "low", "close")
    other = replace(arrays, **{name: getattr(arrays, name) * scale for name in prices})
    one, two = SmartMoney(SHORT).update(arrays), SmartMoney(SHORT).update(other)
    for name in FEATURES:
        np.testing.assert_allclose(two.features[name], one.features[name], rtol=1e-12, atol=1e-12)
    assert np.array_equal(one.events.kind, two.events.kind)


@settings(max_examples=40, deadline=None)
@given(arrays=drawn())
def test_an_upside_down_market_is_the_mirror(arrays):
    # But for a bar that is both a swing high and a swing low: it counts as a high.
    mirrored = replace(
        arrays, open=-arrays.open, high=-arrays.low, low=-arrays.high, close=-arrays.close
    )
    up, down = (SmartMoney(SHORT).update(side).events for side in (arrays, mirrored))
    found = [
        {(t, what, side * way, at) for t, what, way, at in said(log, Concept.GAP)}
        for log, side in ((up, 1), (down, -1))
    ]
    assert found[0] == found[1]


def test_no_bars_one_bar_and_a_flat_market_say_nothing():
    for n_bars in (0, 1, 300):
        readings = SmartMoney().update(arrays_of([(7.0, 7.0, 7.0, 7.0)] * n_bars))
        assert set(readings.features) == set(FEATURES)
        assert all(values.shape == (n_bars,) for values in readings.features.values())
        # In a flat market every bar is a swing high of one run: the first is its label.
        changes = said(readings.events, Concept.SWING)
        assert changes == ([] if n_bars < 300 else [(14, "formed", 1, 9)])
        assert len(readings.events) == len(changes)
        distances = [n for n in FEATURES if n.endswith(("_distance", "_height"))]
        assert all(np.isnan(readings.features[name]).all() for name in distances)


def test_a_table_has_a_row_per_candle_and_nulls_where_there_is_nothing():
    candles = make_candles(200, seed=9)
    table = read_market(candles).features
    assert tuple(table.columns) == ("open_time", *FEATURES)
    assert table["open_time"].equals(candles["open_time"])
    assert set(table.dtypes[1:]) == {pl.Float64}
    assert not table.select(pl.exclude("open_time").is_nan().any()).row(0).count(True)
    assert table["swing_high_distance"].null_count() > 0


def test_the_log_as_a_table_names_bars_by_their_open_time():
    candles = make_candles(400, seed=9)
    reading = read_market(candles)
    log, table = reading.events, reading.events.frame(candles["open_time"])
    assert dict(table.schema) == EVENT_SCHEMA
    assert table.height == len(log)
    assert (table["known_at"] > table["origin"]).all()
    first = table.filter(pl.col("concept") == "swing").row(0, named=True)
    row = candles.filter(pl.col("open_time") == first["origin"]).row(0, named=True)
    assert first["top"] == row["high" if first["direction"] == 1 else "low"]
    middle = candles["open_time"][200]
    parts = [
        reading.events_between(candles["open_time"][0], middle),
        reading.events_between(middle, candles["open_time"][-1] + timedelta(hours=1)),
    ]
    assert pl.concat(parts).equals(table, null_equal=True)


def test_columns_that_are_read_only_or_views_are_taken_and_left_alone():
    arrays = candle_arrays(make_candles(200, seed=3))
    expected = SmartMoney().update(arrays)
    strided = replace(arrays, **{n: np.repeat(getattr(arrays, n), 2)[::2] for n in ("high", "low")})
    frozen = cut(arrays, 0)
    for name in ("open", "high", "low", "close", "volume"):
        getattr(frozen, name).flags.writeable = False
    for given_as in (strided, frozen):
        assert same_features(SmartMoney().update(given_as).features, expected.features)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_refused_with_its_bar(value):
    arrays = closes(*range(10, 30))
    broken = replace(arrays, low=np.where(np.arange(20) == 7, value, arrays.low))
    with pytest.raises(DataError, match="low of bar 7"):
        SmartMoney().update(broken)


def test_bars_out_of_order_or_of_unequal_length_are_refused():
    arrays = closes(*range(10, 30))
    tracker = SmartMoney()
    tracker.update(cut(arrays, 0, 10))
    with pytest.raises(DataError, match="bar 10 did not"):
        tracker.update(cut(arrays, 9, 12))
    with pytest.raises(DataError, match="one length"):
        tracker.update(replace(cut(arrays, 10, 12), low=np.ones(3)))
    # A refusal takes nothing: the next bars are still welcome.
    assert tracker.n_seen == 10
    tracker.update(cut(arrays, 10))


@pytest.mark.parametrize(
    ("name", "value"),
    [("swing_length", 0), ("swing_length", 2.5), ("atr_period", 501), ("pool_tolerance", -1.0)],
)
def test_parameters_out_of_range_are_refused(name, value):
    with pytest.raises(ConfigError, match=name):
        SmartMoneySettings(**{name: value})
