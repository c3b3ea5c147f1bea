"""``trading run``: stages of the pipeline over a range of months."""

import click

from trading_pipeline.cli.console import stdout
from trading_pipeline.cli.context import CliContext
from trading_pipeline.cli.options import MONTH, SYMBOL
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month


@click.command()
@click.argument("stages", nargs=-1)
@click.option("--symbol", "symbols", type=SYMBOL, multiple=True, help="Only this symbol.")
@click.option("--from", "first", type=MONTH, help="First month; default the history's start.")
@click.option("--to", "last", type=MONTH, help="Last month; default the running one.")
@click.option("--list", "list_only", is_flag=True, help="List the stages in order.")
@click.pass_obj
def run(
    context: CliContext,
    stages: tuple[str, ...],
    symbols: tuple[Symbol, ...],
    first: Month | None,
    last: Month | None,
    list_only: bool,
) -> None:
    """Run STAGES of the pipeline (all by default); what is unchanged is not made again."""
    from trading_pipeline.cli.session import open_session
    from trading_pipeline.defs.walk import STAGES, stage

    if list_only:
        for item in STAGES:
            stdout().print(f"{item.name:14} {item.title}: {', '.join(item.assets)}")
        return
    chosen = tuple(stage(name) for name in stages) or STAGES
    _refuse_unknown(context, symbols)
    with open_session(context.settings) as session:
        seconds = session.walk(
            [item for item in STAGES if item in chosen],
            first=first,
            last=last,
            symbols=symbols or None,
        )
    stdout().print(f"Done in {seconds:.1f} s; `trading ui` shows every partition.")


def _refuse_unknown(context: CliContext, symbols: tuple[Symbol, ...]) -> None:
    known = [symbol.key for symbol in context.settings.market.enabled_symbols]
    for symbol in symbols:
        if symbol.key not in known:
            raise ConfigError.unknown_name("symbol of this profile", symbol.key, known)
