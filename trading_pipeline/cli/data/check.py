"""``trading data check``: what the candles are worth, and what to do where they are not sound."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trading_pipeline import wiring
from trading_pipeline.cli.console import command_name, emit, json_option, stderr
from trading_pipeline.cli.context import CliContext
from trading_pipeline.cli.options import MONTH, SYMBOL
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import ConfigError, DataError, StorageError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month

if TYPE_CHECKING:
    from trading_pipeline.reporting.coverage import Coverage, CoverageCell

_MOST_MONTHS, _MOST_ROWS_OF_MONTHS, _MOST_GAPS, _MOST_EXPLAINED, _MOST_ROWS = 24, 40, 25, 8, 10
_COUNTS = ("expect.", "present", "missing", "expl.", "unexpl.", "rep.", "rev.", "quar.", "drop.")
_STYLES = {
    "complete": "black on #b7d0ec",
    "complete after repair": "white on #1f5fa8",
    "explained gaps": "black on #f6d58b",
    "unexplained gaps": "bold white on #c2480c",
    "breaks the contract": "bold white on black",
    "not fetched": "dim",
    "not listed": "dim",
}


@click.command("check")
@click.option("--symbol", "symbols", type=SYMBOL, multiple=True, help="Only this symbol.")
@click.option("--from", "first", type=MONTH, help="First month; default the first that is stored.")
@click.option("--to", "last", type=MONTH, help="Last month; default the last that is stored.")
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the heat map and a quality page of each symbol into this folder, as PNG.",
)
@json_option
@click.pass_context
def check(
    ctx: click.Context,
    symbols: tuple[Symbol, ...],
    first: Month | None,
    last: Month | None,
    pictures: Path | None,
    as_json: bool,
) -> None:
    """Check stored candles: counts, gaps with their evidence, quarantine, revisions.

    Exits with 1 if a gap has no explanation or a stored row breaks the candle contract.
    """
    context: CliContext = ctx.obj
    settings = context.settings
    chosen = chosen_symbols(settings, symbols)
    begin, end = _range(settings, chosen, first, last)
    venue = wiring.VenueAccess(settings)
    try:
        now = venue.clock().now()
    finally:
        venue.close()
    found = wiring.coverage(settings, chosen, begin, end, reads_rows=True)
    payload = _payload(settings, found, chosen, begin, end)
    payload["delisted"] = [w for s in chosen if (w := wiring.delisted_words(settings, s, now))]
    if pictures is not None:
        payload["pictures"] = _write_pictures(settings, found, pictures)
    emit(payload, lambda console: _show(console, found, payload), as_json=as_json)
    if not found.is_sound:
        if as_json:
            for line in payload["to_do"]:
                stderr().print(line, style="yellow", highlight=False)
        ctx.exit(1)


def chosen_symbols(settings: Settings, asked: Sequence[Symbol]) -> tuple[Symbol, ...]:
    """Return the symbols that were asked for; all enabled ones if none was.

    Raises
    ------
    ConfigError
        If one is not enabled in the profile.
    """
    known = settings.market.enabled_symbols
    for symbol in asked:
        if symbol not in known:
            names = [name.key for name in known]
            raise ConfigError.unknown_name("symbol in market.symbols", symbol.key, names)
    return tuple(asked) or known


def _range(
    settings: Settings, symbols: Sequence[Symbol], first: Month | None, last: Month | None
) -> tuple[Month, Month]:
    stored = wiring.stored_months(settings, symbols)
    if not stored:
        raise DataError(
            f"no {settings.market.base_timeframe} candles of "
            f"{', '.join(symbol.pair for symbol in symbols)} are stored; fetch them first: "
            f"{command_name()} data history"
        )
    begin, end = first or stored[0], last or stored[-1]
    if end < begin:
        raise ConfigError(f"--from must not lie after --to, was {begin} to {end}")
    return begin, end


def _payload(
    settings: Settings,
    found: "Coverage",
    symbols: Sequence[Symbol],
    first: Month,
    last: Month,
) -> dict[str, Any]:
    def beside(table: str) -> list[dict[str, Any]]:
        return list(wiring.rows_beside_candles(settings, table, symbols, first, last))

    cells = found.all_cells()
    return {
        "profile": settings.profile,
        "venue": settings.market.venue,
        "timeframe": settings.market.base_timeframe,
        "sound": found.is_sound,
        "months": [_month_row(cell) for cell in cells],
        "gaps": [
            {"symbol": cell.symbol, "month": cell.month.key, **asdict(gap)}
            for cell in cells
            for gap in cell.gaps
        ],
        "quarantine": beside("quarantined_candles"),
        "revisions": beside("candle_revisions"),
        "to_do": _to_do(cells),
    }


def _month_row(cell: "CoverageCell") -> dict[str, Any]:
    return {
        "symbol": cell.symbol,
        "month": cell.month.key,
        "state": cell.state.value,
        "expected": cell.expected,
        "present": cell.present,
        "missing": cell.missing,
        "explained": cell.explained,
        "unexplained": cell.unexplained,
        "repaired": cell.repaired,
        "revised": cell.revised,
        "quarantined": cell.quarantined,
        "dropped": cell.dropped,
        "broken": list(cell.broken),
    }


def _to_do(cells: "Sequence[CoverageCell]") -> list[str]:
    """Return what to do about each symbol that is not sound."""
    lines = []
    for symbol, months in groupby(cells, key=lambda cell: cell.symbol):
        mine = list(months)
        gaps = [cell for cell in mine if cell.unexplained]
        broken = [cell for cell in mine if cell.broken]
        if broken:
            lines.append(
                f"{symbol}: {len(broken)} months break the candle contract, first "
                f"{broken[0].month}: {broken[0].broken[0]}. Nothing is made from them; fetch them "
                f"again: {_repair(symbol, broken)}"
            )
        if gaps:
            n_bars = sum(cell.unexplained for cell in gaps)
            lines.append(
                f"{symbol}: {n_bars:,} bars are missing without explanation in {len(gaps)} months. "
                "Features and labels that would reach over them are null. Ask the venue and the "
                f"second sources again: {_repair(symbol, gaps)}; name another witness in "
                "market.second_sources if nobody knows"
            )
    return lines


def _repair(symbol: str, cells: "Sequence[CoverageCell]") -> str:
    key = Symbol.parse(symbol).key
    return (
        f"{command_name()} data repair --symbol {key} --from {cells[0].month} "
        f"--to {cells[-1].month}"
    )


def _write_pictures(settings: Settings, found: "Coverage", folder: Path) -> list[str]:
    from trading_pipeline.adapters.reports.coverage_picture import coverage_picture, quality_page

    timeframe, venue = settings.market.base_timeframe, settings.market.venue
    title = f"Missing {timeframe} candles by month, {venue}"
    drawn = {"coverage.png": coverage_picture(found, title=title)}
    for symbol in found.symbols:
        name = f"quality-{Symbol.parse(symbol).key}.png"
        drawn[name] = quality_page(found, symbol, timeframe=timeframe, venue=venue)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in drawn.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written ({error.strerror}); choose another folder"
        ) from error
    return [str(folder / name) for name in drawn]


def _show(console: Console, found: "Coverage", payload: Mapping[str, Any]) -> None:
    console.print(_heat_map(found, f"{payload['venue']}, {payload['timeframe']}"))
    _show_months(console, found.all_cells())
    _show_gaps(console, payload["gaps"])
    _show_rows(console, "Quarantined rows", payload["quarantine"], _quarantine_line)
    _show_rows(console, "Repaired and revised candles", payload["revisions"], _revision_line)
    for words in payload["delisted"]:
        console.print(words, style="yellow", highlight=False)
    for path in payload.get("pictures", ()):
        console.print(f"picture: {path}", highlight=False, soft_wrap=True)
    if payload["sound"]:
        console.print("Sound: every missing bar is explained, every row keeps the contract.")
        return
    console.print("\nNot sound. What to do:", style="bold red")
    for line in payload["to_do"]:
        console.print(f"  {line}", highlight=False, markup=False)


def _heat_map(found: "Coverage", what: str) -> Table:
    table = Table(
        title=f"Missing candles by month, {what}",
        title_justify="left",
        box=None,
        padding=(0, 0),
        pad_edge=False,
    )
    table.add_column("symbol", no_wrap=True)
    table.add_column("year", no_wrap=True)
    for month in "JFMAMJJASOND":
        table.add_column(f"{month}", justify="center", width=4, no_wrap=True)
    for symbol in found.symbols:
        for year, cells in groupby(found.row(symbol), key=lambda cell: cell.month.year):
            by_month = {cell.month.number: cell for cell in cells}
            row = [_heat_cell(by_month.get(number)) for number in range(1, 13)]
            table.add_row(f"{symbol} ", f"{year} ", *row)
    return table


def _heat_cell(cell: "CoverageCell | None") -> str:
    if cell is None:
        return ""
    state = cell.state.value
    word = {"not fetched": "?", "not listed": "-", "complete": "0"}.get(state)
    if word is None:
        word = "bad" if cell.broken else _short(cell.missing)
    return f"[{_STYLES[state]}]{word:^4}[/]"


def _short(n: int) -> str:
    return str(n) if n < 1000 else f"{n // 1000}k"


def _show_months(console: Console, cells: "Sequence[CoverageCell]") -> None:
    made = [cell for cell in cells if cell.is_made]
    told = made if len(made) <= _MOST_MONTHS else [cell for cell in made if _is_odd(cell)]
    table = Table(box=SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column("symbol", no_wrap=True)
    table.add_column("month", no_wrap=True)
    for name in _COUNTS:
        table.add_column(name, justify="right", no_wrap=True)
    for cell in told[:_MOST_ROWS_OF_MONTHS]:
        table.add_row(cell.symbol, cell.month.key, *map(_count, _counts(cell)))
    table.add_section()
    for symbol, mine in groupby(made, key=lambda cell: cell.symbol):
        rows = [_counts(cell) for cell in mine]
        sums = [sum(column) for column in zip(*rows, strict=True)]
        table.add_row(symbol, f"{len(rows)} mon.", *map(_count, sums))
    console.print(table)
    hidden = len(made) - min(len(told), _MOST_ROWS_OF_MONTHS)
    if hidden:
        words = f"{hidden} months with nothing odd are left out; --json has all"
        console.print(words, style="dim", highlight=False)


def _counts(cell: "CoverageCell") -> tuple[int, ...]:
    return (
        cell.expected,
        cell.present,
        cell.missing,
        cell.explained,
        cell.unexplained,
        cell.repaired,
        cell.revised,
        cell.quarantined,
        cell.dropped,
    )


def _is_odd(cell: "CoverageCell") -> bool:
    """Tell whether there is more to a month than explained gaps, which the heat map counts."""
    return any(_counts(cell)[4:]) or bool(cell.broken)


def _count(n: int) -> str:
    return f"{n:,}" if n else "."


def _show_gaps(console: Console, gaps: Sequence[Mapping[str, Any]]) -> None:
    if not gaps:
        console.print("Gaps: none")
        return
    ranked = sorted(gaps, key=lambda gap: (gap["is_explained"], -gap["n_bars"]))
    n_open = sum(not gap["is_explained"] for gap in gaps)
    ranked = ranked[: min(max(n_open, _MOST_EXPLAINED), _MOST_GAPS)]
    shown = sorted(ranked, key=lambda gap: (gap["is_explained"], gap["symbol"], gap["start"]))
    more = f" ({len(shown)} of {len(gaps):,}; --json has all)" if len(gaps) > len(shown) else ""
    console.print(f"Gaps{more}:", highlight=False)
    for gap in shown:
        style = "default" if gap["is_explained"] else "#c2480c"
        console.print(
            f"  [{style}]{gap['symbol']} {gap['start']:%Y-%m-%d %H:%M} {gap['n_bars']:,} bars: "
            f"{gap['kind']}[/]",
            highlight=False,
        )
        console.print(f"    [dim]{escape(gap['evidence'])}[/]", highlight=False)


def _show_rows(
    console: Console,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    line: Any,  # noqa: ANN401
) -> None:
    if not rows:
        return
    more = f" (first {_MOST_ROWS} of {len(rows):,}; --json has all)" * (len(rows) > _MOST_ROWS)
    console.print(f"{title}{more}:", highlight=False)
    for row in rows[:_MOST_ROWS]:
        console.print(f"  {line(row)}", highlight=False, markup=False)


def _quarantine_line(row: Mapping[str, Any]) -> str:
    at = "no time" if row["open_time"] is None else f"{row['open_time']:%Y-%m-%d %H:%M}"
    return f"{row['symbol']} {at}: {row['reason']} ({row['detail']}), from {row['source']}"


def _revision_line(row: Mapping[str, Any]) -> str:
    old = "missing" if row["old_close"] is None else f"close {row['old_close']:g}"
    return (
        f"{row['symbol']} {row['open_time']:%Y-%m-%d %H:%M}: {old} -> close {row['close']:g}, "
        f"volume {row['volume']:g}, from {row['source']}, seen {row['seen_at']:%Y-%m-%d %H:%M}"
    )
