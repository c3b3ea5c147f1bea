"""Concepts on series that a person can follow with a pencil; every expected value is by hand."""

import numpy as np
import pytest

from trading_pipeline.smart_money.events import Concept
from trading_pipeline.smart_money.settings import SmartMoneySettings
from trading_pipeline.smart_money.tracker import SmartMoney
from trading_pipeline_tests.smart_money.series import HOUR_US, arrays_of, closes, said

SHORT = SmartMoneySettings(swing_length=2, atr_period=2)


def follow(arrays, chosen=SHORT):
    return SmartMoney(chosen).update(arrays)


def test_a_swing_high_is_known_two_bars_later_and_a_higher_one_of_its_run_replaces_it():
    rows = [(10, 10.5, 9, 10)] * 3
    rows += [(11, 14, 10, 11), (12, 13, 11, 12), (12, 13, 11.5, 12)]
    rows += [(13, 16, 12, 13), (13, 14, 12.5, 13), (13, 15, 13, 14)]
    # Lows only rise, so that no swing low lies between the two highs.
    assert said(follow(arrays_of(rows)).events, Concept.SWING, "top") == [
        (5, "formed", 1, 3, 14.0),
        (8, "replaced", 1, 3, 14.0),
        (8, "formed", 1, 6, 16.0),
    ]


def test_a_close_above_a_high_between_rising_lows_is_a_break_of_structure():
    # Low 8, high 16, low 11, then a close at 17.
    arrays = closes(10, 10, 10, 10, 8, 12, 16, 13, 11, 12, 13, 14, 17)
    assert said(follow(arrays).events, Concept.STRUCTURE, "top", "value") == [
        (12, "bos", 1, 6, 16.0, 12.0)
    ]


def test_a_close_above_a_high_after_a_lower_low_is_a_change_of_character():
    arrays = closes(10, 10, 10, 10, 8, 12, 16, 13, 6, 12, 13, 14, 17)
    assert said(follow(arrays).events, Concept.STRUCTURE, "top") == [(12, "choch", 1, 6, 16.0)]


def test_a_wick_above_a_high_breaks_nothing():
    rows = [(c, c, c, c) for c in (10, 10, 10, 10, 8, 12, 16, 13, 11, 12, 13, 14)]
    arrays = arrays_of([*rows, (14, 20, 14, 16)])
    assert said(follow(arrays).events, Concept.STRUCTURE) == []


def test_a_break_before_its_swing_low_is_known_is_said_when_that_is():
    # The low of bar 8 is known at the close of bar 10; bar 9 has closed above the high by then.
    arrays = closes(10, 10, 10, 10, 8, 12, 16, 13, 11, 17, 18)
    assert said(follow(arrays).events, Concept.STRUCTURE, "value") == [(10, "bos", 1, 6, 9.0)]


def test_a_block_is_the_lowest_candle_before_the_break_and_lives_on():
    rows = [(c, c + 0.5, c - 0.5, c) for c in (10, 10, 10, 10, 8, 12, 16, 13, 11, 12, 13, 14)]
    later = [
        (14, 18.0, 14.0, 17.5),  # 12: closes above 16.5, the high of bar 6: the block appears
        (17, 18.0, 11.4, 15.0),  # 13: trades into the block of bar 8, 10.5 to 11.5
        (15, 15.0, 10.5, 12.0),  # 14: to its lower edge, not through
        (12, 12.0, 10.0, 11.0),  # 15: through it
        (11, 11.2, 10.2, 10.4),  # 16: closes below it
        (11, 11.6, 10.6, 11.0),  # 17: trades above its upper edge: over
        (11, 11.6, 10.0, 10.1),
    ]
    arrays = arrays_of([*rows, *later], volume=[4.0] * 12 + [6.0] * 7)
    log = follow(arrays).events
    bullish = [event for event in said(log, Concept.ORDER_BLOCK, "top", "bottom") if event[2] == 1]
    life = [(12, "created"), (13, "touched"), (15, "mitigated"), (16, "invalidated")]
    assert bullish == [(*step, 1, 8, 11.5, 10.5) for step in [*life, (17, "reclaimed")]]
    # Volume two bars before the break against that of the break and the bar before: 4 of 10.
    assert log.of(Concept.ORDER_BLOCK).value[0] == pytest.approx(0.4)


def test_a_gap_is_filled_in_part_and_then_filled():
    arrays = arrays_of(
        [
            (10, 11, 9, 10),
            (11, 15, 11, 15),
            (15, 17, 13, 16),  # low 13 above high 11: a gap of 11 to 13
            (16, 17, 14, 16),
            (16, 16, 12, 14),  # into it
            (14, 15, 11, 12),  # to its end
        ]
    )
    assert said(follow(arrays).events, Concept.GAP, "top", "bottom") == [
        (2, "created", 1, 1, 13.0, 11.0),
        (4, "filled_in_part", 1, 1, 13.0, 11.0),
        (5, "filled", 1, 1, 13.0, 11.0),
    ]


def test_two_highs_at_one_level_are_a_pool_and_a_wick_through_it_is_a_raid():
    chosen = SmartMoneySettings(swing_length=2, atr_period=2, pool_tolerance=0.25)
    rows = [(c, c, c, c) for c in (10, 10, 10, 10, 14, 12, 10, 12, 14, 12, 10, 12, 13)]
    arrays = arrays_of([*rows, (13, 16, 13, 13.5)])
    log = follow(arrays, chosen).events
    above = [event for event in said(log, Concept.POOL, "top", "value") if event[2] == 1]
    assert above == [
        (10, "created", 1, 4, 14.0, 2.0),
        (13, "swept", 1, 4, 14.0, 1.0),
    ]


def test_the_day_before_is_known_from_the_first_bar_of_the_next_day():
    flat = [(5, 6, 4, 5)] * 24
    flat[7] = (5, 9, 2, 5)
    arrays = arrays_of([*flat, (5, 6, 4, 5), (5, 9.5, 4, 5), (5, 6, 4, 5)])
    seen = follow(arrays).features
    assert np.isnan(seen["previous_day_high_distance"][:24]).all()
    assert seen["previous_day_high_broken"].tolist()[23:] == [0.0, 0.0, 1.0, 1.0]
    assert seen["previous_day_low_broken"].tolist()[24:] == [0.0, 0.0, 0.0]
    assert (seen["previous_day_high_distance"][24:] > 0).all()


def test_a_week_begins_on_monday():
    # 1970-01-05 was a Monday.
    start = 3 * 24 * HOUR_US
    arrays = arrays_of([(5, 6, 4, 5)] * 30, start_us=start)
    known = ~np.isnan(follow(arrays).features["previous_week_high_distance"])
    assert known.tolist() == [False] * 24 + [True] * 6


def test_a_session_is_half_open_and_its_levels_stay_until_the_next():
    rows = [(5, 5 + hour % 24 / 10, 5 - hour % 24 / 10, 5) for hour in range(48)]
    seen = follow(arrays_of(rows)).features
    assert np.flatnonzero(seen["london_session"]).tolist() == [*range(7, 16), *range(31, 40)]
    # Highs of the hours 7 to 15 and 0 to 8 are 1.5 and 0.8 above the close, lows as far below.
    london, asia = seen["london_high_distance"][20], seen["asia_high_distance"][20]
    assert london / asia == pytest.approx(1.5 / 0.8)
    assert seen["london_low_distance"][20] == pytest.approx(london)


def test_price_in_the_middle_of_its_range_is_at_equilibrium():
    arrays = closes(10, 10, 10, 10, 8, 12, 16, 13, 12)
    seen = follow(arrays).features
    assert seen["range_position"][8] == 0.5
    assert seen["retracement_direction"][8] == 1.0
    assert seen["retracement"][8] == 0.5
    assert seen["retracement_deepest"][8] == 0.5
