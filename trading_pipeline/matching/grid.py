"""From candle prices to ticks, and from money to quote units."""

from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal

import numpy as np

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.core.errors import DataError
from trading_pipeline.core.instrument import Instrument

_LARGEST_EXACT = 2.0**52
_MOST_UNITS = 10**15


def quote_unit(instrument: Instrument) -> Decimal:
    """Return one quote unit, a tick times a lot, in quote currency."""
    return instrument.tick_size * instrument.lot_size


def to_units(amount: Decimal | float, instrument: Instrument) -> int:
    """Return an amount of quote currency in quote units, rounded down."""
    units = Decimal(str(amount)) / quote_unit(instrument)
    return int(units.to_integral_value(ROUND_FLOOR))


def to_ticks(prices: FloatArray, instrument: Instrument) -> IntArray:
    """Return prices in ticks, rounded half to even: ``Instrument.to_ticks`` over an array.

    Parameters
    ----------
    prices : ndarray of shape (n_bars,)
        Quote currency, finite, positive.

    Returns
    -------
    ndarray of int64, shape (n_bars,)

    Raises
    ------
    DataError
        If a price is not finite, or is below half a tick or above 2**52 ticks: the tick does not
        fit these prices.
    """
    scaled = prices / float(instrument.tick_size)
    ticks = np.rint(scaled)
    fits = np.isfinite(scaled) & (ticks >= 1) & (scaled < _LARGEST_EXACT)
    if not fits.all():
        wrong = float(prices[int(np.argmin(fits))])
        raise DataError(
            f"{instrument.symbol}: prices must be finite and between 1 and 2**52 ticks of "
            f"{instrument.tick_size}, had {wrong}; check the candles or the tick size",
            symbol=instrument.symbol.key,
        )
    result: IntArray = ticks.astype(np.int64)
    # The division is off by an ulp or two, which decides only where a price lies halfway.
    halfway = np.abs(scaled - ticks) > 0.5 - (1e-6 + 1e-15 * scaled)
    for row in np.flatnonzero(halfway):
        result[row] = instrument.to_ticks(float(prices[row]))
    return result


def from_steps(steps: IntArray, step: Decimal) -> FloatArray:
    """Return ``steps * step`` as the nearest floats, where ``1 / step`` is a whole number."""
    per_one = 1 / step
    if per_one == per_one.to_integral_value():
        # 0.01 is no float, 100 is: the quotient is rounded once, the product would be twice.
        return np.asarray(steps / float(per_one), dtype=np.float64)
    return np.asarray(steps * float(step), dtype=np.float64)


def with_room(
    instrument: Instrument, price: Decimal | float, balance: Decimal | float
) -> Instrument:
    """Return ``instrument`` with steps so coarse that ``balance`` is at most 10**15 quote units.

    An account can then grow 4,000-fold within int64. Real venues pass unchanged; a grid inferred
    from a file with eight decimals in price and volume does not. The step that is finer compared
    with ``price`` or ``balance`` is multiplied by ten until it fits.
    """
    per_price, per_balance = Decimal(str(price)), Decimal(str(balance))
    while per_balance > _MOST_UNITS * quote_unit(instrument):
        tick_share = instrument.tick_size / per_price
        lot_share = instrument.lot_size * per_price / per_balance
        if tick_share < lot_share:
            instrument = replace(instrument, tick_size=instrument.tick_size * 10)
        else:
            instrument = replace(instrument, lot_size=instrument.lot_size * 10)
    return instrument
