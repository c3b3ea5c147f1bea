"""``trading data import``: candle files as a profile of their own."""

from pathlib import Path

import click

from trading_pipeline.cli.console import command_name, stdout
from trading_pipeline.cli.context import CliContext
from trading_pipeline.cli.data.history import walk_candles
from trading_pipeline.cli.data.listing import holdings, show_candles
from trading_pipeline.cli.options import SYMBOL, TIMEFRAME
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--symbol", type=SYMBOL, help="Symbol of files whose names do not say it.")
@click.option("--timeframe", type=TIMEFRAME, help="Timeframe, where files have several.")
@click.pass_obj
def import_files(
    context: CliContext, paths: tuple[Path, ...], symbol: Symbol | None, timeframe: Timeframe | None
) -> None:
    """Import candle files or folders: freqtrade feather and JSON, Binance archive, CSV, Parquet."""
    from trading_pipeline.cli.candle_profile import show_files, write_files_profile

    settings, summary = write_files_profile(context.settings, paths, symbol, timeframe)
    show_files(stdout(), summary)
    walk_candles(settings, None, None, ())
    show_candles(stdout(), holdings(settings))
    stdout().print(f"Next: {command_name()} run, or make ui", highlight=False)
