"""The entries of the catalogue; ``catalog`` is what others import."""

from collections.abc import Callable, Mapping
from math import ceil, log
from types import MappingProxyType

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.indicators import momentum, overlap, statistical, trend, volatility, volume
from trading_pipeline.indicators.specs import Category, IndicatorSpec, Parameters, Scale

_LONGEST = 100_000


def _window(parameters: Parameters) -> int:
    return int(parameters["period"]) - 1


def _period(parameters: Parameters) -> int:
    return int(parameters["period"])


def _double_period(parameters: Parameters) -> int:
    return 2 * int(parameters["period"]) - 1


def _macd_warm_up(parameters: Parameters) -> int:
    return int(parameters["slow"] + parameters["signal"]) - 2


def _stochastic_warm_up(parameters: Parameters) -> int:
    return int(parameters["k_period"] + parameters["k_smooth"] + parameters["d_period"]) - 3


def _fading(decay: float) -> int:
    """Return the bars until a start has lost its weight, with room for a start far off."""
    return ceil(log(1e-13) / log(decay)) if decay > 0.0 else 1


def _ema_memory(parameters: Parameters) -> int:
    period = int(parameters["period"])
    return period + _fading(1.0 - 2.0 / (period + 1))


def _wilder_memory(parameters: Parameters) -> int:
    period = int(parameters["period"])
    return period + _fading(1.0 - 1.0 / period)


def _adx_memory(parameters: Parameters) -> int:
    return 2 * _wilder_memory(parameters)


def _macd_memory(parameters: Parameters) -> int:
    signal = int(parameters["signal"])
    slow = _ema_memory({"period": parameters["slow"]})
    return slow + signal + _fading(1.0 - 2.0 / (signal + 1))


def _finite(warm_up: Callable[[Parameters], int]) -> Callable[[Parameters], int]:
    return lambda parameters: warm_up(parameters) + 1


def _for_ever(_: Parameters) -> None:
    return None


def _none(_: Parameters) -> int:
    return 0


def _spec(
    function: Callable[..., FloatArray | tuple[FloatArray, ...]],
    inputs: str,
    scale: Scale,
    reference: str,
    *,
    warm_up: Callable[[Parameters], int],
    memory: Callable[[Parameters], int | None] | None = None,
    outputs: str = "",
    natural_scale: float | None = None,
    at_least: Mapping[str, int] = MappingProxyType({}),
    **parameters: int | float,
) -> IndicatorSpec:
    name = function.__name__
    return IndicatorSpec(
        name=name,
        category=Category(function.__module__.rpartition(".")[2]),
        parameters=MappingProxyType(parameters),
        ranges=MappingProxyType(
            {
                key: (at_least.get(key, 2), _LONGEST) if isinstance(value, int) else (0.01, 100.0)
                for key, value in parameters.items()
            }
        ),
        inputs=tuple(inputs.split()),
        outputs=tuple(outputs.split()) or (name,),
        warm_up=warm_up,
        is_recursive=memory is not None,
        memory=memory or _finite(warm_up),
        scale=scale,
        natural_scale=natural_scale or (100.0 if scale is Scale.PERCENT else 1.0),
        reference=reference,
        function=function,
    )


_HLC, _HLCV = "high low close", "high low close volume"

CATALOG: Mapping[str, IndicatorSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            _spec(
                overlap.sma,
                "close",
                Scale.PRICE,
                "TA-Lib SMA",
                warm_up=_window,
                at_least={"period": 1},
                period=20,
            ),
            _spec(
                overlap.ema,
                "close",
                Scale.PRICE,
                "TA-Lib EMA",
                warm_up=_window,
                memory=_ema_memory,
                period=20,
            ),
            _spec(
                overlap.bollinger,
                "close",
                Scale.PRICE,
                "TA-Lib BBANDS",
                warm_up=_window,
                outputs="upper middle lower",
                period=20,
                deviations=2.0,
            ),
            _spec(
                momentum.rsi,
                "close",
                Scale.PERCENT,
                "TA-Lib RSI",
                warm_up=_period,
                memory=_wilder_memory,
                period=14,
            ),
            _spec(
                momentum.macd,
                "close",
                Scale.PRICE,
                "TA-Lib MACD",
                warm_up=_macd_warm_up,
                memory=_macd_memory,
                outputs="macd signal histogram",
                at_least={"signal": 1},
                fast=12,
                slow=26,
                signal=9,
            ),
            _spec(
                momentum.stochastic,
                _HLC,
                Scale.PERCENT,
                "TA-Lib STOCH, simple averages",
                warm_up=_stochastic_warm_up,
                outputs="k d",
                at_least={"k_period": 1, "k_smooth": 1, "d_period": 1},
                k_period=14,
                k_smooth=3,
                d_period=3,
            ),
            _spec(
                momentum.roc,
                "close",
                Scale.RATIO,
                "TA-Lib ROCP",
                warm_up=_period,
                at_least={"period": 1},
                period=10,
            ),
            _spec(
                momentum.cci,
                _HLC,
                Scale.UNBOUNDED,
                "TA-Lib CCI",
                warm_up=_window,
                natural_scale=100.0,
                period=20,
            ),
            _spec(
                trend.adx,
                _HLC,
                Scale.PERCENT,
                "TA-Lib ADX, PLUS_DI, MINUS_DI on whole ticks",
                warm_up=_double_period,
                memory=_adx_memory,
                outputs="adx plus_di minus_di",
                period=14,
            ),
            _spec(
                volatility.atr,
                _HLC,
                Scale.PRICE,
                "TA-Lib ATR",
                warm_up=_period,
                memory=_wilder_memory,
                period=14,
            ),
            _spec(
                volatility.realised_volatility,
                "close",
                Scale.RATIO,
                "pandas rolling std of log returns",
                warm_up=_period,
                period=24,
            ),
            _spec(
                volume.obv,
                "close volume",
                Scale.VOLUME,
                "TA-Lib OBV",
                warm_up=_none,
                memory=_for_ever,
            ),
            _spec(
                volume.mfi,
                _HLCV,
                Scale.PERCENT,
                "TA-Lib MFI on whole ticks",
                warm_up=_period,
                period=14,
            ),
            _spec(
                volume.vwap,
                _HLCV,
                Scale.PRICE,
                "pandas rolling sums of turnover and volume",
                warm_up=_window,
                at_least={"period": 1},
                period=24,
            ),
            _spec(
                volume.volume_zscore,
                "volume",
                Scale.UNBOUNDED,
                "TA-Lib SMA and STDDEV",
                warm_up=_window,
                period=24,
            ),
            _spec(
                statistical.zscore,
                "close",
                Scale.UNBOUNDED,
                "TA-Lib SMA and STDDEV",
                warm_up=_window,
                period=20,
            ),
        )
    }
)
