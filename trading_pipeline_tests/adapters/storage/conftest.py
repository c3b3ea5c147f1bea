"""An S3 server for the tests of the lake."""

from collections.abc import Iterator

import pytest

from trading_pipeline_tests.s3_server import new_bucket, s3_environment, s3_server


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def s3_url(s3_endpoint, monkeypatch) -> str:
    """URL of an empty bucket's folder, with the environment that leads there."""
    for name, value in s3_environment(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    return f"s3://{new_bucket(s3_endpoint)}/some/lake"
