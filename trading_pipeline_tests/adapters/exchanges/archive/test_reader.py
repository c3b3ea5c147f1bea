"""One file of the archive: proved before it is parsed, refused if it is not what it claims."""

import csv
import hashlib
import io
import time
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from trading_pipeline.adapters.exchanges.archive.paths import ArchiveFile
from trading_pipeline.adapters.exchanges.archive.table import read_archive_table
from trading_pipeline.adapters.exchanges.files import FileCandleSource, scan_candle_files
from trading_pipeline.adapters.exchanges.simulated.archive import zipped
from trading_pipeline.adapters.exchanges.simulated.faults import (
    Fault,
    cut_off,
    failing,
    hanging,
    html,
    rate_limited,
    text,
    truncated,
    wrong_checksum,
)
from trading_pipeline.core.errors import (
    CandleFileError,
    MalformedReplyError,
    RateLimitedError,
    VenueUnavailableError,
)
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.cleaning import clean_candles
from trading_pipeline_tests.adapters.exchanges.archive.archive_cases import (
    DECEMBER,
    FEBRUARY,
    JANUARY,
    NOW,
    TRUTH,
    TrialArchive,
    monthly,
    trial_archive,
)
from trading_pipeline_tests.adapters.exchanges.exchange_cases import BTC
from trading_pipeline_tests.real_data import real_file

FILE = monthly(DECEMBER)


@pytest.fixture(scope="module")
def shared() -> TrialArchive:
    with trial_archive(timeout_s=0.5) as trial:
        yield trial


@pytest.fixture
def trial(shared: TrialArchive) -> TrialArchive:
    shared.clear()
    return shared


def test_names_and_places_are_those_of_binance():
    assert FILE.path == "/data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-12.zip"
    day = ArchiveFile(BTC, Timeframe("1h"), date(2024, 1, 31))
    assert day.path == "/data/spot/daily/klines/BTCUSDT/1h/BTCUSDT-1h-2024-01-31.zip"
    assert day.checksum_path == day.path + ".CHECKSUM"
    assert (day.start, day.end) == (
        datetime(2024, 1, 31, tzinfo=UTC),
        datetime(2024, 2, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("month", [DECEMBER, JANUARY])
def test_milliseconds_and_microseconds_give_the_same_candles(trial, month):
    read = trial.reader.read(monthly(month), NOW)
    expected = TRUTH.filter(pl.col("open_time").is_between(month.start, month.end, closed="left"))
    assert_frame_equal(read.candles, expected)
    assert read.dropped == {}


def test_a_header_line_makes_no_difference():
    with trial_archive(header=True) as trial:
        read = trial.reader.read(monthly(JANUARY), NOW)
        opens = pl.col("open_time")
        assert_frame_equal(read.candles, TRUTH.filter(opens.dt.month() == 1))


@pytest.mark.parametrize("month", [FEBRUARY, Month(2025, 9), Month(2019, 1)])
def test_a_file_that_is_not_published_is_no_error(trial, month):
    assert trial.reader.read(monthly(month), NOW) is None
    assert trial.pauses == []


def test_a_wrong_checksum_is_fetched_once_more_and_then_named(trial):
    trial.plan.script(FILE.checksum_path, [wrong_checksum()])
    assert trial.reader.read(FILE, NOW).candles.height == 31 * 1440
    trial.clear()
    trial.plan.always(FILE.checksum_path, wrong_checksum())
    with pytest.raises(MalformedReplyError, match=r"BTCUSDT-1m-2024-12\.zip .* must be 0{64}") as e:
        trial.reader.read(FILE, NOW)
    assert e.value.facts["wanted"] == "0" * 64
    assert e.value.facts["got"] in e.value.message
    assert trial.plan.requests[FILE.path] == 2


@pytest.mark.parametrize(
    "fault",
    [truncated(), text("hello"), html(), Fault(rewrite=lambda body: body[:-1] + b"x")],
    ids=["truncated", "text", "a web page", "one byte"],
)
def test_what_is_not_the_file_never_gets_parsed(trial, fault):
    trial.plan.always(FILE.path, fault)
    with pytest.raises(MalformedReplyError, match="its SHA-256 must be"):
        trial.reader.read(FILE, NOW)


@pytest.mark.parametrize("content", ["", "x", "0" * 64, "z" * 64 + "  BTCUSDT-1m-2024-12.zip"])
def test_a_checksum_file_that_holds_no_checksum_is_refused(trial, content):
    trial.plan.always(FILE.checksum_path, text(content))
    with pytest.raises(MalformedReplyError, match="must hold '<sha256>"):
        trial.reader.read(FILE, NOW)


def test_the_checksum_of_another_file_is_refused(trial):
    other = f"{'0' * 64}  ETHUSDT-1m-2024-12.zip"
    trial.plan.always(FILE.checksum_path, text(other))
    with pytest.raises(MalformedReplyError, match="ETHUSDT"):
        trial.reader.read(FILE, NOW)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (FILE.path, failing(503)),
        (FILE.path, cut_off()),
        (FILE.path, hanging(0.8)),
        (FILE.path, html(403)),
        (FILE.checksum_path, failing(500)),
        (FILE.checksum_path, cut_off()),
    ],
)
def test_an_outage_is_tried_again_and_then_told_with_the_address(trial, path, fault):
    trial.plan.script(path, [fault])
    assert trial.reader.read(FILE, NOW) is not None
    trial.clear()
    trial.plan.always(path, fault)
    with pytest.raises(VenueUnavailableError, match=r"the archive .*BTCUSDT-1m-2024-12\.zip"):
        trial.reader.read(FILE, NOW)
    assert trial.plan.requests[path] == 3
    assert trial.pauses == [0.25, 0.5]


def test_a_file_that_never_ends_is_given_up_at_the_size_that_it_can_have(trial):
    trial.plan.always(FILE.path, Fault(body=b"x" * (FILE.largest + 1)))
    with pytest.raises(MalformedReplyError, match="sent more than"):
        trial.reader.read(FILE, NOW)


def test_a_pause_that_the_archive_wants_is_kept():
    with trial_archive() as trial:
        trial.plan.script(FILE.checksum_path, [rate_limited("600")])
        for _ in range(2):
            with pytest.raises(RateLimitedError, match=r"600 s|599 s"):
                trial.reader.read(FILE, NOW)
        assert trial.plan.requests.total() == 1


def test_a_zip_with_the_right_checksum_and_no_table_is_refused(trial):
    content = zipped(f"{FILE.stem}.csv", b"<html>\n" * 50)
    checksum = f"{hashlib.sha256(content).hexdigest()}  {FILE.stem}.zip"
    trial.plan.always(FILE.path, Fault(body=content))
    trial.plan.always(FILE.checksum_path, text(checksum))
    with pytest.raises(MalformedReplyError, match="right SHA-256 but is no table"):
        trial.reader.read(FILE, NOW)


# --- The table in the ZIP -------------------------------------------------------------------------

HOUR = ArchiveFile(BTC, Timeframe("1h"), date(2024, 12, 1))
FIRST_MS = 1_733_011_200_000  # 2024-12-01 00:00 UTC


def line(hour: int, *prices: object, unit: int = 1) -> str:
    opens = (FIRST_MS + hour * 3_600_000) * unit
    values = prices or (100, 102, 99, 101, 7)
    return ",".join(map(str, (opens, *values, opens + 3_600_000 * unit - 1, 700, 5, 3, 300, 0)))


def table_of(text_: str, name: str = f"{HOUR.stem}.csv") -> pl.DataFrame:
    return read_archive_table(HOUR, zipped(name, text_.encode()), NOW)


@pytest.mark.parametrize("unit", [1, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_is_read_by_position(unit, end):
    rows = table_of(end.join([line(0, unit=unit), line(1, 1.5, 3, 1, 2, 0.25, unit=unit), ""]))
    assert rows["open_time"].to_list() == [
        datetime(2024, 12, 1, 0, tzinfo=UTC),
        datetime(2024, 12, 1, 1, tzinfo=UTC),
    ]
    assert rows.row(1)[1:] == (1.5, 3.0, 1.0, 2.0, 0.25)


def test_rows_that_are_no_candles_are_dropped_and_counted():
    lines = [line(0), line(1, 100, 98, 99, 101, 7), line(2, "", 102, 99, 101, 7), line(3), line(3)]
    lines += [line(4, "x", 102, 99, 101, 7), line(5), line(6), line(7)]
    cleaned = clean_candles(table_of("\n".join(lines) + "\n"), HOUR.timeframe, now=NOW)
    assert cleaned.candles["open_time"].dt.hour().to_list() == [0, 3, 5, 6, 7]
    assert cleaned.counts == {"missing value": 2, "high below low": 1, "exact duplicate": 1}


def test_a_table_of_another_day_is_refused():
    with pytest.raises(CandleFileError, match="must open from 2024-12-01"):
        table_of(line(0) + "\n" + line(25) + "\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "must be a ZIP"),
        (b"PK\x03\x04garbage", "damaged"),
        (zipped("other.csv", b"1"), "alone"),
        (zipped(f"{HOUR.stem}.csv", line(0).encode())[:-30], "damaged"),
        (zipped(f"{HOUR.stem}.csv", b""), "no row|empty|no candle table"),
        (zipped(f"{HOUR.stem}.csv", b"1,2,3\n4,5,6\n"), "candle|column"),
    ],
)
def test_what_is_no_table_is_refused_in_words(content, words):
    with pytest.raises(CandleFileError, match=words):
        read_archive_table(HOUR, content, NOW)


def test_a_bomb_is_refused_before_it_is_unpacked():
    content = zipped(f"{HOUR.stem}.csv", b"0" * 200_000_000)
    assert len(content) < 300_000
    began = time.monotonic()
    with pytest.raises(CandleFileError, match="unpacks to more than"):
        read_archive_table(HOUR, content, NOW)
    assert time.monotonic() - began < 0.5


def test_a_bomb_that_lies_about_its_size_is_refused():
    honest = zipped(f"{HOUR.stem}.csv", b"0" * 50_000_000)
    size = (50_000_000).to_bytes(4, "little")
    lying = honest.replace(size, (1000).to_bytes(4, "little"))
    assert lying != honest
    with pytest.raises(CandleFileError, match="damaged"):
        read_archive_table(HOUR, lying, NOW)


def test_two_members_are_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{HOUR.stem}.csv", line(0))
        archive.writestr("second.csv", line(1))
    with pytest.raises(CandleFileError, match=r"second\.csv"):
        read_archive_table(HOUR, buffer.getvalue(), NOW)


@given(st.binary(max_size=400), st.booleans())
@settings(max_examples=80, deadline=None)
def test_any_bytes_give_rows_or_our_own_error(content: bytes, inside: bool):
    if inside:
        content = zipped(f"{HOUR.stem}.csv", content)
    try:
        rows = read_archive_table(HOUR, content, NOW)
    except CandleFileError:
        return
    assert rows.height > 0


_NUMBERS = st.floats(0.01, 1e6).map(lambda value: round(value, 8))


@given(
    st.lists(st.tuples(_NUMBERS, _NUMBERS, _NUMBERS, _NUMBERS, _NUMBERS), min_size=1, max_size=24)
)
@settings(max_examples=30, deadline=None)
def test_every_number_is_the_float_that_its_text_parses_to(rows: list[tuple[float, ...]]):
    lines = [line(hour, *(f"{v:.8f}" for v in values)) for hour, values in enumerate(rows)]
    table = table_of("\n".join(lines) + "\n")
    expected = [tuple(float(cell) for cell in row[1:6]) for row in csv.reader(lines)]
    assert table.select("open", "high", "low", "close", "volume").rows() == expected


@pytest.mark.real_data
@pytest.mark.parametrize("month", ["2024-11", "2024-12", "2025-01", "2025-02", "2025-03"])
def test_real_months_are_what_the_reader_of_candle_files_makes_of_them(month):
    path: Path = real_file(f"binance-vision-csv/BTCUSDT-1h-{month}.csv")
    file = ArchiveFile(BTC, Timeframe("1h"), Month.parse(month))
    rows = read_archive_table(file, zipped(path.name, path.read_bytes()), NOW.replace(year=2026))
    candles = clean_candles(rows, file.timeframe).candles
    by_files = FileCandleSource(scan_candle_files([path]), venue="binance")
    assert_frame_equal(candles, by_files.candles(BTC, file.timeframe, file.start, file.end))
    assert candles.height == (file.end - file.start) // file.timeframe.duration
