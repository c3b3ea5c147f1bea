import base64
import subprocess
import sys
from io import BytesIO

import numpy as np
import polars as pl
import pytest
from PIL import Image

from trading_pipeline.adapters.reports import pictures
from trading_pipeline.core.errors import DataError
from trading_pipeline.reporting.quality import GapRow
from trading_pipeline_tests.builders import make_candles
from trading_pipeline_tests.report_builders import HOUR, START, make_curve, make_folds


def opened(png):
    assert len(png) <= pictures.MAX_BYTES
    image = Image.open(BytesIO(png))
    image.load()
    assert image.format == "PNG"
    return image


def colours(png):
    return {colour for _, colour in opened(png).convert("RGB").getcolors(100_000)}


def make_gap(*, is_explained):
    return GapRow(START + 40 * HOUR, START + 90 * HOUR, 50, "any", is_explained)


def test_every_picture_is_a_small_png(rng):
    probability = rng.random(5_000)
    drawn = (
        pictures.close_picture(make_candles(20_000), title="BTC/USDT close in $ and $"),
        pictures.counts_picture({"down": 40, "flat": 20, "up": 41}, title="Labels"),
        pictures.distribution_picture(rng.standard_t(2, 5_000), title="log_return_1"),
        pictures.fold_picture(make_folds(108), title="Folds"),
        pictures.equity_picture(make_curve(20_000), title="Equity"),
        pictures.reliability_picture(probability, rng.random(5_000) < probability, title="Up"),
    )
    for png in drawn:
        image = opened(png)
        assert image.width <= 640
        assert len(colours(png)) > 3


def test_the_noisiest_line_stays_small(rng):
    candles = make_candles(50_000).with_columns(close=pl.Series(rng.random(50_000)))
    opened(pictures.close_picture(candles, title="noise"))


def test_equal_input_gives_equal_bytes():
    first, second = (pictures.fold_picture(make_folds(9), title="Folds") for _ in range(2))
    assert first == second


def test_gaps_are_visible_and_differ_by_whether_they_are_explained():
    candles = make_candles(200, start=START)
    plain, explained, unexplained = (
        pictures.close_picture(candles, gaps, title="close")
        for gaps in ((), (make_gap(is_explained=True),), (make_gap(is_explained=False),))
    )
    assert len({plain, explained, unexplained}) == 3


@pytest.mark.parametrize(
    "draw",
    [
        lambda: pictures.close_picture(make_candles(0), title="x"),
        lambda: pictures.counts_picture({}, title="x"),
        lambda: pictures.counts_picture({"up": 0}, title="x"),
        lambda: pictures.distribution_picture(np.full(3, np.nan), title="x"),
        lambda: pictures.fold_picture((), title="x"),
        lambda: pictures.equity_picture(make_curve(0), title="x"),
        lambda: pictures.reliability_picture(np.empty(0), np.empty(0, bool), title="x"),
    ],
)
def test_nothing_to_draw_is_a_picture_that_says_so(draw):
    opened(draw())


def test_reliability_counts_each_row_in_its_bin():
    probability = np.array([0.0, 0.05, 0.5, 0.55, 0.55, 1.0, np.nan])
    happened = np.array([False, True, True, False, True, True, True])
    predicted, observed, n_rows = pictures.reliability(probability, happened, 2)
    # [0, 0.5) holds 0.0 and 0.05; [0.5, 1] holds 0.5, 0.55, 0.55 and 1.0.
    assert n_rows.tolist() == [2, 4]
    assert predicted == pytest.approx([0.025, 0.65])
    assert observed == pytest.approx([0.5, 0.75])


def test_reliability_needs_one_outcome_per_probability():
    with pytest.raises(DataError, match="3 probabilities and 2 outcomes"):
        pictures.reliability_picture(np.ones(3), np.ones(2, bool), title="x")


def test_markdown_carries_the_picture_itself():
    text = pictures.as_markdown(b"png", "close [of](x)\nBTC")
    assert text == f"![close ofxBTC](data:image/png;base64,{base64.b64encode(b'png').decode()})"


def test_pyplot_and_its_global_state_are_never_loaded():
    code = (
        "import sys, trading_pipeline.adapters.reports.pictures as p;"
        "p.fold_picture((), title='x');"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
