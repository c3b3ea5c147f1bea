"""The group ``trading indicators``."""

import click

from trading_pipeline.cli.lazy_group import LazyGroup

_COMMANDS = {
    "list": ("trading_pipeline.cli.indicators.listing", "list_indicators"),
    "run": ("trading_pipeline.cli.indicators.run", "run"),
    "check": ("trading_pipeline.cli.indicators.check", "check"),
}


@click.group(cls=LazyGroup, commands_in=_COMMANDS)
def indicators() -> None:
    """List the indicators, and compute them on the candles of the lake."""
