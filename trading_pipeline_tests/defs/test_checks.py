"""Checks pass on good data, fail on planted damage, and stop what would read it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from trading_pipeline import wiring
from trading_pipeline.core.errors import DataError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.defs.models.recipe import challenger_key, champion_key
from trading_pipeline.defs.partitions import Cell
from trading_pipeline.defs.walk import stage
from trading_pipeline_tests.pipelines import (
    BTC,
    ETH,
    FOLDS,
    HOUR,
    MONTHS,
    NOW,
    QUIET,
    Pipeline,
    copied,
    make_settings,
    open_pipeline,
)

# Every check: its asset, whether it blocks, and the partitions that it judges.
CHECKS = {
    "candles_keep_the_contract": ("candles", True, MONTHS),
    "candles_have_no_unexplained_gaps": ("candles", False, MONTHS),
    "resampled_candles_add_up": ("resampled_candles", True, MONTHS),
    "indicators_do_not_repaint": ("indicator_features", True, MONTHS),
    "smart_money_does_not_repaint": ("smart_money_features", True, MONTHS),
    "features_keep_their_schema": ("feature_matrix", True, MONTHS),
    "labels_ended_within_the_data": ("labels", True, MONTHS),
    "folds_saw_nothing_of_their_month": ("fold_models", True, FOLDS),
    "folds_are_trained": ("fold_models", False, FOLDS),
    "challenger_is_sound": ("xgboost_model", True, None),
    "champion_exists": ("champion", False, None),
}


def evaluations(
    pipeline: Pipeline, check: str, asset: str
) -> dict[str | None, dg.AssetCheckEvaluation]:
    """Return the newest evaluation of every partition."""
    found: dict[str | None, dg.AssetCheckEvaluation] = {}
    records = pipeline.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey(asset), check), limit=500
    )
    for record in records:
        if record.event is None or record.event.dagster_event is None:
            continue
        evaluation = record.event.dagster_event.asset_check_evaluation_data
        found.setdefault(evaluation.partition, evaluation)
    return found


@pytest.mark.parametrize("check", CHECKS)
def test_a_range_run_records_an_evaluation_for_each_partition(check: str, batch: Pipeline):
    asset, _, months = CHECKS[check]
    found = evaluations(batch, check, asset)
    wanted = {
        Cell(symbol, month).key if month else symbol.key
        for symbol in (BTC, ETH)
        for month in (months or (None,))
    }
    assert wanted <= set(found)
    # The gap that nobody explains is the one failure, and it stops nothing.
    failed = {key for key in wanted if not found[key].passed}
    is_gap = check == "candles_have_no_unexplained_gaps"
    assert failed == ({"2024-02|BTC-USDT"} if is_gap else set())


def plant(pipeline: Pipeline, name: str, cell: Cell, damage: Callable[..., pl.DataFrame]) -> None:
    """Commit damaged rows under the old fingerprint, so that no run makes the partition again."""
    table = pipeline.table(name)
    manifest = table.manifest(cell)
    assert manifest is not None
    wiring.lake(pipeline.settings).commit(
        table.address(cell),
        damage(table.rows(cell)),
        fingerprint=manifest.fingerprint,
        notes=manifest.notes,
    )


def at(row: int, **values: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Return a damage: other values in one row, counted from the end if negative."""

    def damage(rows: pl.DataFrame) -> pl.DataFrame:
        here = pl.int_range(pl.len()) == row % rows.height
        return rows.with_columns(
            pl.when(here).then(pl.lit(value, dtype=rows.schema[name])).otherwise(name).alias(name)
            for name, value in values.items()
        )

    return damage


def run_one(pipeline: Pipeline, cell: Cell, *assets: str) -> dg.ExecuteInProcessResult:
    """Materialise assets for one partition in one run, and go on where a step fails."""
    return pipeline.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=pipeline.instance,
        partition_key=cell.key,
        asset_selection=[dg.AssetKey(name) for name in assets],
        run_config=QUIET,
        raise_on_error=False,
    )


def status_of(result: dg.ExecuteInProcessResult, asset: str) -> set[str]:
    return {
        event.event_type_value
        for event in result.all_events
        if event.step_key == asset and event.event_type_value.startswith("STEP_")
    }


FEBRUARY = Cell(BTC, MONTHS[1])
MARCH = Cell(BTC, FOLDS[0])


@pytest.mark.parametrize(
    ("check", "cell", "damage", "reader", "says"),
    [
        (
            "candles_keep_the_contract",
            FEBRUARY,
            at(300, high=0.5),
            "indicator_features",
            "high",
        ),
        (
            "candles_keep_the_contract",
            FEBRUARY,
            lambda rows: pl.concat([rows, rows.tail(1)]),
            "indicator_features",
            "unique",
        ),
        (
            "indicators_do_not_repaint",
            FEBRUARY,
            at(-1, rsi_14=50.0),
            "feature_matrix",
            "rewritten later: 2024-02-29T23:00",
        ),
        (
            "folds_saw_nothing_of_their_month",
            MARCH,
            at(0, labels_end=FOLDS[0].start),
            "walk_forward_predictions",
            "the newest label ended 2024-03-01T00:00",
        ),
    ],
    ids=["high below low", "twice", "repainted", "fold saw its month"],
)
def test_a_blocking_check_stops_who_would_read_the_damage(
    check: str,
    cell: Cell,
    damage: Callable[[pl.DataFrame], pl.DataFrame],
    reader: str,
    says: str,
    batch: Pipeline,
    tmp_path: Path,
):
    asset, is_blocking, _ = CHECKS[check]
    assert is_blocking
    with copied(batch, tmp_path / "data") as pipeline:
        plant(pipeline, asset, cell, damage)
        before = pipeline.generations()
        result = run_one(pipeline, cell, asset, reader)
        assert not result.success
        assert "STEP_SUCCESS" in status_of(result, asset)
        assert "STEP_START" not in status_of(result, reader)
        assert pipeline.generations() == before
        found = evaluations(pipeline, check, asset)
        (judged,) = found.values()
        assert not judged.passed
        assert judged.severity is dg.AssetCheckSeverity.ERROR
        assert says in (judged.description or "")


@pytest.mark.parametrize(
    ("check", "cell", "damage", "says"),
    [
        ("features_keep_their_schema", FEBRUARY, at(5, log_body=None), "1 rows are null in part"),
        (
            "features_keep_their_schema",
            FEBRUARY,
            at(5, log_body=float("inf")),
            "1 are not finite",
        ),
        (
            "features_keep_their_schema",
            FEBRUARY,
            lambda rows: rows.drop("log_body"),
            "the settings ask for",
        ),
        (
            "features_keep_their_schema",
            FEBRUARY,
            lambda rows: rows.head(100),
            "rows are not those of the candles",
        ),
        (
            "labels_ended_within_the_data",
            FEBRUARY,
            at(5, label_end=Month(2024, 12).start),
            "1 labels break the promise",
        ),
        ("labels_ended_within_the_data", FEBRUARY, at(5, label=None), "1 labels break"),
        (
            "resampled_candles_add_up",
            FEBRUARY,
            at(5, volume=1.0),
            "4h: volume differs in 1, first 2024-02-01 20:00",
        ),
        ("resampled_candles_add_up", FEBRUARY, at(-1, high=1.0), "1d: high differs in 1, first"),
        ("resampled_candles_add_up", FEBRUARY, lambda rows: rows[1:], "4h: whole bars are missing"),
        ("resampled_candles_add_up", FEBRUARY, at(3, timeframe="2h"), "2h is not asked for"),
    ],
    ids=[
        "null in part",
        "infinite",
        "a column less",
        "rows less",
        "ends later",
        "no value",
        "another volume",
        "another high",
        "a bar less",
        "a timeframe more",
    ],
)
def test_a_check_fails_on_damage_that_ends_its_job(
    check: str,
    cell: Cell,
    damage: Callable[[pl.DataFrame], pl.DataFrame],
    says: str,
    batch: Pipeline,
    tmp_path: Path,
):
    asset, is_blocking, _ = CHECKS[check]
    assert is_blocking
    with copied(batch, tmp_path / "data") as pipeline:
        plant(pipeline, asset, cell, damage)
        assert not run_one(pipeline, cell, asset).success
        (judged,) = evaluations(pipeline, check, asset).values()
        assert not judged.passed
        assert says in (judged.description or "")


def test_a_model_with_a_flipped_bit_is_never_promoted(batch: Pipeline, tmp_path: Path):
    with copied(batch, tmp_path / "data") as pipeline:
        root = wiring.models(pipeline.settings).root
        folder = root.joinpath(*challenger_key(pipeline.settings, BTC))
        (artefact,) = folder.glob("*.ubj")
        content = bytearray(artefact.read_bytes())
        content[len(content) // 2] ^= 1
        artefact.write_bytes(bytes(content))
        before = wiring.champions(pipeline.settings).entries(champion_key(pipeline.settings, BTC))
        result = run_one(pipeline, Cell(BTC), "xgboost_model", "champion")
        assert not result.success
        assert "STEP_START" not in status_of(result, "champion")
        (judged,) = evaluations(pipeline, "challenger_is_sound", "xgboost_model").values()
        assert "SHA-256" in (judged.description or "")
        assert (
            wiring.champions(pipeline.settings).entries(champion_key(pipeline.settings, BTC))
            == before
        )


def test_candles_are_closed_by_the_clock_of_their_source(batch: Pipeline, tmp_path: Path):
    april = Cell(BTC, MONTHS[3])
    with copied(batch, tmp_path / "late", market={"now": NOW - 5 * HOUR}) as pipeline:
        # This machine's clock is five hours late: nothing is wrong with the candles.
        result = run_one(pipeline, april, "candles")
        assert result.success
        assert evaluations(pipeline, "candles_keep_the_contract", "candles")[april.key].passed
    with copied(batch, tmp_path / "early") as pipeline:
        table = pipeline.table("candles")
        manifest = table.manifest(april)
        assert manifest is not None
        wiring.lake(pipeline.settings).commit(
            table.address(april),
            table.rows(april),
            fingerprint=manifest.fingerprint,
            notes={**manifest.notes, "as_of": (NOW - 5 * HOUR).isoformat()},
        )
        assert not run_one(pipeline, april, "candles").success
        judged = evaluations(pipeline, "candles_keep_the_contract", "candles")[april.key]
        assert "5 rows break the claim 'candles are closed'" in (judged.description or "")


def test_what_closes_while_months_are_fetched_is_left_for_the_next_time(
    batch: Pipeline, tmp_path: Path
):
    settings = make_settings(tmp_path, batch.settings.market.candle_files)
    with open_pipeline(settings, SlowFetch(settings)) as pipeline:
        pipeline.walk(("fetch", "validate"))
        assert evaluations(pipeline, "candles_keep_the_contract", "candles")[
            Cell(BTC, MONTHS[3]).key
        ].passed
        last = pipeline.rows("candles", BTC, MONTHS[3])["open_time"][-1]
        assert last == NOW.replace(second=0) - 2 * HOUR


class SlowFetch(wiring.VenueAccess):
    """A venue whose clock was read an hour before its last month is fetched."""

    def closed_by(self) -> datetime:
        return super().closed_by() - HOUR


def test_a_range_run_names_the_month_that_is_damaged(batch: Pipeline, tmp_path: Path):
    with copied(batch, tmp_path / "data") as pipeline:
        plant(pipeline, "indicator_features", FEBRUARY, at(-1, rsi_14=50.0))
        with pytest.raises(DataError, match=r"do_not_repaint: 1 of 4 partitions fail: 2024-02"):
            pipeline.walk(("features",), symbols=(BTC,))
        found = evaluations(pipeline, "indicators_do_not_repaint", "indicator_features")
        passed = {key: found[key].passed for key in found if key}
        assert passed == {Cell(BTC, month).key: month != FEBRUARY.month for month in MONTHS}
        # The other symbol goes on.
        pipeline.walk(("features",), symbols=(ETH,), first=MONTHS[-1])


def test_smart_money_that_was_drawn_with_hindsight_is_found(batch: Pipeline, tmp_path: Path):
    with copied(batch, tmp_path / "data") as pipeline:
        plant(pipeline, "smart_money_features", FEBRUARY, at(-1, swing_high_age=1.0))
        with pytest.raises(DataError, match=r"smart_money_does_not_repaint: 1 of 4"):
            pipeline.walk(("features",), symbols=(BTC,))


def test_an_unexplained_gap_fails_its_check_and_stops_nothing(batch: Pipeline):
    found = evaluations(batch, "candles_have_no_unexplained_gaps", "candles")
    gap = found["2024-02|BTC-USDT"]
    assert gap.description == "3 of 696 bars are missing without explanation"
    assert gap.metadata["missing, unexplained"].value == 3
    assert batch.rows("feature_matrix", BTC, MONTHS[1]).drop_nulls().height > 400


def test_a_refused_fold_warns_and_stops_nothing(batch: Pipeline, tmp_path: Path):
    strict = {"train_months": 2, "min_train_rows": 5000}
    with copied(batch, tmp_path / "data", walk_forward=strict) as pipeline:
        result = pipeline.materialise(stage("walk-forward"), ETH, FOLDS[0])
        assert result.success
        (judged,) = evaluations(pipeline, "folds_are_trained", "fold_models").values()
        assert not judged.passed
        assert judged.severity is dg.AssetCheckSeverity.WARN


def test_a_symbol_without_a_champion_fails_a_check_that_stops_nothing(
    batch: Pipeline, tmp_path: Path
):
    strict = {"train_months": 2, "min_train_rows": 50_000}
    with copied(batch, tmp_path / "data", walk_forward=strict) as pipeline:
        result = run_one(pipeline, Cell(Symbol("ETH", "USDT")), "xgboost_model")
        assert not result.success
        (judged,) = evaluations(pipeline, "challenger_is_sound", "xgboost_model").values()
        assert "training needs at least 50000 rows" in (judged.description or "")
