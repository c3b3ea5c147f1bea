from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from trading_pipeline.adapters.storage.durable_files import sha256_of
from trading_pipeline.adapters.storage.lake import Address, Lake, month_address, symbol_address
from trading_pipeline.core.errors import DataError, PartitionNotFoundError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.builders import make_candles

HOUR = Timeframe("1h")
JANUARY = month_address("candles", "binance", Symbol("BTC", "USDT"), HOUR, Month(2024, 1))


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(tmp_path / "lake")


def _parts(lake: Lake) -> list[Path]:
    return sorted((lake.root / JANUARY.path).glob("part-*.parquet"))


def test_what_was_committed_is_read_back_exactly(lake):
    candles = make_candles(100)
    lake.commit(JANUARY, candles, fingerprint="a")
    back = lake.read(JANUARY)
    assert back.equals(candles)
    assert back.schema == candles.schema


def test_only_the_asked_columns_are_read(lake):
    lake.commit(JANUARY, make_candles(5), fingerprint="a")
    assert lake.read(JANUARY, columns=["close", "open_time"]).columns == ["close", "open_time"]


def test_a_partition_lies_in_hive_folders_under_its_table(lake):
    lake.commit(JANUARY, make_candles(5), fingerprint="a")
    folder = lake.root / "candles/venue=binance/symbol=BTC-USDT/timeframe=1h/month=2024-01"
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", _parts(lake)[0].name]


def test_a_part_is_named_by_the_sha256_of_its_bytes(lake):
    manifest = lake.commit(JANUARY, make_candles(5), fingerprint="a")
    (path,) = _parts(lake)
    digest = sha256_of(path.read_bytes())
    assert path.name == f"part-{digest[:16]}.parquet"
    assert manifest.parts[0].sha256 == digest
    assert manifest.parts[0].n_bytes == path.stat().st_size


def test_the_manifest_tells_rows_range_and_notes(lake):
    candles = make_candles(48, start=datetime(2024, 1, 1, tzinfo=UTC))
    lake.commit(JANUARY, candles, fingerprint="inputs", notes={"gaps": [1, 2], "share": 0.1})
    manifest = lake.manifest(JANUARY)
    assert manifest is not None
    assert (manifest.generation, manifest.fingerprint, manifest.n_rows) == (1, "inputs", 48)
    assert manifest.first == "2024-01-01T00:00:00+00:00"
    assert manifest.last == "2024-01-02T23:00:00+00:00"
    assert manifest.notes == {"gaps": [1, 2], "share": 0.1}
    assert manifest.columns["close"] == "Float64"


def test_a_partition_without_rows_is_still_a_partition(lake):
    lake.commit(JANUARY, make_candles(0), fingerprint="a", notes={"refused": "too few rows"})
    manifest = lake.manifest(JANUARY)
    assert manifest is not None
    assert (manifest.n_rows, manifest.first, manifest.last) == (0, None, None)
    assert lake.read(JANUARY).is_empty()
    assert lake.read(JANUARY).schema == make_candles(1).schema


def test_a_partition_that_was_never_written_is_not_found(lake):
    assert lake.manifest(JANUARY) is None
    assert lake.read_if_present(JANUARY) is None
    with pytest.raises(PartitionNotFoundError, match="was never materialised; materialise it"):
        lake.read(JANUARY)


def test_tables_and_addresses_are_listed_in_path_order(lake):
    assert lake.tables() == []
    february = month_address("candles", "binance", Symbol("BTC", "USDT"), HOUR, Month(2024, 2))
    champion = symbol_address("champion", "binance", Symbol("ETH", "USDT"), HOUR)
    summary = Address("summary")
    for address in (february, summary, JANUARY, champion):
        lake.commit(address, make_candles(2), fingerprint="a")
    assert lake.tables() == ["candles", "champion", "summary"]
    assert list(lake.addresses("candles")) == [JANUARY, february]
    assert list(lake.addresses("summary")) == [summary]
    assert list(lake.addresses("nothing")) == []


def test_months_are_told_apart_by_their_address():
    address = month_address("candles", "binance", Symbol("BTC", "USDT"), HOUR, Month(2024, 1))
    assert str(address) == "candles/venue=binance/symbol=BTC-USDT/timeframe=1h/month=2024-01"
    assert str(symbol_address("champion", "binance", Symbol("BTC", "USDT"), HOUR)) == (
        "champion/venue=binance/symbol=BTC-USDT/timeframe=1h"
    )


def test_the_same_rows_again_leave_the_generation_and_the_file(lake):
    first = lake.commit(JANUARY, make_candles(10), fingerprint="a", notes={"n": 1})
    stamp = _parts(lake)[0].stat().st_mtime_ns
    second = lake.commit(JANUARY, make_candles(10), fingerprint="a", notes={"n": 1})
    assert second == first
    assert second.generation == 1
    assert _parts(lake)[0].stat().st_mtime_ns == stamp


def test_an_upsert_of_known_rows_leaves_the_generation(lake):
    candles = make_candles(10)
    lake.commit(JANUARY, candles, fingerprint="a")
    after = lake.upsert(JANUARY, candles[3:6], key="open_time", fingerprint="a")
    assert after.generation == 1


@pytest.mark.parametrize(
    ("rows", "fingerprint", "notes"),
    [(make_candles(11), "a", {}), (make_candles(10), "b", {}), (make_candles(10), "a", {"n": 2})],
    ids=["rows", "fingerprint", "notes"],
)
def test_a_change_of_anything_is_a_new_generation(lake, rows, fingerprint, notes):
    lake.commit(JANUARY, make_candles(10), fingerprint="a")
    assert lake.commit(JANUARY, rows, fingerprint=fingerprint, notes=notes).generation == 2


def test_content_tells_rows_and_notes_but_not_inputs(lake):
    first = lake.commit(JANUARY, make_candles(10), fingerprint="a")
    same = lake.commit(JANUARY, make_candles(10), fingerprint="b")
    noted = lake.commit(JANUARY, make_candles(10), fingerprint="b", notes={"gap": 1})
    other = lake.commit(JANUARY, make_candles(11), fingerprint="b")
    assert first.content == same.content
    assert len({first.content, noted.content, other.content}) == 3


def test_a_commit_touches_no_other_partition(lake):
    february = month_address("candles", "binance", Symbol("BTC", "USDT"), HOUR, Month(2024, 2))
    lake.commit(JANUARY, make_candles(10), fingerprint="a")
    before = {path: path.read_bytes() for path in (lake.root / JANUARY.path).iterdir()}
    lake.commit(february, make_candles(10, seed=2), fingerprint="a")
    assert {path: path.read_bytes() for path in (lake.root / JANUARY.path).iterdir()} == before


def test_old_generations_are_removed_except_the_last_one(lake):
    for n in range(1, 6):
        lake.commit(JANUARY, make_candles(n), fingerprint="a")
    assert len(_parts(lake)) == 2
    assert lake.read(JANUARY).height == 5


def test_an_upsert_adds_new_rows_and_replaces_known_ones_in_order(lake):
    candles = make_candles(10)
    revised = candles[4:6].with_columns(close=pl.lit(1.0))
    lake.upsert(JANUARY, candles[5:], key="open_time", fingerprint="a")
    lake.upsert(JANUARY, candles[:5], key="open_time", fingerprint="b")
    manifest = lake.upsert(JANUARY, revised, key="open_time", fingerprint="c")
    assert lake.read(JANUARY).equals(pl.concat([candles[:4], revised, candles[6:]]))
    assert (manifest.generation, manifest.n_rows) == (3, 10)


@pytest.mark.parametrize("has_rows", [False, True], ids=["new partition", "known partition"])
def test_of_two_rows_with_one_key_the_later_one_stays(lake, has_rows):
    candles = make_candles(3)
    if has_rows:
        lake.upsert(JANUARY, candles, key="open_time", fingerprint="a")
    twice = pl.concat([candles, candles[1:2].with_columns(close=pl.lit(7.0))])
    lake.upsert(JANUARY, twice, key="open_time", fingerprint="b")
    stored = lake.read(JANUARY)
    assert stored["open_time"].to_list() == candles["open_time"].to_list()
    assert stored["close"][1] == 7.0


def test_the_fingerprint_and_the_notes_of_an_upsert_may_depend_on_what_is_stored(lake):
    candles = make_candles(10)
    for rows in (candles[:4], candles[4:]):
        manifest = lake.upsert(
            JANUARY,
            rows,
            key="open_time",
            fingerprint=lambda merged: f"{merged.height} rows",
            notes=lambda before: {"before": 0 if before is None else before.n_rows},
        )
    assert (manifest.fingerprint, manifest.notes) == ("10 rows", {"before": 4})


@pytest.mark.parametrize(
    "change",
    [pl.lit(1.0).alias("extra"), pl.col("volume").cast(pl.Float32)],
    ids=["another column", "another type"],
)
def test_an_upsert_of_other_columns_is_refused_and_changes_nothing(lake, change):
    lake.commit(JANUARY, make_candles(3), fingerprint="a")
    with pytest.raises(DataError, match=r"month=2024-01 holds .* use the same columns"):
        lake.upsert(JANUARY, make_candles(5).with_columns(change), key="open_time", fingerprint="b")
    assert lake.read(JANUARY).equals(make_candles(3))
