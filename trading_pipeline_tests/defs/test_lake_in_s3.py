"""The pipeline with its lake in S3: the same partitions, and nothing of them on this machine."""

import pytest

from trading_pipeline import wiring
from trading_pipeline.adapters.storage import warehouse
from trading_pipeline_tests.pipelines import BTC, MONTHS, make_settings, open_pipeline
from trading_pipeline_tests.s3_server import new_bucket, s3_environment, s3_server

STAGES = ("fetch", "validate")


@pytest.fixture
def lake_root(monkeypatch):
    with s3_server() as endpoint:
        for name, value in s3_environment(endpoint).items():
            monkeypatch.setenv(name, value)
        yield f"s3://{new_bucket(endpoint)}/lake"


def test_a_lake_in_s3_holds_what_a_local_one_holds(lake_root, candle_files, tmp_path):
    local = make_settings(tmp_path / "local", candle_files)
    with open_pipeline(local) as pipeline:
        pipeline.walk(STAGES)
        expected = pipeline.contents()
        rows = pipeline.rows("candles", BTC, MONTHS[0])
    far = make_settings(tmp_path / "far", candle_files, storage={"lake_root": lake_root})
    with open_pipeline(far) as pipeline:
        pipeline.walk(STAGES)
        assert pipeline.contents() == expected
        assert pipeline.rows("candles", BTC, MONTHS[0]).equals(rows)
        before = pipeline.generations()
        pipeline.walk(STAGES)
        assert pipeline.generations() == before
    assert not (tmp_path / "far" / "lake").exists()
    with warehouse.connect_locked(wiring.lake(far), ["candles"]) as sql:
        query = "SELECT sum(close) FROM candles WHERE symbol = 'BTC-USDT' AND month = ?"
        found = sql.execute(query, [MONTHS[0].key]).fetchall()
    assert found[0][0] == pytest.approx(sum(rows["close"].to_list()))
