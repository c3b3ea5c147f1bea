"""``trading portfolio``: the paper account as the ledger knows it."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from trading_pipeline import wiring
from trading_pipeline.cli.console import emit, json_option
from trading_pipeline.cli.context import CliContext
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import VenueError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.wiring import VenueAccess

if TYPE_CHECKING:
    from trading_pipeline.portfolio.portfolio import Portfolio


@click.group()
def portfolio() -> None:
    """Show the paper account."""


@portfolio.command("show")
@json_option
@click.pass_obj
def show(context: CliContext, as_json: bool) -> None:
    """Show positions, cash, orders and denials of the active profile's account."""
    settings = context.settings
    venue = wiring.VenueAccess(settings)
    now = venue.clock().now()
    try:
        with wiring.ledger(settings) as ledger:
            account = wiring.open_account(settings, ledger, now)
            held = ledger.portfolio(account)
            orders, denials = ledger.orders(account), ledger.denials(account)
            prices, missing = _prices(settings, venue, [p.symbol for p in held.open_positions])
    finally:
        venue.close()
    payload = {
        "account": account.name,
        "mode": account.mode,
        "simulated": settings.is_simulated,
        "as_of": now,
        "currency": held.currency,
        "cash": held.cash,
        "realised_pnl": held.realised_pnl,
        "fees": held.fees,
        "equity": None if missing else held.cash + _value(held, prices),
        "positions": [
            {
                "symbol": p.symbol.pair,
                "quantity": p.quantity,
                "average_cost": p.average_cost,
                "price": prices.get(p.symbol),
            }
            for p in held.open_positions
        ],
        "delisted": [
            words
            for p in held.open_positions
            if (words := wiring.delisted_words(settings, p.symbol, now))
        ],
        "orders": [
            {
                "created_at": o.created_at,
                "symbol": o.request.symbol.pair,
                "side": o.request.side.value,
                "quantity": o.request.quantity,
                "price": o.request.reference_price,
                "status": o.status.value,
                "client_order_id": o.client_order_id,
            }
            for o in orders
        ],
        "denials": [
            {
                "at": d.at,
                "symbol": d.symbol.pair,
                "reason": d.denied.reason.value,
                "detail": d.denied.detail,
            }
            for d in denials
        ],
    }
    emit(payload, lambda console: _print(console, payload, missing), as_json=as_json)


def _prices(
    settings: Settings, venue: VenueAccess, symbols: Sequence[Symbol]
) -> tuple[dict[Symbol, Decimal], str]:
    # The account is shown without a venue too; what needs a price then has none.
    prices: dict[Symbol, Decimal] = {}
    try:
        with closing(wiring.cache(settings)) as kept:
            quotes = wiring.shown_quotes(settings, venue, kept)
            for symbol in symbols:
                prices[symbol] = quotes.quote(symbol)
    except VenueError as error:
        return prices, error.message
    return prices, ""


def _value(held: "Portfolio", prices: Mapping[Symbol, Decimal]) -> Decimal:
    return sum((p.quantity * prices[p.symbol] for p in held.open_positions), Decimal(0))


def _print(console: Console, payload: Mapping[str, Any], missing: str) -> None:
    label = " [bold yellow]SIMULATED MARKET[/]" if payload["simulated"] else ""
    equity = "n/a" if payload["equity"] is None else f"{payload['equity']:,.2f}"
    console.print(
        f"Account [bold]{payload['account']}[/] ({payload['mode']}), as of "
        f"{payload['as_of']:%Y-%m-%d %H:%M:%S} UTC{label}\n"
        f"Equity {equity} {payload['currency']}, cash {payload['cash']:,.2f}, "
        f"realised {payload['realised_pnl']:,.2f}, fees {payload['fees']:,.2f}",
        highlight=False,
    )
    for words in payload["delisted"]:
        console.print(words, style="bold red", highlight=False)
    if missing:
        console.print(f"No current prices: {missing}", style="yellow")
    for title, key in (("Positions", "positions"), ("Orders", "orders"), ("Denials", "denials")):
        rows = payload[key]
        if not rows:
            console.print(f"{title}: none")
            continue
        table = Table(title=title, title_justify="left")
        for name in rows[0]:
            table.add_column(name.replace("_", " "), overflow="fold")
        for row in rows[-20:]:
            table.add_row(*(_cell(value) for value in row.values()))
        console.print(table)


def _cell(value: object) -> str:
    if value is None:
        return "n/a"
    return f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "strftime") else str(value)
