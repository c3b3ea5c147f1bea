from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from trading_pipeline.config import (
    Settings,
    load_settings,
    write_profile,
)
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Symbol

REPOSITORY = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.usefixtures("plain_environment")


def _home(tmp_path: Path, text: str = "") -> Path:
    (tmp_path / "config.yaml").write_text(text)
    return tmp_path


def _refused(home: Path, **options: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(home, **options)
    return caught.value.message


def test_the_shipped_file_says_exactly_the_defaults(tmp_path):
    shipped = _home(tmp_path, (REPOSITORY / "config.yaml").read_text())
    without = tmp_path / "empty"
    without.mkdir()
    assert load_settings(shipped).model_dump() == load_settings(without).model_dump()


def _keys(model: BaseModel) -> set[str]:
    found = set()
    for name in type(model).model_fields:
        value = getattr(model, name)
        inner = _keys(value) if isinstance(value, BaseModel) else set()
        found |= {f"{name}.{key}" for key in inner} or {name}
    return found


def _documented(section: Mapping[str, object]) -> set[str]:
    found = set()
    for name, value in section.items():
        is_section = isinstance(value, Mapping) and name not in {"symbols", "weights"}
        inner = _documented(value) if is_section else set()
        found |= {f"{name}.{key}" for key in inner} or {str(name)}
    return found


def test_every_key_is_documented_in_the_shipped_file_and_none_is_invented():
    written = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    assert _documented(written) == _keys(Settings())
    for entry in written["market"]["symbols"].values():
        assert set(entry) == {"enabled", "min_order_size"}


@pytest.mark.parametrize(
    ("in_file", "in_profile", "in_environment", "expected"),
    [
        (None, None, None, 0.02),
        (0.03, None, None, 0.03),
        (0.03, 0.04, None, 0.04),
        (0.03, 0.04, 0.05, 0.05),
        (0.03, None, 0.05, 0.05),
        (None, 0.04, None, 0.04),
        (None, None, 0.05, 0.05),
    ],
)
def test_later_layers_win(tmp_path, monkeypatch, in_file, in_profile, in_environment, expected):
    home = _home(tmp_path, "" if in_file is None else f"risk: {{stop_loss_pct: {in_file}}}")
    if in_profile is not None:
        write_profile(home, "demo", {"risk": {"stop_loss_pct": in_profile}}, "a test")
    if in_environment is not None:
        monkeypatch.setenv("TRADING__RISK__STOP_LOSS_PCT", str(in_environment))
    settings = load_settings(home)
    assert settings.risk.stop_loss_pct == expected
    assert settings.risk.take_profit_pct == 0.04


def test_layers_are_merged_key_by_key(tmp_path, monkeypatch):
    home = _home(tmp_path, "risk: {stop_loss_pct: 0.03, allow_short: true}\nlog_level: ERROR")
    write_profile(home, "demo", {"risk": {"take_profit_pct": 0.1}}, "a test")
    monkeypatch.setenv("TRADING__RISK", '{"max_open_positions": 9, "max_daily_loss": 0.5}')
    monkeypatch.setenv("TRADING__RISK__MAX_DAILY_LOSS", "0.25")
    settings = load_settings(home)
    assert settings.risk.model_dump(include={"stop_loss_pct", "allow_short"}) == {
        "stop_loss_pct": 0.03,
        "allow_short": True,
    }
    assert settings.risk.take_profit_pct == 0.1
    assert settings.risk.max_open_positions == 9
    assert settings.risk.max_daily_loss == 0.25
    assert settings.log_level == "ERROR"


def test_symbols_of_a_later_layer_replace_those_of_an_earlier_one(tmp_path, monkeypatch):
    home = _home(tmp_path, "market: {symbols: {BTC/USDT: {}, ETH/USDT: {}}, venue: kraken}")
    write_profile(home, "demo", {"market": {"symbols": {"SOL_USDT": None}}}, "a test")
    assert load_settings(home).market.enabled_symbols == (Symbol("SOL", "USDT"),)
    monkeypatch.setenv("TRADING__MARKET__SYMBOLS", '{"xrp/usdt": {"min_order_size": 20}}')
    market = load_settings(home).market
    assert {key: entry.min_order_size for key, entry in market.symbols.items()} == {"XRP-USDT": 20}
    assert market.venue == "kraken"


def test_a_disabled_symbol_is_not_traded(tmp_path):
    home = _home(tmp_path, "market: {symbols: {BTC-USDT: {enabled: false}, ETH-USDT: {}}}")
    assert load_settings(home).market.enabled_symbols == (Symbol("ETH", "USDT"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("riks: {stop_loss_pct: 0.1}", "riks ({file}): unknown key 'riks'; did you mean risk?"),
        (
            "risk: {stop_los_pct: 0.1}",
            "risk.stop_los_pct ({file}): unknown key 'stop_los_pct'; did you mean stop_loss_pct",
        ),
        (
            "indicators: {rsi: {perod: 14}}",
            "indicators.rsi.perod ({file}): unknown key 'perod'; did you mean period",
        ),
        (
            "market: {symbols: {BTC/USDT: {min_order: 5}}}",
            "market.symbols.BTC-USDT.min_order ({file}): unknown key 'min_order'; "
            "did you mean min_order_size?",
        ),
        (
            "features: {zzz: 1}",
            "features.zzz ({file}): unknown key 'zzz'; known are lags",
        ),
    ],
)
def test_an_unknown_key_of_the_file_is_refused_with_the_nearest(tmp_path, text, message):
    home = _home(tmp_path, text)
    assert _refused(home).startswith(message.format(file=home / "config.yaml"))


def test_an_unknown_key_of_a_profile_is_refused_with_the_nearest(tmp_path):
    home = _home(tmp_path)
    path = write_profile(home, "demo", {"labels": {"horizn": 3}}, "a test")
    assert _refused(home) == (
        f"labels.horizn ({path}): unknown key 'horizn'; did you mean horizon?"
    )


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("TRADING__RSK__X", "TRADING__RSK__X: unknown section 'rsk'; did you mean risk?"),
        (
            "TRADING__RISK__STOP_LOS_PCT",
            "risk.stop_los_pct (environment variable TRADING__RISK__STOP_LOS_PCT): unknown key "
            "'stop_los_pct'; did you mean stop_loss_pct",
        ),
        (
            "TRADING__MARKET__VENUE__NAME",
            "market.venue (environment variable TRADING__MARKET__VENUE__NAME): Input should be",
        ),
        (
            "TRADING__MARKET__SYMBOLS__BTC_USDT__ENABLED",
            "TRADING__MARKET__SYMBOLS__BTC_USDT__ENABLED: symbols are set all at once, such as",
        ),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest(tmp_path, monkeypatch, variable, message):
    monkeypatch.setenv(variable, "1")
    assert _refused(_home(tmp_path)).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "market: {base_timeframe: 7m}",
            "market.base_timeframe ({file}): unknown timeframe '7m'; did you mean",
        ),
        ("market: {history_start: 2023}", "market.history_start ({file}): a month is written"),
        ("market: {symbols: {BTCUSDT: {}}}", "market.symbols ({file}): a symbol is written as"),
        (
            "market: {symbols: {BTC-USDT: {enabled: false}}}",
            "market ({file}): symbols needs at least one enabled symbol",
        ),
        (
            "market: {history_start: 2024-05, history_end: 2024-04}",
            "market ({file}): history_end must not lie before history_start 2024-05, was 2024-04",
        ),
        (
            "market: {now: 2024-01-01 12:00:00}",
            "market.now ({file}): Input should have timezone info",
        ),
        (
            "storage: {root: 's3://bucket/lake'}",
            "storage.root ({file}): root must be a local folder, was 's3://bucket/lake'",
        ),
        ("risk: {max_position_size: 1.5}", "risk.max_position_size ({file}): Input should be less"),
        ("backtest: {initial_balance: .inf}", "backtest.initial_balance ({file}): Input should be"),
        ("signals: {weights: {rsi: .nan}}", "signals.weights.rsi ({file}): Input should be a fin"),
        ("signals: {method: median}", "signals.method ({file}): Input should be 'weighted_average"),
        ("indicators: {ema: {periods: [9, 0]}}", "indicators.ema.periods.1 ({file}): Input should"),
        ("features: {lags: []}", "features.lags ({file}): Tuple should have at least 1 item"),
        ("execution: {mode: live}", "execution.mode ({file}): Input should be 'paper'"),
        ("risk:", "risk ({file}): Input should be a valid dictionary"),
        ("log_level: loud", "log_level ({file}): Input should be 'DEBUG', 'INFO'"),
    ],
)
def test_a_wrong_value_is_refused_with_the_key_and_the_file(tmp_path, text, message):
    home = _home(tmp_path, text)
    assert _refused(home).startswith(message.format(file=home / "config.yaml"))


def test_a_wrong_value_is_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("TRADING__RISK__STOP_LOSS_PCT", "7")
    message = _refused(_home(tmp_path))
    assert message.startswith(
        "risk.stop_loss_pct (environment variable TRADING__RISK__STOP_LOSS_PCT): "
    )
    assert message.endswith("(value: '7')")


def test_a_wrong_value_is_traced_to_the_layer_that_won(tmp_path):
    home = _home(tmp_path, "risk: {stop_loss_pct: 7}")
    path = write_profile(home, "demo", {"risk": {"stop_loss_pct": 8}}, "a test")
    assert _refused(home).startswith(f"risk.stop_loss_pct ({path}): ")
    assert _refused(home, profile="none").startswith(f"risk.stop_loss_pct ({home}/config.yaml): ")


def test_every_wrong_value_is_reported_at_once(tmp_path):
    home = _home(tmp_path, "risk: {stop_loss_pct: 7}\nlabels: {horizon: 0}")
    message = _refused(home)
    assert "labels.horizon" in message
    assert "risk.stop_loss_pct" in message


@pytest.mark.parametrize(
    ("variable", "value"),
    [("TRADING__INDICATORS__EMA__PERIODS", "9,21"), ("TRADING__RISK", "strict")],
)
def test_a_variable_that_needs_json_says_so(tmp_path, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    assert _refused(_home(tmp_path)) == (
        f"{variable}: a list or a section is written as JSON, such as [9, 21] (value: {value!r})"
    )


def test_lists_in_variables_are_json(tmp_path, monkeypatch):
    monkeypatch.setenv("TRADING__INDICATORS__EMA__PERIODS", "[5, 8]")
    monkeypatch.setenv("TRADING__MARKET__CANDLE_FILES", '["a.csv", "more"]')
    settings = load_settings(_home(tmp_path))
    assert settings.indicators.ema.periods == (5, 8)
    assert settings.market.candle_files == ("a.csv", "more")
    assert not settings.is_simulated


def test_an_empty_variable_is_as_good_as_none(tmp_path, monkeypatch):
    names = ("TRADING__STORAGE__ROOT", "DATABASE_URL", "REDIS_URL", "LOG_LEVEL", "TRADING_PROFILE")
    for name in names:
        monkeypatch.setenv(name, "")
    settings = load_settings(_home(tmp_path))
    assert settings.storage_root == tmp_path / "data"
    assert settings.log_level == "INFO"


@pytest.mark.parametrize("text", ["a: [", "- a\n- b", "\x00", "just a sentence"])
def test_a_file_that_is_not_settings_is_refused_by_name(tmp_path, text):
    home = _home(tmp_path, text)
    assert str(home / "config.yaml") in _refused(home)


def test_months_and_symbols_are_accepted_in_the_spellings_that_people_use(tmp_path):
    text = "market: {history_start: 2023-02-15, symbols: {btc/usdt: , ETH_USDT: {}}}"
    market = load_settings(_home(tmp_path, text)).market
    assert market.history_start == "2023-02"
    assert list(market.symbols) == ["BTC-USDT", "ETH-USDT"]


def test_the_clock_may_be_frozen_at_an_instant(tmp_path):
    settings = load_settings(_home(tmp_path, "market: {now: 2026-10-15T14:00:05+02:00}"))
    assert settings.market.now == datetime(2026, 10, 15, 12, 0, 5, tzinfo=UTC)
