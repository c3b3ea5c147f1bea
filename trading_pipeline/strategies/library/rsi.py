"""Buy what has fallen too fast, until it has risen too fast."""

from types import MappingProxyType

import numpy as np
import polars as pl

from trading_pipeline.core.errors import ConfigError
from trading_pipeline.strategies.base import Opinions, Parameter, Strategy


class RsiReversal(Strategy):
    """Long from RSI at or below ``oversold`` until RSI at or above ``overbought``, else flat.

    The strength of a long is how far the RSI still has to go: 1 at or below ``oversold``, falling
    to 0 at ``overbought``. The state is kept over rows on which it abstains.

    References
    ----------
    J. Welles Wilder, New Concepts in Technical Trading Systems (1978), section VI.
    """

    name = "rsi"
    parameters = MappingProxyType(
        {
            "period": Parameter(14, 2, 500, "bars of the RSI"),
            "oversold": Parameter(30.0, 1.0, 99.0, "RSI that opens"),
            "overbought": Parameter(70.0, 1.0, 99.0, "RSI that closes"),
        }
    )

    def __init__(self, **values: float) -> None:
        super().__init__(**values)
        if self.values["oversold"] >= self.values["overbought"]:
            raise ConfigError(
                f"strategy rsi: oversold must be below overbought, were "
                f"{self.values['oversold']} and {self.values['overbought']}"
            )

    @property
    def needs(self) -> tuple[str, ...]:
        """The RSI column."""
        return (f"rsi_{self.values['period']}",)

    def signals(self, prepared: pl.DataFrame) -> Opinions:
        """Return long or flat on each row."""
        oversold, overbought = self.values["oversold"], self.values["overbought"]
        rsi = pl.col(self.needs[0])
        event = pl.when(rsi <= oversold).then(1).when(rsi >= overbought).then(0)
        is_long = event.forward_fill().fill_null(0) == 1
        reason = (
            pl.when(rsi <= oversold)
            .then(pl.lit("oversold"))
            .when(rsi >= overbought)
            .then(pl.lit("overbought"))
            .when(is_long)
            .then(pl.lit("oversold before, not yet overbought"))
            .otherwise(pl.lit("waits for oversold"))
        )
        opinions = prepared.select(
            is_long.cast(pl.Int8).alias("direction"),
            reason.alias("reason"),
        )
        direction = opinions["direction"].to_numpy()
        # numpy divides; polars may multiply by the reciprocal, and differ between row counts.
        level = prepared[self.needs[0]].fill_null(overbought).to_numpy()
        left = np.clip((overbought - level) / (overbought - oversold), 0.0, 1.0)
        return Opinions(direction, np.where(direction == 1, left, 0.0), opinions["reason"])
