"""An indicator of one's own: one file, one decorator, every check; and checks that catch faults."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from trading_pipeline.config import Settings
from trading_pipeline.core.candles import candle_arrays
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.indicators.catalog import CATALOG, IndicatorRequest, compute
from trading_pipeline.indicators.checks import faults
from trading_pipeline.indicators.definition import indicator, withdraw
from trading_pipeline.indicators.page import catalogue_page
from trading_pipeline.indicators.specs import Category, Scale, length
from trading_pipeline.indicators.stream import IndicatorStream
from trading_pipeline.wiring import indicator_requests
from trading_pipeline.wiring.plugins import load_plugins
from trading_pipeline_tests.builders import make_candles

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = "docs/examples/candle_strength.py"
CANDLES = candle_arrays(make_candles(700, seed=21))


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """Load a copy of the example: what is compiled is kept beside the file."""
    folder = tmp_path_factory.mktemp("plugin")
    copied = shutil.copy(REPOSITORY / EXAMPLE, folder)
    load_plugins([Path(copied).name], folder)
    return folder


@pytest.mark.parametrize("name", list(CATALOG))
def test_an_indicator_of_the_catalogue_has_no_fault(name):
    assert faults(IndicatorRequest.of(name), CANDLES) == []


def test_the_example_of_the_documents_passes_every_check_and_equals_its_definition(example):
    request = IndicatorRequest.of("candle_strength", period=5)
    assert faults(request, CANDLES) == []
    values = compute("candle_strength", CANDLES, {"period": 5})["candle_strength"]
    body, span = CANDLES.close - CANDLES.open, CANDLES.high - CANDLES.low
    for t in (4, 5, 77, 699):
        window = slice(t - 4, t + 1)
        assert values[t] == pytest.approx(body[window].sum() / span[window].sum(), abs=1e-12)
    assert IndicatorStream([request]).columns == ("candle_strength_5",)


def test_the_example_is_configured_like_any_other_and_stays_out_of_the_page(example):
    settings = Settings(indicators={"more": {"candle_strength": {"period": 7}}})
    assert indicator_requests(settings)[-1] == IndicatorRequest.of("candle_strength", period=7)
    with pytest.raises(ConfigError, match="period of candle_strength must be between 1 and"):
        IndicatorRequest.of("candle_strength", period=0)
    assert "candle_strength" not in catalogue_page()


def test_a_plugin_is_imported_once_and_a_missing_one_is_named(example, tmp_path):
    load_plugins(["candle_strength.py", "candle_strength.py"], example)
    with pytest.raises(ConfigError, match="cannot import no_such_module"):
        load_plugins(["no_such_module"], tmp_path)
    (tmp_path / "broken.py").write_text("def f(:\n")
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"cannot import broken\.py"):
            load_plugins(["broken.py"], tmp_path)


def test_the_page_of_the_documents_is_that_of_the_catalogue():
    assert (REPOSITORY / "docs" / "indicators.md").read_text() == catalogue_page(), (
        "write it anew: trading indicators list --markdown > docs/indicators.md"
    )


def define(kernel, **options):
    chosen = {
        "inputs": "close",
        "parameters": {"period": length(4)},
        "warm_up": lambda p: p["period"] - 1,
        "scale": Scale.PRICE,
        "reference": "none",
        "oracle": "none",
    }
    return indicator(Category.TREND, **chosen | options)(kernel)


def centred(bars, first, parameters, state, out):
    """Look at the bar after."""
    n_bars = len(bars.close)
    for t in range(first, n_bars):
        out[0, t] = bars.close[min(t + 1, n_bars - 1)]


def scaled(bars, first, parameters, state, out):
    """Divide by the highest close of all."""
    for t in range(first, len(bars.close)):
        out[0, t] = bars.close[t] / bars.close.max()


def forgetful(bars, first, parameters, state, out):
    """Sum without carrying the sum."""
    total = 0.0
    for t in range(first, len(bars.close)):
        total += bars.close[t]
        out[0, t] = total


def hungry(bars, first, parameters, state, out):
    """Read from the first bar of the array on, whatever is there."""
    for t in range(first, len(bars.close)):
        out[0, t] = bars.close[: t + 1].mean()


def early(bars, first, parameters, state, out):
    """Need more bars than declared."""
    for t in range(first, len(bars.close)):
        out[0, t] = bars.close[t] if t > 10 else np.nan


def deaf(bars, first, parameters, state, out):
    """Take a missing close for nothing."""
    for t in range(first, len(bars.close)):
        out[0, t] = max(0.0, bars.close[t])


@pytest.mark.parametrize(
    ("kernel", "options", "words"),
    [
        (centred, {}, "looks ahead"),
        (scaled, {}, "looks ahead"),
        (
            forgetful,
            {"n_states": lambda _: 1, "memory": lambda _: None},
            "check state and lookback",
        ),
        (hungry, {}, "depends on bars before its window"),
        (early, {}, "known from bar 11 on, declared are 3"),
        (deaf, {}, "instead of NaN"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_fault_of_an_indicator_is_found_and_said(kernel, options, words):
    define(kernel, **options)
    try:
        found = faults(IndicatorRequest.of(kernel.__name__), CANDLES)
    finally:
        withdraw(kernel.__name__)
    assert any(words in text for text in found), found


def test_a_definition_that_cannot_work_is_refused():
    def rsi(bars, first, parameters, state, out):
        """Take a name that is taken."""

    def other(bars, first, parameters, state, out):
        """Ask for what is not there."""

    with pytest.raises(ConfigError, match="an indicator rsi exists already"):
        define(rsi)
    with pytest.raises(ConfigError, match="unknown candle column 'closes'; did you mean close"):
        define(other, inputs="closes")
    with pytest.raises(ConfigError, match="say with memory= how long"):
        define(other, n_states=lambda _: 1)
    with pytest.raises(ConfigError, match="unknown indicator"):
        withdraw("other")
