"""The environment, .env files and profiles; layers and refusals are in ``test_config``."""

from pathlib import Path

import pytest

from trading_pipeline.config import (
    NO_PROFILE,
    known_profiles,
    load_settings,
    profile_path,
    project_home,
    use_profile,
    write_profile,
)
from trading_pipeline.core.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.usefixtures("plain_environment")


def _home(tmp_path: Path, text: str = "") -> Path:
    (tmp_path / "config.yaml").write_text(text)
    return tmp_path


def _refused(home: Path, **options: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(home, **options)
    return caught.value.message


def test_database_url_names_the_ledger(tmp_path, monkeypatch):
    home = _home(tmp_path)
    assert load_settings(home).database_url == f"sqlite:///{tmp_path}/data/ledger.sqlite"
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg2://localhost/a")
    assert load_settings(home).database_url == "postgresql+psycopg2://localhost/a"
    monkeypatch.setenv("TRADING__STORAGE__DATABASE_URL", "sqlite:///b.sqlite")
    assert load_settings(home).database_url == "sqlite:///b.sqlite"


def test_redis_url_says_where_streams_and_cache_are(tmp_path, monkeypatch):
    home = _home(tmp_path)
    assert load_settings(home).storage.redis_url is None
    monkeypatch.setenv("REDIS_URL", "redis://localhost:6379/3")
    assert load_settings(home).storage.redis_url == "redis://localhost:6379/3"
    monkeypatch.setenv("TRADING__STORAGE__REDIS_URL", "redis://localhost:6379/4")
    assert load_settings(home).storage.redis_url == "redis://localhost:6379/4"


def test_log_level_is_taken_in_any_case(tmp_path, monkeypatch):
    home = _home(tmp_path, "log_level: ERROR")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert load_settings(home).log_level == "DEBUG"
    monkeypatch.setenv("LOG_LEVEL", "loud")
    assert _refused(home).startswith("log_level (environment variable LOG_LEVEL): ")


@pytest.mark.parametrize(
    ("dry_run", "in_file", "enabled"),
    [
        ("true", "true", False),
        ("1", "true", False),
        ("YES", "true", False),
        ("false", "true", True),
        ("0", "false", True),
        ("no", "false", True),
    ],
)
def test_dry_run_decides_whether_orders_are_executed(
    tmp_path, monkeypatch, dry_run, in_file, enabled
):
    monkeypatch.setenv("DRY_RUN", dry_run)
    home = _home(tmp_path, f"execution: {{enabled: {in_file}}}")
    assert load_settings(home).execution.enabled is enabled


@pytest.mark.parametrize(("dry_run", "enabled"), [("true", "true"), ("false", "false")])
def test_of_two_variables_the_one_that_asks_for_no_orders_wins(
    tmp_path, monkeypatch, dry_run, enabled
):
    monkeypatch.setenv("DRY_RUN", dry_run)
    monkeypatch.setenv("TRADING__EXECUTION__ENABLED", enabled)
    assert load_settings(_home(tmp_path)).execution.enabled is False


@pytest.mark.parametrize("value", ["", "maybe", "on"])
def test_a_dry_run_that_is_neither_true_nor_false_is_refused(tmp_path, monkeypatch, value):
    monkeypatch.setenv("DRY_RUN", value)
    assert _refused(_home(tmp_path)) == f"DRY_RUN must be true or false, was {value!r}"


def test_a_dotenv_file_is_read_and_the_real_environment_wins(tmp_path, monkeypatch):
    home = _home(tmp_path)
    (home / ".env").write_text(
        "# a comment\nLOG_LEVEL=WARNING\nTRADING__RISK__STOP_LOSS_PCT=0.03\nDRY_RUN=true\n"
    )
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    settings = load_settings(home)
    assert settings.log_level == "ERROR"
    assert settings.risk.stop_loss_pct == 0.03
    assert settings.execution.enabled is False


def test_an_unknown_key_of_a_dotenv_file_is_refused(tmp_path):
    home = _home(tmp_path)
    (home / ".env").write_text("TRADING__MARKT__VENUE=kraken\n")
    assert _refused(home).startswith("TRADING__MARKT__VENUE: unknown section 'markt'; did you mean")


def test_every_line_of_the_example_dotenv_is_understood(tmp_path):
    lines = (REPOSITORY / ".env.example").read_text().splitlines()
    values = [line.removeprefix("#") for line in lines if line.startswith("#") and "# " not in line]
    assert len(values) >= 4
    home = _home(tmp_path)
    (home / ".env").write_text("\n".join(v for v in values if "TRADING_PROFILE" not in v))
    settings = load_settings(home)
    assert settings.market.base_timeframe == "4h"
    assert settings.database_url.startswith("postgresql")


def test_a_profile_that_was_written_is_the_active_one_and_writes_to_its_own_folder(tmp_path):
    home = _home(tmp_path)
    assert load_settings(home).profile is None
    path = write_profile(home, "demo", {"market": {"venue": "simulated"}}, "Made by a test.")
    settings = load_settings(home)
    assert settings.profile == "demo"
    assert settings.is_simulated
    assert settings.storage_base == tmp_path / "data"
    assert settings.storage_root == tmp_path / "data" / "demo"
    assert settings.database_url == f"sqlite:///{tmp_path}/data/demo/ledger.sqlite"
    assert path == profile_path(settings.storage_base, "demo")
    assert path.read_text().startswith("# Made by a test.\n")


def test_none_is_the_shipped_file_alone(tmp_path, monkeypatch):
    home = _home(tmp_path)
    write_profile(home, "demo", {"market": {"venue": "simulated"}}, "a test")
    assert load_settings(home, profile=NO_PROFILE).profile is None
    monkeypatch.setenv("TRADING_PROFILE", NO_PROFILE)
    assert load_settings(home).storage_root == tmp_path / "data"


def test_the_option_wins_over_the_variable_and_the_variable_over_the_last_written(
    tmp_path, monkeypatch
):
    home = _home(tmp_path)
    for name in ("one", "two", "three"):
        write_profile(home, name, {}, "a test")
    assert load_settings(home).profile == "three"
    monkeypatch.setenv("TRADING_PROFILE", "two")
    assert load_settings(home).profile == "two"
    assert load_settings(home, profile="one").profile == "one"


def test_a_profile_can_be_switched(tmp_path):
    home = _home(tmp_path)
    for name in ("one", "two"):
        write_profile(home, name, {}, "a test")
    base = tmp_path / "data"
    assert known_profiles(base) == ["one", "two"]
    use_profile(base, "one")
    assert load_settings(home).profile == "one"
    use_profile(base, NO_PROFILE)
    assert load_settings(home).profile is None


def test_a_profile_that_does_not_exist_is_refused_with_those_that_do(tmp_path):
    home = _home(tmp_path)
    assert "there is no profile 'demo'" in _refused(home, profile="demo")
    write_profile(home, "simulated", {}, "a test")
    assert "(simulated)" in _refused(home, profile="demo")


def test_the_storage_root_moves_profiles_and_runs(tmp_path, monkeypatch):
    home = _home(tmp_path, "storage: {root: elsewhere}")
    write_profile(home, "demo", {}, "a test")
    assert load_settings(home).storage_root == tmp_path / "elsewhere" / "demo"
    monkeypatch.setenv("TRADING__STORAGE__ROOT", str(tmp_path / "third"))
    settings = load_settings(home)
    assert (settings.profile, settings.storage_root) == (None, tmp_path / "third")


def test_a_tilde_in_the_storage_root_is_the_home_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "someone"))
    home = _home(tmp_path, "storage: {root: ~/trading}")
    assert load_settings(home).storage_root == tmp_path / "someone" / "trading"


def test_settings_are_found_here_or_where_trading_home_says(tmp_path, monkeypatch):
    monkeypatch.chdir(_home(tmp_path))
    assert project_home() == tmp_path
    monkeypatch.setenv("TRADING_HOME", str(REPOSITORY))
    assert project_home() == REPOSITORY


def test_settings_cannot_be_changed_after_loading(tmp_path):
    settings = load_settings(_home(tmp_path))
    with pytest.raises(ValueError, match="frozen"):
        settings.risk.stop_loss_pct = 0.5
