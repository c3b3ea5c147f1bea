"""Where the settings put the lake."""

from pathlib import Path

import pytest

from trading_pipeline.config import load_settings, profile_path
from trading_pipeline.core.errors import ConfigError


def _home(tmp_path: Path, text: str) -> Path:
    (tmp_path / "config.yaml").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        ("{}", "{home}/data/lake"),
        ("{root: elsewhere}", "{home}/elsewhere/lake"),
        ("{lake_root: big}", "{home}/big"),
        ("{lake_root: /mnt/big}", "/mnt/big"),
        ("{lake_root: 's3://bucket'}", "s3://bucket"),
        ("{lake_root: 's3://bucket/some/lake'}", "s3://bucket/some/lake"),
    ],
)
def test_the_lake_stands_under_the_root_or_where_it_is_put(
    tmp_path, plain_environment, storage, expected
):
    settings = load_settings(_home(tmp_path, f"storage: {storage}"))
    assert settings.lake_root == expected.format(home=tmp_path)


@pytest.mark.parametrize(
    ("lake_root", "expected"),
    [("null", "{home}/data/trial/lake"), ("s3://bucket/lake/", "s3://bucket/lake/trial")],
)
def test_a_profile_has_a_place_of_its_own_in_the_lake(
    tmp_path, plain_environment, lake_root, expected
):
    home = _home(tmp_path, f"storage: {{lake_root: {lake_root}}}")
    path = profile_path(home / "data", "trial")
    path.parent.mkdir(parents=True)
    path.write_text("market: {base_timeframe: 4h}")
    settings = load_settings(home, profile="trial")
    assert settings.lake_root == expected.format(home=home)
    assert settings.storage_root == home / "data" / "trial"


@pytest.mark.parametrize("lake_root", ["gs://bucket/lake", "s3://", "s3:///lake", "https://x/y"])
def test_any_other_address_of_the_lake_is_refused(tmp_path, plain_environment, lake_root):
    home = _home(tmp_path, f"storage: {{lake_root: '{lake_root}'}}")
    with pytest.raises(ConfigError, match="lake_root must be a folder or s3://bucket/prefix"):
        load_settings(home)
