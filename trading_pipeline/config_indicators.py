"""The sections ``indicators`` and ``smart_money`` of ``config.yaml`` as types."""

from typing import Annotated, TypeAlias

from pydantic import Field

from trading_pipeline.config_sections import Section

_Bars: TypeAlias = Annotated[int, Field(ge=1)]


class Toggle(Section):
    """An indicator that can be switched off."""

    enabled: bool = True


class RsiIndicator(Toggle):
    """Relative strength index, and the levels of the RSI strategy."""

    period: int = Field(default=14, ge=2)
    overbought: float = Field(default=70.0, gt=0, lt=100)
    oversold: float = Field(default=30.0, gt=0, lt=100)


class EmaIndicator(Toggle):
    """Exponential moving averages."""

    periods: tuple[_Bars, ...] = (9, 21, 50, 200)


class MacdIndicator(Toggle):
    """Moving average convergence and divergence."""

    fast: int = Field(default=12, ge=2)
    slow: int = Field(default=26, ge=2)
    signal: int = Field(default=9, ge=1)


class BollingerIndicator(Toggle):
    """Bollinger bands."""

    period: int = Field(default=20, ge=2)
    deviations: float = Field(default=2.0, gt=0)


class StochasticIndicator(Toggle):
    """Slow stochastic oscillator."""

    k_period: int = Field(default=14, ge=2)
    k_smooth: int = Field(default=3, ge=1)
    d_period: int = Field(default=3, ge=1)


class PeriodIndicator14(Toggle):
    """An indicator with one period, 14 bars."""

    period: int = Field(default=14, ge=2)


class PeriodIndicator20(Toggle):
    """An indicator with one period, 20 bars."""

    period: int = Field(default=20, ge=2)


class PeriodIndicator24(Toggle):
    """An indicator with one period, 24 bars."""

    period: int = Field(default=24, ge=2)


class RocIndicator(Toggle):
    """Rate of change."""

    period: int = Field(default=10, ge=1)


class IndicatorSettings(Section):
    """Which indicators are computed, with which parameters."""

    rsi: RsiIndicator = RsiIndicator()
    ema: EmaIndicator = EmaIndicator()
    macd: MacdIndicator = MacdIndicator()
    bollinger: BollingerIndicator = BollingerIndicator()
    atr: PeriodIndicator14 = PeriodIndicator14()
    adx: PeriodIndicator14 = PeriodIndicator14()
    stochastic: StochasticIndicator = StochasticIndicator()
    roc: RocIndicator = RocIndicator()
    cci: PeriodIndicator20 = PeriodIndicator20()
    obv: Toggle = Toggle()
    mfi: PeriodIndicator14 = PeriodIndicator14()
    vwap: PeriodIndicator24 = PeriodIndicator24()
    zscore: PeriodIndicator20 = PeriodIndicator20()
    realised_volatility: PeriodIndicator24 = PeriodIndicator24()
    volume_zscore: PeriodIndicator24 = PeriodIndicator24()
    more: dict[str, dict[str, bool | int | float]] = Field(default_factory=dict)
    plugins: tuple[str, ...] = ()


class SmartMoneySection(Section):
    """Smart-money concepts."""

    swing_length: int = Field(default=5, ge=2, le=200)
    atr_period: int = Field(default=14, ge=2, le=500)
    pool_tolerance: float = Field(default=0.25, ge=0.01, le=5)
