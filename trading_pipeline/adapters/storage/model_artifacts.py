"""Model artefacts and champions on disk.

::

    <root>/<part>/.../<part>-<sha>.ubj        the model's bytes, immutable
                      <part>-<sha>.card.json  its card, immutable
                      manifest.json           versions, newest last: the commit point

A version that no manifest names does not exist; every file is checked against its SHA-256 when it
is read. Nothing here is code: no pickle.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from trading_pipeline.adapters.storage.durable_files import sha256_of, write_durably
from trading_pipeline.core.errors import ConfigError, LakeCorruptionError, ModelNotFoundError
from trading_pipeline.models.card import ModelCard
from trading_pipeline.models.champion import (
    ChampionChange,
    ChampionEntry,
    effective_entry,
    with_promotion,
    with_rollback,
)
from trading_pipeline.models.training import TrainedModel

ModelKey: TypeAlias = tuple[str, ...]
"""Path-safe parts, such as ``("folds", "BTC-USDT", "2024-01")``."""

_MANIFEST = "manifest.json"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class StoredModel:
    """One version of a model, as the manifest names it."""

    version: str
    fingerprint: str
    artefact: str
    artefact_sha256: str
    artefact_bytes: int
    card: str
    card_sha256: str


class ModelStore:
    """Versions of models under one folder.

    Parameters
    ----------
    root : Path
        Folder of the store; made on the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def save(self, key: ModelKey, model: TrainedModel, *, keep: int | None = None) -> StoredModel:
        """Commit a model as the newest version of ``key``.

        Saving the newest version again changes nothing. ``keep`` is the number of newest versions
        that stay, None keeps them all: champions that a rollback may need are never deleted.

        Raises
        ------
        ConfigError
            If ``key`` is not path-safe or ``keep`` is below 1.
        LakeCorruptionError
            If the model's bytes are not those of its card.
        """
        if keep is not None and keep < 1:
            raise ConfigError(f"keep must be at least 1 version, was {keep}")
        folder = self._folder(key)
        content = model.forecaster.to_bytes()
        card = model.card.to_json().encode()
        if sha256_of(content) != model.card.artefact_sha256:
            raise LakeCorruptionError(
                f"the bytes of model {model.card.version} are not those of its card; was it fitted "
                "again after training? Train it again"
            )
        stem, digest = key[-1], sha256_of(content + card)[:16]
        stored = StoredModel(
            version=model.card.version,
            fingerprint=model.card.fingerprint,
            artefact=f"{stem}-{digest}{model.forecaster.suffix}",
            artefact_sha256=model.card.artefact_sha256,
            artefact_bytes=len(content),
            card=f"{stem}-{digest}.card.json",
            card_sha256=sha256_of(card),
        )
        with _locked(self.root, "/".join(key)):
            before = self.versions(key)
            if not before or before[-1] != stored:
                write_durably(folder / stored.artefact, content)
                write_durably(folder / stored.card, card)
            # A version whose card was rewritten (scores) replaces its older self.
            others = [entry for entry in before if entry.version != stored.version]
            after = (*others, stored)[-(keep or len(before) + 1) :]
            if after != before:
                entries = {"versions": [asdict(entry) for entry in after]}
                write_durably(folder / _MANIFEST, json.dumps(entries, indent=1).encode())
            # What just left the manifest stays for readers that looked it up before.
            _sweep(folder, stem, (*before, *after))
        return stored

    def versions(self, key: ModelKey) -> tuple[StoredModel, ...]:
        """Return the versions of ``key``, oldest first; none if nothing was saved."""
        entries = _read_json(self._folder(key) / _MANIFEST)
        if entries is None:
            return ()
        try:
            return tuple(StoredModel(**entry) for entry in entries["versions"])
        except (TypeError, KeyError) as error:
            raise _damaged(self._folder(key) / _MANIFEST, str(error)) from error

    def load(self, key: ModelKey, version: str | None = None) -> TrainedModel:
        """Return a version of a model, the newest by default.

        Raises
        ------
        ModelNotFoundError
            If there is none.
        LakeCorruptionError
            If a file is missing or its bytes are not those that were saved.
        """
        from trading_pipeline.models.kinds import restore_forecaster

        stored = self._find(key, version)
        card = self._card(key, stored)
        content = self._verified(key, stored.artefact, stored.artefact_sha256)
        return TrainedModel(restore_forecaster(card.kind, content), card)

    def card(self, key: ModelKey, version: str | None = None) -> ModelCard:
        """Return the card of a version, the newest by default; raises as :meth:`load`."""
        return self._card(key, self._find(key, version))

    def fingerprint(self, key: ModelKey) -> str | None:
        """Return the fingerprint of the newest version's inputs; None if nothing was saved."""
        versions = self.versions(key)
        return versions[-1].fingerprint if versions else None

    def _folder(self, key: ModelKey) -> Path:
        if not key or not all(_PART.fullmatch(part) and ".." not in part for part in key):
            raise ConfigError(
                f"a model key needs parts of letters, digits, '.', '_' and '-', was {key!r}"
            )
        return self.root.joinpath(*key)

    def _find(self, key: ModelKey, version: str | None) -> StoredModel:
        versions = self.versions(key)
        wanted = [v for v in versions if version is None or v.version == version]
        if not wanted:
            what = "no model" if version is None else f"no version {version}"
            raise ModelNotFoundError(
                f"there is {what} of {'/'.join(key)}; train it first. Known versions: "
                f"{[v.version for v in versions]}",
                key=list(key),
            )
        return wanted[-1]

    def _card(self, key: ModelKey, stored: StoredModel) -> ModelCard:
        return ModelCard.from_json(self._verified(key, stored.card, stored.card_sha256).decode())

    def _verified(self, key: ModelKey, name: str, sha256: str) -> bytes:
        path = self._folder(key) / name
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise _damaged(path, "it is missing") from error
        if sha256_of(content) != sha256:
            raise _damaged(path, "its SHA-256 differs from the manifest's")
        return content


class ChampionHistory:
    """Which model of each symbol decides from when on; see ``models.champion``.

    Parameters
    ----------
    root : Path
        Folder of the histories, one file per symbol; made on the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def entries(self, symbol: str) -> tuple[ChampionEntry, ...]:
        """Return the history of a symbol (its path-safe key), oldest first.

        Raises
        ------
        LakeCorruptionError
            If the file is damaged.
        """
        path = self._path(symbol)
        stored = _read_json(path)
        if stored is None:
            return ()
        try:
            if stored["sha256"] != _digest(stored["entries"]):
                raise _damaged(path, "its SHA-256 differs from the one it states")
            return tuple(_entry(values) for values in stored["entries"])
        except (TypeError, KeyError, ValueError) as error:
            raise _damaged(path, str(error)) from error

    def effective_at(self, symbol: str, instant: datetime) -> ChampionEntry | None:
        """Return the entry that decides at ``instant``; None before the first promotion."""
        return effective_entry(self.entries(symbol), instant)

    def promote(
        self,
        symbol: str,
        *,
        model_key: ModelKey,
        version: str,
        effective_from: datetime,
        reason: str,
        recorded_at: datetime,
    ) -> ChampionEntry:
        """Append a promotion and return the newest entry; the present champion stays as it is.

        Raises
        ------
        ModelError
            If it would take effect before the newest entry.
        """
        entry = ChampionEntry(model_key, version, effective_from, reason, recorded_at)
        with _locked(self.root, symbol):
            return self._write(symbol, with_promotion(self.entries(symbol), entry))

    def rollback(
        self, symbol: str, *, effective_from: datetime, reason: str, recorded_at: datetime
    ) -> ChampionEntry:
        """Append a rollback to the champion before the present one, and return it.

        Raises
        ------
        ModelNotFoundError
            If there is no champion before.
        ModelError
            If it would take effect before the newest entry.
        """
        with _locked(self.root, symbol):
            history = with_rollback(
                self.entries(symbol),
                effective_from=effective_from,
                reason=reason,
                recorded_at=recorded_at,
            )
            return self._write(symbol, history)

    def _write(self, symbol: str, history: tuple[ChampionEntry, ...]) -> ChampionEntry:
        if history != self.entries(symbol):
            entries = [_values(entry) for entry in history]
            content = {"sha256": _digest(entries), "entries": entries}
            write_durably(self._path(symbol), json.dumps(content, indent=1).encode())
        return history[-1]

    def _path(self, symbol: str) -> Path:
        if not _PART.fullmatch(symbol):
            raise ConfigError(f"a symbol key is written as BTC-USDT, was {symbol!r}")
        return self.root / f"{symbol}.json"


def _values(entry: ChampionEntry) -> dict[str, Any]:
    return {
        "model_key": list(entry.model_key),
        "model_version": entry.model_version,
        "effective_from": entry.effective_from.isoformat(),
        "reason": entry.reason,
        "recorded_at": entry.recorded_at.isoformat(),
        "change": entry.change.value,
    }


def _entry(values: dict[str, Any]) -> ChampionEntry:
    return ChampionEntry(
        tuple(values["model_key"]),
        values["model_version"],
        datetime.fromisoformat(values["effective_from"]),
        values["reason"],
        datetime.fromisoformat(values["recorded_at"]),
        ChampionChange(values["change"]),
    )


def _digest(entries: object) -> str:
    return sha256_of(json.dumps(entries, sort_keys=True).encode())


def _read_json(path: Path) -> Any:  # noqa: ANN401  whatever the file holds; callers check it
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, why: str) -> LakeCorruptionError:
    return LakeCorruptionError(
        f"{path} is damaged: {why}. Delete its folder and train again, or restore a copy",
        path=str(path),
    )


def _sweep(folder: Path, stem: str, entries: Iterable[StoredModel]) -> None:
    known = {name for entry in entries for name in (entry.artefact, entry.card)}
    for path in folder.iterdir():
        is_leftover = path.name.startswith(f"{stem}-") or path.suffix == ".partial"
        if is_leftover and path.is_file() and path.name not in known:
            path.unlink()


@contextmanager
def _locked(root: Path, name: str) -> Iterator[None]:
    from filelock import FileLock

    folder = root / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{sha256_of(name.encode())[:24]}.lock"):
        yield
