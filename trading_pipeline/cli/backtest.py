"""``trading backtest``: one signal source over dates of one's own."""

from datetime import UTC, datetime
from typing import Any

import click
import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trading_pipeline import wiring
from trading_pipeline.cli.console import emit, json_option, number, percent
from trading_pipeline.cli.context import CliContext
from trading_pipeline.cli.options import SYMBOL
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.instrument import Symbol

AGGREGATE = "signals"


@click.group()
def backtest() -> None:
    """Backtest signals."""


@backtest.command("run")
@click.option(
    "--strategy", default=AGGREGATE, show_default=True, help="rsi, ema_cross, forecast or signals."
)
@click.option("--symbol", type=SYMBOL, help="Default the first of the profile.")
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="First day (UTC).")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="Last day (UTC), included.")
@click.option("--balance", type=click.FloatRange(min=0, min_open=True), help="Initial balance.")
@json_option
@click.pass_obj
def run(
    context: CliContext,
    strategy: str,
    symbol: Symbol | None,
    first: datetime | None,
    last: datetime | None,
    balance: float | None,
    as_json: bool,
) -> None:
    """Run stored signals of STRATEGY through an account, beside buy-and-hold."""
    from trading_pipeline.backtest.comparison import BUY_AND_HOLD, compare

    settings = context.settings
    chosen = _symbol(settings, symbol)
    names = [AGGREGATE, *wiring.signal_sources(settings)]
    if strategy not in names:
        raise ConfigError.unknown_name("strategy", strategy, names)
    candles, signals, window = _inputs(settings, chosen, strategy, first, last)
    options = wiring.backtest_settings(settings, balance)
    venue = wiring.VenueAccess(settings)
    try:
        rules, label = venue.instrument(chosen), venue.label()
    finally:
        venue.close()
    found = compare(candles, {strategy: signals}, rules, options, settings.market.timeframe)
    rows = {row["strategy"]: row for row in found.metrics().to_dicts()}
    payload = {
        "symbol": chosen.pair,
        "venue": label,
        "simulated": settings.is_simulated,
        "timeframe": settings.market.base_timeframe,
        "window": window,
        "assumptions": {
            "fill": "market order at the next candle's open",
            "taker_fee_bps": settings.backtest.taker_fee_bps,
            "slippage_bps": settings.backtest.slippage_bps,
            "stop_loss_pct": settings.risk.stop_loss_pct,
            "take_profit_pct": settings.risk.take_profit_pct,
            "position_fraction": wiring.position_fraction(settings),
            "allow_short": settings.risk.allow_short,
        },
        "strategy": rows[strategy],
        "buy_and_hold": rows[BUY_AND_HOLD],
    }
    emit(payload, lambda console: _show(console, payload), as_json=as_json)


def _symbol(settings: Settings, asked: Symbol | None) -> Symbol:
    known = settings.market.enabled_symbols
    if asked is None:
        return known[0]
    if asked not in known:
        raise ConfigError.unknown_name("symbol", asked.key, [symbol.key for symbol in known])
    return asked


def _inputs(
    settings: Settings,
    symbol: Symbol,
    strategy: str,
    first: datetime | None,
    last: datetime | None,
) -> tuple[pl.DataFrame, pl.DataFrame, str]:
    from trading_pipeline.defs.backtests.evidence import Evidence
    from trading_pipeline.defs.io_managers import StoredTable

    lake = wiring.lake(settings)
    tables = {AGGREGATE: "signals", "forecast": "forecast_signals"}
    signals = StoredTable(lake, settings, tables.get(strategy, "strategy_signals"))
    months = signals.months(symbol)
    if not months:
        raise DataError(
            f"{symbol} has no signals yet; run `trading demo`, or `trading run` on this profile"
        )
    rows = signals.between(symbol, months[0], months[-1])
    if strategy != AGGREGATE:
        rows = rows.filter(pl.col("source") == strategy)
    candles = StoredTable(lake, settings, "candles").between(symbol, months[0], months[-1])
    evidence = Evidence(
        settings,
        candles=signals.beside("candles"),
        strategy_signals=signals.beside("strategy_signals"),
        forecast_signals=signals.beside("forecast_signals"),
        signals=signals.beside("signals"),
        fold_models=signals.beside("fold_models"),
    )
    begin, window = evidence.first_month(symbol)
    start = begin.start
    if first is not None:
        start, window = first.replace(tzinfo=UTC), "as asked, whether out of sample or not"
    kept = candles.filter(pl.col("open_time") >= start)
    if last is not None:
        kept = kept.filter(pl.col("open_time").dt.date() <= last.date())
    if kept.height < 2:
        raise DataError(
            f"a backtest needs at least two candles; {symbol} has candles from "
            f"{candles['open_time'][0]:%Y-%m-%d} to {candles['open_time'][-1]:%Y-%m-%d}, and "
            f"--from {first and first.date()} --to {last and last.date()} leaves {kept.height}"
        )
    return kept, rows, window


_ROWS = (
    ("total return", "total_return", percent),
    ("annual return", "annual_return", percent),
    ("volatility", "volatility", percent),
    ("Sharpe", "sharpe", number),
    ("Sortino", "sortino", number),
    ("max drawdown", "max_drawdown", percent),
    ("exposure", "exposure", percent),
    ("trades", "n_trades", lambda value: f"{value:,}"),
    ("win rate", "win_rate", percent),
    ("profit factor", "profit_factor", number),
    ("expectancy per trade", "expectancy", number),
    ("fees paid", "total_fees", number),
    ("final equity", "final_equity", number),
)


def _show(console: Console, payload: dict[str, Any]) -> None:
    own, held = payload["strategy"], payload["buy_and_hold"]
    if payload["simulated"]:
        console.print("[bold yellow]SIMULATED MARKET[/]: results say nothing about a real one.")
    console.print(
        f"{payload['symbol']} {payload['timeframe']} ({payload['venue']}), "
        f"{own['start']:%Y-%m-%d} to {own['end']:%Y-%m-%d} UTC, {own['n_bars']:,} candles",
        highlight=False,
    )
    console.print(f"Window: {payload['window']}", style="dim", highlight=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    table.add_column(own["strategy"], justify="right")
    table.add_column("buy and hold", justify="right")
    for title, field, shown in _ROWS:
        table.add_row(title, shown(own[field]), shown(held[field]))
    console.print(table)
    terms = payload["assumptions"]
    console.print(
        f"Assumptions: {terms['fill']}; fee {terms['taker_fee_bps']:g} bps, slippage "
        f"{terms['slippage_bps']:g} bps; stop {percent(terms['stop_loss_pct'])}, target "
        f"{percent(terms['take_profit_pct'])}, the stop first inside a bar; "
        f"{percent(terms['position_fraction'])} of equity per position"
        + ("; shorts allowed" if terms["allow_short"] else "; long or flat"),
        style="dim",
        highlight=False,
    )
