"""Range runs are many small commits: what is unchanged stays, what is missing is made."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from trading_pipeline import wiring
from trading_pipeline.core.errors import PartitionNotFoundError, VenueUnavailableError
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.defs.addresses import address_of
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.defs.walk import STAGES
from trading_pipeline.market_data.ports import CandleSource
from trading_pipeline_tests.pipelines import (
    BTC,
    ETH,
    FOLDS,
    MONTHS,
    Pipeline,
    copied,
    make_settings,
    open_pipeline,
)

BY_MONTH = (
    "raw_candles",
    "candles",
    "indicator_features",
    "smart_money_features",
    "feature_matrix",
    "labels",
    "strategy_signals",
    "forecast_signals",
    "signals",
)
BY_FOLD = ("fold_models", "walk_forward_predictions")
BY_SYMBOL = ("xgboost_model", "champion", "walk_forward_results", "backtest_results")


def written(
    pipeline: Pipeline, name: str, run_ids: list[str] | None = None
) -> dict[str | None, dict[str, Any]]:
    """Return the metadata of the newest materialisation of each partition of an asset."""
    found: dict[str | None, dict[str, Any]] = {}
    for record in pipeline.instance.fetch_materializations(dg.AssetKey(name), limit=500).records:
        event = record.asset_materialization
        assert event is not None
        if run_ids is None or record.run_id in run_ids:
            values = {key: value.value for key, value in event.metadata.items()}
            found.setdefault(event.partition, values)
    return found


@pytest.mark.parametrize("name", [*BY_MONTH, *BY_FOLD])
def test_each_partition_of_a_range_run_says_its_rows_its_schema_and_its_range(
    name: str, batch: Pipeline
):
    months = FOLDS if name in BY_FOLD else MONTHS
    shown = written(batch, name)
    assert set(shown) == {Cell(s, month).key for s in (BTC, ETH) for month in months}
    for key, metadata in shown.items():
        rows = batch.table(name).rows(Cell.parse(key))
        schema = metadata["dagster/column_schema"]
        assert metadata["dagster/row_count"] == rows.height
        assert {column.name: column.type for column in schema.columns} == {
            column: str(kind) for column, kind in rows.schema.items()
        }
        if "open_time" in rows.columns:
            assert datetime.fromisoformat(metadata["first"]) == rows["open_time"].min()
            assert datetime.fromisoformat(metadata["last"]) == rows["open_time"].max()
            assert Month.of(rows["open_time"].min()) == Cell.parse(key).month
            assert Month.of(rows["open_time"].max()) == Cell.parse(key).month


@pytest.mark.parametrize("name", BY_SYMBOL)
def test_each_symbol_says_its_rows(name: str, batch: Pipeline):
    shown = written(batch, name)
    assert set(shown) == {"BTC-USDT", "ETH-USDT"}
    for key, metadata in shown.items():
        assert metadata["dagster/row_count"] == batch.rows(name, Symbol.parse(key)).height


def test_a_rerun_makes_nothing_and_still_records_every_partition(batch: Pipeline):
    before = batch.generations()
    runs = batch.walk(first=MONTHS[2], symbols=(BTC,))
    assert batch.generations() == before
    again = {name: written(batch, name, runs) for stage in STAGES for name in stage.assets}
    keys = {Cell(BTC, month).key for month in MONTHS[2:]}
    for name in [*BY_MONTH, *BY_FOLD]:
        assert set(again[name]) == keys, name
    for name in [*BY_SYMBOL, "backtest_report_pdf"]:
        assert set(again[name]) == {"BTC-USDT"}, name
    assert set(again["performance_summary"]) == {None}
    states = {shown["status"] for by_key in again.values() for shown in by_key.values()}
    assert states == {"unchanged, not made again"}


def changed(before: dict[str, int], after: dict[str, int]) -> set[str]:
    """Return the tables of which a partition was written."""
    return {where.split("/")[0] for where in after if after[where] != before.get(where)}


def test_another_threshold_makes_the_signals_again_and_nothing_before_them(
    batch: Pipeline, tmp_path: Path
):
    with copied(batch, tmp_path / "data", signals={"threshold": 0.3}) as pipeline:
        before = pipeline.generations()
        pipeline.walk(("features", "walk-forward", "signals"), first=MONTHS[3], symbols=(BTC,))
        assert changed(before, pipeline.generations()) == {"signals"}
        rows = pipeline.rows("signals", BTC, MONTHS[3])
        assert 0 < (rows["direction"] != 0).sum() < rows.height
        assert ((rows["direction"] != 0) == (rows["score"].abs() >= 0.3)).all()


def test_another_horizon_makes_labels_folds_and_forecasts_again_but_no_feature(
    batch: Pipeline, tmp_path: Path
):
    with copied(batch, tmp_path / "data", labels={"horizon": 6}) as pipeline:
        before = pipeline.generations()
        pipeline.walk(("features", "walk-forward", "signals"), first=MONTHS[2], symbols=(BTC,))
        after = pipeline.generations()
        assert changed(before, after) == {
            "labels",
            "fold_models",
            "walk_forward_predictions",
            "forecast_signals",
            "signals",
        }
        touched = {where for where in after if after[where] != before.get(where)}
        assert all("symbol=BTC-USDT" in where for where in touched)
        assert {where[-7:] for where in touched} == {"2024-03", "2024-04"}


@dataclass
class DownFrom:
    """A source that stops answering from a month on; it counts what it was asked."""

    source: CandleSource
    month: Month | None
    asked: list[str]

    @property
    def name(self) -> str:
        return self.source.name

    def now(self) -> datetime:
        return self.source.now()

    def instrument(self, symbol: Symbol) -> Instrument:
        return self.source.instrument(symbol)

    def candles(
        self, symbol: Symbol, timeframe: Timeframe, start: datetime, end: datetime
    ) -> pl.DataFrame:
        if self.month is not None and start >= self.month.start:
            raise VenueUnavailableError("the trial venue does not answer; ask again later")
        self.asked.append(Month.of(start).key)
        return self.source.candles(symbol, timeframe, start, end)

    def fingerprint(self, symbol: Symbol, timeframe: Timeframe) -> str | None:
        return None


def test_a_range_that_fails_in_the_middle_keeps_what_was_made_and_goes_on_there(
    candle_files: tuple[str, ...], tmp_path: Path
):
    settings = make_settings(tmp_path / "data", candle_files, market={"repair_gaps_per_month": 0})
    source = DownFrom(wiring.VenueAccess(settings).source(), MONTHS[2], [])
    with open_pipeline(settings, wiring.VenueAccess(settings, source)) as pipeline:
        with pytest.raises(VenueUnavailableError, match="does not answer"):
            pipeline.walk(("fetch",), symbols=(BTC,))
        assert source.asked == ["2024-01", "2024-02"]
        assert set(written(pipeline, "raw_candles")) == {"2024-01|BTC-USDT", "2024-02|BTC-USDT"}
        half = pipeline.generations()
        assert len(half) == 2
        source.month = None
        pipeline.walk(("fetch",), symbols=(BTC,))
        assert source.asked == ["2024-01", "2024-02", "2024-03", "2024-04"]
        whole = pipeline.generations()
        assert len(whole) == 4
        assert {where: whole[where] for where in half} == half


def test_a_range_and_single_partitions_take_turns_on_one_table(
    candle_files: tuple[str, ...], batch: Pipeline, tmp_path: Path
):
    with open_pipeline(make_settings(tmp_path / "data", candle_files)) as pipeline:
        pipeline.materialise(STAGES[0], ETH, MONTHS[1])
        pipeline.walk(("fetch",), symbols=(ETH,))
        assert set(pipeline.generations().values()) == {1}
        for month in MONTHS:
            ranged = batch.manifest("raw_candles", ETH, month)
            assert pipeline.manifest("raw_candles", ETH, month).parts == ranged.parts


def test_a_table_that_was_never_made_says_what_to_materialise(batch: Pipeline):
    table = batch.table("raw_candles")
    sol = Symbol("SOL", "USDT")
    with pytest.raises(PartitionNotFoundError, match="materialise raw_candles for these months"):
        table.between(sol, MONTHS[0], MONTHS[1])
    assert table.months(sol) == []
    assert table.content(Cell(sol, MONTHS[0])) is None
    assert dict(table.notes(Cell(sol, MONTHS[0]))) == {}


def test_a_table_reads_its_manifests_once(batch: Pipeline, tmp_path: Path):
    with copied(batch, tmp_path / "data") as pipeline:
        table, cell = pipeline.table("candles"), Cell(BTC, MONTHS[0])
        before = table.content(cell)
        address = address_of("trial", Timeframe("1h"), "candles", cell)
        wiring.lake(pipeline.settings).commit(
            address, table.rows(cell).head(5), fingerprint="someone else"
        )
        assert table.content(cell) == before
        assert pipeline.table("candles").content(cell) != before
