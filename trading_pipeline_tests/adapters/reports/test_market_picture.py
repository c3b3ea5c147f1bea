"""The market picture shows what was known at its last candle, and loads nothing from anywhere."""

import json
import re
from datetime import timedelta
from io import BytesIO

import numpy as np
import polars as pl
import pytest
from PIL import Image

from trading_pipeline.adapters.reports.market_marks import marks
from trading_pipeline.adapters.reports.market_picture import MarketView, market_html, market_png
from trading_pipeline.adapters.reports.market_view import market_view
from trading_pipeline.core.errors import DataError
from trading_pipeline.smart_money.events import Concept
from trading_pipeline.smart_money.reading import MarketReading, read_market
from trading_pipeline_tests.builders import DEFAULT_START, make_candles
from trading_pipeline_tests.smart_money.series import closes

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def reading() -> MarketReading:
    return read_market(make_candles(900, seed=21))


def view_of(reading: MarketReading, bar: int = 899, n_bars: int = 120) -> MarketView:
    return market_view(
        reading, title="BTC/USDT", subtitle="a market, 1h", last=DEFAULT_START + bar * HOUR,
        n_bars=n_bars,
    )  # fmt: skip


def test_a_picture_is_a_png_of_the_width_asked_for(reading):
    image = Image.open(BytesIO(market_png(view_of(reading), width_px=800)))
    assert image.format == "PNG"
    assert image.width == 800


def test_a_small_picture_keeps_its_limit(reading):
    assert len(market_png(view_of(reading), width_px=1000, most_bytes=60_000)) <= 60_000


def test_a_picture_shows_nothing_that_later_candles_made_known(reading):
    past = read_market(reading.candles[:701])
    now, then = view_of(reading, bar=700), view_of(past, bar=700)
    assert now.marks == then.marks
    assert now.first == then.first == 581
    assert market_png(now, width_px=500) == market_png(then, width_px=500)


def test_marks_are_the_breaks_blocks_and_swings_of_a_pencil_drawing():
    # Low 8, high 16, low 11, a close at 17: a break of 16, and the block of bar 8, 11 to 13.
    arrays = closes(10, 10, 10, 10, 8, 12, 16, 13, 11, 12, 13, 14, 17, 18)
    candles = pl.DataFrame(
        {
            "open_time": [DEFAULT_START + i * HOUR for i in range(len(arrays))],
            **{name: getattr(arrays, name) for name in ("open", "high", "low", "close", "volume")},
        },
        schema=make_candles(1).schema,
    )
    from trading_pipeline.smart_money.settings import SmartMoneySettings

    log = read_market(candles, SmartMoneySettings(swing_length=2, atr_period=2)).events
    found = marks(log, arrays, 0, 13)
    assert [(line.words, line.start, line.end, line.level) for line in found.breaks] == [
        ("BOS", 6, 12, 16.0)
    ]
    blocks = [zone for zone in found.zones if zone.concept is Concept.ORDER_BLOCK]
    # Of two equal lows the newest candle is the block: bar 9 opens where bar 8 closed.
    assert [(z.start, z.known_at, z.end, z.top, z.bottom) for z in blocks] == [
        (9, 12, None, 12.0, 11.0)
    ]
    assert found.range_levels == (16.0, 11.0)
    assert marks(log, arrays, 0, 11).breaks == ()


def test_levels_of_the_day_before_begin_with_the_second_day(reading):
    levels = market_view(
        reading, title="a", subtitle="b", last=DEFAULT_START + 47 * HOUR, n_bars=48
    ).levels
    first_day = reading.candles[:24]
    assert np.isnan(levels["previous day high"][:24]).all()
    assert set(levels["previous day high"][24:]) == {first_day["high"].max()}
    assert set(levels["previous day low"][24:]) == {first_day["low"].min()}


def test_a_page_stands_alone_and_reads_every_bar(reading):
    view = view_of(reading)
    page = market_html(view)
    assert "{{" not in page
    # Names of formats and of the drawing's maker; nothing that is loaded.
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", page)
    assert not re.search(r"@import|url\((?!#)", page)
    seen = json.loads(re.search(r"seen = (\{.*\});", page).group(1))
    assert len(seen["bars"]) == 120
    assert seen["bars"][-1][4] == reading.candles["close"][899]
    assert seen["bars"][0][0] == "2024-02-02 12:00"


def test_words_from_outside_cannot_end_the_page(reading):
    view = market_view(
        reading, title="<script>a</script>", subtitle="$x$ & y", last=DEFAULT_START + 899 * HOUR,
        n_bars=50,
    )  # fmt: skip
    page = market_html(view)
    assert "<script>a" not in page
    assert page.count("</script>") == 1


def test_too_few_and_too_many_candles_are_refused(reading):
    with pytest.raises(DataError, match="2 to 1500"):
        view_of(reading, bar=0)
    with pytest.raises(DataError, match="2 to 1500"):
        view_of(read_market(make_candles(1600)), bar=1599, n_bars=1600)


def test_a_flat_market_without_volume_can_be_drawn():
    flat = make_candles(60).with_columns(
        pl.lit(5.0).alias(name) for name in ("open", "high", "low", "close")
    )
    silent = flat.with_columns(volume=pl.lit(0.0))
    assert market_png(view_of(read_market(silent), bar=59), width_px=400)
