"""``trading demo``: from nothing to a report and paper orders, with one command."""

import time
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trading_pipeline import wiring
from trading_pipeline.cli.candle_profile import show_files, write_demo_profile, write_files_profile
from trading_pipeline.cli.console import command_name, emit, json_option, number, percent, stderr
from trading_pipeline.cli.options import SYMBOL, TIMEFRAME
from trading_pipeline.cli.session import Session, open_session
from trading_pipeline.config import NO_PROFILE, Settings, load_settings
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe


@click.command()
@click.argument("candles", nargs=-1, type=click.Path(path_type=Path))
@click.option("--symbol", type=SYMBOL, help="Symbol of files whose names do not say it.")
@click.option("--timeframe", type=TIMEFRAME, help="Timeframe, where files have several.")
@json_option
def demo(
    candles: tuple[Path, ...], symbol: Symbol | None, timeframe: Timeframe | None, as_json: bool
) -> None:
    """Walk the whole pipeline on the simulated exchange, or on your CANDLES (files or folders)."""
    base, started = load_settings(profile=NO_PROFILE), time.monotonic()
    if candles:
        settings, summary = write_files_profile(base, candles, symbol, timeframe)
        show_files(stderr(), summary)
    else:
        settings = write_demo_profile(base)
    with open_session(settings) as session:
        from trading_pipeline.defs.walk import STAGES

        stderr().print(
            f"Profile {settings.profile}: {session.venue.label()}, "
            f"{session.partitions.first_month} to {session.newest_month()}",
            highlight=False,
        )
        session.walk(STAGES)
        orders = trade_newest_candle(session)
        reports = publish(session)
    payload = {
        "profile": settings.profile,
        "simulated": settings.is_simulated,
        "venue": session.venue.label(),
        "seconds": round(time.monotonic() - started, 1),
        "summary": _summary(settings),
        "paper": orders,
        "reports": [str(path) for path in reports],
    }
    emit(payload, lambda console: _show(console, payload), as_json=as_json)


def trade_newest_candle(session: Session) -> list[dict[str, Any]]:
    """Decide on the newest candle of each symbol, execute on paper, and say what became of it."""
    settings = session.settings
    for symbol in wiring.universe(settings).tradable(session.venue.clock().now()):
        config = {"ops": {"close_candle": {"config": {"symbol": symbol.key}}}}
        session.walker.run_job("candle_close_job", config)
    session.walker.run_job("live_execution_job", {})
    session.walker.run_asset("value_portfolio", "portfolio_snapshot")
    with wiring.ledger(settings) as ledger:
        account = wiring.account(settings)
        newest = {live.symbol: live for live in ledger.signals(account)}
        return [
            _paper_line(ledger, newest[symbol])
            for symbol in settings.market.enabled_symbols
            if symbol in newest
        ]


def publish(session: Session) -> list[Path]:
    """Publish the report of the market's day; return every report of the profile."""
    day = session.venue.clock().now().date()
    session.walker.run_day("publish_reports", "daily_report_pdf", day)
    folder = wiring.reports_folder(session.settings)
    names = [f"backtest-{symbol.key}.pdf" for symbol in session.settings.market.enabled_symbols]
    return [folder / name for name in [*names, f"daily-{day.isoformat()}.pdf"]]


def _paper_line(ledger: Any, live: Any) -> dict[str, Any]:  # noqa: ANN401  loaded lazily
    orders = ledger.orders_of_signal(live.signal_id)
    denial = ledger.denial(live.signal_id)
    if orders:
        last = orders[-1]
        request = last.request
        outcome = f"{last.status}: {request.side} {request.quantity}"
        fills = [fill for fill in ledger.fills(live.account) if _is_of(fill, last)]
        if fills:
            outcome += (
                f" at {fills[-1].price} (quote {request.reference_price}), fee {fills[-1].fee}"
            )
    elif denial is not None:
        outcome = f"no order, {denial.denied.reason}: {denial.denied.detail}"
    else:
        outcome = "waits"
    return {
        "symbol": live.symbol.pair,
        "candle": live.signal.candle_open_time,
        "direction": live.signal.direction,
        "strength": round(live.signal.strength, 4),
        "reason": live.signal.reason,
        "orders": len(orders),
        "outcome": outcome,
    }


def _is_of(fill: Any, order: Any) -> bool:  # noqa: ANN401  loaded lazily
    return bool(fill.client_order_id == order.client_order_id)


def _summary(settings: Settings) -> list[dict[str, Any]]:
    from trading_pipeline.adapters.storage.lake import Address

    rows = wiring.lake(settings).read(Address("performance_summary"))
    return rows.to_dicts()


def _show(console: Console, payload: dict[str, Any]) -> None:
    if payload["simulated"]:
        console.print(
            "[bold yellow]SIMULATED MARKET[/]: a seeded generator, no real prices. "
            "Results say nothing about any real market."
        )
    console.print(_table(payload["summary"]))
    unexplained = sum(row["unexplained"] for row in payload["summary"])
    console.print(_LEGEND.format(unexplained=unexplained), style="dim", highlight=False)
    for row in payload["summary"]:
        console.print(f"{row['symbol']}: {row['verdict']}", highlight=False, markup=False)
    console.print("\nPaper execution on the newest candle:", highlight=False)
    for line in payload["paper"]:
        console.print(
            f"  {line['symbol']} {line['candle']:%Y-%m-%d %H:%M}: "
            f"direction {line['direction']:+d}, strength {line['strength']:.2f}; "
            f"{line['outcome']}\n    votes: {line['reason']}",
            highlight=False,
            markup=False,
        )
    console.print("\nReports:", highlight=False)
    for path in payload["reports"]:
        console.print(f"  {path}", highlight=False, soft_wrap=True)
    typed = command_name()
    console.print(
        f"\nDone in {payload['seconds']:.0f} s. Next:\n"
        "  make ui                    the asset graph, partitions and backfills in the browser\n"
        f"  {typed} backtest run     one strategy over your own dates\n"
        f"  {typed} portfolio show   the paper account\n"
        f"  {typed} data list        what the lake holds",
        highlight=False,
    )


_COLUMNS = (
    ("symbol", lambda row: row["symbol"]),
    ("candles", lambda row: f"{row['candles']:,}"),
    ("gaps", lambda row: f"{row['missing']:,}"),
    ("folds", lambda row: str(row["folds"])),
    ("accur.", lambda row: percent(row["accuracy"])),
    ("base", lambda row: percent(row["base_rate"])),
    ("return", lambda row: percent(row["total_return"])),
    ("Sharpe", lambda row: number(row["sharpe"])),
    ("drawd.", lambda row: percent(row["max_drawdown"])),
    ("trades", lambda row: f"{row['n_trades']:,}"),
    ("hold", lambda row: percent(row["buy_hold_return"])),
)


def _table(rows: list[dict[str, Any]]) -> Table:
    first, last = rows[0]["start"], rows[0]["end"]
    kind = "Out of sample" if all(row["folds"] for row in rows) else "Without scored folds"
    title = f"{kind}, {first:%Y-%m-%d} to {last:%Y-%m-%d} UTC, after fees and slippage"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for name, _ in _COLUMNS:
        table.add_column(name, justify="left" if name == "symbol" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(cell(row) for _, cell in _COLUMNS))
    return table


_LEGEND = (
    "gaps: missing bars ({unexplained} unexplained). accur.: accuracy of the walk-forward "
    "forecast on "
    "labels it had not seen; base: that of always naming training's most frequent "
    "class. hold: return of buy-and-hold."
)
