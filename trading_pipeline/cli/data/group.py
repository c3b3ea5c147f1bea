"""The group ``trading data``."""

import click

from trading_pipeline.cli.lazy_group import LazyGroup

_COMMANDS = {
    "import": ("trading_pipeline.cli.data.import_files", "import_files"),
    "history": ("trading_pipeline.cli.data.history", "history"),
    "collect": ("trading_pipeline.cli.data.collect", "collect"),
    "watch": ("trading_pipeline.cli.data.watch", "watch"),
    "check": ("trading_pipeline.cli.data.check", "check"),
    "repair": ("trading_pipeline.cli.data.repair", "repair"),
    "list": ("trading_pipeline.cli.data.listing", "list_data"),
    "sql": ("trading_pipeline.cli.data.sql", "sql"),
    "prune": ("trading_pipeline.cli.data.prune", "prune"),
}


@click.group(cls=LazyGroup, commands_in=_COMMANDS)
def data() -> None:
    """Bring candles in, judge them, query them, and list what the lake holds."""
