"""Where things are kept: the lake, models, the ledger, reports, and the account in it."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from trading_pipeline.adapters.storage.lake import Lake
from trading_pipeline.config import Settings
from trading_pipeline.core.fingerprint import fingerprint

if TYPE_CHECKING:
    from trading_pipeline.adapters.storage.kill_switch import KillSwitchFile
    from trading_pipeline.adapters.storage.ledger import Ledger
    from trading_pipeline.adapters.storage.model_artifacts import ChampionHistory, ModelStore
    from trading_pipeline.execution.live_signal import LiveSignal
    from trading_pipeline.execution.order import AccountId
    from trading_pipeline.execution.ports import AccountStore


def lake(settings: Settings) -> Lake:
    """Return the lake of the active profile."""
    root = settings.lake_root
    if not root.startswith("s3://"):
        return Lake(Path(root))
    from trading_pipeline.adapters.storage.s3_objects import S3Objects

    # Another place, another folder: copies are told apart by their names within one lake only.
    cache = settings.storage_root / "cache" / f"lake-{fingerprint(root)[:16]}"
    return Lake(S3Objects(root, cache, cache_bytes=settings.storage.lake_cache_mb * 1_000_000))


def models(settings: Settings) -> "ModelStore":
    """Return the store of model artefacts."""
    from trading_pipeline.adapters.storage.model_artifacts import ModelStore

    return ModelStore(settings.storage_root / "models")


def champions(settings: Settings) -> "ChampionHistory":
    """Return the champion history."""
    from trading_pipeline.adapters.storage.model_artifacts import ChampionHistory

    return ChampionHistory(settings.storage_root / "models" / "champions")


def ledger(settings: Settings) -> "Ledger":
    """Open the ledger, bringing its schema up to date."""
    from trading_pipeline.adapters.storage.ledger import open_ledger

    settings.storage_root.mkdir(parents=True, exist_ok=True)
    return open_ledger(settings.database_url)


def warehouse_path(settings: Settings) -> Path:
    """Return the file of the warehouse."""
    return settings.storage_root / "warehouse.duckdb"


def reports_folder(settings: Settings) -> Path:
    """Return the folder of the PDF reports."""
    return settings.storage_root / "reports"


def kill_switch(settings: Settings) -> "KillSwitchFile":
    """Return the kill switch that anybody with a shell can engage: a file."""
    from trading_pipeline.adapters.storage.kill_switch import KillSwitchFile

    return KillSwitchFile(settings.storage_root / "KILL_SWITCH")


def account(settings: Settings) -> "AccountId":
    """Return the account that live signals are for; each profile has one of its own."""
    from trading_pipeline.execution.order import AccountId

    # Profiles may share one PostgreSQL ledger; a simulated market must not trade a real account.
    names = [settings.execution.account, settings.profile]
    return AccountId(".".join(name for name in names if name), settings.execution.mode)


def open_account(settings: Settings, store: "AccountStore", at: datetime) -> "AccountId":
    """Open the account if it is new, and return it."""
    identity = account(settings)
    currency = settings.market.enabled_symbols[0].quote
    store.open_account(identity, currency, Decimal(str(settings.backtest.initial_balance)), at)
    return identity


def waiting_signals(settings: Settings, store: "Ledger") -> "tuple[LiveSignal, ...]":
    """Return the live signals that wait for execution; none before the account was opened."""
    identity = account(settings)
    if all(opened.account != identity for opened in store.accounts()):
        return ()
    return store.pending_signals(identity)
