"""The door for notebooks: candles and SQL of a profile, as polars frames."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from trading_pipeline import open_market
from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline.adapters.storage.market import Market
from trading_pipeline.config import Settings
from trading_pipeline.core.candles import CANDLE_SCHEMA
from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.wiring.market import market_of
from trading_pipeline_tests.pipelines import (
    BTC,
    ETH,
    START,
    make_settings,
    open_pipeline,
    whole_history,
    write_candles,
)

FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return settings whose lake holds candles and the longer ones, made from files."""
    root = tmp_path_factory.mktemp("market")
    files = write_candles(root / "files", {symbol: whole_history(symbol) for symbol in (BTC, ETH)})
    settings = make_settings(root / "data", files)
    with open_pipeline(settings) as pipeline:
        pipeline.walk(("fetch", "validate", "resample"))
    return settings


@pytest.fixture
def market(settings: Settings) -> Market:
    return market_of(settings)


def test_candles_are_those_of_the_files_up_to_the_present(market: Market, settings: Settings):
    rows = whole_history(BTC).filter(
        pl.col("open_time") + timedelta(hours=1) <= settings.market.now
    )
    for spelling in ("BTC/USDT", "BTC-USDT", "btc_usdt"):
        assert market.candles(spelling).equals(rows)
    assert dict(market.candles("ETH/USDT").schema) == CANDLE_SCHEMA


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (FEBRUARY, FEBRUARY + timedelta(days=2)),
        ("2024-02-01", "2024-02-03"),
        ("2024-02-01T02:00+02:00", "2024-02-03T00:00Z"),
    ],
)
def test_a_range_includes_its_start_and_not_its_end(market: Market, start, end):
    times = market.candles("BTC/USDT", start=start, end=end)["open_time"]
    assert (times[0], times[-1]) == (FEBRUARY, FEBRUARY + timedelta(hours=47))
    assert len(times) == 48


def test_longer_candles_come_with_their_count(market: Market):
    days = market.candles("BTC/USDT", "1d", start="2024-03-01")
    assert days.columns == [*CANDLE_SCHEMA, "n_bars"]
    silent = days.filter(pl.col("open_time") == datetime(2024, 3, 9, tzinfo=UTC))
    assert silent["n_bars"].to_list() == [22]
    first = market.candles("BTC/USDT", "4h", end=START + timedelta(hours=9))
    assert first["open_time"].to_list() == [START + timedelta(hours=4 * n) for n in range(3)]


def test_a_range_without_candles_is_an_empty_frame(market: Market):
    assert dict(market.candles("BTC/USDT", start="2031-01-01").schema) == CANDLE_SCHEMA
    assert market.candles("BTC/USDT", "4h", end="2020-01-01").is_empty()


def test_sql_sees_every_table(market: Market):
    assert {"candles", "coverage", "resampled_candles"} <= set(market.tables())
    found = market.sql("SELECT count(*) FROM candles WHERE symbol = ?", ["ETH-USDT"]).item()
    assert found == market.candles("ETH/USDT").height


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("BTC/USDT", "15m"), ConfigError, "kept in 1h, 4h, 1d, not in 15m; add it to"),
        (("BTC/USD",), DataError, "unknown symbol in the lake 'BTC-USD'; did you mean BTC-USDT"),
        (("BTC/USDT", None, "yesterday"), ConfigError, "start must be an instant such as"),
        (("BTC/USDT", None, None, datetime(2024, 1, 1)), ConfigError, "end needs a time zone"),  # noqa: DTZ001
    ],
)
def test_what_cannot_be_given_is_refused(market: Market, arguments, error, message):
    with pytest.raises(error, match=message):
        market.candles(*arguments)


def test_an_empty_lake_says_how_to_fill_it(tmp_path: Path):
    empty = Market(Lake(tmp_path), "binance", Timeframe("1h"), (Timeframe("4h"),))
    assert empty.tables() == []
    with pytest.raises(DataError, match="no candles yet; run: trading data history"):
        empty.candles("BTC/USDT")


@pytest.mark.usefixtures("plain_environment")
def test_the_example_of_the_documents_runs_on_a_profile(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "config.yaml").write_text("")
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    monkeypatch.setenv("TRADING__STORAGE__ROOT", str(tmp_path / "data"))
    profiles = tmp_path / "data" / "profiles"
    profiles.mkdir(parents=True)
    (profiles / "mine.yaml").write_text("market: {venue: trial, history_start: 2024-01}")
    (tmp_path / "data" / "mine").symlink_to(settings.storage_root)
    page = Path(__file__).resolve().parents[1] / "docs" / "market_data.md"
    (example,) = [
        block.partition("```")[0]
        for block in page.read_text().split("```python\n")
        if "open_market" in block.partition("```")[0]
    ]
    names: dict[str, object] = {}
    exec(compile(example.replace("open_market()", 'open_market("mine")'), str(page), "exec"), names)
    frames = [value for value in names.values() if isinstance(value, pl.DataFrame)]
    assert len(frames) >= 3
    assert all(frame.height for frame in frames)


@pytest.mark.usefixtures("plain_environment")
def test_an_unknown_profile_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "config.yaml").write_text("")
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="there is no profile 'nobody'"):
        open_market("nobody")


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, trading_pipeline; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"polars", "duckdb", "numpy", "pydantic", "yaml", "dagster"}
    assert heavy & {name.partition(".")[0] for name in loaded.stdout.split()} == set()
