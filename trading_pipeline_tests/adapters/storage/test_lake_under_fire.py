"""Kills, full disks and many processes at once, with processes that are really killed."""

import random
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline_tests.adapters.storage.lake_writers import (
    EXIT_KILLED,
    EXIT_REFUSED,
    JANUARY,
    ROLES,
    TURNS,
    UPSERTERS,
    command,
    generation,
    met,
)
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.fault_matrix.lake_cells import open_lake


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(tmp_path / "lake")


@contextmanager
def _replacing(lake: Lake, start: int) -> Iterator["subprocess.Popen[bytes]"]:
    writer = subprocess.Popen(
        **command("replace_for_ever", lake, start), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        yield writer
    finally:
        has_ended = writer.poll() is not None
        writer.kill()
        _, errors = writer.communicate()
    assert not has_ended, errors.decode()


def _assert_one_whole_generation(lake: Lake) -> int:
    rows = lake.read(JANUARY)
    assert (rows.height, rows["close"].n_unique()) == (2000, 1)
    return int(rows["close"][0])


def test_a_writer_killed_at_any_moment_leaves_one_whole_generation(lake):
    lake.commit(JANUARY, generation(0), fingerprint="0")
    draw = random.Random(7)
    last = 0
    for _ in range(8):
        with _replacing(lake, last + 1):
            time.sleep(draw.uniform(0.0, 0.08))
        now = _assert_one_whole_generation(lake)
        assert now > last
        last = now
    assert last > 8, "every writer was killed before its second generation"
    lake.sweep()
    manifest = lake.manifest(JANUARY)
    assert manifest is not None
    assert manifest.fingerprint == str(_assert_one_whole_generation(lake))
    assert sorted(path.name for path in (lake.root / JANUARY.path).iterdir()) == [
        "manifest.json",
        *(part.name for part in manifest.parts),
    ]


@pytest.mark.parametrize(
    ("moment", "orphans"),
    [
        ("before the part", 0),
        ("part written, not renamed", 1),
        ("part renamed, no manifest", 1),
        ("manifest written, not renamed", 2),
    ],
)
@pytest.mark.parametrize("is_first", [False, True], ids=["over a generation", "first write"])
def test_a_kill_before_the_commit_point_leaves_the_old_generation(lake, moment, orphans, is_first):
    if not is_first:
        lake.commit(JANUARY, make_candles(5), fingerprint="old")
    done = subprocess.run(**command("die_at", lake, moment), check=False, timeout=60)
    assert done.returncode == EXIT_KILLED
    before = lake.read_if_present(JANUARY)
    assert before is None if is_first else before.equals(make_candles(5))
    assert lake.sweep() == orphans
    # The lock of the dead process does not hold up the next one.
    lake.commit(JANUARY, make_candles(10), fingerprint="new")
    assert lake.read(JANUARY).equals(make_candles(10))


@pytest.mark.parametrize(
    ("writer", "limit", "file"),
    [
        ("fill_disk_at_the_part", 0, "parquet"),
        ("fill_disk_at_the_part", 20_000, "parquet"),
        ("fill_disk_at_the_manifest", 10_000, r"manifest.json"),
    ],
)
def test_a_full_disk_leaves_the_old_generation_and_says_what_to_do(lake, writer, limit, file):
    lake.commit(JANUARY, make_candles(5), fingerprint="old")
    done = subprocess.run(
        **command(writer, lake, limit), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == EXIT_REFUSED, done.stderr
    assert f"{file} could not be written (File too large)" in done.stdout
    assert "Free space or fix the permissions, then run again" in done.stdout
    assert lake.read(JANUARY).equals(make_candles(5))


@pytest.mark.parametrize(
    ("writer", "limit"),
    [("fill_disk_at_an_appended_part", 3_000), ("fill_disk_at_the_compaction", 4_000)],
)
def test_a_full_disk_leaves_appended_parts_as_they_are(lake, writer, limit):
    rows = make_candles(750)
    lake.commit(JANUARY, rows[:-2], fingerprint="old")
    before = lake.upsert(JANUARY, rows[-2:], key="open_time", fingerprint="old")
    assert len(before.parts) == 2
    done = subprocess.run(
        **command(writer, lake, limit), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == EXIT_REFUSED, done.stderr
    assert "parquet could not be written (File too large)" in done.stdout
    assert lake.manifest(JANUARY) == before
    assert lake.read(JANUARY).equals(rows)
    assert lake.sweep() == 0


def test_a_full_disk_at_the_copy_of_a_part_of_s3_is_reported(s3_url, tmp_path):
    open_lake(s3_url, tmp_path).commit(JANUARY, make_candles(900), fingerprint="old")
    done = subprocess.run(
        **command("read_on_a_full_disk", s3_url, 2_000),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == EXIT_REFUSED, done.stderr
    assert "parquet could not be written (File too large)" in done.stdout


def _run_together(name: str, root: Lake | str, arguments: Sequence[object]) -> None:
    writers = [
        subprocess.Popen(**command(name, root, argument), stdin=subprocess.PIPE)
        for argument in arguments
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0


def test_eight_processes_that_upsert_one_partition_lose_nothing(lake):
    _run_together("upsert_rows", lake, range(UPSERTERS))
    n_rows = UPSERTERS * TURNS
    assert lake.read(JANUARY).equals(make_candles(n_rows))
    manifest = lake.manifest(JANUARY)
    assert manifest is not None
    assert (manifest.generation, manifest.n_rows) == (n_rows, n_rows)


def test_eight_machines_that_upsert_one_partition_in_s3_lose_nothing(s3_url, tmp_path):
    _run_together("upsert_rows", s3_url, range(UPSERTERS))
    n_rows = UPSERTERS * TURNS
    lake = open_lake(s3_url, tmp_path)
    assert lake.read(JANUARY).equals(make_candles(n_rows))
    manifest = lake.manifest(JANUARY)
    assert manifest is not None
    assert (manifest.generation, manifest.n_rows) == (n_rows, n_rows)


@pytest.mark.parametrize("store", ["local", "s3"])
def test_refresh_collector_backfill_and_revisions_meet_on_one_month(store, s3_url, tmp_path):
    root = s3_url if store == "s3" else str(tmp_path / "lake")
    _run_together("meet", root, ROLES)
    assert open_lake(root, tmp_path / "cache").read(JANUARY).equals(met())


def test_threads_of_one_process_lose_nothing_either(lake):
    candles = make_candles(40)

    def write(worker: int) -> None:
        for index in range(worker, 40, 4):
            row = candles[index : index + 1]
            lake.upsert(JANUARY, row, key="open_time", fingerprint=str(index))

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lake.read(JANUARY).equals(candles)


def test_a_reader_never_fails_while_writers_replace_what_it_reads(lake):
    lake.commit(JANUARY, generation(0), fingerprint="0")
    seen = set()
    with _replacing(lake, 1), _replacing(lake, 1_000_000):
        end = time.monotonic() + 2
        while time.monotonic() < end:
            seen.add(_assert_one_whole_generation(lake))
            assert len(lake.files("candles")) == 1
    assert len(seen) > 3, "the writers did not write meanwhile"


def test_a_reader_whose_generation_is_gone_reads_the_next_one(lake):
    lake.commit(JANUARY, generation(0), fingerprint="0")
    done = subprocess.run(
        **command("read_while_replaced", lake, 5), capture_output=True, text=True, check=False
    )
    # Generations count down from 11; the last pair is 2 and 3.
    assert done.stdout.strip() == "2000 [3.0]", done.stderr


def test_the_sweep_does_not_disturb_a_writer(lake):
    lake.commit(JANUARY, generation(0), fingerprint="0")
    with _replacing(lake, 1):
        end = time.monotonic() + 1
        while time.monotonic() < end:
            lake.sweep()
            _assert_one_whole_generation(lake)
