"""The paper broker: real quotes, no venue behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from trading_pipeline.core.errors import ConfigError, DataError, SymbolNotListedError
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.orders import OrderRequest, OrderStatus
from trading_pipeline.execution.order import BrokerAnswer
from trading_pipeline.matching.costs import Costs


@dataclass(frozen=True, slots=True)
class PaperBroker:
    """Fills every market order whole, at the quote it was sent with, plus slippage and fee.

    The fill is a function of the stored order alone: price from ``reference_price`` (the quote
    that the last check before SENDING saw), time from ``sent_at``, trade id from the client order
    id. Asked again after a crash it gives the same fill, which the ledger books once; so nothing
    is ever unknown to it, and its proof horizon is zero.

    Parameters
    ----------
    costs : Costs
        The same object as the backtest's.
    instruments : Mapping of Symbol to Instrument
    venue : str
        Name under which the fills are booked.
    """

    costs: Costs
    instruments: Mapping[Symbol, Instrument]
    venue: str = "paper"

    @property
    def proof_horizon(self) -> timedelta:
        """Zero: what the paper broker has not filled cannot arrive later."""
        return timedelta(0)

    def place(self, request: OrderRequest, *, sent_at: datetime) -> BrokerAnswer:
        """Fill ``request``; REJECTED if it is not on the symbol's grid.

        Raises
        ------
        SymbolNotListedError
            If the symbol's trading rules were not given.
        """
        # numba compiles behind this import; definitions must load without it.
        from trading_pipeline.matching.fills import market_fill

        instrument = self.instruments.get(request.symbol)
        if instrument is None:
            raise SymbolNotListedError(
                f"the paper broker was given no trading rules of {request.symbol}; enable it in "
                f"market.symbols",
                symbol=request.symbol.key,
            )
        try:
            fill = market_fill(
                request,
                request.reference_price,
                instrument,
                self.costs,
                executed_at=sent_at,
                trade_id=f"paper-{request.client_order_id}",
            )
        except (ConfigError, DataError) as error:
            return BrokerAnswer(OrderStatus.REJECTED, detail=error.message)
        return BrokerAnswer(OrderStatus.FILLED, (fill,))

    def find(self, request: OrderRequest, *, sent_at: datetime) -> BrokerAnswer | None:
        """Return the fill of ``request``; it never is unknown."""
        return self.place(request, sent_at=sent_at)
