"""What may be deleted by age, on lakes made by hand: manifests first, histories untouched."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trading_pipeline import wiring
from trading_pipeline.adapters.storage.lake import Address, Lake, month_address
from trading_pipeline.adapters.storage.objects import LocalObjects
from trading_pipeline.config import Settings, load_settings
from trading_pipeline.core.errors import ConfigError, DataError, PartitionNotFoundError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.retention import Age, Cutoffs
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.wiring.pruning import cutoffs_of, plan_prune, prune
from trading_pipeline_tests.builders import make_candles

pytestmark = pytest.mark.usefixtures("plain_environment")
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MONTHS = [Month(2023, number) for number in range(1, 13)]
BTC, DOGE = Symbol("BTC", "USDT"), Symbol("DOGE", "USDT")


def where(table: str, symbol: Symbol, month: Month, timeframe: str = "1h") -> Address:
    return month_address(table, "binance", symbol, Timeframe(timeframe), month)


def fill(lake: Lake, *tables: str, symbols: tuple[Symbol, ...] = (BTC,)) -> None:
    for table in tables:
        for symbol in symbols:
            for month in MONTHS:
                rows = make_candles(5, start=month.start)
                lake.commit(where(table, symbol, month), rows, fingerprint="x")


@pytest.fixture
def desk(tmp_path: Path) -> Callable[..., Settings]:
    """Return a maker of settings: ``config.yaml`` as text, and profiles by name."""

    def write(text: str, **profiles: str) -> Settings:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        (home / "config.yaml").write_text(text)
        folder = home / "data" / "profiles"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in profiles.items():
            (folder / f"{name}.yaml").write_text(content)
        return load_settings(home)

    return write


def months(lake: Lake, table: str = "candles") -> list[str]:
    return [dict(address.columns)["month"] for address in lake.addresses(table)]


def test_months_that_ended_before_the_age_go_with_their_files(desk: Callable[..., Settings]):
    settings = desk("market: {history_start: 2024-01}")
    lake = wiring.lake(settings)
    fill(lake, "candles", "signals")
    lake.commit(
        Address("backtest_results", (("symbol", "BTC-USDT"),)), make_candles(3), fingerprint="x"
    )
    # 38 months before November 2026 is September 2023.
    plan = plan_prune(settings, cutoffs_of(settings, NOW, Age.parse("38m")))
    assert {str(old.month) for old in plan.partitions} == {str(month) for month in MONTHS[:8]}
    assert sum(old.n_rows for old in plan.partitions) == 2 * 8 * 5
    assert months(lake) == [month.key for month in MONTHS], "a plan deletes nothing"
    done = prune(settings, plan)
    assert (done.partitions, done.orphan_parts) == (16, 0)
    assert months(lake) == months(lake, "signals") == [month.key for month in MONTHS[8:]]
    assert lake.tables() == ["backtest_results", "candles", "signals"]
    for month in MONTHS[8:]:
        assert lake.read(where("candles", BTC, month)).height == 5
    assert len(list(lake.root.rglob("*.parquet"))) == 2 * 4 + 1


def test_a_month_that_ends_at_the_cutoff_goes_and_the_next_stays(desk: Callable[..., Settings]):
    settings = desk("market: {history_start: 2024-01}")
    fill(wiring.lake(settings), "candles")
    cutoffs = Cutoffs(lake=datetime(2023, 4, 1, tzinfo=UTC))
    assert [old.month for old in plan_prune(settings, cutoffs).partitions] == MONTHS[:3]


def test_only_the_named_tables_are_looked_at(desk: Callable[..., Settings]):
    settings = desk("market: {history_start: 2024-01}")
    fill(wiring.lake(settings), "candles", "signals")
    cutoffs = cutoffs_of(settings, NOW, Age.parse("1m"))
    plan = plan_prune(settings, cutoffs, ["signals"])
    assert {old.address.table for old in plan.partitions} == {"signals"}
    assert plan.files == {}
    with pytest.raises(DataError, match="unknown table 'signal'; did you mean signals"):
        plan_prune(settings, cutoffs, ["signal"])


@pytest.mark.parametrize(
    ("market", "n_free"),
    [
        ("history_start: 2023-01", 0),
        ("history_start: 2023-07", 6),
        ("history_start: 2023-01, history_end: 2023-09", 3),
        ("history_start: 2023-01, symbols: {ETH-USDT: {}}", 12),
        ("history_start: 2023-01, symbols: {BTC-USDT: {enabled: false}, ETH-USDT: {}}", 12),
        ("history_start: 2023-01, venue: kraken", 12),
        ("history_start: 2023-01, base_timeframe: 4h", 12),
    ],
)
def test_what_a_history_contains_stays(desk: Callable[..., Settings], market: str, n_free: int):
    settings = desk(f"market: {{{market}}}")
    fill(wiring.lake(settings), "candles")
    plan = plan_prune(settings, cutoffs_of(settings, NOW, Age.parse("1m")))
    assert (len(plan.partitions), len(plan.in_use)) == (n_free, 12 - n_free)


def test_longer_candles_are_in_use_by_the_timeframe_they_were_made_from(
    desk: Callable[..., Settings],
):
    settings = desk("market: {history_start: 2023-01}")
    lake = wiring.lake(settings)
    columns = (("venue", "binance"), ("symbol", "BTC-USDT"))
    for base in ("1h", "1m"):
        address = Address(
            "resampled_candles", (*columns, ("base_timeframe", base), ("month", "2023-01"))
        )
        lake.commit(address, make_candles(2), fingerprint="x")
    plan = plan_prune(settings, cutoffs_of(settings, NOW, Age.parse("1m")))
    assert [dict(old.address.columns)["base_timeframe"] for old in plan.partitions] == ["1m"]


def test_what_another_profile_of_the_same_lake_uses_is_refused_by_its_name(
    desk: Callable[..., Settings], tmp_path: Path
):
    shared = f"storage: {{lake_root: {tmp_path / 'lake'}}}"
    settings = desk(
        f"market: {{history_start: 2024-01}}\nstorage: {{lake_root: {tmp_path / 'lake' / 'long'}}}",
        long=f"market: {{history_start: 2023-05}}\n{shared}",
        elsewhere="market: {history_start: 2023-01}",
    )
    assert load_settings(settings.home, profile="long").lake_root == settings.lake_root
    fill(wiring.lake(settings), "candles")
    plan = plan_prune(settings, cutoffs_of(settings, NOW, Age.parse("36m")))
    assert [old.month for old in plan.partitions] == MONTHS[:4]
    assert {kept.profile for kept in plan.in_use} == {"profile long"}
    assert plan.advice == [
        "6 partitions are part of the history of profile long: to let them go, raise its "
        "market.history_start to 2023-11 or disable their symbols"
    ]


def test_a_profile_that_cannot_be_read_stops_the_deleting(desk: Callable[..., Settings]):
    settings = desk("market: {history_start: 2024-01}", broken="market: {venu: kraken}")
    fill(wiring.lake(settings), "candles")
    with pytest.raises(ConfigError, match=r"profile broken cannot be read, .* did you mean venue"):
        plan_prune(settings, cutoffs_of(settings, NOW, Age.parse("1m")))


def age(path: Path, days: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x" * 10)
    then = NOW.timestamp() - days * 86_400
    os.utime(path, (then, then))
    return path


def test_reports_and_logs_go_by_their_last_change(desk: Callable[..., Settings]):
    settings = desk("")
    root = settings.storage_root
    old = [
        age(root / "reports" / "daily" / "2026-01-01.pdf", 100),
        age(root / "logs" / "failures.log", 91),
        age(root / "dagster" / "logs" / "run" / "out", 200),
    ]
    new = [
        age(root / "reports" / "BTC-USDT.pdf", 89),
        age(root / "logs" / "other.log", 1),
        age(root / "ledger.sqlite", 500),
        age(root / "dagster" / "history" / "runs.db", 500),
        age(root / "models" / "model.ubj", 500),
    ]
    plan = plan_prune(settings, cutoffs_of(settings, NOW, Age.parse("90d")))
    assert {kind: len(found) for kind, found in plan.files.items()} == {"reports": 1, "logs": 2}
    assert prune(settings, plan).files == {"reports": 1, "logs": 2}
    assert [path for path in old if path.exists()] == []
    assert all(path.exists() for path in new)
    assert not (root / "reports" / "daily").exists()


def test_each_kind_has_an_age_of_its_own_in_the_settings(desk: Callable[..., Settings]):
    settings = desk("storage: {retention: {lake: 24m, logs: 7d}}")
    assert cutoffs_of(settings, NOW) == Cutoffs(
        lake=datetime(2024, 11, 1, tzinfo=UTC), logs=datetime(2026, 11, 18, 12, tzinfo=UTC)
    )
    assert cutoffs_of(desk(""), NOW).is_empty
    with pytest.raises(ConfigError, match=r"retention.lake .*such as 24m or 90d, was '2 years'"):
        desk("storage: {retention: {lake: 2 years}}")


def test_old_events_of_the_stream_go(desk: Callable[..., Settings]):
    settings = desk("")
    stream = wiring.event_stream(settings)
    stream.publish("candles", "one", {"n": 1})
    stream.close()
    kept = plan_prune(settings, Cutoffs(streams=datetime(2020, 1, 1, tzinfo=UTC)))
    assert prune(settings, kept).stream_events == 0
    gone = plan_prune(settings, Cutoffs(streams=datetime.now(UTC)))
    assert prune(settings, gone).stream_events == 1


class Killed(BaseException):
    """The process died."""


class DyingObjects(LocalObjects):
    """A folder whose process dies after so many deleted objects."""

    deletions = 0

    def delete(self, keys: list[str]) -> None:
        for key in keys:
            if self.deletions == 0:
                raise Killed
            self.deletions -= 1
            super().delete([key])


@pytest.mark.parametrize("survived", [0, 1])
def test_a_kill_half_way_leaves_no_torn_partition(tmp_path: Path, survived: int):
    lake = Lake(tmp_path / "lake")
    fill(lake, "candles")
    dying = DyingObjects(tmp_path / "lake")
    dying.deletions = survived
    with pytest.raises(Killed):
        Lake(dying).drop(where("candles", BTC, MONTHS[0]))
    after = Lake(tmp_path / "lake")
    if survived:
        # Its manifest is gone, its rows are not: it does not exist, and the next call tidies up.
        assert months(after) == [month.key for month in MONTHS[1:]]
        with pytest.raises(PartitionNotFoundError):
            after.read(where("candles", BTC, MONTHS[0]))
        assert after.sweep() == 1
    else:
        assert after.read(where("candles", BTC, MONTHS[0])).height == 5
    assert all(after.read(where("candles", BTC, month)).height == 5 for month in MONTHS[1:])
    assert after.drop(where("candles", BTC, MONTHS[0])) is not bool(survived)
    assert months(after) == [month.key for month in MONTHS[1:]]
    assert len(list(after.root.rglob("*.parquet"))) == 11


def test_a_partition_that_was_dropped_can_be_made_again(tmp_path: Path):
    lake = Lake(tmp_path / "lake")
    address = where("candles", BTC, MONTHS[0])
    lake.commit(address, make_candles(5), fingerprint="x")
    assert lake.drop(address)
    assert not lake.drop(address)
    assert lake.commit(address, make_candles(7), fingerprint="y").generation == 1
    assert lake.read(address).equals(make_candles(7))
