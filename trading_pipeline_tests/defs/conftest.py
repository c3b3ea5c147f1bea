"""Pipelines that the tests of the assets share; each is made once."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.defs.walk import stage
from trading_pipeline_tests.pipelines import (
    BTC,
    ETH,
    FOLDS,
    MONTHS,
    NOW,
    Growth,
    Pipeline,
    make_settings,
    open_pipeline,
    whole_history,
    write_candles,
)


@pytest.fixture(scope="session")
def candle_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Candle files of both symbols, gaps included."""
    folder = tmp_path_factory.mktemp("candle-files")
    return write_candles(folder, {symbol: whole_history(symbol) for symbol in (BTC, ETH)})


@pytest.fixture(scope="session")
def batch(
    candle_files: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    """Walk the whole graph in range runs; tests read it and change only copies."""
    settings = make_settings(tmp_path_factory.mktemp("batch") / "data", candle_files)
    with open_pipeline(settings) as pipeline:
        pipeline.walk()
        yield pipeline


@pytest.fixture(scope="session")
def growth(
    candle_files: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Growth]:
    """Let time pass: every month is made, partition by partition, before the next one begins.

    Then the labels of the month before are finished. Ether is only fetched and validated, as a
    witness for the gaps of Bitcoin.
    """
    root, seen = tmp_path_factory.mktemp("grown") / "data", []
    for month in MONTHS:
        now = min(month.end + timedelta(seconds=5), NOW)
        with open_pipeline(make_settings(root, candle_files, now=now)) as pipeline:
            for name in ("fetch", "validate"):
                for symbol in (BTC, ETH):
                    pipeline.materialise(stage(name), symbol, month)
            if month != MONTHS[0]:
                pipeline.materialise(stage("features"), BTC, month.shift(-1), "labels")
            for name in derived_stages(month):
                pipeline.materialise(stage(name), BTC, month)
            seen.append(pipeline.rows("labels", BTC, month))
    with open_pipeline(make_settings(root, candle_files)) as pipeline:
        yield Growth(pipeline, seen[0])


@pytest.fixture
def grown(growth: Growth) -> Pipeline:
    """Return the pipeline that was made month by month."""
    return growth.pipeline


def derived_stages(month: Month) -> list[str]:
    with_fold = ["walk-forward"] if month in FOLDS else []
    return ["features", *with_fold, "signals"]


@pytest.fixture(params=[BTC, ETH], ids=str)
def symbol(request: pytest.FixtureRequest) -> Symbol:
    """Each symbol in turn."""
    chosen: Symbol = request.param
    return chosen
