import subprocess
import sys
from datetime import UTC, datetime

import duckdb
import polars as pl
import pytest

from trading_pipeline.adapters.storage import warehouse
from trading_pipeline.adapters.storage.lake import Address, Lake, month_address
from trading_pipeline.core.errors import DataError, LakeCorruptionError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.builders import make_candles


def _address(symbol: str, month: str) -> Address:
    return month_address(
        "candles", "binance", Symbol.parse(symbol), Timeframe("1h"), Month.parse(month)
    )


@pytest.fixture
def lake(tmp_path) -> Lake:
    lake = Lake(tmp_path / "lake")
    january = make_candles(10, start=datetime(2024, 1, 1, tzinfo=UTC))
    february = make_candles(7, seed=2, start=datetime(2024, 2, 1, tzinfo=UTC))
    lake.commit(_address("BTC-USDT", "2024-01"), january, fingerprint="a")
    lake.commit(_address("BTC-USDT", "2024-02"), february, fingerprint="a")
    lake.commit(_address("1INCH-USDT", "2024-01"), january[:3], fingerprint="a")
    lake.commit(Address("trades"), pl.DataFrame({"pnl": [1.5, -0.5]}), fingerprint="a")
    return lake


def test_every_table_of_the_lake_is_a_view(lake):
    with warehouse.connect(lake) as sql:
        counts = sql.execute(
            "SELECT symbol, month, count(*) FROM candles GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        assert sql.execute("SELECT sum(pnl) FROM trades").fetchone() == (1.0,)
    assert counts == [
        ("1INCH-USDT", "2024-01", 3),
        ("BTC-USDT", "2024-01", 10),
        ("BTC-USDT", "2024-02", 7),
    ]


def test_partition_columns_are_text_and_values_keep_their_types(lake):
    with warehouse.connect(lake) as sql:
        types = {row[0]: row[1] for row in sql.execute("DESCRIBE candles").fetchall()}
    for column in ("venue", "symbol", "timeframe", "month"):
        assert types[column] == "VARCHAR"
    assert types["open_time"] == "TIMESTAMP WITH TIME ZONE"
    assert types["close"] == "DOUBLE"


def test_sql_gives_the_values_that_were_written(lake):
    with warehouse.connect(lake) as sql:
        rows = sql.execute(
            "SELECT open_time, close FROM candles WHERE symbol = 'BTC-USDT' AND month = '2024-02' "
            "ORDER BY open_time"
        ).fetchall()
    february = make_candles(7, seed=2, start=datetime(2024, 2, 1, tzinfo=UTC))
    assert rows == list(zip(february["open_time"], february["close"], strict=True))


def test_instants_are_shown_in_utc_wherever_the_machine_stands(lake):
    code = (
        "import sys; from pathlib import Path;"
        "from trading_pipeline.adapters.storage import warehouse;"
        "from trading_pipeline.adapters.storage.lake import Lake;"
        "sql = warehouse.connect(Lake(Path(sys.argv[1])));"
        "print(sql.execute('SELECT min(open_time)::VARCHAR FROM candles').fetchone()[0])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, str(lake.root)],
        env={"TZ": "America/New_York", "PATH": ""},
        cwd=".",
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == "2024-01-01 00:00:00+00"


def test_a_view_ignores_files_that_no_manifest_names(lake):
    folder = lake.root / _address("BTC-USDT", "2024-01").path
    make_candles(500, seed=3).write_parquet(folder / "part-feedfeedfeedfeed.parquet")
    with warehouse.connect(lake, ["candles"]) as sql:
        assert sql.execute("SELECT count(*) FROM candles").fetchone() == (20,)


def test_a_view_gives_the_newest_generation_only(lake):
    lake.commit(_address("BTC-USDT", "2024-01"), make_candles(4, seed=5), fingerprint="b")
    with warehouse.connect(lake, ["candles"]) as sql:
        assert sql.execute("SELECT count(*) FROM candles").fetchone() == (14,)


def test_an_open_connection_outlives_one_replacement(lake):
    with warehouse.connect(lake, ["candles"]) as sql:
        lake.commit(_address("BTC-USDT", "2024-01"), make_candles(4, seed=5), fingerprint="b")
        assert sql.execute("SELECT count(*) FROM candles").fetchone() == (20,)
        warehouse.define_view(sql, lake, "candles")
        assert sql.execute("SELECT count(*) FROM candles").fetchone() == (14,)


def test_a_column_that_came_later_is_null_in_older_partitions(lake):
    wider = make_candles(2, seed=5).with_columns(quote_volume=pl.lit(1.0))
    lake.commit(_address("BTC-USDT", "2024-03"), wider, fingerprint="b")
    with warehouse.connect(lake, ["candles"]) as sql:
        found = sql.execute("SELECT count(*), count(quote_volume) FROM candles").fetchone()
    assert found == (22, 2)


def test_a_flipped_bit_is_noticed_before_sql_sees_it(lake):
    path = next((lake.root / _address("BTC-USDT", "2024-01").path).glob("*.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(LakeCorruptionError, match="is not what was written"):
        warehouse.connect(lake)


def test_a_table_that_the_lake_lacks_is_refused_with_those_it_has(lake):
    with pytest.raises(DataError, match="no table 'candle'; it has candles, trades"):
        warehouse.connect(lake, ["candle"])


def test_an_empty_lake_gives_a_connection_without_views(tmp_path):
    with warehouse.connect(Lake(tmp_path / "nothing")) as sql:
        assert sql.execute("SHOW TABLES").fetchall() == []


@pytest.mark.parametrize("name", ["it's", "with [brackets] and *"])
def test_the_lake_may_stand_in_a_folder_of_any_name(tmp_path, name):
    lake = Lake(tmp_path / name / "lake")
    lake.commit(_address("BTC-USDT", "2024-01"), make_candles(4), fingerprint="a")
    with warehouse.connect(lake) as sql:
        columns = [row[0] for row in sql.execute("DESCRIBE candles").fetchall()]
        assert sql.execute("SELECT count(*) FROM candles").fetchone() == (4,)
    assert set(columns) == {*make_candles(1).columns, "venue", "symbol", "timeframe", "month"}


def test_published_marts_are_tables_of_their_own_file(lake, tmp_path):
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as build:
        assert warehouse.publish_marts(build, lake, ["candles", "trades"]) == {
            "candles": 20,
            "trades": 2,
        }
    # The copy needs nothing of the lake.
    lake.root.rename(tmp_path / "moved")
    with warehouse.read_only(path) as sql:
        assert sql.execute("SELECT sum(pnl) FROM trades").fetchone() == (1.0,)
        assert sql.execute("SELECT min(open_time)::VARCHAR FROM candles").fetchone() == (
            "2024-01-01 00:00:00+00",
        )


def test_a_published_warehouse_is_read_only_and_shared(lake, tmp_path):
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as build:
        warehouse.publish_marts(build, lake, ["trades"])
    with warehouse.read_only(path) as one, warehouse.read_only(path) as two:
        assert one.execute("SELECT count(*) FROM trades").fetchone() == (2,)
        assert two.execute("SELECT count(*) FROM trades").fetchone() == (2,)
        with pytest.raises(duckdb.InvalidInputException, match="read-only"):
            one.execute("DROP TABLE trades")


def test_publishing_a_table_that_is_missing_is_refused(lake):
    with duckdb.connect() as build, pytest.raises(DataError, match="no table 'scores'"):
        warehouse.publish_marts(build, lake, ["scores"])


def test_a_warehouse_that_was_never_published_is_not_made_by_reading(tmp_path):
    path = tmp_path / "warehouse.duckdb"
    with pytest.raises(DataError, match="was never published; materialise performance_summary"):
        warehouse.read_only(path)
    assert not path.exists()
