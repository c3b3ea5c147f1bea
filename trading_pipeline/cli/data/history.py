"""``trading data history``: fetch and validate what is missing."""

import click

from trading_pipeline.cli.console import stdout
from trading_pipeline.cli.context import CliContext
from trading_pipeline.cli.data.listing import holdings, show_candles
from trading_pipeline.cli.options import MONTH, SYMBOL
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month

_CANDLE_STAGES = ("fetch", "validate")


@click.command("history")
@click.option("--symbol", "symbols", type=SYMBOL, multiple=True, help="Only this symbol.")
@click.option("--from", "first", type=MONTH, help="First month; default the history's start.")
@click.option("--to", "last", type=MONTH, help="Last month; default the running one.")
@click.pass_obj
def history(
    context: CliContext, symbols: tuple[Symbol, ...], first: Month | None, last: Month | None
) -> None:
    """Fetch and validate the history of the profile's symbols; only what is missing is fetched."""
    known = [symbol.key for symbol in context.settings.market.enabled_symbols]
    for symbol in symbols:
        if symbol.key not in known:
            raise ConfigError.unknown_name("symbol in market.symbols", symbol.key, known)
    walk_candles(context.settings, first, last, symbols)
    show_candles(stdout(), holdings(context.settings))


def walk_candles(
    settings: Settings, first: Month | None, last: Month | None, symbols: tuple[Symbol, ...]
) -> None:
    """Fetch and validate months of the profile's symbols (default: all), with progress."""
    from trading_pipeline.cli.session import open_session
    from trading_pipeline.defs.walk import stage

    with open_session(settings) as session:
        session.walk(
            [stage(name) for name in _CANDLE_STAGES],
            first=first,
            last=last,
            symbols=symbols or None,
        )
