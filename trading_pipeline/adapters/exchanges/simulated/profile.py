"""The demo's market: fixed seed, fixed start, fixed present, so that two runs agree."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from trading_pipeline.core.clock import Clock, FrozenClock
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.timeframe import Timeframe

if TYPE_CHECKING:
    from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource
    from trading_pipeline.adapters.exchanges.simulated.generator import Listing
    from trading_pipeline.adapters.exchanges.simulated.market import Market, SimulatedMarket

DEMO_VENUE = "binance"
DEMO_SEED = 2
DEMO_START = datetime(2024, 10, 1, tzinfo=UTC)
# Any instant would do; at this one a signal asks for a position, so that the demo shows an order.
DEMO_NOW = datetime(2026, 10, 14, 19, 0, 5, tzinfo=UTC)
DEMO_BASE_TIMEFRAME = Timeframe("5m")
DEMO_SYMBOLS = (Symbol("BTC", "USDT"), Symbol("ETH", "USDT"))
SIMULATED_SOURCE_NAME = "simulated:binance"


def demo_listings() -> tuple["Listing", ...]:
    """Return what the demo's exchange lists: BTC-USDT and ETH-USDT."""
    from trading_pipeline.adapters.exchanges.simulated.generator import Listing

    btc, eth = DEMO_SYMBOLS
    return (
        Listing(
            Instrument(btc, Decimal("0.01"), Decimal("0.00001"), Decimal("0.00001"), Decimal(5)),
            start_price=Decimal(60_000),
            volatility=0.50,
            daily_volume=20_000.0,
        ),
        Listing(
            Instrument(eth, Decimal("0.01"), Decimal("0.0001"), Decimal("0.0001"), Decimal(5)),
            start_price=Decimal(2_500),
            volatility=0.68,
            daily_volume=350_000.0,
        ),
    )


def demo_market() -> "SimulatedMarket":
    """Return the demo's market, standing at :data:`DEMO_NOW`."""
    from trading_pipeline.adapters.exchanges.simulated.market import SimulatedMarket

    return SimulatedMarket(
        demo_listings(), DEMO_BASE_TIMEFRAME, DEMO_START, DEMO_NOW, seed=DEMO_SEED
    )


@contextmanager
def serve_demo(market: "Market | None" = None, clock: Clock | None = None) -> Iterator[str]:
    """Serve the simulated exchange on this machine; yield its base URL.

    Parameters
    ----------
    market : Market, optional
        The demo's market unless given.
    clock : Clock, optional
        Stands at :data:`DEMO_NOW` unless given.
    """
    from trading_pipeline.adapters.exchanges.simulated.server import exchange_app
    from trading_pipeline.adapters.exchanges.simulated.serving import serve_in_background

    app = exchange_app(market or demo_market(), clock or FrozenClock(DEMO_NOW))
    with serve_in_background(app) as base_url:
        yield base_url


@contextmanager
def simulated_source(
    market: "Market | None" = None, clock: Clock | None = None
) -> Iterator["CcxtCandleSource"]:
    """Serve the simulated exchange and yield a source that reads it through the real ccxt.

    Parameters are those of :func:`serve_demo`. The server ends with the context.
    """
    with serve_demo(market, clock) as base_url, open_simulated_source(base_url) as source:
        yield source


def open_simulated_source(base_url: str) -> "CcxtCandleSource":
    """Return a source that reads the simulated exchange at ``base_url``."""
    from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource

    return CcxtCandleSource(DEMO_VENUE, base_url, name=SIMULATED_SOURCE_NAME)
