"""The warehouse is built beside and swapped in whole; who reads the old one keeps it."""

from pathlib import Path

import polars as pl

from trading_pipeline import wiring
from trading_pipeline.adapters.storage.lake import Address, Lake
from trading_pipeline.adapters.storage.warehouse import read_only
from trading_pipeline.defs.backtests.warehouse import MARTS, build_warehouse
from trading_pipeline.defs.partitions import Cell
from trading_pipeline_tests.pipelines import BTC, ETH, MONTHS, Pipeline, copied


def test_the_warehouse_holds_every_mart_with_the_rows_of_the_lake(batch: Pipeline):
    path = wiring.warehouse_path(batch.settings)
    with read_only(path) as connection:
        tables = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
        assert tables == {*MARTS, "coverage"}
        for table in ("backtest_results", "backtest_trades", "backtest_equity"):
            ((count,),) = connection.execute(f'SELECT count(*) FROM "{table}"').fetchall()
            assert count == sum(batch.rows(table, symbol).height for symbol in (BTC, ETH))
        ((count,),) = connection.execute("SELECT count(*) FROM signals").fetchall()
        assert count == sum(batch.history("signals", symbol).height for symbol in (BTC, ETH))
        strategies = connection.execute(
            "SELECT DISTINCT strategy FROM backtest_results WHERE symbol = 'BTC-USDT' ORDER BY 1"
        ).fetchall()
    assert [name for (name,) in strategies] == [
        "buy_and_hold", "ema_cross", "forecast", "rsi", "signals",
    ]  # fmt: skip


def test_coverage_has_a_row_per_month_of_candles(batch: Pipeline):
    asked = "SELECT symbol, month, expected, unexplained, coverage FROM coverage ORDER BY ALL"
    with read_only(wiring.warehouse_path(batch.settings)) as connection:
        rows = connection.execute(asked).fetchall()
    assert [row[:2] for row in rows] == [(s.key, m.key) for s in (BTC, ETH) for m in MONTHS]
    # The three bars of February that nobody explains.
    assert rows[1][2:] == (29 * 24, 3, (29 * 24 - 3) / (29 * 24))


def test_nothing_half_built_is_left_beside_it(batch: Pipeline):
    path = wiring.warehouse_path(batch.settings)
    assert [found.name for found in path.parent.glob("warehouse*")] == ["warehouse.duckdb"]


def test_a_reader_keeps_the_old_file_while_a_new_one_takes_its_place(
    batch: Pipeline, tmp_path: Path
):
    with copied(batch, tmp_path / "data") as pipeline:
        lake, path = wiring.lake(pipeline.settings), wiring.warehouse_path(pipeline.settings)
        before = pipeline.rows("backtest_results", BTC).height
        with read_only(path) as reader:
            table = pipeline.table("backtest_results")
            rows = table.rows(Cell(BTC))
            lake.commit(table.address(Cell(BTC)), rows.head(1), fingerprint="fewer")
            build_warehouse(lake, path)
            asked = "SELECT count(*) FROM backtest_results WHERE symbol = 'BTC-USDT'"
            assert reader.execute(asked).fetchall() == [(before,)]
        with read_only(path) as reader:
            assert reader.execute(asked).fetchall() == [(1,)]


def test_what_a_kill_left_half_built_is_built_again(batch: Pipeline, tmp_path: Path):
    path = tmp_path / "warehouse.duckdb"
    leftover = tmp_path / "warehouse.duckdb.building"
    leftover.write_bytes(b"half")
    rows = build_warehouse(wiring.lake(batch.settings), path)
    assert set(rows) == {*MARTS, "coverage"}
    assert not leftover.exists()


def test_a_lake_without_a_table_has_a_warehouse_without_its_mart(tmp_path: Path):
    lake = Lake(tmp_path / "lake")
    address = Address("signals", (("venue", "v"), ("symbol", "s"), ("month", MONTHS[0].key)))
    lake.commit(address, pl.DataFrame({"n": [1, 2]}), fingerprint="x")
    assert build_warehouse(lake, tmp_path / "warehouse.duckdb") == {"signals": 2}
