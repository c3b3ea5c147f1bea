"""How much to buy or sell."""

from decimal import Decimal

from trading_pipeline.core.instrument import Instrument
from trading_pipeline.risk.limits import RiskLimits


def entry_quantity(
    equity: Decimal,
    buying_power: Decimal,
    price: Decimal,
    instrument: Instrument,
    limits: RiskLimits,
) -> Decimal:
    """Return the base-currency quantity of a new position, floored to the lot grid.

    The smallest of: ``max_position_size`` of equity; what loses ``risk_per_trade`` of equity at
    the stop; the buying power less ``cost_reserve``; ``max_notional``. 0 if nothing is left.

    Parameters
    ----------
    equity, buying_power : Decimal
        Quote currency; ``buying_power`` is the cash that no unresolved order has claimed.
    price : Decimal
        Quote currency, positive.
    """
    notional = min(
        equity * limits.max_position_size,
        equity * limits.risk_per_trade / limits.stop_loss_pct,
        buying_power * (1 - limits.cost_reserve),
    )
    if limits.max_notional is not None:
        notional = min(notional, limits.max_notional)
    return instrument.floor_quantity(notional / price) if notional > 0 else Decimal(0)
