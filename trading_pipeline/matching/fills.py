"""The fill of a market order: what the paper broker books and the backtest computes."""

from datetime import datetime
from decimal import Decimal

from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.instrument import Instrument
from trading_pipeline.core.orders import Fill, OrderRequest
from trading_pipeline.matching.costs import Costs
from trading_pipeline.matching.fees import fee_units
from trading_pipeline.matching.grid import quote_unit
from trading_pipeline.matching.slippage import fill_price_ticks

__all__ = ["Costs", "market_fill"]

# Beyond it, 28 digits of Decimal no longer hold a number of ticks or lots.
_ABSURD = Decimal(10) ** 15


def market_fill(
    request: OrderRequest,
    reference_price: Decimal,
    instrument: Instrument,
    costs: Costs,
    *,
    executed_at: datetime,
    trade_id: str,
) -> Fill:
    """Return the complete fill of a market order at ``reference_price``.

    The reference is rounded half to even to the tick, slippage then rounds against the trader,
    and the fee rounds up to the next quote unit (a tick times a lot): the arithmetic of the
    backtest engine, so that both give equal prices and fees for equal orders. Equal arguments
    give an equal fill.

    Parameters
    ----------
    request : OrderRequest
        ``quantity`` positive and on the lot grid; ``reference_price`` in it is not used.
    reference_price : Decimal
        Price that the market shows now, in quote currency.
    instrument : Instrument
        Grid of ``request.symbol``.
    costs : Costs
    executed_at : datetime
        Timezone-aware UTC.
    trade_id : str
        Id of the trade, unique per venue and symbol.

    Raises
    ------
    ConfigError
        If the instrument is another symbol's.
    DataError
        If the price is no positive number of at least half a tick, or the quantity is not a
        positive multiple of the lot.
    """
    if request.symbol != instrument.symbol:
        raise ConfigError(
            f"order {request.client_order_id} is for {request.symbol}, but the instrument given "
            f"is {instrument.symbol}; look the instrument up by the order's symbol"
        )
    reference_ticks = _reference_ticks(reference_price, request, instrument)
    lots = _lots(request, instrument)
    ticks = fill_price_ticks(reference_ticks, request.side.sign, costs.slippage_ppm)
    fee = fee_units(ticks * lots, costs.fee_ppm)
    return Fill(
        trade_id=trade_id,
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        quantity=instrument.quantity(lots),
        price=instrument.price(ticks),
        fee=fee * quote_unit(instrument),
        executed_at=executed_at,
    )


def _reference_ticks(price: Decimal, request: OrderRequest, instrument: Instrument) -> int:
    ticks = instrument.to_ticks(price) if price.is_finite() and 0 < price < _ABSURD else 0
    if ticks < 1:
        raise DataError(
            f"order {request.client_order_id} needs a price of at least one tick of "
            f"{instrument.tick_size}, was {price}; get a new quote of {request.symbol}"
        )
    return ticks


def _lots(request: OrderRequest, instrument: Instrument) -> int:
    quantity = request.quantity
    is_number = quantity.is_finite() and 0 < quantity < _ABSURD
    lots = instrument.to_lots(quantity) if is_number else 0
    if lots < 1 or instrument.quantity(lots) != quantity:
        raise DataError(
            f"order {request.client_order_id} needs a quantity that is a positive multiple of "
            f"{instrument.lot_size} {request.symbol.base}, was {quantity}; floor it to the lot"
        )
    return lots
