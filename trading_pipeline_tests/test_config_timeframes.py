"""Which context timeframes the settings accept."""

from pathlib import Path

import pytest

from trading_pipeline.config import Settings, load_settings
from trading_pipeline.core.errors import ConfigError

pytestmark = pytest.mark.usefixtures("plain_environment")


@pytest.mark.parametrize(
    ("base", "contexts"),
    [("1m", ["4h", "1d"]), ("1h", ["4h", "1d"]), ("4h", ["1d"]), ("6h", ["1d"]), ("1d", [])],
)
def test_four_hours_and_a_day_are_usual_where_the_base_makes_them_up(
    base: str, contexts: list[str]
):
    settings = Settings(market={"base_timeframe": base})
    assert [str(timeframe) for timeframe in settings.market.contexts] == contexts


def test_contexts_come_shortest_first_and_once_whatever_their_spelling(tmp_path: Path):
    (tmp_path / "config.yaml").write_text("market: {context_timeframes: [1D, 2h, 4H, 4h]}")
    market = load_settings(tmp_path).market
    assert market.context_timeframes == ("2h", "4h", "1d")
    assert [timeframe.seconds for timeframe in market.contexts] == [7200, 14_400, 86_400]


def test_no_context_at_all_may_be_asked_for():
    assert Settings(market={"context_timeframes": []}).market.contexts == ()


@pytest.mark.parametrize(
    ("base", "context", "message"),
    [
        ("1h", "1h", "multiple of 1h (2h, 4h, 6h, 8h, 12h, 1d), not 1h"),
        ("4h", "1h", "multiple of 4h (8h, 12h, 1d), not 1h"),
        ("4h", "6h", "not 6h"),
        ("1d", "4h", "(there is none), not 4h"),
        ("1h", "7h", "unknown timeframe '7h'; did you mean"),
        ("1h", "1M", "unknown timeframe '1M'"),
    ],
)
def test_a_context_that_cannot_be_made_is_refused(
    base: str, context: str, message: str, tmp_path: Path
):
    text = f"market: {{base_timeframe: {base}, context_timeframes: [{context}]}}"
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path)
    assert "context_timeframes" in caught.value.message
    assert message in caught.value.message
