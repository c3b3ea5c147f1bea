"""``trading chart`` writes a picture, or says in one line why not."""

import re
from pathlib import Path

import pytest
from PIL import Image

from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.cli.desk import Desk


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Return a machine that has two months of candles."""
    folder = tmp_path_factory.mktemp("chart")
    path = folder / "BTC_USDT-1h.parquet"
    make_candles(1400, seed=6).write_parquet(path)
    desk = Desk.furnished(folder / "machine")
    desk.succeed("data", "import", path)
    return desk


def test_a_chart_is_written_as_png_and_as_a_page(market: Desk, tmp_path: Path):
    told = market.succeed("chart", "--out", tmp_path / "new" / "chart.png", "--json").json
    with Image.open(tmp_path / "new" / "chart.png") as image:
        assert (image.format, image.width) == ("PNG", 1600)
    assert told["candles"] == 168
    assert told["indicators"] == ["ema_21", "ema_50", "rsi_14"]
    said = market.succeed(
        "chart", "--symbol", "BTC/USDT", "--from", "2024-02-01", "--to", "2024-02-03",
        "--indicators", "bollinger:20:2.5,roc", "--out", tmp_path / "chart.html",
    )  # fmt: skip
    assert re.match(r"BTC/USDT, 72 candles to 2024-02-03 23:00\s+UTC", said.out)
    assert "2024-02-01 00:00" in (tmp_path / "chart.html").read_text()


def test_what_cannot_be_drawn_is_refused_in_words(market: Desk, tmp_path: Path):
    out = tmp_path / "chart.png"
    for options, words in (
        (["--out", tmp_path / "chart.pdf"], "must end in .png or .html"),
        (["--out", out, "--symbol", "ETH-USDT"], "unknown symbol"),
        (["--out", out, "--indicators", "rsy"], "did you mean rsi"),
        (["--out", out, "--indicators", "rsi:14:15"], "has 1 parameters"),
        (["--out", out, "--indicators", "rsi:many"], "is written as ema:21"),
        (["--out", out, "--from", "2030-01-01"], "needs at least 2 candles"),
    ):
        done = market.run("chart", *options)
        assert done.code == 1, options
        assert words in " ".join(done.err.split()), done.err
    assert not out.exists()
