"""Smart money on real candles, against the labels that smartmoneyconcepts 0.0.27 gave them.

Those labels look into the future. Counts say how many of them ours reaches at ``known_at``, and
how often it says more; ``docs/smart_money.md`` has the reasons.
"""

from functools import cache

import numpy as np
import polars as pl
import pytest

from trading_pipeline.core.candles import CandleArrays
from trading_pipeline.smart_money.chunks import Bars
from trading_pipeline.smart_money.events import Change, Concept
from trading_pipeline.smart_money.liquidity import PoolFollower
from trading_pipeline.smart_money.tracker import Readings, SmartMoney
from trading_pipeline.smart_money.zones import BlockFollower
from trading_pipeline_tests.real_data import real_file
from trading_pipeline_tests.smart_money.series import cut, hindsight, same_events, same_features
from trading_pipeline_tests.smart_money.series import up_to as known_by
from trading_pipeline_tests.smart_money.slow_loops import Label

pytestmark = pytest.mark.real_data


def euro_dollar() -> CandleArrays:
    table = pl.read_csv(real_file("smc-eurusd/EURUSD_15M.csv"))
    times = table["Date"].str.to_datetime("%Y.%m.%d %H:%M:%S").dt.epoch("us").to_numpy()
    names = ("Open", "High", "Low", "Close", "Volume")
    return CandleArrays(times, *(table[name].cast(pl.Float64).to_numpy() for name in names))


def bitcoin() -> CandleArrays:
    table = pl.read_ipc(real_file("binance-spot-freqtrade/BTC_USDT-1h.feather"))
    names = ("open", "high", "low", "close", "volume")
    times = table["date"].dt.epoch("us").to_numpy()
    return CandleArrays(times, *(table[name].cast(pl.Float64).to_numpy() for name in names))


@cache
def readings(name: str) -> Readings:
    return SmartMoney().update({"euro": euro_dollar, "bitcoin": bitcoin}[name]())


def library(name: str, label: str) -> pl.DataFrame:
    """Return the rows that have a label, with the number of their bar as ``bar``."""
    table = pl.read_csv(real_file(f"smc-eurusd/{name}_result_data.csv"))
    table = table.with_columns(pl.all().cast(pl.Float64)).with_row_index("bar")
    return table.filter(pl.col(label).is_not_null())


def labels(name: str, label: str) -> set[tuple[int, int]]:
    table = library(name, label)
    return {(bar, int(side)) for bar, side in zip(table["bar"], table[label], strict=True)}


def origins(concept: Concept, *changes: Change, of: str = "euro") -> set[tuple[int, int]]:
    log = readings(of).events.of(concept, *changes)
    return set(zip(log.origin.tolist(), log.direction.tolist(), strict=True))


def test_every_swing_of_the_library_is_ours_but_the_two_that_it_makes_up():
    standing = origins(Concept.SWING, Change.FORMED) - origins(Concept.SWING, Change.REPLACED)
    theirs = labels("swing_highs_lows", "HighLow")
    assert len(standing & theirs) == 2706
    assert standing - theirs == set()
    # Without a look at prices, so that labels begin and end with the series.
    assert theirs - standing == {(0, 1), (24_423, -1)}


def test_every_fair_value_gap_of_the_library_is_ours_with_its_edges_and_first_touch():
    table = library("fvg", "FVG")
    theirs = {
        (bar, int(side)): (top, bottom, int(touched))
        for bar, side, top, bottom, touched in table.iter_rows()
    }
    made = readings("euro").events.of(Concept.GAP, Change.CREATED)
    entered = readings("euro").events.of(Concept.GAP, Change.FILLED_IN_PART)
    first = dict(zip(entered.origin.tolist(), entered.known_at.tolist(), strict=True))
    ours = {
        (at, side): (top, bottom, first.get(at, 0))
        for at, side, top, bottom in zip(
            made.origin.tolist(), made.direction.tolist(), made.top, made.bottom, strict=True
        )
    }
    assert len(theirs) == 5020
    assert ours == theirs


def test_breaks_of_the_library_are_reached_when_they_happen():
    found = {
        name: (
            len(labels("bos_choch", name)),
            len(origins(Concept.STRUCTURE, change)),
            len(labels("bos_choch", name) & origins(Concept.STRUCTURE, change)),
        )
        for name, change in (("BOS", Change.BOS), ("CHOCH", Change.CHOCH))
    }
    # Theirs, ours, both.
    assert found == {"BOS": (676, 720, 675), "CHOCH": (453, 469, 444)}


def test_most_breaks_are_known_at_the_bar_that_breaks():
    log = readings("euro").events.of(Concept.STRUCTURE)
    late = log.known_at - log.value
    assert late.min() == 0
    assert np.mean(late == 0) > 0.6
    # The swing before the break needs five bars to be known; a level that a wick passed, longer.
    assert np.mean(late <= 5) > 0.97


def test_order_blocks_of_the_library_are_reached():
    made = origins(Concept.ORDER_BLOCK, Change.CREATED)
    standing = made - origins(Concept.ORDER_BLOCK, Change.RECLAIMED)
    theirs = labels("ob", "OB")
    assert (len(theirs), len(standing), len(theirs & standing)) == (66, 72, 63)


def library_swings() -> list[Label]:
    table = library("swing_highs_lows", "HighLow")
    return [Label(bar, int(side), level) for bar, side, level in table.iter_rows()]


def test_order_blocks_are_those_of_the_library_where_both_know_the_same_swings():
    arrays = euro_dollar()
    swings = hindsight(library_swings(), len(arrays))
    _, events = BlockFollower().advance(Bars(arrays, 0, 0), swings)
    by_kind: dict[int, dict[tuple[int, int], list[float]]] = {0: {}, 4: {}}
    for (_, kind, side, origin), edges in zip(
        events.bar.tolist(), events.price.tolist(), strict=True
    ):
        by_kind.setdefault(kind, {})[origin, side] = edges
    standing = {key: edges for key, edges in by_kind[0].items() if key not in by_kind[4]}
    table = library("ob", "OB")
    theirs = {
        (bar, int(side)): (top, bottom, share / 100)
        for bar, side, top, bottom, _, _, share in table.iter_rows()
    }
    assert standing.keys() == theirs.keys()
    for key, edges in theirs.items():
        assert standing[key] == pytest.approx(edges, rel=1e-6)


def test_liquidity_is_that_of_the_library_where_both_know_the_same_swings_and_tolerance():
    arrays = euro_dollar()
    swings = hindsight(library_swings(), len(arrays))
    # The library's tolerance is a share of the range of the whole file.
    reach = 0.01 * (arrays.high.max() - arrays.low.min())
    _, events = PoolFollower().advance(Bars(arrays, 0, 0), swings, np.full(len(arrays), reach))
    by_kind = {
        kind: {(bar[3], bar[2]): bar[0] for bar in events.bar.tolist() if bar[1] == kind}
        for kind in (0, 2)
    }
    table = library("liquidity", "Liquidity")
    theirs = {(bar, int(side)): int(swept) for bar, side, _, _, swept in table.iter_rows()}
    assert len(theirs) == 498
    assert by_kind[0].keys() == theirs.keys()
    assert {key: by_kind[2].get(key, 0) for key in theirs} == theirs


def test_levels_of_the_day_before_are_the_librarys_but_in_the_first_bar_of_a_day():
    arrays = euro_dollar()
    table = pl.read_csv(real_file("smc-eurusd/previous_high_low_result_data_1D.csv"))
    theirs = table["PreviousHigh"].cast(pl.Float64).to_numpy()
    seen = readings("euro").features
    close, distance = arrays.close, seen["previous_day_high_distance"]
    # Back from average ranges, which the swings' own column gives.
    level_known = ~np.isnan(distance) & ~np.isnan(theirs)
    above = distance > 0
    day = arrays.open_time // 86_400_000_000
    is_first = np.r_[True, day[1:] != day[:-1]]
    agree = above == (theirs > close + 1e-7)
    assert agree[level_known & ~is_first].all()
    assert (level_known & ~is_first).sum() > 23_000


@pytest.mark.parametrize("name", ["euro", "bitcoin"])
def test_replayed_prefixes_of_real_candles_rewrite_nothing(name):
    arrays = {"euro": euro_dollar, "bitcoin": bitcoin}[name]()
    whole = readings(name)
    # Around 199 appended candles, where the library rewrites hundreds of its readings.
    stops = [*range(2801, 3000), *np.linspace(3000, len(arrays), 8).astype(int)]
    rewritten = 0
    for stop in stops:
        before = SmartMoney().update(cut(arrays, 0, stop))
        known = {column: values[:stop] for column, values in whole.features.items()}
        rewritten += not same_features(before.features, known)
        rewritten += not same_events(before.events, known_by(whole.events, stop))
    assert rewritten == 0


def test_bar_by_bar_over_real_bitcoin_gives_the_bits_of_one_batch():
    arrays = cut(bitcoin(), 0, 6000)
    batch, tracker = SmartMoney().update(arrays), SmartMoney()
    parts = [tracker.update(cut(arrays, bar, bar + 1)) for bar in range(len(arrays))]
    for name, values in batch.features.items():
        assert np.concatenate([part.features[name] for part in parts]).tobytes() == values.tobytes()
    assert sum(len(part.events) for part in parts) == len(batch.events)
