"""The whole code location, written down: whoever changes the graph changes this table too."""

import ast
import importlib
import os
import pkgutil
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import dagster as dg
import pytest

from trading_pipeline import definitions as definitions_module
from trading_pipeline import defs as defs_folder
from trading_pipeline.config import Settings
from trading_pipeline.definitions import build_definitions
from trading_pipeline.wiring import VenueAccess

MONTH, FOLD, SYMBOL, DAY, WHOLE = "month x symbol", "fold x symbol", "symbol", "day", "none"

# Asset: group, partitions, upstream.
ASSETS: Mapping[str, tuple[str, str, set[str]]] = MappingProxyType({
    "raw_candles": ("market_data", MONTH, set()),
    "candles": ("market_data", MONTH, {"raw_candles"}),
    "resampled_candles": ("market_data", MONTH, {"candles"}),
    "indicator_features": ("features", MONTH, {"candles"}),
    "smart_money_features": ("features", MONTH, {"candles"}),
    "feature_matrix": ("features", MONTH, {"candles", "indicator_features"}),
    "labels": ("features", MONTH, {"candles"}),
    "fold_models": ("validation", FOLD, {"feature_matrix", "labels"}),
    "walk_forward_predictions": ("validation", FOLD, {"feature_matrix", "fold_models"}),
    "walk_forward_results": (
        "validation", SYMBOL, {"fold_models", "labels", "walk_forward_predictions"},
    ),
    "strategy_signals": ("signals", MONTH, {"candles", "indicator_features"}),
    "forecast_signals": ("signals", MONTH, {"feature_matrix", "walk_forward_predictions"}),
    "signals": ("signals", MONTH, {"forecast_signals", "strategy_signals"}),
    "xgboost_model": ("models", SYMBOL, {"feature_matrix", "labels"}),
    "champion": ("models", SYMBOL, {"feature_matrix", "walk_forward_results", "xgboost_model"}),
    "backtest_results": (
        "backtests", SYMBOL,
        {"candles", "fold_models", "forecast_signals", "signals", "strategy_signals"},
    ),
    "performance_summary": (
        "backtests", WHOLE, {"backtest_results", "candles", "walk_forward_results"},
    ),
    "backtest_report_pdf": (
        "reports", SYMBOL, {"backtest_results", "candles", "walk_forward_results"},
    ),
    "live_signals": ("trading", WHOLE, {"candles", "champion"}),
    "order_journal": ("trading", WHOLE, {"live_signals", "signals"}),
    "portfolio_snapshot": ("trading", WHOLE, {"order_journal"}),
    "daily_report_pdf": ("reports", DAY, {"order_journal", "portfolio_snapshot"}),
})  # fmt: skip

# Written by ops, not by assets of their own.
EXTERNAL = {"live_signals", "order_journal"}

# Check: asset, blocking.
CHECKS = {
    ("candles", "candles_keep_the_contract"): True,
    ("candles", "candles_have_no_unexplained_gaps"): False,
    ("resampled_candles", "resampled_candles_add_up"): True,
    ("indicator_features", "indicators_do_not_repaint"): True,
    ("smart_money_features", "smart_money_does_not_repaint"): True,
    ("feature_matrix", "features_keep_their_schema"): True,
    ("labels", "labels_ended_within_the_data"): True,
    ("fold_models", "folds_saw_nothing_of_their_month"): True,
    ("fold_models", "folds_are_trained"): False,
    ("xgboost_model", "challenger_is_sound"): True,
    ("champion", "champion_exists"): False,
}

JOBS = {
    "refresh_market_data": {"raw_candles", "candles", "resampled_candles"},
    "rebuild_features": {"indicator_features", "smart_money_features", "feature_matrix", "labels"},
    "walk_forward": {"fold_models", "walk_forward_predictions"},
    "rebuild_signals": {"strategy_signals", "forecast_signals", "signals"},
    "retrain_models": {"xgboost_model", "champion"},
    "run_backtests": {"walk_forward_results", "backtest_results", "backtest_report_pdf"},
    "summarise_performance": {"performance_summary"},
    "value_portfolio": {"portfolio_snapshot"},
    "publish_reports": {"daily_report_pdf"},
    "candle_close_job": set(),
    "live_execution_job": set(),
}

# Schedule: cron (UTC), job.
SCHEDULES = {
    "refresh_market_data_hourly": ("30 * * * *", "refresh_market_data"),
    "ask_settled_candles_again_nightly": ("10 4 * * *", "refresh_market_data"),
    "walk_forward_nightly": ("45 1 * * *", "walk_forward"),
    "rebuild_signals_nightly": ("15 2 * * *", "rebuild_signals"),
    "retrain_models_nightly": ("30 2 * * *", "retrain_models"),
    "publish_reports_daily": ("5 0 * * *", "publish_reports"),
}

# Sensor: the jobs that it starts.
SENSORS = {
    "candle_closed_sensor": {"candle_close_job"},
    "signals_ready_sensor": {"live_execution_job"},
    "features_follow_market_data_sensor": {"rebuild_features"},
    "run_failure_sensor": set(),
}


def settings() -> Settings:
    return Settings(
        market={"history_start": "2024-01", "history_end": "2025-06"},
        walk_forward={"train_months": 12},
    )


@pytest.fixture(scope="module")
def built() -> dg.Definitions:
    return build_definitions(settings())


def test_the_code_location_is_loadable(built: dg.Definitions):
    dg.Definitions.validate_loadable(built)


def test_assets_groups_and_lineage_are_the_ones_written_down(built: dg.Definitions):
    graph = built.resolve_asset_graph()
    found = {
        key.to_user_string(): (
            graph.get(key).group_name,
            {parent.to_user_string() for parent in graph.get(key).parent_keys},
        )
        for key in graph.get_all_asset_keys()
    }
    assert found == {name: (group, reads) for name, (group, _, reads) in ASSETS.items()}
    assert {key.to_user_string() for key in graph.external_asset_keys} == EXTERNAL


def test_every_asset_has_its_partition_set(built: dg.Definitions):
    graph = built.resolve_asset_graph()
    kinds = {}
    for key in graph.get_all_asset_keys():
        partitions = graph.get(key).partitions_def
        if partitions is None:
            kinds[key.to_user_string()] = WHOLE
        elif isinstance(partitions, dg.MultiPartitionsDefinition):
            first = partitions.get_partition_keys()[0]
            kinds[key.to_user_string()] = {"2024-01|BTC-USDT": MONTH, "2025-01|BTC-USDT": FOLD}[
                first
            ]
        else:
            is_day = isinstance(partitions, dg.DailyPartitionsDefinition)
            kinds[key.to_user_string()] = DAY if is_day else SYMBOL
    assert kinds == {name: kind for name, (_, kind, _) in ASSETS.items()}


def test_partition_keys_cover_the_history_and_the_symbols(built: dg.Definitions):
    graph = built.resolve_asset_graph()
    keys = {
        name: graph.get(dg.AssetKey(name)).partitions_def.get_partition_keys()
        for name in ("candles", "fold_models", "champion")
    }
    symbols = ["BTC-USDT", "ETH-USDT"]
    months = [f"2024-{m:02d}" for m in range(1, 13)] + [f"2025-{m:02d}" for m in range(1, 7)]
    assert set(keys["candles"]) == {f"{month}|{symbol}" for month in months for symbol in symbols}
    assert set(keys["fold_models"]) == {f"{m}|{s}" for m in months[12:] for s in symbols}
    assert keys["champion"] == symbols


def test_ranges_are_cut_for_backfills_of_every_month_asset(built: dg.Definitions):
    graph = built.resolve_asset_graph()
    policies = {
        key.to_user_string(): graph.get(key).backfill_policy
        for key in graph.get_all_asset_keys()
        if key.to_user_string() not in EXTERNAL
    }
    ranged = {name for name, (_, kind, _) in ASSETS.items() if kind in (MONTH, FOLD)}
    assert {name for name, policy in policies.items() if policy} == ranged
    assert {policies[name].max_partitions_per_run for name in ranged} == {30}


def test_checks_block_as_written_down(built: dg.Definitions):
    graph = built.resolve_asset_graph()
    found = {
        (key.asset_key.to_user_string(), key.name): graph.get(key).blocking
        for key in graph.asset_check_keys
    }
    assert found == CHECKS


def test_jobs_select_the_assets_written_down(built: dg.Definitions):
    found = {}
    for job in built.resolve_all_job_defs():
        if job.name.startswith("__"):
            continue
        keys = job.asset_layer.selected_asset_keys
        found[job.name] = {key.to_user_string() for key in keys}
    assert found == JOBS


def test_every_asset_is_made_by_exactly_one_job():
    made = [name for assets in JOBS.values() for name in assets]
    assert sorted(made) == sorted(set(ASSETS) - EXTERNAL)


def test_schedules_run_when_written_down_and_are_off_at_first(built: dg.Definitions):
    found = {s.name: s for s in built.schedules}
    assert {name: (s.cron_schedule, s.job_name) for name, s in found.items()} == SCHEDULES
    assert {s.default_status for s in found.values()} == {dg.DefaultScheduleStatus.STOPPED}
    assert {s.execution_timezone for s in found.values()} <= {None, "UTC"}


def test_sensors_start_the_jobs_written_down_and_are_off_at_first(built: dg.Definitions):
    found = {sensor.name: sensor for sensor in built.sensors}
    assert {
        name: {target.job_name for target in sensor.targets} for name, sensor in found.items()
    } == SENSORS
    assert {s.default_status for s in found.values()} == {dg.DefaultSensorStatus.STOPPED}


def test_jobs_that_trade_run_in_one_process_and_are_never_retried(built: dg.Definitions):
    for name in ("candle_close_job", "live_execution_job"):
        job = built.resolve_job_def(name)
        assert job.executor_def is dg.in_process_executor
        assert job.tags["dagster/max_retries"] == "0"
    (op,) = built.resolve_job_def("live_execution_job").nodes_in_topological_order
    assert op.definition.retry_policy.max_retries == 0


def test_every_file_of_assets_and_checks_contributes_what_it_declares(built: dg.Definitions):
    declared: dict[str, set[str]] = {"assets": set(), "checks": set()}
    files = sorted(Path(defs_folder.__path__[0]).rglob("*.py"))
    for path in files:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                for decorator in node.decorator_list:
                    text = ast.unparse(decorator)
                    kind = {"pipeline_asset": "assets", "pipeline_check": "checks"}.get(
                        text.split("(")[0]
                    )
                    if kind:
                        assert path.name == f"{kind}.py", f"{path} is not found by the loader"
                        declared[kind].add(node.name)
    assert declared["assets"] | EXTERNAL == set(ASSETS)
    assert declared["checks"] == {name for _, name in CHECKS}
    names = {
        info.name
        for info in pkgutil.walk_packages(defs_folder.__path__, f"{defs_folder.__name__}.")
        if info.name.endswith((".assets", ".checks"))
    }
    loaded = {module.__name__ for module in definitions_module._modules()}
    assert loaded == names
    assert len(names) == len([p for p in files if p.name in {"assets.py", "checks.py"}])


def test_every_asset_and_check_is_described_for_the_catalogue(built: dg.Definitions):
    graph = built.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        assert len(graph.get(key).description or "") > 40, key
    for checks in built.asset_checks or ():
        for spec in checks.check_specs:
            assert len(spec.description or "") > 20, spec.name


def test_resources_can_be_replaced_by_name(tmp_path: Path):
    chosen = settings()
    venue = VenueAccess(chosen)
    built = build_definitions(chosen, {"venue": venue, "extra": "told"})
    assert built.resources["venue"] is venue
    assert built.resources["extra"] == "told"
    assert built.resources["settings"] is chosen
    assert set(built.resources) == {"settings", "lake", "lake_io", "venue", "extra"}


def test_definitions_load_while_the_candle_files_are_away(tmp_path: Path):
    missing = Settings(
        market={"candle_files": (str(tmp_path / "gone.csv"),)}, storage={"root": str(tmp_path)}
    )
    built = build_definitions(missing)
    dg.Definitions.validate_loadable(built)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("plain_environment")
def test_dagster_finds_the_code_location_of_the_active_settings(tmp_path: Path):
    repository = Path(definitions_module.__file__).parents[1]
    shutil.copy(repository / "config.yaml", tmp_path)
    os.environ["TRADING_HOME"] = str(tmp_path)
    os.environ["TRADING__MARKET__SYMBOLS"] = '{"SOL/USDT": {}}'
    module = importlib.import_module("trading_pipeline.definitions")
    built = module.code_location()
    assert isinstance(built, dg.Definitions)
    champion = built.resolve_assets_def(dg.AssetKey("champion"))
    assert champion.partitions_def.get_partition_keys() == ["SOL-USDT"]
