"""The universe that the settings name."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from trading_pipeline.config import Settings
from trading_pipeline.config_sections import utc_instant
from trading_pipeline.core.instrument import Symbol

if TYPE_CHECKING:
    from trading_pipeline.market_data.universe import Universe


def universe(settings: Settings) -> "Universe":
    """Return the enabled symbols with their listing, delisting and former names.

    Raises
    ------
    ConfigError
        If the life of a symbol makes no sense.
    """
    from trading_pipeline.market_data.universe import FormerName, Listing, Universe

    listings: dict[Symbol, Listing] = {}
    for symbol in settings.market.enabled_symbols:
        entry = settings.market.symbols[symbol.key]
        former = tuple(
            FormerName(Symbol.parse(name), end)
            for name, until in entry.formerly.items()
            if (end := utc_instant(until)) is not None
        )
        listings[symbol] = Listing(
            symbol,
            listed=utc_instant(entry.listed),
            delisted=utc_instant(entry.delisted),
            formerly=former,
            min_order_size=Decimal(str(entry.min_order_size)),
        )
    return Universe(listings)


def stranded_positions(settings: Settings, at: datetime) -> dict[Symbol, Decimal]:
    """Return what the account holds of symbols that are delisted at ``at``, in base currency.

    No signal closes such a position any more: it has to be settled by hand.
    """
    from trading_pipeline.wiring.stores import account, ledger

    known, identity = universe(settings), account(settings)
    gone = [symbol for symbol in known.symbols if known.listing(symbol).is_delisted(at)]
    if not gone:
        return {}
    with ledger(settings) as store:
        if all(opened.account != identity for opened in store.accounts()):
            return {}
        held = store.portfolio(identity).open_positions
    return {position.symbol: position.quantity for position in held if position.symbol in gone}


def delisted_words(settings: Settings, symbol: Symbol, at: datetime) -> str:
    """Return what a person has to know of a symbol that is delisted at ``at``; empty if it is not.

    That is since when, the position that is still open, and what it keeps from being done.
    """
    listing = universe(settings).listing(symbol)
    if listing.delisted is None or not listing.is_delisted(at):
        return ""
    words = f"{symbol} was delisted on {listing.delisted:%Y-%m-%d %H:%M} UTC: no signal is made"
    if quantity := stranded_positions(settings, at).get(symbol):
        words += (
            f"; the account still holds {quantity} {symbol.base}, which no signal will close: "
            "settle it by hand at the venue. Until then its value is unknown, and so is the "
            "account's: no new position is opened"
        )
    return words
