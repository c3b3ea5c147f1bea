"""An unexplained gap blocks exactly the rows that it can reach; an explained one blocks none."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from trading_pipeline import wiring
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.features.labels import triple_barrier_labels
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.pipelines import (
    BTC,
    ETH,
    HOUR,
    MONTHS,
    START,
    UNEXPLAINED,
    Pipeline,
    copied,
    make_settings,
    open_pipeline,
    whole_history,
    without,
    write_candles,
)

# EMA 200 gives its first value at the 200th candle.
WARM_UP = [START + i * HOUR for i in range(199)]
# The longest window of the default settings is the nominal length of EMA 200.
REACHED = [UNEXPLAINED[1] + i * HOUR for i in range(200)]


def null_rows(rows: pl.DataFrame) -> list[datetime]:
    is_null = pl.all_horizontal(pl.exclude("open_time").is_null())
    return rows.filter(is_null)["open_time"].to_list()


def test_features_are_null_in_the_warm_up_and_within_reach_of_the_gap_only(batch: Pipeline):
    bitcoin, ether = batch.history("feature_matrix", BTC), batch.history("feature_matrix", ETH)
    assert null_rows(bitcoin) == WARM_UP + REACHED
    assert null_rows(ether) == WARM_UP
    for rows in (bitcoin, ether):
        partly = pl.any_horizontal(pl.exclude("open_time").is_null())
        assert rows.filter(partly)["open_time"].to_list() == null_rows(rows)


def test_the_reach_ends_where_it_lies_in_the_next_month(tmp_path: Path):
    gap = (datetime(2024, 1, 31, 20, tzinfo=UTC), datetime(2024, 1, 31, 22, tzinfo=UTC))
    n = (datetime(2024, 2, 10, tzinfo=UTC) - START) // HOUR
    whole = make_candles(n, seed=5, start=START)
    files = write_candles(tmp_path / "files", {BTC: without(whole, *gap), ETH: whole})
    settings = make_settings(
        tmp_path / "data", files, now=datetime(2024, 2, 10, tzinfo=UTC),
        market={"history_end": "2024-02"},
    )  # fmt: skip
    with open_pipeline(settings) as pipeline:
        for symbol in (ETH, BTC):
            pipeline.walk(("fetch",), symbols=(symbol,), last=MONTHS[1])
        pipeline.walk(("validate", "features"), symbols=(BTC,), last=MONTHS[1])
        february = pipeline.rows("feature_matrix", BTC, MONTHS[1])
        notes = pipeline.manifest("feature_matrix", BTC, MONTHS[1]).notes
    # Two candles of January lie after the gap, so 198 of the 200 blocked rows lie in February.
    assert february.height == 9 * 24
    assert null_rows(february) == [MONTHS[1].start + i * HOUR for i in range(198)]
    assert notes == {"null_rows": 198, "blocked_rows": 198}


def test_exactly_the_labels_that_touch_the_gap_are_dropped(batch: Pipeline):
    settings = batch.settings
    n = (MONTHS[-1].end - START) // HOUR
    closed = [START + i * HOUR for i in range(n) if START + (i + 1) * HOUR <= settings.market.now]
    filled = make_candles(n, seed=11, start=START, price=400.0).head(len(closed))
    ideal = triple_barrier_labels(filled, wiring.triple_barrier(settings), Timeframe("1h"))
    stored = batch.history("labels", BTC)
    start, end = UNEXPLAINED
    by_time = {row["open_time"]: row for row in stored.iter_rows(named=True)}
    dropped = set()
    for row in ideal.filter(pl.col("open_time") < Month(2024, 3).start).iter_rows(named=True):
        opened = row["open_time"]
        if start <= opened < end:
            assert opened not in by_time
            continue
        # Before the gap, a label touches it when it was still open; after it, while the 25
        # closes of its volatility reach back over it.
        is_touched = (
            row["label_end"] is not None and row["label_end"] > start
            if opened < start
            else opened < end + 24 * HOUR
        )
        if is_touched:
            dropped.add(opened)
            assert by_time[opened]["status"] == "dropped"
            assert by_time[opened]["label"] is None
            assert by_time[opened]["label_end"] is None
        else:
            assert by_time[opened] == row
    # Some labels ended before the gap and some did not, or the test would say nothing.
    before = [opened for opened in dropped if opened < start]
    assert 0 < len(before) < 24
    assert max(before) == start - HOUR


def test_other_words_about_a_gap_make_no_feature_again_and_another_class_does(
    batch: Pipeline, tmp_path: Path
):
    february, made = Cell(BTC, MONTHS[1]), ("indicator_features", "feature_matrix", "labels")
    with copied(batch, tmp_path / "data") as pipeline:
        table = pipeline.table("candles")
        manifest, rows = pipeline.manifest("candles", BTC, MONTHS[1]), table.rows(february)
        (gap,) = manifest.notes["gaps"]
        generations = []
        for n_quarantined, change in ((7, {"evidence": "asked"}), (7, {"kind": "no trade"})):
            notes = {**manifest.notes, "quarantined": n_quarantined, "gaps": [{**gap, **change}]}
            wiring.lake(pipeline.settings).commit(
                table.address(february), rows, fingerprint=manifest.fingerprint, notes=notes
            )
            pipeline.walk(("features",), symbols=(BTC,), first=MONTHS[1], last=MONTHS[1])
            generations.append([pipeline.manifest(t, BTC, MONTHS[1]).generation for t in made])
        assert generations[0] == [batch.manifest(t, BTC, MONTHS[1]).generation for t in made]
        assert generations[1][1:] == [before + 1 for before in generations[0][1:]]
        assert null_rows(pipeline.rows("feature_matrix", BTC, MONTHS[1])) == []


def test_labels_of_ether_lose_nothing_to_a_gap_of_bitcoin(batch: Pipeline):
    ether = batch.history("labels", ETH)
    dropped = ether.filter(pl.col("status") == "dropped")["open_time"].to_list()
    # Only the first 24 candles, whose volatility is not known.
    assert dropped == [START + i * HOUR for i in range(24)]


def test_strategies_abstain_where_the_gap_reaches(batch: Pipeline):
    votes = batch.history("strategy_signals", BTC)
    blocked = votes.filter(pl.col("reason") == "blocked by a gap")
    assert blocked["open_time"].unique().sort().to_list() == REACHED
    assert set(blocked["status"]) == {"abstained"}
    assert batch.history("strategy_signals", ETH).filter(
        pl.col("reason") == "blocked by a gap"
    ).is_empty()  # fmt: skip


def test_the_venue_is_silent_only_where_the_other_symbol_says_so(
    batch: Pipeline, candle_files: tuple[str, ...], tmp_path: Path
):
    kinds = [gap["kind"] for gap in batch.table("candles").notes(Cell(BTC, MONTHS[2]))["gaps"]]
    assert kinds == ["venue silent"]
    alone = make_settings(tmp_path / "data", candle_files, market={"symbols": {"BTC-USDT": {}}})
    with open_pipeline(alone) as pipeline:
        pipeline.walk(("fetch", "validate"), first=MONTHS[2], last=MONTHS[2])
        notes = pipeline.manifest("candles", BTC, MONTHS[2]).notes
    assert [gap["kind"] for gap in notes["gaps"]] == ["unexplained"]
    assert (notes["explained"], notes["unexplained"]) == (0, 2)


def test_quality_counts_are_those_of_the_calendar(batch: Pipeline):
    table = batch.table("candles")
    february = table.notes(Cell(BTC, MONTHS[1]))
    assert (february["expected"], february["present"]) == (29 * 24, 29 * 24 - 3)
    assert (february["explained"], february["unexplained"]) == (0, 3)
    march = table.notes(Cell(ETH, MONTHS[2]))
    assert (march["expected"], march["present"]) == (31 * 24, 31 * 24 - 2)
    assert (march["explained"], march["unexplained"]) == (2, 0)
    # The market's present is the end of 19 April.
    april = table.notes(Cell(BTC, MONTHS[3]))
    assert (april["expected"], april["present"]) == (19 * 24, 19 * 24)


def test_nothing_is_filled(batch: Pipeline):
    start, end = UNEXPLAINED
    times = batch.history("candles", BTC)["open_time"]
    assert not times.is_between(start, end, closed="left").any()
    assert times.is_in([start - HOUR, end]).sum() == 2


@pytest.mark.parametrize("month", MONTHS, ids=str)
def test_candles_are_the_ones_of_the_files(month: Month, batch: Pipeline):
    given = whole_history(ETH).filter(
        pl.col("open_time").is_between(month.start, month.end, closed="left")
        & (pl.col("open_time") + HOUR <= batch.settings.market.now)
    )
    assert batch.rows("candles", ETH, month).equals(given)
