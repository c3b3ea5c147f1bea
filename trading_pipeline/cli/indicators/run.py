"""``trading indicators run``: indicators of the candles in the lake, as a CSV file."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trading_pipeline import wiring
from trading_pipeline.cli.console import emit, json_option
from trading_pipeline.cli.context import CliContext
from trading_pipeline.cli.options import SYMBOL
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import ConfigError, DataError, StorageError
from trading_pipeline.core.instrument import Symbol

if TYPE_CHECKING:
    from trading_pipeline.indicators.catalog import IndicatorRequest


@click.command()
@click.option("--symbol", type=SYMBOL, help="Default the first of the profile.")
@click.option(
    "--indicators",
    metavar="NAMES",
    help="Such as rsi,ema:50 with parameters after colons; all: the whole catalogue. "
    "Default: those that the settings enable.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="CSV file to write; cells are empty during the warm-up.",
)
@click.option("--timings", is_flag=True, help="Show how long each indicator took.")
@json_option
@click.pass_obj
def run(
    context: CliContext,
    symbol: Symbol | None,
    indicators: str | None,
    out: Path,
    timings: bool,
    as_json: bool,
) -> None:
    """Compute indicators of a symbol's stored candles and write them as CSV."""
    from trading_pipeline.indicators.catalog import indicator_frame

    settings = context.settings
    chosen = _symbol(settings, symbol)
    requests = _requests(settings, indicators)
    candles = _candles(settings, chosen)
    frame = indicator_frame(candles, requests)
    _write(candles.hstack(frame.drop("open_time")), out)
    spent = _timings(candles, requests) if timings else []
    payload = {
        "symbol": chosen.pair,
        "timeframe": settings.market.base_timeframe,
        "first": candles["open_time"][0],
        "last": candles["open_time"][-1],
        "n_bars": candles.height,
        "columns": frame.columns[1:],
        "file": str(out),
        "timings": spent,
    }

    def show(console: Console) -> None:
        console.print(
            f"{chosen.pair} {payload['timeframe']}: {candles.height:,} candles, "
            f"{len(payload['columns'])} columns of {len(requests)} indicators in {out}",
            highlight=False,
        )
        if timings:
            table = Table(box=SIMPLE_HEAD, pad_edge=False)
            table.add_column("indicator")
            table.add_column("ms", justify="right")
            table.add_column("ns per bar", justify="right")
            for row in sorted(spent, key=lambda row: -float(row["ms"])):
                per_bar = float(row["ms"]) * 1e6 / candles.height
                table.add_row(str(row["name"]), f"{row['ms']:.3f}", f"{per_bar:.1f}")
            console.print(table)

    emit(payload, show, as_json=as_json)


def _symbol(settings: Settings, asked: Symbol | None) -> Symbol:
    known = settings.market.enabled_symbols
    if asked is not None and asked not in known:
        raise ConfigError.unknown_name("symbol", asked.key, [symbol.key for symbol in known])
    return asked or known[0]


def _requests(settings: Settings, asked: str | None) -> tuple["IndicatorRequest", ...]:
    from trading_pipeline.indicators.catalog import CATALOG, IndicatorRequest, indicator_spec

    # First of all, because it imports the plugins, whose names may be asked for.
    enabled = wiring.indicator_requests(settings)
    if asked is None:
        return enabled
    if asked == "all":
        return tuple(IndicatorRequest.of(name) for name in CATALOG)
    requests = []
    for text in filter(None, (part.strip() for part in asked.split(","))):
        name, *values = text.split(":")
        settable = list(indicator_spec(name).settings)
        if len(values) > len(settable):
            raise ConfigError(f"{name} takes {settable}, had {len(values)} values in {text!r}")
        parameters = {
            key: _number(value, text) for key, value in zip(settable, values, strict=False)
        }
        requests.append(IndicatorRequest.of(name, **parameters))
    return tuple(requests)


def _number(value: str, text: str) -> int | float:
    try:
        return int(value) if value.lstrip("-").isdigit() else float(value)
    except ValueError as error:
        raise ConfigError(f"parameters are numbers, such as ema:50, was {text!r}") from error


def _candles(settings: Settings, symbol: Symbol) -> pl.DataFrame:
    from trading_pipeline.defs.io_managers import StoredTable

    stored = StoredTable(wiring.lake(settings), settings, "candles")
    months = stored.months(symbol)
    candles = stored.between(symbol, months[0], months[-1]) if months else None
    if candles is None or candles.is_empty():
        raise DataError(
            f"the lake holds no candles of {symbol} yet; run `trading demo`, "
            "`trading data history` or `trading data import`"
        )
    return candles


def _write(frame: pl.DataFrame, out: Path) -> None:
    try:
        frame.write_csv(out, datetime_format="%Y-%m-%dT%H:%M:%SZ")
    except OSError as error:
        raise StorageError(f"cannot write {out}: {error}; choose another --out") from error


def _timings(
    candles: pl.DataFrame, requests: tuple["IndicatorRequest", ...]
) -> list[dict[str, str | float]]:
    from trading_pipeline.core.candles import candle_arrays
    from trading_pipeline.indicators.catalog import compute

    arrays = candle_arrays(candles)
    rows: list[dict[str, str | float]] = []
    # Everything was compiled when the file was computed.
    for request in requests:
        started = time.perf_counter()
        compute(request.indicator, arrays, request.parameters)
        rows.append({"name": request.name, "ms": 1e3 * (time.perf_counter() - started)})
    return rows
