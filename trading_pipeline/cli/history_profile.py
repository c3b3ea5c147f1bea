"""The profile that a longer, wider or finer history needs, written or widened."""

from collections.abc import Sequence
from typing import Any

from trading_pipeline.config import (
    NO_PROFILE,
    Settings,
    known_profiles,
    load_settings,
    write_profile,
)
from trading_pipeline.config_sections import SymbolSettings
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe

_COMMENT = "Candles of a venue; written and widened by `trading data history`."
_OWN = {"venue", "symbols", "base_timeframe", "history_start", "context_timeframes"}


def settings_for(
    settings: Settings,
    symbols: Sequence[Symbol],
    timeframe: Timeframe | None,
    first: Month | None,
) -> Settings:
    """Return settings whose market holds what is asked for.

    The given ones if they do; otherwise those of the profile ``<venue>-<timeframe>``, which is
    written or widened (symbols united, the earlier start) and made the active one. Where only
    symbols or the start differ, the active market is part of it.

    Raises
    ------
    SymbolNotListedError
        If the venue does not list a symbol that is new and that the settings do not know as
        delisted; nothing is written.
    ConfigError
        If the active profile is one of candle files.
    """
    market = settings.market
    chosen = timeframe or market.timeframe
    asked = {symbol.key for symbol in symbols}
    known = {symbol.key for symbol in market.enabled_symbols}
    start = market.history_start if first is None else first.key
    if chosen == market.timeframe and asked <= known and start >= market.history_start:
        return settings
    if market.candle_files:
        raise ConfigError(
            f"the profile {settings.profile or NO_PROFILE} reads candle files, which hold "
            f"{', '.join(sorted(known))} {market.timeframe} from {market.history_start}; for more, "
            "name a venue's profile (trading profile list), or import more files"
        )
    entries = _known_entries(settings)
    new = [symbol for symbol in symbols if symbol.key not in known]
    # The venue has forgotten a delisted symbol, its archive has not.
    is_delisted = {key for key, entry in entries.items() if entry.delisted is not None}
    _refuse_unlisted(settings, [symbol for symbol in new if symbol.key not in is_delisted])
    name = f"{market.venue}-{chosen}"
    wanted = _entries(settings, asked or known)
    if chosen == market.timeframe:
        wanted = _entries(settings, known) | wanted
        start = min(start, market.history_start)
    values = _carried_over(settings)
    if name in known_profiles(settings.storage_base):
        before = load_settings(settings.home, name)
        wanted = _entries(before, {s.key for s in before.market.enabled_symbols}) | wanted
        start = min(start, before.market.history_start)
        values = _carried_over(before) | values
    own = {
        "venue": market.venue,
        "symbols": wanted,
        "base_timeframe": chosen.name,
        "history_start": start,
    }
    write_profile(settings.home, name, {"market": values | own}, _COMMENT)
    return load_settings(settings.home, name)


def _refuse_unlisted(settings: Settings, symbols: Sequence[Symbol]) -> None:
    # Before anything is written: a typing error must not become the active profile.
    from trading_pipeline import wiring

    venue = wiring.VenueAccess(settings)
    try:
        for symbol in symbols:
            venue.source().instrument(symbol)
    finally:
        venue.close()


def _entries(settings: Settings, keys: set[str]) -> dict[str, Any]:
    entries = _known_entries(settings)
    found: dict[str, Any] = {}
    for key in sorted(keys):
        entry = entries[key].model_dump(mode="json", exclude_unset=True) if key in entries else {}
        # What is asked for by name is wanted, though the settings have it switched off.
        found[key] = entry | {"enabled": True} if entry.get("enabled") is False else entry
    return found


def _known_entries(settings: Settings) -> dict[str, SymbolSettings]:
    # A symbol that is new to the profile may have its settings in config.yaml.
    known = load_settings(settings.home, NO_PROFILE).market.symbols
    return {**known, **settings.market.symbols}


def _carried_over(settings: Settings) -> dict[str, Any]:
    """Return what the profile of ``settings`` says of its market beyond config.yaml."""
    plain = load_settings(settings.home, NO_PROFILE).market.model_dump(mode="json")
    ours = settings.market.model_dump(mode="json")
    return {key: value for key, value in ours.items() if key not in _OWN and value != plain[key]}
