import json
import os
from pathlib import Path

import pytest

from trading_pipeline.adapters.storage.durable_files import write_durably
from trading_pipeline.adapters.storage.lake import Address, Lake
from trading_pipeline.core.errors import LakeCorruptionError, StorageError
from trading_pipeline_tests.adapters.storage.lake_writers import JANUARY
from trading_pipeline_tests.builders import make_candles


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(tmp_path / "lake")


def _parts(lake: Lake) -> list[Path]:
    return sorted((lake.root / JANUARY.path).glob("part-*.parquet"))


def test_every_flipped_bit_of_a_part_is_noticed(lake, rng):
    lake.commit(JANUARY, make_candles(200), fingerprint="a")
    (path,) = _parts(lake)
    content = path.read_bytes()
    for bit in rng.integers(0, 8 * len(content), size=100).tolist():
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(LakeCorruptionError, match=rf"{path.name} is not what was written"):
            lake.read(JANUARY)
    path.write_bytes(content)
    assert lake.read(JANUARY).height == 200


def test_every_flipped_bit_of_a_manifest_is_noticed(lake, rng):
    lake.commit(JANUARY, make_candles(20), fingerprint="a", notes={"gaps": ["2024-01-03"]})
    path = lake.root / JANUARY.path / "manifest.json"
    content = path.read_bytes()
    for bit in rng.integers(0, 8 * len(content), size=300).tolist():
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        if _means_the_same(flipped, content):
            continue
        with pytest.raises(LakeCorruptionError, match=r"manifest\.json is damaged"):
            lake.read(JANUARY)


def _means_the_same(left: bytes, right: bytes) -> bool:
    # A blank of the indentation that became a tab is damage without consequence.
    try:
        return json.loads(left) == json.loads(right)
    except ValueError:
        return False


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"parts": [], "generation": 1}', b"\xff\xfe\x00"],
    ids=["empty", "cut", "list", "null", "too little", "not text"],
)
def test_a_damaged_manifest_is_reported_with_what_to_do(lake, content):
    lake.commit(JANUARY, make_candles(5), fingerprint="a")
    (lake.root / JANUARY.path / "manifest.json").write_bytes(content)
    for use in (lake.manifest, lake.read):
        with pytest.raises(LakeCorruptionError, match="delete its folder and materialise"):
            use(JANUARY)


def test_a_cut_part_is_noticed(lake):
    lake.commit(JANUARY, make_candles(200), fingerprint="a")
    (path,) = _parts(lake)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(LakeCorruptionError, match="is not what was written"):
        lake.read(JANUARY)


def test_a_missing_part_is_noticed(lake):
    lake.commit(JANUARY, make_candles(5), fingerprint="a")
    (path,) = _parts(lake)
    path.unlink()
    with pytest.raises(LakeCorruptionError, match=rf"{path.name} is missing") as caught:
        lake.read(JANUARY)
    assert caught.value.facts == {"address": str(JANUARY)}
    with pytest.raises(LakeCorruptionError, match="is missing"):
        lake.files("candles")


@pytest.mark.parametrize("n_rows", [5, 6], ids=["the same rows", "other rows"])
def test_committing_over_a_damaged_part_heals_the_partition(lake, n_rows):
    lake.commit(JANUARY, make_candles(5), fingerprint="a")
    (path,) = _parts(lake)
    path.write_bytes(b"rubbish")
    lake.commit(JANUARY, make_candles(n_rows), fingerprint="a")
    assert lake.read(JANUARY).equals(make_candles(n_rows))


def test_an_upsert_never_builds_on_a_damaged_part(lake):
    lake.commit(JANUARY, make_candles(5), fingerprint="a")
    _parts(lake)[0].write_bytes(b"rubbish")
    with pytest.raises(LakeCorruptionError):
        lake.upsert(JANUARY, make_candles(6), key="open_time", fingerprint="a")


def test_files_that_no_manifest_names_do_not_exist_for_readers(lake):
    lake.commit(JANUARY, make_candles(5), fingerprint="a")
    make_candles(50, seed=9).write_parquet(
        lake.root / JANUARY.path / "part-feedfeedfeedfeed.parquet"
    )
    assert lake.read(JANUARY).height == 5
    assert [path.name for path in lake.files("candles")] == [
        part.name for part in lake.manifest(JANUARY).parts
    ]


def test_the_sweep_removes_what_a_kill_leaves_and_nothing_else(lake):
    lake.commit(JANUARY, make_candles(5), fingerprint="a")
    lake.commit(Address("summary"), make_candles(3), fingerprint="a")
    folder = lake.root / JANUARY.path
    never_committed = lake.root / "candles" / "venue=binance" / "symbol=XRP-USDT"
    never_committed.mkdir()
    orphans = [
        folder / "part-feedfeedfeedfeed.parquet",  # after the part, before the manifest
        folder / ".part-feedfeedfeedfeed.parquet.0badcafe.partial",  # during the part
        folder / ".manifest.json.0badcafe.partial",  # during the manifest
        never_committed / "part-0123456789abcdef.parquet",  # the first write of a partition
    ]
    for path in orphans:
        path.write_bytes(b"left by a kill")
    assert lake.sweep() == 4
    assert not any(path.exists() for path in orphans)
    assert lake.read(JANUARY).equals(make_candles(5))
    assert lake.read(Address("summary")).equals(make_candles(3))
    assert lake.sweep() == 0


def test_a_lake_that_does_not_exist_has_nothing_to_sweep(lake):
    assert lake.sweep() == 0


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "lake").write_text("a file where the lake should be")
    with pytest.raises(StorageError, match=r"choose another storage\.root"):
        Lake(tmp_path / "lake").commit(JANUARY, make_candles(1), fingerprint="a")


def test_a_durable_write_leaves_no_temporary_file_behind(tmp_path):
    write_durably(tmp_path / "deep" / "file.txt", b"one")
    write_durably(tmp_path / "deep" / "file.txt", b"two")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["file.txt"]
    assert (tmp_path / "deep" / "file.txt").read_bytes() == b"two"
