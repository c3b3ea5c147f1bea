"""The demo on a trader's own candle files; expected rows are those that the test wrote."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pypdf import PdfReader

from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.cli.candle_folders import N_CANDLES, plain_csv_text
from trading_pipeline_tests.cli.conftest import FilesDemo
from trading_pipeline_tests.cli.desk import Desk

COLUMNS = ["open_time", "open", "high", "low", "close", "volume"]


def stored(folder: Path, symbol: str) -> pl.DataFrame:
    lake = Lake(folder)
    addresses = [a for a in lake.addresses("candles") if dict(a.columns)["symbol"] == symbol]
    return pl.concat([lake.read(address) for address in addresses]).select(COLUMNS)


@pytest.mark.parametrize("symbol", ["BTC-USDT", "ETH-USDT"])
def test_six_formats_become_exactly_the_candles_that_were_written(
    files_demo: FilesDemo, symbol: str
):
    found = stored(files_demo.desk.lake("candles"), symbol)
    assert_frame_equal(found, files_demo.written[symbol].select(COLUMNS), check_exact=True)


def test_the_demo_on_files_sums_up_both_symbols_and_says_where_candles_come_from(
    files_demo: FilesDemo,
):
    payload = files_demo.done.json
    assert payload["profile"] == "candles"
    assert payload["simulated"] is False
    assert payload["venue"] == "binance, from candle files"
    rows = {row["symbol"]: row for row in payload["summary"]}
    assert list(rows) == ["BTC/USDT", "ETH/USDT"]
    for row in rows.values():
        assert (row["candles"], row["missing"], row["dropped"]) == (N_CANDLES, 0, 0)
        assert row["folds"] == 1  # February; January is the one training month


def test_paper_decides_on_the_newest_candle_alone_with_one_order_at_most(files_demo: FilesDemo):
    lines = files_demo.done.json["paper"]
    assert [line["symbol"] for line in lines] == ["BTC/USDT", "ETH/USDT"]
    for line in lines:
        assert datetime.fromisoformat(line["candle"]) == datetime(2024, 2, 29, 23, tzinfo=UTC)
        assert line["orders"] <= 1
    account = files_demo.desk.succeed("portfolio", "show", "--json").json
    assert len(account["orders"]) == sum(line["orders"] for line in lines)


def test_reports_on_real_files_do_not_claim_to_be_simulated(files_demo: FilesDemo):
    for report in files_demo.done.json["reports"]:
        pages = PdfReader(report).pages
        assert pages
        assert all("SIMULATED" not in page.extract_text().upper() for page in pages)


def test_the_demo_says_what_each_file_held(files_demo: FilesDemo):
    said = files_demo.done.err
    assert f"BTC/USDT 1h: {N_CANDLES:,} candles, 2024-01-01 00:00 to 2024-02-29 23:00 UTC" in said
    assert f"ETH/USDT 1h: {N_CANDLES:,} candles, 2024-01-01 00:00 to 2024-02-29 23:00 UTC" in said


def test_a_history_too_short_for_a_model_is_one_message_with_the_setting(
    desk: Desk, tmp_path: Path
):
    path = tmp_path / "BTC_USDT-1h.csv"
    path.write_text(plain_csv_text(make_candles(5)))
    done = desk.run("demo", path)
    assert done.code == 1
    assert "Traceback" not in done.err
    assert "DataError: retrain_models stopped at a blocking check" in done.err
    assert "training needs at least 500 rows" in done.err
    assert "lower walk_forward.min_train_rows" in done.err
