"""``trading chart``: a symbol's candles with smart money and indicators, as PNG or HTML."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import polars as pl
from rich.console import Console

from trading_pipeline import wiring
from trading_pipeline.cli.console import emit, json_option
from trading_pipeline.cli.context import CliContext
from trading_pipeline.cli.options import SYMBOL
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import ConfigError, DataError, StorageError
from trading_pipeline.core.instrument import Symbol

if TYPE_CHECKING:
    from trading_pipeline.indicators.catalog import IndicatorRequest

_DEFAULT_BARS = 168
_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"])


@click.command()
@click.option("--symbol", type=SYMBOL, help="Default the first of the profile.")
@click.option("--from", "first", type=_DAY, help="First day (UTC). Default: the last 168 candles.")
@click.option("--to", "last", type=_DAY, help="Last day (UTC), included; default the newest.")
@click.option(
    "--indicators",
    default="ema:21,ema:50,rsi",
    show_default=True,
    metavar="NAMES",
    help="Of the catalogue, with a comma between; parameters after colons. none: no indicator.",
)
@click.option(
    "--smart-money/--no-smart-money", default=True, help="Draw zones, breaks and liquidity."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File to write: .png, or .html (one file, with a crosshair).",
)
@json_option
@click.pass_obj
def chart(
    context: CliContext,
    symbol: Symbol | None,
    first: datetime | None,
    last: datetime | None,
    indicators: str,
    smart_money: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Draw candles with smart-money zones, volume and indicators into a file.

    Only what was known at the close of the last candle is drawn.
    """
    if out.suffix not in (".png", ".html"):
        raise ConfigError(f"--out must end in .png or .html, was {out.name}")
    settings = context.settings
    chosen = _symbol(settings, symbol)
    requests = _requests(indicators)
    candles = _candles(settings, chosen)
    end, n_bars = _window(chosen, candles, first, last)

    from trading_pipeline.adapters.reports.market_picture import market_html, market_png
    from trading_pipeline.adapters.reports.market_view import market_view
    from trading_pipeline.smart_money.reading import read_market

    source = "simulated market" if settings.is_simulated else settings.market.venue
    view = market_view(
        read_market(candles, wiring.smart_money_settings(settings)),
        title=chosen.pair,
        subtitle=f"{source}, {settings.market.base_timeframe}",
        last=end,
        n_bars=n_bars,
        requests=requests,
        with_marks=smart_money,
    )
    content = market_png(view) if out.suffix == ".png" else market_html(view).encode()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(content)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}") from error
    payload = {
        "file": str(out),
        "bytes": len(content),
        "symbol": chosen.pair,
        "candles": len(view.candles),
        "first": candles["open_time"][view.first],
        "last": end,
        "indicators": [request.name for request in requests],
    }
    emit(payload, lambda console: _show(console, payload), as_json=as_json)


def _show(console: Console, payload: dict[str, Any]) -> None:
    console.print(
        f"{payload['symbol']}, {payload['candles']} candles to {payload['last']:%Y-%m-%d %H:%M} "
        f"UTC: {payload['file']} ({payload['bytes'] / 1000:,.0f} kB)",
        highlight=False,
    )


def _symbol(settings: Settings, asked: Symbol | None) -> Symbol:
    known = settings.market.enabled_symbols
    if asked is None:
        return known[0]
    if asked not in known:
        raise ConfigError.unknown_name("symbol", asked.key, [symbol.key for symbol in known])
    return asked


def _requests(text: str) -> "list[IndicatorRequest]":
    from trading_pipeline.indicators.catalog import IndicatorRequest, indicator_spec

    requests: list[IndicatorRequest] = []
    for word in () if text == "none" else text.split(","):
        name, *values = word.strip().split(":")
        known = list(indicator_spec(name).parameters)
        if len(values) > len(known):
            raise ConfigError(
                f"{name} has {len(known)} parameters ({', '.join(known) or 'none'}), "
                f"{word!r} gives {len(values)}"
            )
        given = {key: _number(word, value) for key, value in zip(known, values, strict=False)}
        requests.append(IndicatorRequest.of(name, **given))
    return requests


def _number(word: str, text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError as error:
        raise ConfigError(
            f"an indicator is written as ema:21 or bollinger:20:2.0, was {word!r}"
        ) from error


def _candles(settings: Settings, symbol: Symbol) -> pl.DataFrame:
    from trading_pipeline.defs.io_managers import StoredTable

    stored = StoredTable(wiring.lake(settings), settings, "candles")
    months = stored.months(symbol)
    if not months:
        raise DataError(
            f"{symbol} has no candles yet; run `trading demo`, or `trading data history`"
        )
    return stored.between(symbol, months[0], months[-1])


def _window(
    symbol: Symbol, candles: pl.DataFrame, first: datetime | None, last: datetime | None
) -> tuple[datetime, int]:
    inside = candles
    if last is not None:
        whole_day = last.hour == last.minute == 0
        until = last.replace(tzinfo=UTC) + (
            timedelta(days=1) if whole_day else timedelta(minutes=1)
        )
        inside = inside.filter(pl.col("open_time") < until)
    if first is not None:
        inside = inside.filter(pl.col("open_time") >= first.replace(tzinfo=UTC))
    if inside.height < 2:
        raise DataError(
            f"a picture needs at least 2 candles; {symbol} has candles from "
            f"{candles['open_time'][0]:%Y-%m-%d} to {candles['open_time'][-1]:%Y-%m-%d}"
        )
    end: datetime = inside["open_time"][-1]
    return end, inside.height if first is not None else min(inside.height, _DEFAULT_BARS)
