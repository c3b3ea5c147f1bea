import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from trading_pipeline.adapters.storage.model_artifacts import ChampionHistory, ModelStore
from trading_pipeline.core.errors import (
    ConfigError,
    LakeCorruptionError,
    ModelError,
    ModelNotFoundError,
)
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.features.labels import TripleBarrier
from trading_pipeline.models.training import TrainedModel, forecast, train
from trading_pipeline.models.xgboost_model import XGBoostForecaster, XGBoostParameters
from trading_pipeline_tests.builders import DEFAULT_START, make_learnable

KEY = ("folds", "BTC-USDT", "2024-01")
FEATURES, LABELS = make_learnable(400)
NOW = datetime(2024, 5, 1, tzinfo=UTC)


def model(seed: int = 1) -> TrainedModel:
    return train(
        FEATURES,
        LABELS,
        forecaster=XGBoostForecaster(XGBoostParameters(n_trees=3, max_depth=2), seed=seed),
        symbol="BTC-USDT",
        timeframe=Timeframe("1h"),
        label_settings=TripleBarrier(),
        until=DEFAULT_START + timedelta(hours=350),
        min_rows=50,
        fingerprint=f"inputs {seed}",
    )


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def history(tmp_path: Path) -> ChampionHistory:
    return ChampionHistory(tmp_path / "champions")


def files_of(store: ModelStore) -> set[str]:
    return {path.name for path in store.root.joinpath(*KEY).iterdir()}


def test_what_was_saved_is_loaded(store):
    saved = model()
    store.save(KEY, saved)
    loaded = ModelStore(store.root).load(KEY)
    assert loaded.card == saved.card == store.card(KEY)
    assert forecast(loaded, FEATURES).equals(forecast(saved, FEATURES))
    assert store.fingerprint(KEY) == "inputs 1"


def test_files_are_the_model_its_card_and_the_manifest(store):
    stored = store.save(KEY, model())
    assert files_of(store) == {stored.artefact, stored.card, "manifest.json"}
    assert stored.artefact.startswith("2024-01-")
    assert stored.artefact.endswith(".ubj")
    assert stored.artefact_bytes == (store.root.joinpath(*KEY) / stored.artefact).stat().st_size


def test_the_newest_version_is_loaded_and_older_ones_stay_by_name(store):
    first, second = model(1), model(2)
    store.save(KEY, first)
    store.save(KEY, second)
    assert store.load(KEY).card == second.card
    assert store.load(KEY, first.card.version).card == first.card
    assert [v.version for v in store.versions(KEY)] == [first.card.version, second.card.version]
    assert store.fingerprint(KEY) == "inputs 2"


def test_saving_the_newest_version_again_changes_no_byte(store):
    store.save(KEY, model())
    before = {path: path.stat().st_mtime_ns for path in store.root.joinpath(*KEY).iterdir()}
    store.save(KEY, model())
    assert {path: path.stat().st_mtime_ns for path in store.root.joinpath(*KEY).iterdir()} == before


def test_scores_on_the_card_replace_the_version_that_had_none(store):
    store.save(KEY, model())
    store.save(KEY, model().with_scores({"accuracy": 0.41}))
    assert store.card(KEY).scores["accuracy"] == 0.41
    assert len(store.versions(KEY)) == 1


def test_a_number_of_versions_to_keep_bounds_the_folder(store):
    for seed in range(1, 6):
        store.save(KEY, model(seed), keep=1)
        assert len(store.versions(KEY)) == 1
        # One generation stays for readers that looked it up just before.
        assert len(files_of(store)) <= 5
    assert store.load(KEY).card.fingerprint == "inputs 5"
    with pytest.raises(ModelNotFoundError, match="no version"):
        store.load(KEY, model(1).card.version)
    with pytest.raises(ConfigError, match="keep must be at least 1"):
        store.save(KEY, model(), keep=0)


def test_what_a_save_displaces_stays_for_one_generation_of_readers(store):
    first, second, third = (store.save(KEY, model(seed), keep=1) for seed in (1, 2, 3))
    assert first.artefact not in files_of(store)
    assert files_of(store) == {
        "manifest.json", second.artefact, second.card, third.artefact, third.card,
    }  # fmt: skip


def test_nothing_saved_is_said_plainly(store):
    assert store.fingerprint(KEY) is None
    assert store.versions(KEY) == ()
    with pytest.raises(ModelNotFoundError, match="no model of folds/BTC-USDT/2024-01; train it"):
        store.load(KEY)
    assert not store.root.exists()


@pytest.mark.parametrize("suffix", [".ubj", ".card.json"])
def test_a_flipped_bit_is_noticed(store, suffix):
    store.save(KEY, model())
    path = next(store.root.joinpath(*KEY).glob(f"*{suffix}"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(LakeCorruptionError, match="SHA-256 differs"):
        store.load(KEY)


@pytest.mark.parametrize("suffix", [".ubj", ".card.json"])
def test_a_missing_file_is_noticed(store, suffix):
    store.save(KEY, model())
    next(store.root.joinpath(*KEY).glob(f"*{suffix}")).unlink()
    with pytest.raises(LakeCorruptionError, match="it is missing"):
        store.load(KEY)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"versions": [{"version": "x"}]}'])
def test_a_damaged_manifest_is_noticed(store, text):
    store.save(KEY, model())
    (store.root.joinpath(*KEY) / "manifest.json").write_text(text)
    with pytest.raises(LakeCorruptionError, match=r"manifest\.json is damaged"):
        store.load(KEY)


def test_files_that_a_kill_left_before_the_commit_do_not_exist_and_are_swept(store):
    stored = store.save(KEY, model(1))
    folder = store.root.joinpath(*KEY)
    manifest = (folder / "manifest.json").read_bytes()
    late = store.save(KEY, model(2))
    # As if the process had died just before it swapped the manifest.
    (folder / "manifest.json").write_bytes(manifest)
    (folder / ".2024-01-0.ubj.1234abcd.partial").write_bytes(b"half")
    assert store.load(KEY).card.fingerprint == "inputs 1"
    store.save(KEY, model(3))
    assert late.artefact not in files_of(store)
    assert stored.artefact in files_of(store)
    assert not [name for name in files_of(store) if name.endswith(".partial")]


def test_keys_below_one_another_do_not_disturb_each_other(store):
    store.save(KEY[:2], model(1))
    store.save(KEY, model(2))
    store.save(KEY[:2], model(3))
    assert store.load(KEY).card.fingerprint == "inputs 2"
    assert store.load(KEY[:2]).card.fingerprint == "inputs 3"


def test_a_model_that_was_fitted_again_after_training_is_refused(store):
    trained = model()
    trained.forecaster.fit(np.zeros((4, 2)), np.array([-1, 1, -1, 1]))
    with pytest.raises(LakeCorruptionError, match="not those of its card"):
        store.save(KEY, trained)
    assert not store.root.exists()


@pytest.mark.parametrize(
    "key", [(), ("..",), ("a", ""), ("a/b",), (".hidden",), ("a..b",), ("a b",), ("x" * 101,)]
)
def test_keys_that_are_no_path_are_refused(store, key):
    with pytest.raises(ConfigError, match="a model key needs parts"):
        store.fingerprint(key)


def test_writers_at_the_same_time_lose_nothing(store):
    models = [model(seed) for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda trained: store.save(KEY, trained), models))
    assert {v.version for v in store.versions(KEY)} == {m.card.version for m in models}
    for trained in models:
        assert store.load(KEY, trained.card.version).card == trained.card


def promote(history: ChampionHistory, version: str, day: int, symbol: str = "BTC-USDT"):
    return history.promote(
        symbol,
        model_key=("xgboost", symbol),
        version=version,
        effective_from=NOW + timedelta(days=day),
        reason="passed the gate",
        recorded_at=NOW,
    )


def test_promotions_are_kept_and_found_by_their_time(history):
    assert history.effective_at("BTC-USDT", NOW) is None
    first, second = promote(history, "a", 0), promote(history, "b", 2)
    reopened = ChampionHistory(history.root)
    assert reopened.entries("BTC-USDT") == (first, second)
    assert reopened.effective_at("BTC-USDT", NOW + timedelta(days=1)) == first
    assert reopened.effective_at("BTC-USDT", NOW + timedelta(days=2)) == second
    assert reopened.effective_at("BTC-USDT", NOW - timedelta(seconds=1)) is None
    assert reopened.entries("ETH-USDT") == ()


def test_a_repeated_promotion_writes_nothing(history):
    first = promote(history, "a", 0)
    before = (history.root / "BTC-USDT.json").stat().st_mtime_ns
    assert promote(history, "a", 3) == first
    assert (history.root / "BTC-USDT.json").stat().st_mtime_ns == before


def test_a_rollback_is_recorded_with_its_reason(history):
    promote(history, "a", 0)
    promote(history, "b", 1)
    entry = history.rollback(
        "BTC-USDT", effective_from=NOW + timedelta(days=2), reason="drift", recorded_at=NOW
    )
    assert (entry.model_version, entry.reason, entry.change.value) == ("a", "drift", "rollback")
    assert history.effective_at("BTC-USDT", NOW + timedelta(days=3)) == entry
    assert len(history.entries("BTC-USDT")) == 3


def test_a_refused_change_writes_nothing(history):
    promote(history, "a", 5)
    with pytest.raises(ModelError, match="at or after the newest entry"):
        promote(history, "b", 1)
    with pytest.raises(ModelNotFoundError):
        history.rollback("BTC-USDT", effective_from=NOW, reason="x", recorded_at=NOW)
    assert len(history.entries("BTC-USDT")) == 1


def test_promotions_at_the_same_time_are_all_kept(history):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: promote(history, f"v{number}", 0), range(24)))
    assert {e.model_version for e in history.entries("BTC-USDT")} == {f"v{n}" for n in range(24)}


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"a"', '"b"'),
        lambda _: "[]",
        lambda _: "{}",
        lambda _: json.dumps({"sha256": "", "entries": []}),
    ],
)
def test_a_damaged_history_is_noticed(history, damage):
    promote(history, "a", 0)
    path = history.root / "BTC-USDT.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(LakeCorruptionError, match=r"BTC-USDT\.json is damaged"):
        history.effective_at("BTC-USDT", NOW)


def test_symbols_that_are_no_file_name_are_refused(history):
    for symbol in ("../BTC", "BTC/USDT", ""):
        with pytest.raises(ConfigError, match="BTC-USDT"):
            history.entries(symbol)
