"""Two real histories of five years; expected counts come from pandas and json alone."""

import json

import pandas as pd
import pytest

from trading_pipeline_tests.cli.desk import Desk, Done
from trading_pipeline_tests.real_data import real_file

pytestmark = pytest.mark.real_data
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def truth() -> dict[str, list[int]]:
    """Return the open times of both files in milliseconds."""
    bitcoin = pd.read_feather(real_file("binance-spot-freqtrade/BTC_USDT-1h.feather"))
    ether = json.loads(real_file("binance-spot-freqtrade-json/ETH_USDT-1h.json").read_text())
    epoch = pd.Timestamp(0, tz="UTC")
    return {
        "BTC-USDT": ((bitcoin["date"] - epoch) // pd.Timedelta("1ms")).tolist(),
        "ETH-USDT": [row[0] for row in ether],
    }


@pytest.fixture(scope="module")
def imported(truth: dict[str, list[int]], tmp_path_factory: pytest.TempPathFactory):
    machine = Desk.furnished(tmp_path_factory.mktemp("real"))
    done = machine.succeed(
        "data",
        "import",
        real_file("binance-spot-freqtrade/BTC_USDT-1h.feather"),
        real_file("binance-spot-freqtrade-json/ETH_USDT-1h.json"),
    )
    return machine, done


def test_every_candle_before_the_common_end_is_in_the_lake(
    imported: tuple[Desk, Done], truth: dict[str, list[int]]
):
    common_end = min(max(times) for times in truth.values())
    rows = {
        row["symbol"]: row for row in imported[0].succeed("data", "list", "--json").json["candles"]
    }
    assert rows.keys() == truth.keys()
    for symbol, times in truth.items():
        kept = [time for time in times if time <= common_end]
        assert rows[symbol]["candles"] == len(kept)
        assert pd.Timestamp(rows[symbol]["first"]).value // 10**6 == min(kept)
        assert pd.Timestamp(rows[symbol]["last"]).value // 10**6 == max(kept)
        assert rows[symbol]["dropped"] == 0


def test_every_gap_is_a_halt_of_the_venue_and_none_is_unexplained(
    imported: tuple[Desk, Done], truth: dict[str, list[int]]
):
    common_end = min(max(times) for times in truth.values())
    for row in imported[0].succeed("data", "list", "--json").json["candles"]:
        kept = sorted(time for time in truth[row["symbol"]] if time <= common_end)
        missing = (kept[-1] - kept[0]) // HOUR_MS + 1 - len(kept)
        assert missing > 0
        assert (row["missing_explained"], row["missing_unexplained"]) == (missing, 0)


def test_what_the_longer_file_holds_beyond_the_common_end_is_said(
    imported: tuple[Desk, Done], truth: dict[str, list[int]]
):
    ends = {symbol: max(times) for symbol, times in truth.items()}
    longer = max(ends, key=lambda symbol: ends[symbol])
    end = pd.Timestamp(min(ends.values()) + HOUR_MS, unit="ms")
    said = " ".join(imported[1].out.split())
    assert (
        f"{longer.replace('-', '/')}: candles from {end:%Y-%m-%d %H:%M} UTC on are left out" in said
    )


def test_the_profile_is_the_one_of_candle_files(imported: tuple[Desk, Done]):
    listed = imported[0].succeed("profile", "list", "--json").json
    assert [row["profile"] for row in listed if row["active"]] == ["candles"]
