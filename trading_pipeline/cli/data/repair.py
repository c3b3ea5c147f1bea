"""``trading data repair``: whole months once more, and everybody asked about their gaps."""

from typing import Any

import click
from rich.console import Console

from trading_pipeline import wiring
from trading_pipeline.cli.console import command_name, emit, json_option
from trading_pipeline.cli.context import CliContext
from trading_pipeline.cli.data.check import chosen_symbols
from trading_pipeline.cli.options import MONTH, SYMBOL
from trading_pipeline.config import Settings
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month

_COUNTS = ("missing", "explained", "unexplained", "repaired", "revised", "quarantined")


@click.command("repair")
@click.option("--symbol", "symbols", type=SYMBOL, multiple=True, help="Only this symbol.")
@click.option("--from", "first", type=MONTH, required=True, help="First month.")
@click.option("--to", "last", type=MONTH, help="Last month; default the first.")
@json_option
@click.pass_obj
def repair(
    context: CliContext,
    symbols: tuple[Symbol, ...],
    first: Month,
    last: Month | None,
    as_json: bool,
) -> None:
    """Fetch whole months again, and ask about their gaps: the venue, then second sources.

    A hole is filled by another record of the same venue only. What the venue changed since is kept
    as a revision, with both values.
    """
    from trading_pipeline.cli.session import open_session
    from trading_pipeline.defs.walk import CANDLE_STAGES, fetch_again, stage

    settings, end = context.settings, last or first
    chosen = chosen_symbols(settings, symbols)
    before = _totals(settings, chosen, first, end)
    with open_session(settings) as session:
        session.walk(
            [stage(name) for name in CANDLE_STAGES],
            first=first,
            last=end,
            symbols=chosen,
            run_config=fetch_again(),
        )
    after = _totals(settings, chosen, first, end)
    payload = {
        "symbols": [symbol.pair for symbol in chosen],
        "from": first.key,
        "to": end.key,
        "before": before,
        "after": after,
    }
    emit(payload, lambda console: _show(console, payload), as_json=as_json)


def _totals(
    settings: Settings, symbols: tuple[Symbol, ...], first: Month, last: Month
) -> dict[str, int]:
    cells = wiring.coverage(settings, symbols, first, last).all_cells()
    return {name: sum(getattr(cell, name) for cell in cells) for name in _COUNTS}


def _show(console: Console, payload: dict[str, Any]) -> None:
    whose = ", ".join(payload["symbols"])
    console.print(f"Asked again: {whose}, {payload['from']} to {payload['to']}", highlight=False)
    for name in _COUNTS:
        was, now = payload["before"][name], payload["after"][name]
        change = "" if was == now else f"  (was {was:,})"
        console.print(f"  {name:12} {now:>10,}{change}", highlight=False)
    console.print(f"Evidence of every gap: {command_name()} data check", highlight=False)
