"""What trading costs: one object for backtest, paper and report."""

from dataclasses import dataclass
from decimal import Decimal

from trading_pipeline.matching.rates import PPM, exact_parts

_BPS = 10_000


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs of a market order, in basis points of the notional.

    Parameters
    ----------
    taker_fee_bps : Decimal or float
        Fee in quote currency, on the filled price; in [0, 10,000), at most two decimals.
    slippage_bps : Decimal or float
        How much worse than the reference price a market order fills; same range.

    Raises
    ------
    ConfigError
        If a cost is out of range or finer than 0.01 bp.

    Examples
    --------
    >>> Costs(taker_fee_bps=7.5).fee_ppm
    750
    """

    taker_fee_bps: Decimal | float = 10
    slippage_bps: Decimal | float = 5

    def __post_init__(self) -> None:
        _bps_to_ppm(self.taker_fee_bps, "taker_fee_bps")
        _bps_to_ppm(self.slippage_bps, "slippage_bps")

    @property
    def fee_ppm(self) -> int:
        """Fee in parts per million."""
        return _bps_to_ppm(self.taker_fee_bps, "taker_fee_bps")

    @property
    def slippage_ppm(self) -> int:
        """Slippage in parts per million."""
        return _bps_to_ppm(self.slippage_bps, "slippage_bps")


def _bps_to_ppm(bps: Decimal | float, name: str) -> int:
    return exact_parts(bps, name, parts=PPM // _BPS, below=_BPS)


NO_COSTS = Costs(taker_fee_bps=0, slippage_bps=0)
