"""The sections of ``config.yaml`` as types; ``config.py`` loads them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.retention import Age
from trading_pipeline.core.timeframe import Timeframe

_Bars: TypeAlias = Annotated[int, Field(ge=1)]
_USUAL_CONTEXTS = (Timeframe("4h"), Timeframe("1d"))


class Section(BaseModel):
    """A section of ``config.yaml``; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SymbolSettings(Section):
    """One traded symbol: whether, how small, and when it exists.

    ``listed`` is the first and ``delisted`` the first missing day or instant (UTC); ``formerly``
    maps earlier names to when they ended.
    """

    enabled: bool = True
    min_order_size: float = Field(default=10.0, ge=0)
    listed: AwareDatetime | date | None = None
    delisted: AwareDatetime | date | None = None
    formerly: dict[str, AwareDatetime | date] = Field(default_factory=dict)

    @field_validator("formerly", mode="before")
    @classmethod
    def _spell_former(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {_symbol_key(key): until for key, until in value.items()}

    @model_validator(mode="after")
    def _life_in_order(self) -> Self:
        born, gone = utc_instant(self.listed), utc_instant(self.delisted)
        if born is not None and gone is not None and gone <= born:
            raise ValueError(f"delisted must be later than listed, was {gone} after {born}")
        ends = [utc_instant(until) for until in self.formerly.values()]
        if ends != sorted(set(ends), key=str):
            raise ValueError("formerly must name the oldest name first, each with a later end")
        return self


def utc_instant(value: date | None) -> datetime | None:
    """Return a day (its first instant in UTC) or an instant as an instant in UTC."""
    if value is None or isinstance(value, datetime):
        return value if value is None else value.astimezone(UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC)


class MarketSettings(Section):
    """What is fetched, from where, since when."""

    venue: str = Field(default="binance", pattern=r"^[a-z0-9_]+$")
    symbols: dict[str, SymbolSettings] = Field(
        default_factory=lambda: {"BTC-USDT": SymbolSettings(), "ETH-USDT": SymbolSettings()}
    )
    base_timeframe: str = "1h"
    context_timeframes: tuple[str, ...] | None = None
    history_start: str = "2023-01"
    history_end: str | None = None
    now: AwareDatetime | None = None
    candle_files: tuple[str, ...] = ()
    candle_symbol: str | None = None
    base_url: str | None = None
    archive: bool = True
    archive_url: str | None = None
    second_sources: tuple[str, ...] | None = None
    repair_gaps_per_month: int = Field(default=20, ge=0)
    close_grace_s: float = Field(default=2.0, ge=0, le=60)
    max_clock_skew_s: float = Field(default=2.0, gt=0, le=3600)
    decision_latency_s: float = Field(default=2.0, ge=0, le=5)

    @field_validator("symbols", mode="before")
    @classmethod
    def _spell_symbols(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {_symbol_key(key): {} if entry is None else entry for key, entry in value.items()}

    @field_validator("base_timeframe")
    @classmethod
    def _known_timeframe(cls, value: str) -> str:
        try:
            return Timeframe.parse(value).name
        except ConfigError as error:
            raise ValueError(error.message) from error

    @field_validator("context_timeframes")
    @classmethod
    def _known_timeframes(cls, values: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if values is None:
            return None
        named = {cls._known_timeframe(value) for value in values}
        return tuple(sorted(named, key=lambda name: Timeframe(name).seconds))

    @field_validator("history_start", "history_end", mode="before")
    @classmethod
    def _known_month(cls, value: object) -> object:
        if value is None:
            return None
        try:
            return Month.parse(str(value)).key
        except ConfigError as error:
            raise ValueError(error.message) from error

    @model_validator(mode="after")
    def _contexts_are_longer(self) -> Self:
        for name in self.context_timeframes or ():
            try:
                self.timeframe.check_makes_up(Timeframe(name))
            except ConfigError as error:
                raise ValueError(f"context_timeframes: {error.message}") from error
        return self

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.history_end is not None and self.history_end < self.history_start:
            raise ValueError(
                f"history_end must not lie before history_start {self.history_start}, "
                f"was {self.history_end}"
            )
        if not any(entry.enabled for entry in self.symbols.values()):
            raise ValueError("symbols needs at least one enabled symbol")
        return self

    @field_validator("candle_symbol")
    @classmethod
    def _spell_symbol(cls, value: str | None) -> str | None:
        return None if value is None else _symbol_key(value)

    @property
    def enabled_symbols(self) -> tuple[Symbol, ...]:
        """Enabled symbols in the order of the file."""
        return tuple(Symbol.parse(key) for key, entry in self.symbols.items() if entry.enabled)

    @property
    def timeframe(self) -> Timeframe:
        """The base timeframe."""
        return Timeframe(self.base_timeframe)

    @property
    def contexts(self) -> tuple[Timeframe, ...]:
        """The context timeframes, shortest first; by default those that the base makes up."""
        if self.context_timeframes is not None:
            return tuple(Timeframe(name) for name in self.context_timeframes)
        return tuple(usual for usual in _USUAL_CONTEXTS if self.timeframe.makes_up(usual))


class RetentionSettings(Section):
    """How long each kind is kept; None keeps all of it."""

    lake: str | None = None
    reports: str | None = None
    logs: str | None = None
    runs: str | None = None
    streams: str | None = None

    @field_validator("*")
    @classmethod
    def _known_age(cls, value: str | None) -> str | None:
        try:
            return None if value is None else str(Age.parse(value))
        except ConfigError as error:
            raise ValueError(error.message) from error

    def ages(self) -> dict[str, Age]:
        """Return the kinds that have an age."""
        return {kind: Age.parse(age) for kind, age in self.model_dump().items() if age is not None}


class StorageSettings(Section):
    """Where runs write."""

    root: str = "data"
    database_url: str | None = None
    redis_url: str | None = None
    retention: RetentionSettings = RetentionSettings()
    lake_root: str | None = None
    lake_cache_mb: int = Field(default=4096, ge=1)

    @field_validator("lake_root")
    @classmethod
    def _folder_or_bucket(cls, value: str | None) -> str | None:
        if value is None:
            return None
        scheme, separator, rest = value.partition("://")
        if separator and (scheme != "s3" or not rest.partition("/")[0]):
            raise ValueError(f"lake_root must be a folder or s3://bucket/prefix, was {value!r}")
        return value

    @field_validator("root")
    @classmethod
    def _local_folder(cls, value: str) -> str:
        if "://" in value:
            raise ValueError(f"root must be a local folder, was {value!r}")
        return value


class FeatureSection(Section):
    """Feature matrix."""

    lags: tuple[_Bars, ...] = Field(default=(1, 2, 3, 6, 12, 24), min_length=1)


class LabelSection(Section):
    """Triple-barrier labels."""

    horizon: int = Field(default=24, ge=1)
    upper: float = Field(default=4.0, gt=0)
    lower: float = Field(default=4.0, gt=0)
    volatility_window: int = Field(default=24, ge=2)


class XGBoostSection(Section):
    """Gradient-boosted trees."""

    n_trees: int = Field(default=100, ge=1)
    max_depth: int = Field(default=6, ge=1, le=20)
    learning_rate: float = Field(default=0.05, gt=0, le=1)


class ModelSection(Section):
    """Models and their care."""

    seed: int = 7
    max_age_days: float = Field(default=7.0, gt=0)
    xgboost: XGBoostSection = XGBoostSection()


class WalkForwardSection(Section):
    """Walk-forward windows, in whole months."""

    train_months: int = Field(default=12, ge=1)
    embargo_bars: int = Field(default=0, ge=0)
    min_train_rows: int = Field(default=500, ge=50)


class RsiStrategySection(Section):
    """RSI strategy; its levels stand with the indicator."""

    enabled: bool = True


class EmaCrossSection(Section):
    """EMA cross strategy."""

    enabled: bool = True
    fast: int = Field(default=9, ge=2)
    slow: int = Field(default=21, ge=3)


class ForecastSection(Section):
    """Forecast as a signal source."""

    enabled: bool = True
    min_margin: float = Field(default=0.05, ge=0, lt=1)


class StrategySection(Section):
    """Signal sources."""

    rsi: RsiStrategySection = RsiStrategySection()
    ema_cross: EmaCrossSection = EmaCrossSection()
    forecast: ForecastSection = ForecastSection()


class SignalSection(Section):
    """How votes become one signal."""

    method: Literal["weighted_average"] = "weighted_average"
    weights: dict[str, float] = Field(
        default_factory=lambda: {"rsi": 1.0, "ema_cross": 1.0, "forecast": 2.0}
    )
    threshold: float = Field(default=0.2, ge=0, le=1)


class BacktestSection(Section):
    """Backtest assumptions; the paper broker uses the same costs."""

    initial_balance: float = Field(default=10_000.0, gt=0)
    taker_fee_bps: float = Field(default=10.0, ge=0, le=1000)
    slippage_bps: float = Field(default=5.0, ge=0, le=1000)


class RiskSection(Section):
    """Limits, as fractions."""

    max_position_size: float = Field(default=0.1, gt=0, le=1)
    risk_per_trade: float = Field(default=0.01, gt=0, le=1)
    stop_loss_pct: float = Field(default=0.02, gt=0, lt=1)
    take_profit_pct: float = Field(default=0.04, gt=0)
    max_daily_loss: float = Field(default=0.05, gt=0, le=1)
    max_open_positions: int = Field(default=5, ge=1)
    max_signal_age_bars: float = Field(default=1.0, gt=0)
    max_price_deviation: float = Field(default=0.02, gt=0, lt=1)
    allow_short: bool = False


class ExecutionSection(Section):
    """Execution; paper is the one mode so far."""

    mode: Literal["paper"] = "paper"
    account: str = Field(default="paper", pattern=r"^[a-z0-9_-]{1,32}$")
    enabled: bool = True


def _symbol_key(text: object) -> str:
    try:
        return Symbol.parse(str(text)).key
    except ConfigError as error:
        raise ValueError(error.message) from error
