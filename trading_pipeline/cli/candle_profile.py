"""Profiles of the demo and of a trader's own candle files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from rich.console import Console

from trading_pipeline.config import Settings, load_settings, profile_path, write_profile
from trading_pipeline.core.errors import CandleFileError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe

DEMO_PROFILE = "demo"
FILES_PROFILE = "candles"


@dataclass(frozen=True, slots=True)
class FilesSummary:
    """What the given files hold, in sentences."""

    lines: tuple[str, ...]


def write_demo_profile(settings: Settings) -> Settings:
    """Write the profile of the simulated exchange and return its settings."""
    from trading_pipeline.adapters.exchanges.simulated.profile import (
        DEMO_NOW,
        DEMO_START,
        DEMO_SYMBOLS,
    )

    market = {
        "venue": "simulated",
        "symbols": {symbol.key: {} for symbol in DEMO_SYMBOLS},
        "base_timeframe": "1h",
        "history_start": Month.of(DEMO_START).key,
        "history_end": Month.of(DEMO_NOW).key,
        "now": DEMO_NOW.isoformat(),
    }
    comment = "The simulated exchange; written by `trading demo`."
    write_profile(settings.home, DEMO_PROFILE, {"market": market}, comment)
    return load_settings(settings.home, DEMO_PROFILE)


def write_files_profile(
    settings: Settings,
    paths: Sequence[Path],
    symbol: Symbol | None,
    timeframe: Timeframe | None,
) -> tuple[Settings, FilesSummary]:
    """Write the profile of candle files and return its settings, and what was found.

    All symbols end together, at the earliest end, so that the newest candle is the same for all;
    what that leaves out is said.

    Raises
    ------
    CandleFileError
        If nothing usable is found, the files have several timeframes, or no common period.
    """
    from trading_pipeline.adapters.exchanges.files import FileCandleSource, survey_candle_files

    survey = survey_candle_files(paths, symbol=symbol, timeframe=timeframe)
    chosen = _one_timeframe({file.timeframe for file in survey.files})
    holdings = FileCandleSource(survey.files, venue=settings.market.venue).holdings()
    lines = [f"{file.path}: {note}" for file in survey.files for note in file.notes]
    lines += [f"skipped {skip.path}: {skip.reason}" for skip in survey.skipped]
    firsts: list[datetime] = []
    lasts: list[datetime] = []
    for held in holdings:
        if held.first is None or held.last is None:
            raise CandleFileError(
                f"the files of {held.symbol} hold no usable candle: every row was dropped "
                f"({dict(held.dropped)}); name other files"
            )
        firsts.append(held.first)
        lasts.append(held.last + chosen.duration)
        n_dropped = sum(held.dropped.values())
        detail = ", ".join(f"{n:,} {reason}" for reason, n in held.dropped.items())
        lines.append(
            f"{held.symbol} {chosen}: {held.n_candles:,} candles, {held.first:%Y-%m-%d %H:%M} to "
            f"{held.last:%Y-%m-%d %H:%M} UTC, {n_dropped:,} rows dropped"
            + (f" ({detail})" if detail else "")
        )
    end = min(lasts)
    if end <= max(firsts):
        raise CandleFileError(
            f"the symbols have no common period: the first ends {end:%Y-%m-%d %H:%M}, another "
            f"starts {max(firsts):%Y-%m-%d %H:%M}; choose one with --symbol"
        )
    lines += [
        f"{held.symbol}: candles from {end:%Y-%m-%d %H:%M} UTC on are left out, so that all "
        "symbols end together"
        for held in holdings
        if held.last is not None and held.last + chosen.duration > end
    ]
    market: dict[str, Any] = {
        "symbols": {held.symbol.key: {} for held in holdings},
        "base_timeframe": chosen.name,
        "history_start": Month.of(min(firsts)).key,
        "history_end": Month.of(end - chosen.duration).key,
        "now": end.isoformat(),
        "candle_files": [str(file.path.resolve()) for file in survey.files],
        "candle_symbol": symbol.key if symbol else None,
    }
    comment = "Candle files; written by `trading demo` or `trading data import`."
    name = _profile_for(settings, market["candle_files"])
    write_profile(settings.home, name, {"market": market}, comment)
    return load_settings(settings.home, name), FilesSummary(tuple(lines))


def _profile_for(settings: Settings, files: list[str]) -> str:
    # Other files are another market: they must not meet its lake, its champion or its account.
    names = (f"{FILES_PROFILE}-{number}" if number > 1 else FILES_PROFILE for number in count(1))
    for name in names:
        path = profile_path(settings.storage_base, name)
        if not path.is_file():
            return name
        known = load_settings(settings.home, name).market.candle_files
        if sorted(known) == sorted(files):
            return name
    raise AssertionError("unreachable")


def show_files(console: Console, summary: FilesSummary) -> None:
    """Print what the files hold."""
    for line in summary.lines:
        console.print(f"  {line}", highlight=False, markup=False)


def _one_timeframe(found: set[Timeframe]) -> Timeframe:
    if len(found) != 1:
        names = ", ".join(sorted(item.name for item in found))
        raise CandleFileError(
            f"the files have several timeframes ({names}); choose one with --timeframe "
            "(make demo TIMEFRAME=...)"
        )
    return next(iter(found))
