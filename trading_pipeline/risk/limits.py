"""The limits that every order must pass."""

from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal

from trading_pipeline.core.errors import ConfigError

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Limits of one account; shares are fractions, never percent.

    Parameters
    ----------
    max_position_size : Decimal
        Largest notional of one position, as a share of equity; (0, 1].
    risk_per_trade : Decimal
        Largest loss at the stop, as a share of equity; (0, 1].
    stop_loss_pct, take_profit_pct : Decimal
        Distance of stop and target from the entry price; (0, 1) and above 0.
    max_daily_loss : Decimal
        Loss since 00:00 UTC, as a share of the equity then, from which on nothing is opened;
        (0, 1].
    max_open_positions : int
        At least 1; positions and unresolved opening orders together.
    max_signal_age : timedelta
        Age of a signal, from when it was known, beyond which it is stale.
    allow_short : bool
        Whether direction -1 opens a short; otherwise it only closes.
    max_notional : Decimal or None
        Largest notional of one order in quote currency; None for no such limit.
    price_collar : Decimal
        Largest distance of the quote from the price that the decision saw, as a share; (0, 1).
    cost_reserve : Decimal
        Share of the cash kept back for fees and slippage; [0, 1).
    max_orders_per_minute : int
        At least 1.
    max_attempts : int
        Orders for one signal when earlier ones are proven not to have been placed; at least 1.
    max_clock_skew : timedelta
        How far in the future a signal's ``known_at`` may lie.

    Raises
    ------
    ConfigError
        If a limit is out of its range.
    """

    max_position_size: Decimal = Decimal("0.1")
    risk_per_trade: Decimal = Decimal("0.01")
    stop_loss_pct: Decimal = Decimal("0.02")
    take_profit_pct: Decimal = Decimal("0.04")
    max_daily_loss: Decimal = Decimal("0.05")
    max_open_positions: int = 5
    max_signal_age: timedelta = _HOUR
    allow_short: bool = False
    max_notional: Decimal | None = None
    price_collar: Decimal = Decimal("0.02")
    cost_reserve: Decimal = Decimal("0.01")
    max_orders_per_minute: int = 60
    max_attempts: int = 3
    max_clock_skew: timedelta = timedelta(seconds=5)

    def __post_init__(self) -> None:
        for item in fields(self):
            limit = getattr(self, item.name)
            if isinstance(limit, Decimal):
                self._check_share(item.name, limit)
        for name in ("max_open_positions", "max_orders_per_minute", "max_attempts"):
            if getattr(self, name) < 1:
                raise ConfigError(f"risk.{name} must be at least 1, was {getattr(self, name)}")
        if self.max_signal_age <= timedelta(0) or self.max_clock_skew < timedelta(0):
            raise ConfigError(
                f"risk.max_signal_age must be positive and max_clock_skew at least 0, "
                f"were {self.max_signal_age} and {self.max_clock_skew}"
            )

    def _check_share(self, name: str, limit: Decimal) -> None:
        one = Decimal(1)
        is_ok = limit.is_finite() and limit > 0
        if name in ("max_position_size", "risk_per_trade", "max_daily_loss"):
            is_ok = is_ok and limit <= one
        elif name in ("stop_loss_pct", "price_collar"):
            is_ok = is_ok and limit < one
        elif name == "cost_reserve":
            is_ok = limit.is_finite() and 0 <= limit < one
        if not is_ok:
            raise ConfigError(
                f"risk.{name} is a fraction (0.02 is two percent) above 0 and within its range, "
                f"was {limit}",
                name=name,
            )
