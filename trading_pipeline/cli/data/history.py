"""``trading data history``: fetch and validate what is missing."""

from typing import Any

import click
from rich.console import Console

from trading_pipeline.cli.console import command_name, emit, json_option, stderr
from trading_pipeline.cli.context import CliContext
from trading_pipeline.cli.data.listing import holdings, show_candles
from trading_pipeline.cli.options import MONTH, SYMBOL, TIMEFRAME
from trading_pipeline.config import NO_PROFILE, Settings
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe


@click.command("history")
@click.option("--symbol", "symbols", type=SYMBOL, multiple=True, help="Only this symbol.")
@click.option("--timeframe", type=TIMEFRAME, help="Length of the candles; default the profile's.")
@click.option(
    "--from", "first", type=MONTH, help="First month, 2021-01; default the history's start."
)
@click.option("--to", "last", type=MONTH, help="Last month; default the running one.")
@json_option
@click.pass_obj
def history(
    context: CliContext,
    symbols: tuple[Symbol, ...],
    timeframe: Timeframe | None,
    first: Month | None,
    last: Month | None,
    as_json: bool,
) -> None:
    """Fetch and validate the history of symbols; only what is missing is fetched.

    What the active profile does not have (another timeframe, a new symbol, an earlier start) goes
    into the profile VENUE-TIMEFRAME, which is written or widened and made the active one.
    """
    from trading_pipeline.cli.history_profile import settings_for

    settings = settings_for(context.settings, symbols, timeframe, first)
    if settings is not context.settings:
        _say_profile(context.settings, settings)
    walk_candles(settings, first, last, symbols)
    rows: list[dict[str, Any]] = holdings(settings)
    payload = {"profile": settings.profile or NO_PROFILE, "candles": rows}
    emit(payload, lambda console: show_candles(console, rows), as_json=as_json)


def walk_candles(
    settings: Settings, first: Month | None, last: Month | None, symbols: tuple[Symbol, ...]
) -> None:
    """Fetch and validate months of the profile's symbols (default: all), with progress."""
    from trading_pipeline.cli.session import open_session
    from trading_pipeline.defs.walk import CANDLE_STAGES, stage

    with open_session(settings) as session:
        session.walk(
            [stage(name) for name in CANDLE_STAGES],
            first=first,
            last=last,
            symbols=symbols or None,
        )


def _say_profile(before: Settings, now: Settings) -> None:
    market, console = now.market, stderr()
    names = ", ".join(symbol.pair for symbol in market.enabled_symbols)
    _print(
        console,
        f"Profile {now.profile}: {names}, {market.base_timeframe} from {market.history_start}. "
        "It is the active one now",
    )
    back = before.profile or NO_PROFILE
    if back != now.profile:
        _print(console, f"  (back to the one before: {command_name()} profile use {back})")


def _print(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False)
