from datetime import UTC, datetime, timedelta

import pytest

from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.retention import Age, Cutoffs

NOW = datetime(2024, 5, 20, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "cutoff"),
    [
        ("90d", NOW - timedelta(days=90)),
        ("1m", datetime(2024, 4, 1, tzinfo=UTC)),
        ("5m", datetime(2023, 12, 1, tzinfo=UTC)),
        (" 24 m ", datetime(2022, 5, 1, tzinfo=UTC)),
    ],
)
def test_months_reach_back_to_the_start_of_one_days_to_the_second(text: str, cutoff: datetime):
    assert Age.parse(text).cutoff(NOW) == cutoff


@pytest.mark.parametrize("text", ["", "24", "m", "0m", "-3d", "24M", "2y", "1.5m", "12345d"])
def test_what_is_no_age_is_refused(text: str):
    with pytest.raises(ConfigError, match="such as 24m or 90d, was"):
        Age.parse(text)


def test_an_age_reads_as_it_is_written():
    assert str(Age.parse(" 24 m")) == "24m"


def test_no_cutoff_keeps_everything():
    assert Cutoffs().is_empty
    assert not Cutoffs(logs=NOW).is_empty
