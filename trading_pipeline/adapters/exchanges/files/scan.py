"""Find the candle files among paths, and say what each one holds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from trading_pipeline.adapters.clock import SystemClock
from trading_pipeline.adapters.exchanges.files.candle_file import (
    CandleFile,
    OpenedFile,
    in_file,
    open_file,
)
from trading_pipeline.adapters.exchanges.files.names import symbol_of, timeframe_of
from trading_pipeline.core.clock import Clock
from trading_pipeline.core.errors import CandleFileError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe, known_timeframes

_SHARE_OF_NEIGHBOURS = 0.1


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file of a walked folder that holds no usable candles."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found under the given paths, in the order of the paths."""

    files: tuple[CandleFile, ...]
    skipped: tuple[SkippedFile, ...]


def scan_candle_files(
    paths: Sequence[Path],
    *,
    symbol: Symbol | None = None,
    timeframe: Timeframe | None = None,
    clock: Clock | None = None,
) -> tuple[CandleFile, ...]:
    """Return the candle files under ``paths``; see :func:`survey_candle_files`."""
    return survey_candle_files(paths, symbol=symbol, timeframe=timeframe, clock=clock).files


def survey_candle_files(
    paths: Sequence[Path],
    *,
    symbol: Symbol | None = None,
    timeframe: Timeframe | None = None,
    clock: Clock | None = None,
) -> Survey:
    """Recognise candle files by content and name.

    Symbol and timeframe come from the file's name, from its own symbol column, from the spacing
    of its rows, or from the options. A file that is named outright must be usable, and its symbol
    is ``symbol`` if that is given. A folder is walked: there the options select, and what is not
    usable is listed as skipped with the reason.

    Parameters
    ----------
    paths : sequence of Path
        Files and folders.
    symbol, timeframe : optional
        What the names do not say, or what to take from folders.
    clock : Clock, optional
        Open times later than one day after it are unreadable; left out, this machine's time.

    Raises
    ------
    CandleFileError
        If a named file is not usable, or nothing is.
    """
    now = (clock or SystemClock()).now()
    files: dict[Path, CandleFile] = {}
    skipped: list[SkippedFile] = []
    for path in paths:
        if not path.is_dir():
            files.setdefault(path.resolve(), _recognise(path, symbol, timeframe, now))
            continue
        for member in _walk(path):
            try:
                file = _recognise(member, symbol, timeframe, now, selects=True)
            except CandleFileError as error:
                skipped.append(SkippedFile(member, error.message.removeprefix(f"{member}: ")))
            else:
                files.setdefault(member.resolve(), file)
    if not files:
        raise _nothing(paths, skipped)
    _refuse_one_symbol_for_many(paths, symbol)
    return Survey(tuple(files.values()), tuple(skipped))


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not is_hidden:
            yield path


def _recognise(
    path: Path,
    symbol: Symbol | None,
    timeframe: Timeframe | None,
    now: datetime,
    *,
    selects: bool = False,
) -> CandleFile:
    opened = open_file(path, now)
    notes = list(opened.notes)
    try:
        said = None if symbol and not selects else _said_symbol(path, opened)
        if selects and symbol and said not in (None, symbol):
            raise CandleFileError(f"holds {said}, but {symbol} is asked for")
        found = symbol or said
        if found is None:
            raise CandleFileError(
                "neither its name nor a column says which symbol it holds; say the symbol, or "
                "name the file like BTC_USDT-1h.csv"
            )
        length = _settle_timeframe(path, opened, timeframe)
    except CandleFileError as error:
        raise in_file(path, error) from error
    named = symbol_of(path.name)
    if named not in (None, found):
        notes.append(f"taken as {found} as asked, though its name says {named}")
    return CandleFile(path, opened.layout, found, length, opened.sha256, tuple(notes))


def _said_symbol(path: Path, opened: OpenedFile) -> Symbol | None:
    cells = {cell: symbol_of(cell) for cell in opened.symbol_cells}
    if len(cells) > 1:
        raise CandleFileError(
            f"holds {len(cells)} symbols ({', '.join(list(cells)[:5])}); split it into one file "
            "per symbol"
        )
    in_cells = next(iter(cells.values()), None)
    in_name = symbol_of(path.name) or symbol_of(opened.members[0])
    if in_name and in_cells and in_name != in_cells:
        raise CandleFileError(
            f"its name says {in_name}, its symbol column {in_cells}; say the symbol"
        )
    return in_name or in_cells


def _settle_timeframe(path: Path, opened: OpenedFile, asked: Timeframe | None) -> Timeframe:
    spacings = opened.spacings()
    said = asked or timeframe_of(path.name) or timeframe_of(opened.members[0])
    if not len(spacings):
        if said is None:
            raise CandleFileError("one row does not show its timeframe; say the timeframe")
        return said
    median = int(spacings[len(spacings) // 2])
    if said is None:
        known = [Timeframe(name) for name in known_timeframes()]
        said = next((each for each in known if each.microseconds == median), None)
        if said is None:
            raise CandleFileError(
                f"its rows are {timedelta(microseconds=median)} apart, which is none of the "
                f"timeframes {', '.join(known_timeframes())}"
            )
    # In a thin market most bars may be missing, but some neighbours are one bar apart.
    share = (spacings == said.microseconds).sum() / len(spacings)
    if median != said.microseconds and share < _SHARE_OF_NEIGHBOURS:
        origin = "asked for" if asked else "in its name"
        raise CandleFileError(
            f"the timeframe {origin} is {said}, but its rows are mostly "
            f"{timedelta(microseconds=median)} apart; say the timeframe it really has"
        )
    return said


def _refuse_one_symbol_for_many(paths: Sequence[Path], symbol: Symbol | None) -> None:
    named = {symbol_of(path.name) for path in paths if path.is_file()} - {None}
    if symbol is not None and len(named) > 1:
        listed = ", ".join(sorted(str(each) for each in named))
        raise CandleFileError(
            f"{symbol} is asked for, but the named files hold {listed}; leave the symbol out or "
            "name the files of one symbol"
        )


def _nothing(paths: Sequence[Path], skipped: Sequence[SkippedFile]) -> CandleFileError:
    where = ", ".join(str(path) for path in paths) or "no path"
    lines = [f"\n  {each.path}: {each.reason}" for each in skipped[:5]]
    more = f"\n  and {len(skipped) - 5} more" if len(skipped) > 5 else ""
    return CandleFileError(
        f"no usable candle file in {where}; expected freqtrade feather or JSON, Binance archive "
        f"CSV, CSV with a header, or Parquet{''.join(lines)}{more}",
        skipped=[str(each.path) for each in skipped],
    )
