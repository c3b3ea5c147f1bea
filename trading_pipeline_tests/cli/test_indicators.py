"""``trading indicators``: the catalogue, values of stored candles as CSV, and the checks."""

import json

import polars as pl
import pytest

from trading_pipeline import wiring
from trading_pipeline.adapters.storage.lake import month_address
from trading_pipeline.cli.main import main
from trading_pipeline.config import Settings, load_settings
from trading_pipeline.core.month import Month
from trading_pipeline.indicators.catalog import CATALOG, DEFAULT_REQUESTS, indicator_frame
from trading_pipeline_tests.builders import make_candles

CANDLES = make_candles(300, seed=12)


@pytest.fixture
def home(plain_environment, tmp_path, monkeypatch):
    (tmp_path / "config.yaml").write_text("market: {history_start: 2024-01}\n")
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    return tmp_path


def store(settings: Settings) -> None:
    symbol = settings.market.enabled_symbols[0]
    month = Month.of(CANDLES["open_time"][0])
    address = month_address(
        "candles", settings.market.venue, symbol, settings.market.timeframe, month
    )
    wiring.lake(settings).commit(address, CANDLES, fingerprint="made")


def typed(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main(["--profile", "none", "indicators", *words])
    answer = capsys.readouterr()
    return ended.value.code, answer.out, answer.err


def test_the_list_has_every_entry_and_says_which_are_enabled(home, capsys):
    code, out, _ = typed(capsys, "list", "--json")
    rows = {row["name"]: row for row in json.loads(out)["indicators"]}
    assert code == 0
    assert set(rows) >= set(CATALOG) - {"candle_strength"}
    assert rows["ema"]["enabled_as"] == ["ema_9", "ema_21", "ema_50", "ema_200"]
    assert rows["wma"]["enabled_as"] == []
    code, out, _ = typed(capsys, "list", "--category", "momentum")
    assert code == 0
    assert max(len(line) for line in out.splitlines()) <= 80
    assert typed(capsys, "list", "--category", "momentun")[0] == 1


def test_values_are_written_as_csv_and_equal_the_catalogue(home, capsys):
    store(load_settings(home))
    out = home / "values.csv"
    code, text, _ = typed(capsys, "run", "--symbol", "BTC-USDT", "--out", str(out), "--timings")
    assert code == 0, text
    assert "ns per bar" in text
    written = pl.read_csv(out, infer_schema_length=None)
    expected = indicator_frame(CANDLES, DEFAULT_REQUESTS).drop("open_time")
    assert written.columns == [*CANDLES.columns, *expected.columns]
    for name in expected.columns:
        assert written[name].cast(pl.Float64).equals(expected[name])
    code, text, _ = typed(
        capsys, "run", "--indicators", "ema:5,hurst", "--out", str(out), "--json", "--timings"
    )
    answer = json.loads(text)
    assert answer["columns"] == ["ema_5", "hurst_128"]
    assert [row["name"] for row in answer["timings"]] == ["ema_5", "hurst_128"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--indicators", "rsii"], "unknown indicator 'rsii'; did you mean rsi"),
        (["--indicators", "rsi:x"], "parameters are numbers, such as ema:50, was 'rsi:x'"),
        (["--indicators", "rsi:14:3"], "rsi takes ['period'], had 2 values"),
        (["--symbol", "ABC-USDT"], "unknown symbol"),
        ([], "the lake holds no candles of BTC"),
    ],
)
def test_what_cannot_be_computed_is_refused(home, capsys, words, message):
    code, _, err = typed(capsys, "run", *words, "--out", str(home / "x.csv"))
    assert code == 1
    assert message in " ".join(err.split())


def test_an_indicator_is_checked_by_name(home, capsys):
    code, out, _ = typed(capsys, "check", "rsi", "hurst")
    assert (code, out) == (0, "2 indicators checked, 0 with faults\n")
    assert typed(capsys, "check", "rsii")[0] == 1
