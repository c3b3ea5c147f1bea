"""Longer candles as months of the lake: what is made, when it is made again, what SQL sees."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from trading_pipeline import wiring
from trading_pipeline.adapters.storage import warehouse
from trading_pipeline.core.errors import DataError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.defs.market_data.resampled import (
    ResampledMonths,
    context_candles,
    of_timeframe,
)
from trading_pipeline.defs.partitions import Cell
from trading_pipeline_tests.pipelines import (
    BTC,
    ETH,
    HOUR,
    MONTHS,
    NOW,
    Pipeline,
    copied,
    make_settings,
    open_pipeline,
)

CANDLES = ("fetch", "validate", "resample")
TABLE = "resampled_candles"
FOUR, DAY = Timeframe("4h"), Timeframe("1d")


def bars(pipeline: Pipeline, timeframe: Timeframe, symbol=BTC) -> pl.DataFrame:
    table = pipeline.table(TABLE)
    return context_candles(table, timeframe, symbol, MONTHS[0], MONTHS[-1])


def test_every_closed_bar_is_made_but_those_that_nobody_can_vouch_for(batch: Pipeline):
    # 2024-01-01 to 2024-04-20 00:00 is 110 days; nobody explains a hole of February.
    assert bars(batch, DAY).height == 109
    assert bars(batch, FOUR).height == 6 * 110 - 1
    assert bars(batch, DAY, ETH).height == 110
    times = bars(batch, FOUR)["open_time"]
    assert datetime(2024, 2, 12, 4, tzinfo=UTC) not in set(times)


def test_a_silent_venue_leaves_a_bar_of_fewer_candles(batch: Pipeline):
    day = bars(batch, DAY).filter(pl.col("n_bars") < 24)
    assert day.select("open_time", "n_bars").rows() == [(datetime(2024, 3, 9, tzinfo=UTC), 22)]


def test_the_notes_say_what_was_left_out_and_why(batch: Pipeline):
    notes = batch.manifest(TABLE, BTC, MONTHS[1]).notes
    reason = "base candles are missing without explanation"
    assert notes["rows"] == {"4h": 173, "1d": 28}
    assert notes["left_out"]["1d"] == {
        "counts": {reason: 1},
        "named": [
            {
                "open_time": "2024-02-12T00:00:00+00:00",
                "n_bars": 21,
                "n_missing": 3,
                "reason": reason,
            }
        ],
    }


def test_a_bar_that_still_runs_is_made_when_it_has_closed(candle_files, tmp_path: Path):
    running = NOW - 3 * HOUR
    with open_pipeline(make_settings(tmp_path, candle_files, now=running)) as pipeline:
        pipeline.walk(CANDLES)
        before = bars(pipeline, FOUR)
        left = pipeline.manifest(TABLE, BTC, MONTHS[-1]).notes["left_out"]
        assert left["4h"]["counts"] == left["1d"]["counts"] == {"not closed yet": 1}
    with open_pipeline(make_settings(tmp_path, candle_files)) as pipeline:
        pipeline.walk(CANDLES)
        after = bars(pipeline, FOUR)
        generations = [pipeline.manifest(TABLE, BTC, month).generation for month in MONTHS]
    assert after.height == before.height + 1
    assert after[:-1].equals(before)
    assert generations == [1, 1, 1, 2]


def test_bars_are_judged_by_the_candles_of_when_they_were_made(candle_files, tmp_path: Path):
    with open_pipeline(make_settings(tmp_path, candle_files, now=NOW - 3 * HOUR)) as pipeline:
        pipeline.walk(CANDLES)
    with open_pipeline(make_settings(tmp_path, candle_files)) as pipeline:
        # The candle job was here between the bars and their check.
        pipeline.walk(("fetch", "validate"))
        april, stored = Cell(BTC, MONTHS[-1]), pipeline.table(TABLE)
        made = ResampledMonths(pipeline.settings, pipeline.table("candles"))
        assert made.contradictions(april, stored) == []
        assert stored.notes(april)["as_of"] < pipeline.table("candles").notes(april)["as_of"]


def test_other_contexts_are_made_when_the_settings_ask_for_them(batch: Pipeline, tmp_path: Path):
    asked = {"context_timeframes": ("2h",)}
    with copied(batch, tmp_path / "data", market=asked) as pipeline:
        pipeline.walk(("resample",), symbols=(BTC,))
        found = pipeline.history(TABLE, BTC)
        assert set(found["timeframe"]) == {"2h"}
        assert found.height == 12 * 110 - 2 - 1
    with copied(batch, tmp_path / "none", market={"context_timeframes": ()}) as pipeline:
        pipeline.walk(("resample",), symbols=(BTC,))
        assert pipeline.history(TABLE, BTC).is_empty()


def test_a_table_of_several_timeframes_lists_its_months(batch: Pipeline):
    assert batch.table(TABLE).months(BTC) == list(MONTHS)
    rows = batch.rows(TABLE, BTC, MONTHS[0])
    assert of_timeframe(rows, FOUR).height == 31 * 6
    address = batch.table(TABLE).address(Cell(BTC, MONTHS[0]))
    assert ("base_timeframe", "1h") in address.columns


@pytest.mark.parametrize(("timeframe", "n"), [("4h", 6 * 110 - 1), ("1d", 109)])
def test_sql_tells_the_timeframes_apart(batch: Pipeline, timeframe: str, n: int):
    asked = (
        "SELECT count(*), min(base_timeframe), max(close_time - open_time) FROM resampled_candles "
        "WHERE symbol = 'BTC-USDT' AND timeframe = ?"
    )
    with warehouse.connect(wiring.lake(batch.settings), [TABLE]) as sql:
        (found,) = sql.execute(asked, [timeframe]).fetchall()
    assert found == (n, "1h", timedelta(seconds=Timeframe(timeframe).seconds))


def test_candles_of_an_earlier_version_are_asked_for_again(batch: Pipeline, tmp_path: Path):
    with copied(batch, tmp_path / "data") as pipeline:
        table, cell = pipeline.table("candles"), Cell(BTC, MONTHS[0])
        manifest = table.manifest(cell)
        assert manifest is not None
        old = {name: value for name, value in manifest.notes.items() if name != "as_of"}
        lake = wiring.lake(pipeline.settings)
        lake.commit(table.address(cell), table.rows(cell), fingerprint="old", notes=old)
        with pytest.raises(DataError, match=r"2024-01\|BTC-USDT do not say .* candles again"):
            pipeline.walk(("resample",), first=MONTHS[0], last=MONTHS[0], symbols=(BTC,))
