"""What a backtest takes for granted."""

from dataclasses import dataclass, field
from decimal import Decimal

from trading_pipeline.core.errors import ConfigError
from trading_pipeline.matching.costs import Costs
from trading_pipeline.matching.rates import PPM, exact_parts

_MOST_PROFIT = 1000


@dataclass(frozen=True, slots=True)
class BacktestSettings:
    """Account, sizing, protective exits and costs. Fractions, never percent.

    Parameters
    ----------
    initial_balance : Decimal or float
        Quote currency, positive.
    position_fraction : Decimal or float
        Notional of an entry as a fraction of the equity, in (0, 1]; scaled by the strength of
        the signal where strengths are given.
    stop_loss, take_profit : Decimal, float or None
        Distance from the entry price as a fraction, below 1 and below 1000; None or 0 is none.
    costs : Costs
    allow_short : bool
        Whether -1 opens a short; otherwise it closes.

    Raises
    ------
    ConfigError
        If a value is out of range or finer than one part per million.
    """

    initial_balance: Decimal | float = 10_000
    position_fraction: Decimal | float = 0.1
    stop_loss: Decimal | float | None = 0.02
    take_profit: Decimal | float | None = 0.04
    costs: Costs = field(default_factory=Costs)
    allow_short: bool = False

    def __post_init__(self) -> None:
        balance = Decimal(str(self.initial_balance))
        if not balance.is_finite() or balance <= 0:
            raise ConfigError(f"initial_balance must be positive, was {self.initial_balance}")
        if not 0 < self.position_fraction <= 1:
            raise ConfigError(f"position_fraction must be in (0, 1], was {self.position_fraction}")
        _ = (self.fraction_ppm, self.stop_ppm, self.target_ppm)

    @property
    def fraction_ppm(self) -> int:
        """Position fraction in parts per million."""
        return exact_parts(self.position_fraction, "position_fraction", below=1 + Decimal(1) / PPM)

    @property
    def stop_ppm(self) -> int:
        """Stop-loss distance in parts per million, 0 for none."""
        return exact_parts(self.stop_loss or 0, "stop_loss")

    @property
    def target_ppm(self) -> int:
        """Take-profit distance in parts per million, 0 for none."""
        return exact_parts(self.take_profit or 0, "take_profit", below=_MOST_PROFIT)
