"""``trading data check`` and ``trading data repair``, as a trader types them."""

from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from trading_pipeline.adapters.exchanges.simulated.server import exchange_app
from trading_pipeline.adapters.exchanges.simulated.serving import serve_in_background
from trading_pipeline.core.clock import FrozenClock
from trading_pipeline_tests.cli.desk import Desk, assert_refused
from trading_pipeline_tests.defs.test_repair import BITCOIN, HOLE, NOW, market
from trading_pipeline_tests.pipelines import without

PROFILE = """
market:
  venue: binance
  base_url: {url}
  symbols: {{BTC-USDT: {{}}}}
  second_sources: [{second}]
  history_start: 2024-02
  history_end: 2024-02
  now: 2024-04-02 00:00:00+00:00
"""
FEBRUARY = ("--from", "2024-02", "--to", "2024-02")


def serving(rows: pl.DataFrame):
    return serve_in_background(exchange_app(market(rows), FrozenClock(NOW)))


def test_an_unknown_hole_ends_with_1_and_repair_fills_it_from_another_record(desk: Desk):
    with serving(without(BITCOIN, *HOLE)) as url, serving(BITCOIN) as other:
        desk.with_profile("gap", PROFILE.format(url=url, second=f"binanceus@{other}"))
        desk.succeed("data", "history", *FEBRUARY)
        explained = desk.run("data", "check", "--json")
        assert [gap["kind"] for gap in explained.json["gaps"]] == ["no trade"]
        assert (explained.code, explained.json["sound"]) == (0, True)

        path = desk.root / "profiles" / "gap.yaml"
        path.write_text(PROFILE.format(url=url, second=f"binance@{other}"))
        done = desk.succeed("data", "repair", "--symbol", "BTC-USDT", "--from", "2024-02", "--json")
        assert done.json["before"]["repaired"] == 0
        assert (done.json["after"]["repaired"], done.json["after"]["missing"]) == (3, 0)
        after = desk.succeed("data", "check", "--json", "--pictures", desk.folder / "pictures").json
        (month,) = after["months"]
        assert month["state"] == "complete after repair"
        assert (month["expected"], month["present"], month["repaired"]) == (696, 696, 3)
        assert [row["old_close"] for row in after["revisions"]] == [None] * 3
        for picture in after["pictures"]:
            with Image.open(picture) as drawn:
                assert drawn.size[0] > 800


FILES = """
market:
  venue: trial
  symbols: {{BTC-USDT: {{}}}}
  candle_files: [{file}]
  history_start: 2024-02
  history_end: 2024-02
  now: 2024-04-02 00:00:00+00:00
"""


def test_a_hole_that_nobody_explains_says_what_to_do(desk: Desk, tmp_path: Path):
    file = tmp_path / "BTC_USDT-1h.parquet"
    without(BITCOIN, *HOLE).write_parquet(file)
    desk.with_profile("files", FILES.format(file=file))
    desk.succeed("data", "history")
    done = desk.run("data", "check")
    assert done.code == 1
    assert "Traceback" not in done.err
    assert "unexplained" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert "data repair --symbol BTC-USDT --from 2024-02 --to" in " ".join(done.out.split())
    told = desk.run("data", "check", "--json")
    assert (told.code, told.json["sound"]) == (1, False)
    assert told.json["gaps"][0]["evidence"] != ""


def test_a_clock_that_is_late_breaks_no_candle(desk: Desk, tmp_path: Path):
    file = tmp_path / "BTC_USDT-1h.parquet"
    BITCOIN.write_parquet(file)
    desk.with_profile("files", FILES.format(file=file))
    desk.succeed("data", "history")
    path = desk.root / "profiles" / "files.yaml"
    path.write_text(path.read_text().replace("now: 2024-04-02", "now: 2024-02-20"))
    assert desk.succeed("data", "check", "--json").json["sound"]


@pytest.mark.parametrize(
    ("arguments", "kind", "word"),
    [
        (("data", "check"), "DataError", "data history"),
        (("data", "check", "--symbol", "BTC-USDC"), "ConfigError", "BTC-USDT"),
        (("data", "repair", "--from", "2030-01"), "ConfigError", "2024-02"),
    ],
)
def test_what_cannot_be_checked_is_refused(
    arguments: tuple[str, ...], kind: str, word: str, desk: Desk, tmp_path: Path
):
    file = tmp_path / "BTC_USDT-1h.parquet"
    BITCOIN.write_parquet(file)
    desk.with_profile("files", FILES.format(file=file))
    assert_refused(desk.run(*arguments), kind, word)
