import contextlib
import gzip
import io
import json
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from trading_pipeline.adapters.exchanges.files import (
    CandleFile,
    Layout,
    read_candle_file,
    scan_candle_files,
)
from trading_pipeline.adapters.exchanges.files.candle_file import open_file
from trading_pipeline.core.errors import CandleFileError
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.adapters.files import writers
from trading_pipeline_tests.builders import make_candles

CANDLES = make_candles(60)
NOW = datetime(2026, 10, 15, tzinfo=UTC)


def only(path: Path) -> CandleFile:
    (file,) = scan_candle_files([path])
    return file


def assert_holds(path: Path, layout: Layout, candles: pl.DataFrame = CANDLES) -> CandleFile:
    file = only(path)
    assert (file.layout, file.symbol.pair, file.timeframe) == (layout, "BTC/USDT", Timeframe("1h"))
    cleaned = read_candle_file(file)
    assert_frame_equal(cleaned.candles, candles)
    assert cleaned.dropped.is_empty()
    return file


def test_freqtrade_feather(tmp_path: Path):
    path = writers.freqtrade_feather(CANDLES, tmp_path / "BTC_USDT-1h.feather")
    assert assert_holds(path, Layout.FREQTRADE_FEATHER).notes == ()


def test_freqtrade_json(tmp_path: Path):
    path = writers.freqtrade_json(CANDLES, tmp_path / "BTC_USDT-1h.json")
    assert_holds(path, Layout.FREQTRADE_JSON)


def test_parquet_of_pandas_with_an_index(tmp_path: Path):
    path = writers.pandas_parquet(CANDLES, tmp_path / "BTC-USDT_1h.parquet")
    assert_holds(path, Layout.PARQUET)


def test_parquet_of_polars(tmp_path: Path):
    CANDLES.write_parquet(tmp_path / "BTC-USDT_1h.parquet")
    assert_holds(tmp_path / "BTC-USDT_1h.parquet", Layout.PARQUET)


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("scale", [1, 1000])
def test_binance_archive_in_both_units_with_and_without_header(
    tmp_path: Path, scale: int, header: bool
):
    path = tmp_path / "BTCUSDT-1h-2024-01.csv"
    writers.binance_archive(CANDLES, path, scale=scale, header=header)
    assert_holds(path, Layout.BINANCE_ARCHIVE)


def test_binance_archive_that_changes_its_unit_within_a_file(tmp_path: Path):
    lines = writers.binance_rows(CANDLES[:30]) + writers.binance_rows(CANDLES[30:], 1000)
    path = tmp_path / "BTCUSDT-1h.csv"
    path.write_text("\n".join(lines))
    assert_holds(path, Layout.BINANCE_ARCHIVE)


def test_binance_klines_as_json(tmp_path: Path):
    rows = [line.split(",") for line in writers.binance_rows(CANDLES)]
    klines = [[int(row[0]), *row[1:6], int(row[6]), row[7], int(row[8]), *row[9:]] for row in rows]
    (tmp_path / "BTCUSDT_1h.json").write_text(json.dumps(klines))
    assert_holds(tmp_path / "BTCUSDT_1h.json", Layout.ROWS_JSON)


def test_json_records(tmp_path: Path):
    names = ("open", "high", "low", "close", "volume")
    records = [
        {"timestamp": ms} | dict(zip(names, values, strict=True))
        for ms, values in zip(
            writers.milliseconds(CANDLES), writers.value_rows(CANDLES), strict=True
        )
    ]
    (tmp_path / "BTCUSDT_1h.json").write_text(json.dumps(records))
    assert_holds(tmp_path / "BTCUSDT_1h.json", Layout.RECORDS_JSON)


@pytest.mark.parametrize(
    "header",
    [
        "open_time,open,high,low,close,volume",
        "Timestamp,Open,High,Low,Close,Volume",
        "Unix,Open,High,Low,Close,Volume BTC",
        "time,o,h,l,c,v",
        '"Open time","Open","High","Low","Close","Volume"',
        "<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
        "openTime,openPrice,highPrice,lowPrice,closePrice,baseVolume",
    ],
)
def test_header_spellings(tmp_path: Path, header: str):
    path = tmp_path / "BTCUSDT_1h.csv"
    path.write_text(writers.csv_text(CANDLES, header, writers.milliseconds(CANDLES)))
    assert_holds(path, Layout.CSV)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_a_byte_order_mark(tmp_path: Path, separator: str):
    header = separator.join(["time", "open", "high", "low", "close", "volume"])
    times = writers.milliseconds(CANDLES)
    text = writers.csv_text(CANDLES, header, times, separator)
    (tmp_path / "BTCUSDT_1h.csv").write_text(text, encoding="utf-8-sig")
    assert_holds(tmp_path / "BTCUSDT_1h.csv", Layout.CSV)


def test_windows_line_ends(tmp_path: Path):
    path = writers.plain_csv(CANDLES, tmp_path / "BTCUSDT_1h.csv")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert_holds(path, Layout.CSV)


def test_cryptodatadownload_with_its_address_above_and_newest_first(tmp_path: Path):
    reverse = CANDLES.reverse()
    lines = ["https://www.CryptoDataDownload.com"]
    lines.append("unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount")
    for ms, (o, h, low, c, v) in zip(
        writers.milliseconds(reverse), writers.value_rows(reverse), strict=True
    ):
        lines.append(f"{ms},ignored,BTC/USDT,{o},{h},{low},{c},{v},{v * c},7")
    path = tmp_path / "history.csv"
    path.write_text("\n".join(lines))
    assert assert_holds(path, Layout.CSV).notes == ("rows are newest first",)


def test_the_base_volume_is_found_when_the_quote_volume_comes_first(tmp_path: Path):
    lines = ["unix,open,high,low,close,Volume USDT,Volume BTC"]
    for ms, (o, h, low, c, v) in zip(
        writers.milliseconds(CANDLES), writers.value_rows(CANDLES), strict=True
    ):
        lines.append(f"{ms},{o},{h},{low},{c},{v * c},{v}")
    (tmp_path / "BTCUSDT_1h.csv").write_text("\n".join(lines))
    assert_holds(tmp_path / "BTCUSDT_1h.csv", Layout.CSV)


def test_metatrader_with_date_and_time_in_two_columns(tmp_path: Path):
    lines = ["<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"]
    for time, (o, h, low, c, v) in zip(
        CANDLES["open_time"], writers.value_rows(CANDLES), strict=True
    ):
        lines.append(f"{time:%Y.%m.%d}\t{time:%H:%M:%S}\t{o}\t{h}\t{low}\t{c}\t9\t{v}\t2")
    path = tmp_path / "BTCUSDT_H1.csv"
    path.write_text("\n".join(lines))
    assert assert_holds(path, Layout.CSV).notes == ("times carry no zone and are read as UTC",)


@pytest.mark.parametrize("width", [6, 7])
def test_rows_without_a_header_as_kraken_writes_them(tmp_path: Path, width: int):
    seconds = [ms // 1000 for ms in writers.milliseconds(CANDLES)]
    text = writers.csv_text(CANDLES, "", seconds).lstrip()
    if width == 7:
        text = text.replace("\n", ",3\n")
    (tmp_path / "BTCUSDT_60.csv").write_text(text)
    assert_holds(tmp_path / "BTCUSDT_60.csv", Layout.PLAIN_CSV)


def bitfinex_members(candles: pl.DataFrame) -> dict[str, str]:
    rows = [
        [ms, o, c, h, low, v]
        for ms, (o, h, low, c, v) in zip(
            writers.milliseconds(candles), writers.value_rows(candles), strict=True
        )
    ]
    # One hour without a trade, one with a single row, as the real archive has.
    return {
        "BTCUSDT/a.json": json.dumps(rows[:40]),
        "BTCUSDT/b.json": json.dumps([]),
        "BTCUSDT/c.json": json.dumps(rows[40:41]),
        "BTCUSDT/d.json": json.dumps(rows[41:]),
    }


def test_bitfinex_rows_are_known_by_what_is_possible(tmp_path: Path):
    path = tmp_path / "BTCUSDT-1h.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in bitfinex_members(CANDLES).items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    file = assert_holds(path, Layout.BITFINEX)
    assert file.notes == ("columns are read as time, open, close, high, low, volume",)


def test_rows_that_fit_no_column_order_are_refused(tmp_path: Path):
    rows = [[ms, 1, 5, 9, 3, 1] for ms in writers.milliseconds(CANDLES)]
    path = tmp_path / "BTCUSDT-1h.json"
    path.write_text(json.dumps(rows))
    with pytest.raises(CandleFileError, match=r"BTCUSDT-1h.json: more than half.*high below low"):
        read_candle_file(only(path))


def test_gzip_and_zip_of_a_csv(tmp_path: Path):
    plain = writers.binance_archive(CANDLES, tmp_path / "BTCUSDT-1h-2024-01.csv")
    packed = tmp_path / "BTCUSDT-1h-2024-01.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert_holds(packed, Layout.BINANCE_ARCHIVE)
    zipped = tmp_path / "download.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(plain, plain.name)
        archive.writestr("__MACOSX/._x.csv", "junk")
        archive.writestr(f"{plain.name}.CHECKSUM", "abc")
    assert_holds(zipped, Layout.BINANCE_ARCHIVE)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "is empty; download it again"),
        ("a.csv", b"  \n\n", "the table is empty"),
        ("a.csv", b"hello\nworld\n", "no candle table.*begins with 'hello'"),
        ("a.csv", b"<html><body>Not found</body></html>", "no candle table"),
        ("a.csv", b"time,open,high,low,close\n1,2,3,4,5\n", "no column for volume"),
        ("a.csv", b"close_time,open,high,low,close,volume\n1,2,3,4,5,6\n", "a close time alone"),
        ("a.csv", b"1,2,3,4,5,6,7,8,9\n", "had 9; add a header"),
        ("a.csv", b"time,open,high,low,close,volume\nxx,2,3,1,2,1\n", "no open time.*'xx'"),
        ("a.csv", b"time,open,high,low,close,volume\n", "holds no row"),
        ("a.csv", "zeit;ö".encode("latin-1"), "neither text in UTF-8"),
        ("a.bin", b"abc\x00def", "binary content"),
        ("a.json", b"[]", "holds no row"),
        ("a.json", b"{}", "was dict"),
        ("a.json", b"[[1,2,3]]", r"had \[3\]"),
        ("a.json", b"[1, 2]", r"had \[0\]"),
        ("a.json", b"[[1730419200000,1,2,", "the JSON content is damaged"),
        ("a.parquet", b"PAR1 torn", "the Parquet content is damaged"),
        ("a.feather", b"ARROW1\x00\x00torn", "the feather content is damaged"),
        ("a.gz", b"\x1f\x8btorn", "the archive is damaged"),
        ("a.zip", b"PK\x03\x04torn", "the archive is damaged"),
    ],
)
def test_what_is_no_candle_file_is_refused_with_its_name_and_reason(
    tmp_path: Path, name: str, content: bytes, message: str
):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CandleFileError, match=message) as refusal:
        scan_candle_files([path])
    assert str(path) in refusal.value.message
    assert refusal.value.facts["path"] == str(path)


def test_a_missing_file_and_a_strange_one_are_refused(tmp_path: Path):
    with pytest.raises(CandleFileError, match="does not exist"):
        scan_candle_files([tmp_path / "no.csv"])


def test_a_torn_feather_file_is_refused(tmp_path: Path):
    path = writers.freqtrade_feather(CANDLES, tmp_path / "BTC_USDT-1h.feather")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CandleFileError, match="damaged"):
        scan_candle_files([path])


def test_instants_beyond_every_calendar_are_refused(tmp_path: Path):
    path = tmp_path / "BTCUSDT-1h.parquet"
    late = pl.int_range(60, eager=True) + 2**62
    CANDLES.with_columns(late.cast(pl.Datetime("us", "UTC")).alias("open_time")).write_parquet(path)
    with pytest.raises(CandleFileError, match="no open time could be read, such as '4611686"):
        scan_candle_files([path])


def test_a_torn_last_line_is_dropped_and_counted(tmp_path: Path):
    path = writers.plain_csv(CANDLES, tmp_path / "BTCUSDT_1h.csv")
    text = path.read_text()
    path.write_text(text[: text.rindex(",", 0, -10)])
    cleaned = read_candle_file(only(path))
    assert cleaned.counts == {"missing value": 1}
    assert_frame_equal(cleaned.candles, CANDLES[:-1])


def test_an_archive_of_different_tables_is_refused(tmp_path: Path):
    path = tmp_path / "BTCUSDT-1h.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", bitfinex_members(CANDLES)["BTCUSDT/a.json"])
        archive.writestr("b.csv", "\n".join(writers.binance_rows(CANDLES)))
    with pytest.raises(CandleFileError, match="mixes tables"):
        scan_candle_files([path])


def test_an_encrypted_zip_is_refused(tmp_path: Path):
    path = tmp_path / "BTCUSDT-1h.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "x")
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the encryption flag of the local header
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and of the directory
    path.write_bytes(bytes(content))
    with pytest.raises(CandleFileError, match="cannot be unpacked"):
        scan_candle_files([path])


STARTS = st.sampled_from(
    [
        b"",
        b"PAR1",
        b"ARROW1\x00\x00",
        b"FEA1",
        b"\x1f\x8b\x08\x00",
        b"PK\x03\x04",
        b"[",
        b"[[",
        b"{",
        b"open,high,low,close,volume,time\n",
        b"1,2,3,4,5,6\n",
        b"\xef\xbb\xbf",
    ]
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STARTS, st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
def test_any_bytes_are_read_or_refused_with_our_own_error(
    tmp_path: Path, start: bytes, rest: bytes
):
    path = tmp_path / "BTCUSDT-1h.bin"
    path.write_bytes(start + rest)
    with contextlib.suppress(CandleFileError):
        assert len(open_file(path, NOW).rows)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(["feather", "parquet", "json", "csv", "csv.gz"]),
    st.integers(0, 10**6),
    st.integers(0, 255),
    st.booleans(),
)
def test_a_flipped_byte_or_a_cut_is_read_or_refused_with_our_own_error(
    tmp_path: Path, kind: str, place: int, value: int, cuts: bool
):
    sound = tmp_path / f"BTCUSDT-1h.{kind}"
    if not sound.exists():
        write = {"feather": writers.freqtrade_feather, "parquet": writers.pandas_parquet}
        write |= {"json": writers.freqtrade_json}
        write.get(kind, writers.plain_csv)(CANDLES, sound)
        if kind == "csv.gz":
            sound.write_bytes(gzip.compress(sound.read_bytes()))
    content = bytearray(sound.read_bytes())
    place %= len(content)
    content[place] = value
    spoiled = tmp_path / f"spoiled-BTCUSDT-1h.{kind}"
    spoiled.write_bytes(bytes(content[:place] if cuts else content))
    with contextlib.suppress(CandleFileError):
        cleaned = read_candle_file(only(spoiled))
        assert len(cleaned.candles) + len(cleaned.dropped) >= 1
