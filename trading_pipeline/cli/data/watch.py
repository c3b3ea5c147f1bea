"""``trading data watch``: what a collector sends while candles form."""

import json
import time
from contextlib import closing

import click

from trading_pipeline import wiring
from trading_pipeline.cli.console import json_option, stdout
from trading_pipeline.cli.context import CliContext
from trading_pipeline.cli.options import SYMBOL
from trading_pipeline.core.broadcast import LIVE_CANDLES
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.market_data.candle_events import CandleEvent

_LOOK_S = 0.5


@click.command("watch")
@click.option("--symbol", "symbols", type=SYMBOL, multiple=True, help="Only this symbol.")
@click.option("--for", "seconds", type=click.FloatRange(min=0), help="End after so many seconds.")
@json_option
@click.pass_obj
def watch(
    context: CliContext, symbols: tuple[Symbol, ...], seconds: float | None, as_json: bool
) -> None:
    """Watch forming candles that `trading data collect` sends, one line for each, until Ctrl-C."""
    settings = context.settings
    began = time.monotonic()
    with (
        closing(wiring.broadcast(settings)) as broadcast,
        closing(broadcast.subscribe([LIVE_CANDLES])) as subscription,
    ):
        while seconds is None or time.monotonic() - began < seconds:
            update = subscription.next(_LOOK_S)
            if update is None:
                continue
            candle = CandleEvent.parse(update.payload)
            if symbols and candle.series.symbol not in symbols:
                continue
            if as_json:
                click.echo(json.dumps(dict(update.payload)))
                continue
            bar = candle.bar
            stdout().print(
                f"{candle.series.symbol} {candle.series.timeframe} "
                f"{bar.open_time:%Y-%m-%d %H:%M} UTC, open so far: {bar.open:g} {bar.high:g} "
                f"{bar.low:g} {bar.close:g}, volume {bar.volume:g}",
                highlight=False,
            )
