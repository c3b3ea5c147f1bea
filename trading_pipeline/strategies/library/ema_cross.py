"""Follow the trend: the fast average against the slow one."""

from types import MappingProxyType

import numpy as np
import polars as pl

from trading_pipeline.core.errors import ConfigError
from trading_pipeline.strategies.base import Opinions, Parameter, Strategy


class EmaCross(Strategy):
    """Up while the fast EMA is above the slow one, down while it is below.

    The strength is their distance in ATR, 1 from ``full_distance`` on.
    """

    name = "ema_cross"
    parameters = MappingProxyType(
        {
            "fast": Parameter(9, 2, 1000, "bars of the fast EMA"),
            "slow": Parameter(21, 3, 2000, "bars of the slow EMA"),
            "atr_period": Parameter(14, 2, 500, "bars of the ATR"),
            "full_distance": Parameter(1.0, 0.01, 100.0, "distance of full strength, in ATR"),
        }
    )

    def __init__(self, **values: float) -> None:
        super().__init__(**values)
        if self.values["fast"] >= self.values["slow"]:
            raise ConfigError(
                f"strategy ema_cross: fast must be below slow, were {self.values['fast']} and "
                f"{self.values['slow']}"
            )

    @property
    def needs(self) -> tuple[str, ...]:
        """The two averages and the ATR."""
        return (
            f"ema_{self.values['fast']}",
            f"ema_{self.values['slow']}",
            f"atr_{self.values['atr_period']}",
        )

    def signals(self, prepared: pl.DataFrame) -> Opinions:
        """Return the side of the cross on each row."""
        fast, slow, atr = (prepared[column].fill_null(0.0).to_numpy() for column in self.needs)
        distance = fast - slow
        full = atr * self.values["full_distance"]
        # A market that stands still has no range: any distance then is more than full.
        strength = np.where(
            np.abs(distance) >= full, 1.0, np.abs(distance) / np.maximum(full, 1e-300)
        )
        side = np.sign(distance).astype(np.int8)
        reason = (
            pl.when(pl.lit(pl.Series(side)) > 0)
            .then(pl.lit("fast EMA above slow"))
            .when(pl.lit(pl.Series(side)) < 0)
            .then(pl.lit("fast EMA below slow"))
            .otherwise(pl.lit("fast EMA equals slow"))
        )
        return Opinions(
            side,
            np.where(side == 0, 0.0, strength),
            pl.select(reason.alias("reason")).to_series(),
        )
