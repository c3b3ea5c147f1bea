"""One bad symbol or month stops what reads it, and nothing else; the run still ends red."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from trading_pipeline import wiring
from trading_pipeline.cli.session import Session, _Ticker
from trading_pipeline.core.errors import (
    DataError,
    MalformedReplyError,
    SymbolNotListedError,
    TradingPipelineError,
    VenueUnavailableError,
)
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.defs.isolation import Failures, WalkFailures, joined
from trading_pipeline.defs.partitions import Cell, Partitions
from trading_pipeline.defs.walk import stage
from trading_pipeline.market_data.ports import CandleSource
from trading_pipeline_tests.pipelines import (
    BTC,
    ETH,
    MONTHS,
    Pipeline,
    copied,
    make_settings,
    open_pipeline,
)


@dataclass
class Garbled:
    """A venue that answers some symbols and months with an error."""

    source: CandleSource
    is_bad: Callable[[Symbol, Month], TradingPipelineError | None]
    asked: list[tuple[Symbol, Month]] = field(default_factory=list)

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
        self.asked.append((symbol, Month.of(start)))
        if (error := self.is_bad(symbol, Month.of(start))) is not None:
            raise error
        return self.source.candles(symbol, timeframe, start, end)

    def fingerprint(self, symbol: Symbol, timeframe: Timeframe) -> str | None:
        return self.source.fingerprint(symbol, timeframe)


def walk(pipeline: Pipeline, *names: str) -> None:
    session = Session(
        pipeline.settings,
        Partitions(pipeline.settings),
        pipeline.walker,
        pipeline.venue,
        _Ticker(),
    )
    session.walk([stage(name) for name in names])


def made(pipeline: Pipeline, table: str, symbol: Symbol) -> list[Month]:
    return pipeline.table(table).months(symbol)


def test_garbage_for_one_month_of_one_symbol_stops_that_month_only(
    candle_files: tuple[str, ...], tmp_path: Path
):
    settings = make_settings(tmp_path / "data", candle_files)

    def is_bad(symbol: Symbol, month: Month) -> TradingPipelineError | None:
        garbage = symbol == ETH and month == MONTHS[1]
        return MalformedReplyError("trial answered a web page") if garbage else None

    source = Garbled(wiring.VenueAccess(settings).source(), is_bad)
    with open_pipeline(settings, wiring.VenueAccess(settings, source)) as pipeline:
        with pytest.raises(MalformedReplyError) as error:
            walk(pipeline, "fetch", "validate", "features")
        assert "2024-02|ETH-USDT: trial answered a web page" in error.value.message
        assert "BTC" not in error.value.message
        good = [month for month in MONTHS if month != MONTHS[1]]
        for table in ("raw_candles", "candles"):
            assert made(pipeline, table, ETH) == good
            assert made(pipeline, table, BTC) == list(MONTHS)
        # What would read the hole of ether is not made; bitcoin goes on.
        assert made(pipeline, "feature_matrix", BTC) == list(MONTHS)
        assert made(pipeline, "feature_matrix", ETH) == []
        assert {run.status.value for run in pipeline.instance.get_runs()} == {"SUCCESS", "FAILURE"}
        source.is_bad = lambda *_: None
        walk(pipeline, "fetch", "validate", "features")
        assert made(pipeline, "feature_matrix", ETH) == list(MONTHS)


def test_stored_rows_that_break_the_contract_stop_their_symbol_only(
    batch: Pipeline, tmp_path: Path
):
    with copied(batch, tmp_path / "data") as pipeline:
        table, cell = pipeline.table("candles"), Cell(ETH, MONTHS[1])
        manifest = table.manifest(cell)
        assert manifest is not None
        rows = table.rows(cell).with_columns(
            pl.when(pl.int_range(pl.len()) == 5).then(0.5).otherwise(pl.col("high")).alias("high")
        )
        wiring.lake(pipeline.settings).commit(
            table.address(cell), rows, fingerprint=manifest.fingerprint, notes=manifest.notes
        )
        before = pipeline.generations()
        with pytest.raises(DataError, match=r"candles_keep_the_contract.*2024-02\|ETH-USDT"):
            walk(pipeline, "fetch", "validate", "features", "signals")
        after = pipeline.generations()
        assert after == before, "nothing was made from damaged rows, nothing else was stale"
        jobs = [
            (run.job_name, run.tags["dagster/asset_partition_range_start"][-8:], run.status.value)
            for run in pipeline.instance.get_runs()
        ]
        assert ("rebuild_features", "BTC-USDT", "SUCCESS") in jobs
        assert ("rebuild_signals", "BTC-USDT", "SUCCESS") in jobs
        assert ("refresh_market_data", "ETH-USDT", "FAILURE") in jobs
        assert not any("rebuild" in job and symbol == "ETH-USDT" for job, symbol, _ in jobs)


def test_a_symbol_that_the_venue_does_not_list_is_asked_for_once(
    candle_files: tuple[str, ...], tmp_path: Path
):
    settings = make_settings(tmp_path / "data", candle_files)

    def is_bad(symbol: Symbol, _: Month) -> TradingPipelineError | None:
        return SymbolNotListedError("trial does not list ETH/USDT") if symbol == ETH else None

    source = Garbled(wiring.VenueAccess(settings).source(), is_bad)
    with open_pipeline(settings, wiring.VenueAccess(settings, source)) as pipeline:
        with pytest.raises(SymbolNotListedError, match=r"2024-01\|ETH-USDT, .*2024-04\|ETH-USDT"):
            walk(pipeline, "fetch")
        assert source.asked.count((ETH, MONTHS[0])) == 1
        assert [symbol for symbol, _ in source.asked].count(ETH) == 1
        assert made(pipeline, "raw_candles", BTC) == list(MONTHS)


def test_a_venue_that_is_down_ends_the_walk_at_once(candle_files: tuple[str, ...], tmp_path: Path):
    settings = make_settings(tmp_path / "data", candle_files)
    source = Garbled(
        wiring.VenueAccess(settings).source(), lambda *_: VenueUnavailableError("trial is down")
    )
    with open_pipeline(settings, wiring.VenueAccess(settings, source)) as pipeline:
        with pytest.raises(VenueUnavailableError, match=r"^trial is down$"):
            walk(pipeline, "fetch", "validate")
        assert source.asked == [(BTC, MONTHS[0])]


def test_garbage_three_months_in_a_row_ends_the_asking_for_the_symbol():
    failures = Failures()
    for month in MONTHS[:3]:
        assert not failures.is_given_up(Cell(BTC, month))
        failures.add(Cell(BTC, month), MalformedReplyError("a web page"))
    assert failures.is_given_up(Cell(BTC, MONTHS[3]))
    with pytest.raises(MalformedReplyError, match="2024-04"):
        failures.raise_all("raw_candles")


def test_a_good_month_between_bad_ones_keeps_the_asking_up():
    failures = Failures()
    for month in MONTHS:
        failures.add(Cell(BTC, month), MalformedReplyError("a web page"))
        failures.passed()
    assert not failures.is_given_up(Cell(BTC, MONTHS[3]))


def test_errors_of_one_kind_keep_it_and_equal_messages_are_said_once():
    one = joined([("a", MalformedReplyError("web page")), ("b", MalformedReplyError("web page"))])
    assert type(one) is MalformedReplyError
    assert one.message == "a, b: web page"
    other = joined([("a", MalformedReplyError("x")), ("b", SymbolNotListedError("y"))])
    assert type(other) is DataError
    assert other.message == "a: x; b: y"


def test_a_failed_symbol_goes_no_further_than_its_candles():
    failures = WalkFailures()
    with failures.isolated(ETH):
        raise DataError("bad")
    assert failures.lets_pass("validate", ETH)
    assert not failures.lets_pass("features", ETH)
    assert failures.lets_pass("features", BTC)
    assert failures.lets_pass("summary", None)
    with pytest.raises(DataError, match=r"^bad$"):
        failures.raise_all()
