"""Appended parts, compaction and conflicts: the same in a folder and in S3."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from trading_pipeline.adapters.storage import warehouse
from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline.adapters.storage.s3_objects import S3Objects
from trading_pipeline.core.errors import (
    DataError,
    LakeConflictError,
    LakeCorruptionError,
    PartitionNotFoundError,
    StorageError,
)
from trading_pipeline_tests.adapters.storage.lake_writers import JANUARY
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.fault_matrix.lake_cells import open_lake

ROWS = make_candles(700)


@pytest.fixture(params=["local", "s3"])
def root(request, tmp_path) -> str:
    return request.getfixturevalue("s3_url") if request.param == "s3" else f"{tmp_path}/lake"


@pytest.fixture
def lake(root, tmp_path) -> Lake:
    return open_lake(root, tmp_path / "cache")


@pytest.fixture
def other(root, tmp_path) -> Lake:
    """The same lake, as another machine opens it."""
    return open_lake(root, tmp_path / "other")


def _upsert(lake: Lake, rows: pl.DataFrame, **changes):
    options = {"key": "open_time", "fingerprint": "a", **changes}
    return lake.upsert(JANUARY, rows, **options)


def _n_parts(lake: Lake) -> int:
    return len(lake.manifest(JANUARY).parts)


def test_newer_rows_become_a_small_part_of_their_own(lake, other):
    first = _upsert(lake, ROWS[:600])
    # As a refresh asks: the last known candle again, and two new ones.
    second = _upsert(lake, ROWS[599:602])
    assert second.parts[0] == first.parts[0]
    assert [part.n_rows for part in second.parts] == [600, 2]
    assert second.parts[1].n_bytes * 3 < first.parts[0].n_bytes
    assert (second.n_rows, second.last) == (602, ROWS["open_time"][601].isoformat())
    for reader in (lake, other):
        assert reader.read(JANUARY).equals(ROWS[:602])
        assert reader.read(JANUARY, columns=["close"]).equals(ROWS[:602].select("close"))


def test_the_tail_is_written_anew_until_it_is_an_eighth_of_the_rest(lake):
    _upsert(lake, ROWS[:600])
    large = lake.manifest(JANUARY).parts[0]
    seen = []
    for n in range(600, 680):
        manifest = _upsert(lake, ROWS[n : n + 1])
        seen.append([part.n_rows for part in manifest.parts])
        assert (manifest.parts[0] == large) is (n < 675)
    assert seen[:75] == [[600, n] for n in range(1, 76)]
    assert seen[75:] == [[676], [676, 1], [676, 2], [676, 3], [676, 4]]
    assert lake.read(JANUARY).equals(ROWS[:680])


def test_a_revised_last_candle_rewrites_the_tail_alone(lake):
    large = _upsert(lake, ROWS[:600]).parts[0]
    _upsert(lake, ROWS[600:603])
    revised = ROWS[601:603].with_columns(close=pl.Series([1.5, 2.5]))
    manifest = _upsert(lake, revised)
    assert [part.n_rows for part in manifest.parts] == [600, 3]
    assert manifest.parts[0] == large
    assert lake.read(JANUARY).equals(pl.concat([ROWS[:601], revised]))


@pytest.mark.parametrize(
    "rows",
    [
        ROWS[597:599].with_columns(volume=pl.lit(0.0)),
        pl.concat([ROWS[10:11].with_columns(close=pl.lit(1.5)), ROWS[600:601]]),
        ROWS[300:301],
    ],
    ids=["revised last rows", "a revised old row and a new one", "a hole that is filled"],
)
def test_a_change_before_the_tail_rewrites_the_partition(lake, rows):
    stored = ROWS[:600].filter(pl.col("open_time") != ROWS["open_time"][300])
    lake.commit(JANUARY, stored, fingerprint="a")
    _upsert(lake, rows)
    assert _n_parts(lake) == 1
    by_time = {row[0]: row for row in [*stored.rows(), *rows.rows()]}
    assert lake.read(JANUARY).rows() == [by_time[key] for key in sorted(by_time)]


def test_a_zero_that_lost_its_sign_is_a_revision(lake):
    rows = ROWS[:40].with_columns(volume=pl.lit(0.0))
    lake.commit(JANUARY, rows, fingerprint="a")
    _upsert(lake, rows[3:4].with_columns(volume=pl.lit(-0.0)))
    assert str(lake.read(JANUARY)["volume"][3]) == "-0.0"


def test_the_content_does_not_tell_into_how_many_parts_the_rows_are_cut(lake, tmp_path):
    at_once = Lake(tmp_path / "at once").commit(JANUARY, ROWS[:610], fingerprint="other")
    _upsert(lake, ROWS[:600])
    for n in range(600, 610):
        appended = _upsert(lake, ROWS[n : n + 1])
    compacted = lake.compact(JANUARY)
    assert (len(appended.parts), len(compacted.parts)) == (2, 1)
    assert appended.content == compacted.content == at_once.content


def test_compaction_changes_nothing_that_a_reader_sees(lake, other):
    _upsert(lake, ROWS[:600], notes=lambda _: {"as_of": "now"})
    before = _upsert(lake, ROWS[600:602], notes=lambda _: {"as_of": "now"})
    after = lake.compact(JANUARY)
    assert (len(before.parts), len(after.parts)) == (2, 1)
    assert (after.generation, after.fingerprint, after.notes, after.n_rows, after.last) == (
        before.generation + 1,
        before.fingerprint,
        before.notes,
        before.n_rows,
        before.last,
    )
    assert other.read(JANUARY).equals(ROWS[:602])
    assert lake.compact(JANUARY) == after


def test_what_was_never_written_is_not_compacted(lake):
    with pytest.raises(PartitionNotFoundError, match="nothing to compact"):
        lake.compact(JANUARY)


def test_new_notes_alone_write_no_part(lake):
    before = _upsert(lake, ROWS[:50])
    after = _upsert(lake, ROWS[40:50], fingerprint="b", notes=lambda _: {"as_of": "later"})
    assert after.generation == before.generation + 1
    assert after.parts == before.parts
    assert after.retired == ()


def test_new_notes_alone_leave_the_readers_of_the_generation_before_their_part(lake, other):
    before = lake.commit(JANUARY, ROWS[:50], fingerprint="a")
    lake.commit(JANUARY, ROWS[:60], fingerprint="b")
    for turn in range(3):
        lake.commit(JANUARY, ROWS[:60], fingerprint="c", notes={"turn": turn})
    assert other.read_generation(JANUARY, before)[1].equals(ROWS[:50])
    lake.commit(JANUARY, ROWS[:70], fingerprint="d")
    names = {key.rpartition("/")[2] for key in lake._objects.keys(str(JANUARY))}
    manifest = lake.manifest(JANUARY)
    assert names == {"manifest.json", *manifest.retired, *(part.name for part in manifest.parts)}
    assert before.parts[0].name not in names


def test_sql_reads_all_parts_and_floats_however_many_decimals_they_have(lake):
    closes = [[1.25, 1.0 / 3.0, 7.0], [0.12345678, 1.5, 9999999.5], [1e-15, 0.5, -1.0]]
    months = [replace(JANUARY, columns=(*JANUARY.columns[:-1], ("month", m))) for m in "abc"]
    for month, close in zip(months, closes, strict=True):
        lake.commit(month, ROWS[:600], fingerprint="a")
        rows = ROWS[600:603].with_columns(close=pl.Series(close))
        lake.upsert(month, rows, key="open_time", fingerprint="a")
    places = [[p.decimals.get("close") for p in lake.manifest(m).parts] for m in months]
    assert places == [[2, None], [2, 8], [2, 15]]
    with warehouse.connect(lake) as sql:
        types = {row[0]: row[1] for row in sql.execute("DESCRIBE candles").fetchall()}
        found = sql.execute("SELECT close FROM candles ORDER BY month, open_time").fetchall()
    assert {types[name] for name in ("open", "high", "low", "close", "volume")} == {"DOUBLE"}
    expected = [value for close in closes for value in [*ROWS["close"][:600], *close]]
    assert [row[0] for row in found] == expected


def test_a_flipped_byte_is_noticed_in_every_part(lake, root):
    _upsert(lake, ROWS[:600])
    manifest = _upsert(lake, ROWS[600:602])
    for part in manifest.parts:
        key = f"{JANUARY}/{part.name}"
        content = bytearray(lake._objects.read(key).content)
        content[len(content) // 2] ^= 1
        _overwrite(lake, root, key, bytes(content))
        for use in (lambda: lake.read(JANUARY), lambda: warehouse.connect(lake)):
            with pytest.raises(LakeCorruptionError, match=f"{part.name} is not what was written"):
                use()
        content[len(content) // 2] ^= 1
        _overwrite(lake, root, key, bytes(content))
    assert lake.read(JANUARY).equals(ROWS[:602])


def test_a_damaged_manifest_is_named(lake, root):
    _upsert(lake, ROWS[:60])
    key = f"{JANUARY}/manifest.json"
    content = lake._objects.read(key).content
    for damaged in (
        content[: len(content) // 2],
        content.replace(b'"n_rows": 60', b'"n_rows": 61'),
    ):
        _overwrite(lake, root, key, damaged)
        for use in (lambda: lake.read(JANUARY), lambda: warehouse.connect(lake)):
            with pytest.raises(
                LakeCorruptionError, match=r"month=2024-01/manifest.json is damaged"
            ):
                use()


def _overwrite(lake: Lake, root: str, key: str, content: bytes) -> None:
    """Change an object behind the lake's back, and forget this machine's copy of it."""
    if root.startswith("s3://"):
        lake._objects._store.put(key, content)
        (lake.root / key).unlink(missing_ok=True)
    else:
        Path(root, key).write_bytes(content)


def test_committing_over_damage_heals_it(lake, root):
    manifest = lake.commit(JANUARY, ROWS[:50], fingerprint="a")
    _overwrite(lake, root, f"{JANUARY}/{manifest.parts[0].name}", b"rubbish")
    lake.commit(JANUARY, ROWS[:50], fingerprint="a")
    assert lake.read(JANUARY).equals(ROWS[:50])


@pytest.mark.parametrize("expected", [0, 2, 9])
def test_a_commit_does_not_replace_what_it_was_not_made_from(lake, other, expected):
    lake.commit(JANUARY, ROWS[:50], fingerprint="a")
    seen = lake.manifest(JANUARY).generation
    _upsert(other, ROWS[50:52])
    _upsert(other, ROWS[52:53])
    with pytest.raises(LakeConflictError, match="committed generation 3 meanwhile; read it and"):
        lake.commit(JANUARY, ROWS[:40], fingerprint="b", expected_generation=expected)
    assert seen == 1
    assert lake.read(JANUARY).equals(ROWS[:53])
    lake.commit(JANUARY, ROWS[:40], fingerprint="b", expected_generation=3)
    assert lake.read(JANUARY).equals(ROWS[:40])


def test_a_first_commit_expects_generation_nought(lake):
    assert lake.commit(JANUARY, ROWS[:5], fingerprint="a", expected_generation=0).generation == 1


def test_the_observer_sees_what_is_stored_and_what_comes_before_the_commit(lake):
    seen = []

    def observe(stored: pl.DataFrame | None, new: pl.DataFrame) -> None:
        manifest = lake.manifest(JANUARY)
        seen.append((stored, new, manifest and manifest.generation))

    _upsert(lake, ROWS[:5], observe=observe)
    _upsert(lake, ROWS[3:7], observe=observe)
    assert seen[0][0] is None
    assert seen[0][1].equals(ROWS[:5])
    assert seen[1][0].equals(ROWS[:5])
    assert seen[1][1].equals(ROWS[3:7])
    assert [generation for *_, generation in seen] == [None, 1]


def test_an_observer_that_refuses_stops_the_commit(lake):
    def refuse(stored: pl.DataFrame | None, new: pl.DataFrame) -> None:
        raise DataError("refused")

    lake.commit(JANUARY, ROWS[:5], fingerprint="a")
    with pytest.raises(DataError, match="refused"):
        _upsert(lake, ROWS[:9], observe=refuse)
    assert lake.read(JANUARY).equals(ROWS[:5])


def test_a_key_may_have_several_columns(lake):
    rows = pl.DataFrame({"at": [1, 1, 2], "name": ["a", "b", "a"], "value": [1.0, 2.0, 3.0]})
    _upsert(lake, rows, key=["at", "name"])
    _upsert(lake, pl.DataFrame({"at": [1], "name": ["b"], "value": [9.0]}), key=["at", "name"])
    assert lake.read(JANUARY).rows() == [(1, "a", 1.0), (1, "b", 9.0), (2, "a", 3.0)]


def test_a_writer_that_was_outrun_merges_with_who_was_first(s3_url, tmp_path):
    slow, quick = (open_lake(s3_url, tmp_path / name) for name in ("slow", "quick"))
    slow.commit(JANUARY, ROWS[:50], fingerprint="a")
    stored_rows = []

    def outrun(stored: pl.DataFrame | None, new: pl.DataFrame) -> None:
        stored_rows.append(stored.height)
        if len(stored_rows) == 1:
            _upsert(quick, ROWS[60:65])

    _upsert(slow, ROWS[50:60], observe=outrun)
    assert stored_rows == [50, 55]
    assert quick.read(JANUARY).equals(ROWS[:65])
    # What the lost attempt had uploaded lies there until the sweep.
    keys = list(slow._objects.keys(str(JANUARY)))
    manifest = slow.manifest(JANUARY)
    assert len(keys) == 1 + len(manifest.parts) + len(manifest.retired) + 1
    assert (slow.sweep(), slow.sweep(grace=timedelta())) == (0, 1)
    assert quick.read(JANUARY).equals(ROWS[:65])


class AnswerLost(S3Objects):
    """The answer to the first swap is lost; another writer commits before it is sent again."""

    meanwhile: Callable[[], object] | None = None

    def swap(self, key: str, content: bytes, expected: str | None) -> bool:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            assert super().swap(key, content, expected)
            meanwhile()
        return super().swap(key, content, expected)


def test_a_writer_whose_answer_was_lost_deletes_nothing_that_others_built_on(s3_url, tmp_path):
    objects = AnswerLost(s3_url, tmp_path / "slow", cache_bytes=100_000_000)
    slow, quick = Lake(objects), open_lake(s3_url, tmp_path / "quick")
    objects.meanwhile = lambda: _upsert(quick, ROWS[600:603])
    _upsert(slow, ROWS[:600])
    reader = open_lake(s3_url, tmp_path / "reader")
    assert reader.read(JANUARY).equals(ROWS[:603])
    assert reader.manifest(JANUARY).parts[0].n_rows == 600


def test_a_writer_that_is_always_outrun_gives_up_and_says_so(s3_url, tmp_path):
    slow, quick = (open_lake(s3_url, tmp_path / name) for name in ("slow", "quick"))
    turn = iter(range(1, 1_000))

    def outrun(stored: pl.DataFrame | None, new: pl.DataFrame) -> None:
        quick.commit(JANUARY, ROWS[:1], fingerprint=str(next(turn)))

    slow._writer._attempts = 4
    with pytest.raises(LakeConflictError, match="during each of 4 attempts"):
        _upsert(slow, ROWS[50:60], observe=outrun)
    assert quick.read(JANUARY).equals(ROWS[:1])


def test_the_sweep_of_a_shared_store_leaves_what_is_young(s3_url, tmp_path):
    lake = open_lake(s3_url, tmp_path / "cache")
    lake.commit(JANUARY, ROWS[:5], fingerprint="a")
    lake._objects.add(str(JANUARY), b"about to be named", "f" * 64)
    assert lake.sweep() == 0
    assert len(list(lake._objects.keys(str(JANUARY)))) == 3


def test_a_cache_that_cannot_be_written_is_reported(s3_url, tmp_path):
    open_lake(s3_url, tmp_path / "cache").commit(JANUARY, ROWS[:5], fingerprint="a")
    (tmp_path / "file").write_text("a file where the cache should be")
    with pytest.raises(StorageError, match="could not be written"):
        open_lake(s3_url, tmp_path / "file").read(JANUARY)


def test_a_partition_of_the_first_version_is_read_and_goes_on(tmp_path):
    # One part as polars writes it, and a manifest without what came later.
    folder = tmp_path / str(JANUARY)
    folder.mkdir(parents=True)
    ROWS[:600].write_parquet(folder / "part-old.parquet", compression="zstd")
    content = (folder / "part-old.parquet").read_bytes()
    part = {
        "name": "part-old.parquet",
        "sha256": hashlib.sha256(content).hexdigest(),
        "n_rows": 600,
        "n_bytes": len(content),
    }
    values = {
        "generation": 7,
        "fingerprint": "a",
        "parts": [part],
        "n_rows": 600,
        "first": ROWS["open_time"][0].isoformat(),
        "last": ROWS["open_time"][599].isoformat(),
        "columns": {name: str(kind) for name, kind in ROWS.schema.items()},
        "notes": {},
    }
    seal = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps({**values, "sha256": seal}))
    lake = Lake(tmp_path)
    assert lake.read(JANUARY).equals(ROWS[:600])
    manifest = _upsert(lake, ROWS[599:602])
    assert (manifest.generation, [p.n_rows for p in manifest.parts]) == (8, [600, 2])
    assert lake.read(JANUARY).equals(ROWS[:602])
    with warehouse.connect(lake) as sql:
        assert sql.execute("SELECT count(*) FROM candles").fetchall() == [(602,)]
