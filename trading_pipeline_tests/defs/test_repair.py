"""Repair, revisions and quarantine in the pipeline, against real exchanges on this machine."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from trading_pipeline import wiring
from trading_pipeline.adapters.exchanges.simulated.faults import FaultPlan, FaultyExchange
from trading_pipeline.adapters.exchanges.simulated.market import ReplayMarket
from trading_pipeline.adapters.exchanges.simulated.revising import RevisingMarket
from trading_pipeline.adapters.exchanges.simulated.server import exchange_app
from trading_pipeline.adapters.exchanges.simulated.serving import serve_in_background
from trading_pipeline.config import Settings
from trading_pipeline.core.clock import FrozenClock
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.defs.walk import STAGES, fetch_again
from trading_pipeline_tests.adapters.exchanges.exchange_cases import rules
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.pipelines import BTC, ETH, HOUR, Pipeline, open_pipeline, without

JANUARY, FEBRUARY, MARCH = (Month(2024, number) for number in (1, 2, 3))
NOW = datetime(2024, 4, 2, tzinfo=UTC)
N = (NOW - JANUARY.start) // HOUR
HOLE = (datetime(2024, 2, 12, 5, tzinfo=UTC), datetime(2024, 2, 12, 8, tzinfo=UTC))
BITCOIN = make_candles(N, seed=21, start=JANUARY.start, price=400.0)
ETHER = make_candles(N, seed=22, start=JANUARY.start, price=90.0)
CANDLES = ("fetch", "validate")


def market(bitcoin: pl.DataFrame) -> ReplayMarket:
    hour = Timeframe("1h")
    return ReplayMarket({(BTC, hour): bitcoin, (ETH, hour): ETHER}, [rules(BTC), rules(ETH)], NOW)


def settings_of(root: Path, url: str, *second: str, **more: Any) -> Settings:
    keys = {
        "venue": "binance",
        "base_url": url,
        "history_start": "2024-01",
        "history_end": "2024-03",
        "now": NOW,
        "second_sources": second,
        "context_timeframes": (),
        **more,
    }
    return Settings(market=keys, storage={"root": str(root)})


@contextmanager
def exchanges(*markets: Any) -> Iterator[list[str]]:
    with ExitStack() as stack:
        apps = [exchange_app(each, FrozenClock(NOW)) for each in markets]
        yield [stack.enter_context(serve_in_background(app)) for app in apps]


def only_gap(pipeline: Pipeline) -> dict[str, Any]:
    (gap,) = pipeline.table("candles").notes(Cell(BTC, FEBRUARY))["gaps"]
    return dict(gap)


def test_another_record_of_the_venue_fills_a_hole_and_is_named(tmp_path: Path):
    with exchanges(market(without(BITCOIN, *HOLE)), market(BITCOIN)) as (url, other):
        settings = settings_of(tmp_path, url, f"binance@{other}")
        with open_pipeline(settings) as pipeline:
            pipeline.walk(CANDLES, first=FEBRUARY, last=FEBRUARY)
            truth = BITCOIN.filter(
                pl.col("open_time").is_between(FEBRUARY.start, FEBRUARY.end, closed="left")
            )
            assert pipeline.rows("candles", BTC, FEBRUARY).equals(truth)
            notes = pipeline.table("candles").notes(Cell(BTC, FEBRUARY))
            assert (notes["repaired"], notes["revised"], notes["unexplained"]) == (3, 0, 0)
            log = pipeline.rows("candle_revisions", BTC, FEBRUARY)
            assert log["source"].to_list() == ["binance"] * 3
            assert log["seen_at"].to_list() == [NOW] * 3
            assert log["old_close"].null_count() == 3
            before = wiring.candles_known_at(settings, BTC, FEBRUARY, FEBRUARY, NOW - HOUR)
            assert before.equals(without(truth, *HOLE))


def test_another_venue_is_a_witness_and_fills_nothing(tmp_path: Path):
    lost = market(without(BITCOIN, *HOLE))
    with exchanges(lost, market(BITCOIN), lost) as (url, trading, silent):
        for name, witness, kind in (
            ("said", trading, "unexplained"),
            ("silent", silent, "second source agrees"),
        ):
            settings = settings_of(
                tmp_path / name, url, f"binanceus@{witness}", symbols={"BTC-USDT": {}}
            )
            # The venue's own trades would explain it first: without them only the witness speaks.
            with open_pipeline(settings, NoTrades(settings)) as pipeline:
                pipeline.walk(CANDLES, first=FEBRUARY, last=FEBRUARY)
                assert only_gap(pipeline)["kind"] == kind
                assert "binanceus, another venue" in only_gap(pipeline)["evidence"]
                assert pipeline.rows("candles", BTC, FEBRUARY).height == 29 * 24 - 3
                (row,) = pipeline.rows("candle_gaps", BTC, FEBRUARY).to_dicts()
                assert row["in_quarantine"] is (kind == "unexplained")


class NoTrades(wiring.VenueAccess):
    """A venue that keeps only its newest trades."""

    def trades(self) -> None:
        return None


def test_the_venues_own_trades_tell_silence_from_a_lost_candle(tmp_path: Path):
    whole, plan = market(BITCOIN), FaultPlan()
    quiet = market(without(BITCOIN, *HOLE))
    lossy = LossyMarket(whole)
    with (
        exchanges(quiet) as (silent,),
        serve_in_background(FaultyExchange(exchange_app(lossy, FrozenClock(NOW)), plan)) as losing,
    ):
        lossy.loses = True
        for name, url, kind in (("no-trade", silent, "no trade"), ("lost", losing, "unexplained")):
            alone = settings_of(tmp_path / name, url, symbols={"BTC-USDT": {}})
            with open_pipeline(alone) as pipeline:
                pipeline.walk(CANDLES, first=FEBRUARY, last=FEBRUARY)
                assert only_gap(pipeline)["kind"] == kind
        assert "its record of candles has a hole" in only_gap_of(tmp_path / "lost", alone)


def only_gap_of(root: Path, settings: Settings) -> str:
    found = wiring.coverage(settings, [BTC], FEBRUARY, FEBRUARY)
    (gap,) = found.row("BTC/USDT")[0].gaps
    return gap.evidence


class BitcoinRevised(RevisingMarket):
    """A market that corrects Bitcoin alone."""

    def window(self, symbol: Any, timeframe: Any, **bounds: Any) -> pl.DataFrame:
        chosen = super() if symbol == BTC else self._market
        return chosen.window(symbol, timeframe, **bounds)


class LossyMarket(RevisingMarket):
    """A market whose candles of the hole are lost on the way out, though they were traded."""

    loses = False

    def window(self, symbol: Any, timeframe: Any, **bounds: Any) -> pl.DataFrame:
        rows = super().window(symbol, timeframe, **bounds)
        # Klines begin on the grid, trades are asked for from an hour earlier in one hour's length.
        asks_for_trades = bounds["end_ms"] is not None
        return rows if asks_for_trades or not self.loses else without(rows, *HOLE)


def test_a_gap_is_asked_about_once_and_again_on_command(tmp_path: Path):
    plan = FaultPlan()
    app = FaultyExchange(exchange_app(market(without(BITCOIN, *HOLE)), FrozenClock(NOW)), plan)
    with serve_in_background(app) as url:
        settings = settings_of(tmp_path, url, symbols={"BTC-USDT": {}})
        with open_pipeline(settings) as pipeline:
            pipeline.walk(CANDLES, first=FEBRUARY, last=FEBRUARY)
            assert plan.requests["aggTrades"] > 0
            plan.clear()
            pipeline.walk(CANDLES, first=FEBRUARY, last=FEBRUARY)
            assert plan.requests["klines"] == plan.requests["aggTrades"] == 0
            (fetch,) = pipeline.walker.plan(FEBRUARY, STAGES[:1], first=FEBRUARY)
            pipeline.walker.run(fetch, fetch_again())
            assert plan.requests["klines"] > 0
            assert plan.requests["aggTrades"] > 0
            assert only_gap(pipeline)["kind"] == "no trade"


def test_a_revised_candle_keeps_both_values_and_makes_only_its_dependents_again(tmp_path: Path):
    source = BitcoinRevised(market(BITCOIN))
    opened = datetime(2024, 2, 20, 7, tzinfo=UTC)
    old = BITCOIN.filter(pl.col("open_time") == opened)["close"][0]
    stages = (*CANDLES, "features")
    with exchanges(source) as (url,), open_pipeline(settings_of(tmp_path, url)) as pipeline:
        pipeline.walk(stages, last=MARCH)
        before = pipeline.contents()
        source.closes[opened] = new = float(
            BITCOIN.filter(pl.col("open_time") == opened)["high"][0]
        )
        for planned in pipeline.walker.plan(MARCH, STAGES[:1], first=FEBRUARY):
            pipeline.walker.run(planned, fetch_again())
        pipeline.walk(stages, last=MARCH)
        after = pipeline.contents()
        (row,) = pipeline.rows("candle_revisions", BTC, FEBRUARY).to_dicts()
        assert (row["open_time"], row["old_close"], row["close"]) == (opened, old, new)
        changed = {where for where in after if after[where] != before.get(where)}
        assert [where for where in changed if "symbol=BTC-USDT" not in where] == []
        by_table: dict[str, set[str]] = {}
        for where in changed:
            by_table.setdefault(where.split("/")[0], set()).add(where[-7:])
        assert by_table == {
            "candle_revisions": {"2024-02"},
            "raw_candles": {"2024-02"},
            "candles": {"2024-02"},
            # Averages remember; labels of January end before the candle that changed.
            "indicator_features": {"2024-02", "2024-03"},
            "feature_matrix": {"2024-02", "2024-03"},
            # Swings and ranges go by highs and lows, which are as they were.
            "smart_money_features": {"2024-02"},
            "labels": {"2024-02"},
        }
        assert pipeline.table("candles").notes(Cell(BTC, FEBRUARY))["revised"] == 1
        then = wiring.candles_known_at(pipeline.settings, BTC, FEBRUARY, FEBRUARY, NOW - HOUR)
        assert then.filter(pl.col("open_time") == opened)["close"][0] == old


def test_a_row_that_breaks_the_contract_is_quarantined_and_its_bar_is_a_hole(tmp_path: Path):
    opened = datetime(2024, 2, 20, 7, tzinfo=UTC)
    source = RevisingMarket(market(BITCOIN))
    source.closes[opened] = 9_999.0
    with exchanges(source) as (url,), open_pipeline(settings_of(tmp_path, url)) as pipeline:
        pipeline.walk(CANDLES, first=FEBRUARY, last=FEBRUARY)
        (row,) = pipeline.rows("quarantined_candles", BTC, FEBRUARY).to_dicts()
        assert (row["open_time"], row["close"]) == (opened, 9_999.0)
        assert row["reason"] == "open or close outside low to high"
        notes = pipeline.table("candles").notes(Cell(BTC, FEBRUARY))
        assert (notes["quarantined"], notes["unexplained"]) == (1, 1)
        assert "the venue's own trades lie there" in only_gap(pipeline)["evidence"]
        source.closes.clear()
        (fetch,) = pipeline.walker.plan(FEBRUARY, STAGES[:1], first=FEBRUARY, symbols=(BTC,))
        pipeline.walker.run(fetch, fetch_again())
        pipeline.walk(CANDLES, first=FEBRUARY, last=FEBRUARY)
        notes = pipeline.table("candles").notes(Cell(BTC, FEBRUARY))
        assert (notes["quarantined"], notes["unexplained"], notes["repaired"]) == (0, 0, 1)


def test_a_renamed_symbol_has_its_earlier_history_under_the_old_name(tmp_path: Path):
    renamed = datetime(2024, 2, 10, tzinfo=UTC)
    symbols = {"BTC-USDT": {"formerly": {"ETH/USDT": renamed}}}
    with exchanges(market(BITCOIN)) as (url,):
        settings = settings_of(tmp_path, url, symbols=symbols)
        with open_pipeline(settings) as pipeline:
            pipeline.walk(CANDLES, first=FEBRUARY, last=FEBRUARY)
            rows = pipeline.rows("candles", BTC, FEBRUARY)
    inside = pl.col("open_time").is_between(FEBRUARY.start, FEBRUARY.end, closed="left")
    expected = pl.concat(
        [
            ETHER.filter(inside, pl.col("open_time") < renamed),
            BITCOIN.filter(inside, pl.col("open_time") >= renamed),
        ]
    )
    assert rows.equals(expected)


def test_a_rename_that_is_told_later_fetches_its_months_again(tmp_path: Path):
    renamed = datetime(2024, 2, 10, tzinfo=UTC)
    with exchanges(market(BITCOIN)) as (url,):
        unaware = settings_of(tmp_path, url, symbols={"BTC-USDT": {}})
        with open_pipeline(unaware) as pipeline:
            pipeline.walk(CANDLES, first=FEBRUARY, last=MARCH)
        symbols = {"BTC-USDT": {"formerly": {"ETH/USDT": renamed}}}
        with open_pipeline(settings_of(tmp_path, url, symbols=symbols)) as pipeline:
            pipeline.walk(CANDLES, first=FEBRUARY, last=MARCH)
            rows = pipeline.rows("candles", BTC, FEBRUARY).filter(pl.col("open_time") < renamed)
            generations = [
                pipeline.manifest("raw_candles", BTC, month).generation
                for month in (FEBRUARY, MARCH)
            ]
    inside = pl.col("open_time").is_between(FEBRUARY.start, renamed, closed="left")
    assert rows.equals(ETHER.filter(inside))
    # The name did not change in March.
    assert generations == [2, 1]


def test_each_part_of_a_gap_is_asked_about_under_the_name_of_its_time(tmp_path: Path):
    renamed = datetime(2024, 2, 10, tzinfo=UTC)
    over = (renamed - 2 * HOUR, renamed + 3 * HOUR)
    hour, names = Timeframe("1h"), [rules(BTC), rules(ETH)]
    lossy = {
        (BTC, hour): without(without(BITCOIN, *over), *HOLE),
        (ETH, hour): without(ETHER, *over),
    }
    symbols = {"BTC-USDT": {"formerly": {"ETH/USDT": renamed}}}
    with exchanges(ReplayMarket(lossy, names, NOW), market(BITCOIN)) as (url, other):
        settings = settings_of(tmp_path, url, f"binance@{other}", symbols=symbols)
        with open_pipeline(settings) as pipeline:
            pipeline.walk(CANDLES, first=FEBRUARY, last=FEBRUARY)
            rows = pipeline.rows("candles", BTC, FEBRUARY)
            assert pipeline.table("candles").notes(Cell(BTC, FEBRUARY))["repaired"] == 5 + 3
        one = settings_of(
            tmp_path / "one", url, f"binance@{other}", symbols=symbols, repair_gaps_per_month=1
        )
        with open_pipeline(one) as pipeline:
            pipeline.walk(CANDLES, first=FEBRUARY, last=FEBRUARY)
            assert pipeline.table("candles").notes(Cell(BTC, FEBRUARY))["repaired"] == 2
            stopped = pipeline.table("raw_candles").notes(Cell(BTC, FEBRUARY))["repair_stopped"]
            assert stopped.startswith("under the name BTC/USDT: asked about 0 of 2 gaps")
    inside = pl.col("open_time").is_between(FEBRUARY.start, FEBRUARY.end, closed="left")
    old, new = pl.col("open_time") < renamed, pl.col("open_time") >= renamed
    assert rows.equals(pl.concat([ETHER.filter(inside, old), BITCOIN.filter(inside, new)]))


@pytest.mark.parametrize("most", [0, 1])
def test_no_more_gaps_of_a_month_are_asked_about_than_the_settings_allow(most: int, tmp_path: Path):
    holes = [HOLE, (HOLE[0] + timedelta(days=2), HOLE[1] + timedelta(days=2))]
    rows = without(without(BITCOIN, *holes[0]), *holes[1])
    with exchanges(market(rows)) as (url,):
        settings = settings_of(tmp_path, url, symbols={"BTC-USDT": {}}, repair_gaps_per_month=most)
        with open_pipeline(settings) as pipeline:
            pipeline.walk(CANDLES, first=FEBRUARY, last=FEBRUARY)
            gaps = pipeline.table("candles").notes(Cell(BTC, FEBRUARY))["gaps"]
            asked = [gap["evidence"] != "nobody was asked" for gap in gaps]
            assert asked == [True, False] if most else asked == [False, False]
            stopped = pipeline.table("raw_candles").notes(Cell(BTC, FEBRUARY))["repair_stopped"]
            assert f"asked about {most} of 2 gaps" in stopped
