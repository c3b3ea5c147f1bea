"""The account's value at current prices, kept as a snapshot."""

from trading_pipeline.core.clock import Clock
from trading_pipeline.execution.crash_points import CrashHook, CrashPoint, survive
from trading_pipeline.execution.order import AccountId
from trading_pipeline.execution.ports import AccountStore, QuoteSource
from trading_pipeline.portfolio.portfolio import PortfolioSnapshot, value


def take_snapshot(
    account: AccountId,
    store: AccountStore,
    quotes: QuoteSource,
    clock: Clock,
    *,
    crash_point: CrashHook = survive,
) -> PortfolioSnapshot:
    """Value the account at current prices, store the snapshot and return it.

    Raises
    ------
    VenueError
        If a held symbol has no price: an unknown value is not stored as a known one.
    StaleDataError
        If a price is not a positive number.
    """
    now = clock.now()
    portfolio = store.state(account, now).portfolio
    held = [position.symbol for position in portfolio.open_positions]
    snapshot = value(portfolio, {symbol: quotes.quote(symbol) for symbol in held}, at=now)
    crash_point(CrashPoint.BEFORE_SNAPSHOT)
    store.record_snapshot(account, snapshot)
    crash_point(CrashPoint.AFTER_SNAPSHOT)
    return snapshot
