"""``trading indicators check``: whether indicators keep what the catalogue promises."""

import click
import numpy as np
from rich.console import Console

from trading_pipeline import wiring
from trading_pipeline.cli.console import emit, json_option
from trading_pipeline.cli.context import CliContext
from trading_pipeline.core.candles import CandleArrays

_N_BARS = 700
_HOUR = 3_600_000_000


@click.command()
@click.argument("names", nargs=-1)
@json_option
@click.pass_context
def check(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Check indicators of the catalogue, plugins included; without NAMES all of them.

    No look-ahead, the same bits bar by bar and in chunks, an exact warm-up, missing values.
    """
    from trading_pipeline.indicators.catalog import CATALOG, IndicatorRequest
    from trading_pipeline.indicators.checks import faults

    context: CliContext = ctx.obj
    # Imports the plugins.
    enabled = wiring.indicator_requests(context.settings)
    requests = [IndicatorRequest.of(name) for name in names or CATALOG]
    requests += [] if names else [request for request in enabled if request not in requests]
    candles = _candles()
    found = {request.name: faults(request, candles) for request in requests}
    wrong = {name: texts for name, texts in found.items() if texts}

    def show(console: Console) -> None:
        for name, texts in wrong.items():
            for text in texts:
                console.print(f"[red]{name}[/]: {text}", highlight=False)
        console.print(f"{len(found)} indicators checked, {len(wrong)} with faults")

    emit({"checked": list(found), "faults": wrong}, show, as_json=as_json)
    if wrong:
        ctx.exit(1)


def _candles() -> CandleArrays:
    draws = np.random.default_rng(3)
    close = 100.0 * np.exp(np.cumsum(0.01 * draws.standard_normal(_N_BARS)))
    opened = close * np.exp(0.003 * draws.standard_normal(_N_BARS))
    above, below = 1.0 + 0.01 * draws.random((2, _N_BARS))
    high, low = np.maximum(opened, close) * above, np.minimum(opened, close) / below
    volume = np.rint(1_000.0 * np.exp(draws.standard_normal(_N_BARS)))
    return CandleArrays(np.arange(_N_BARS) * _HOUR, opened, high, low, close, volume)
