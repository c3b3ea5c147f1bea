"""Indicators against TA-Lib: each, and all that TA-Lib also has, one call after another.

Both sides get the same whole ticks and use one thread. Where TA-Lib has no function, the peer is
put together from its functions and NumPy; those stay out of the whole set.
"""

import math
from collections.abc import Callable, Generator

import numpy as np

from trading_pipeline.core.candles import CandleArrays, FloatArray
from trading_pipeline.indicators.catalog import CATALOG, Scale, compute
from trading_pipeline_tests.benchmarks.inputs import tick_arrays
from trading_pipeline_tests.benchmarks.measure import Bench, Comparison, Side

Outputs = tuple[FloatArray, ...]

# From the performance goals; without a row of its own an indicator must not be slower.
GOALS = {"adx": 8.0, "cci": 4.0, "atr": 1.1}
GOALS |= dict.fromkeys(("sma", "ema", "rsi", "obv", "bollinger", "stochastic", "vwap"), 1.7)
WHOLE_SET_GOAL = 4.0
_NOT_WORSE = 1.0
_RELATIVE = 1e-9


def _talib(arrays: CandleArrays) -> dict[str, Callable[[], Outputs]]:
    import talib

    high, low, close, volume = arrays.high, arrays.low, arrays.close, arrays.volume
    simple = talib.MA_Type.SMA  # type: ignore[attr-defined]
    return {
        "sma": lambda: (talib.SMA(close, 20),),
        "ema": lambda: (talib.EMA(close, 20),),
        "bollinger": lambda: talib.BBANDS(close, 20, 2.0, 2.0),
        "rsi": lambda: (talib.RSI(close, 14),),
        "macd": lambda: talib.MACD(close, 12, 26, 9),
        "stochastic": lambda: talib.STOCH(high, low, close, 14, 3, simple, 3, simple),
        "roc": lambda: (talib.ROCP(close, 10),),
        "cci": lambda: (talib.CCI(high, low, close, 20),),
        "adx": lambda: (
            talib.ADX(high, low, close, 14),
            talib.PLUS_DI(high, low, close, 14),
            talib.MINUS_DI(high, low, close, 14),
        ),
        "atr": lambda: (talib.ATR(high, low, close, 14),),
        "obv": lambda: (talib.OBV(close, volume),),
        "mfi": lambda: (talib.MFI(high, low, close, volume, 14),),
    }


def _composed(arrays: CandleArrays) -> dict[str, Callable[[], Outputs]]:
    import talib

    high, low, close, volume = arrays.high, arrays.low, arrays.close, arrays.volume

    def realised() -> Outputs:
        returns = np.diff(np.log(close), prepend=np.nan)
        # The sample deviation; TA-Lib divides by n. Its sums must not begin with the NaN.
        values = np.full(len(close), np.nan)
        values[1:] = talib.STDDEV(returns[1:], 24) * math.sqrt(24 / 23)
        return (values,)

    def vwap() -> Outputs:
        turnover = talib.TYPPRICE(high, low, close) * volume
        return (talib.SUM(turnover, 24) / talib.SUM(volume, 24),)

    return {
        "zscore": lambda: ((close - talib.SMA(close, 20)) / talib.STDDEV(close, 20),),
        "volume_zscore": lambda: ((volume - talib.SMA(volume, 24)) / talib.STDDEV(volume, 24),),
        "realised_volatility": realised,
        "vwap": vwap,
    }


def comparisons(bench: Bench) -> Generator[Comparison, None, None]:
    """Yield a comparison per indicator of the catalogue, and one of the whole set."""
    import talib

    arrays = tick_arrays(bench.sizes.n_bars)
    native, composed = _talib(arrays), _composed(arrays)
    assert {*native, *composed} == set(CATALOG), "every indicator needs a peer"
    bars = f"{bench.sizes.n_bars:,} bars"
    peer = f"TA-Lib {talib.__version__}"
    for name in CATALOG:
        is_native = name in native
        yield Comparison(
            f"indicators/{name}",
            Side(f"catalogue {name}", lambda name=name: compute(name, arrays)),  # type: ignore[misc]
            Side(peer if is_native else f"{peer} + NumPy", (native | composed)[name]),
            _difference_of(name, arrays),
            GOALS.get(name, _NOT_WORSE),
            bars if is_native else f"{bars}; TA-Lib lacks it: its moving functions and NumPy",
        )

    def difference(ours: list[dict[str, FloatArray]], theirs: list[Outputs]) -> str | None:
        found = (
            _difference_of(name, arrays)(mine, other)
            for name, mine, other in zip(native, ours, theirs, strict=True)
        )
        return next((text for text in found if text is not None), None)

    yield Comparison(
        "indicators/whole-set",
        Side(f"catalogue, {len(native)} indicators", lambda: [compute(n, arrays) for n in native]),
        Side(peer, lambda: [function() for function in native.values()]),
        difference,
        WHOLE_SET_GOAL,
        f"{bars}; the indicators that TA-Lib has itself, one call after another, one thread each",
    )


def _difference_of(
    name: str, arrays: CandleArrays
) -> Callable[[dict[str, FloatArray], Outputs], str | None]:
    spec = CATALOG[name]
    # What an error counts against where the value itself is near zero.
    scale = float(np.median(arrays.close)) if spec.scale is Scale.PRICE else spec.natural_scale

    def difference(ours: dict[str, FloatArray], theirs: Outputs) -> str | None:
        if len(ours) != len(theirs):
            return f"{len(ours)} outputs against {len(theirs)}"
        for (output, mine), other in zip(ours.items(), theirs, strict=True):
            known = ~np.isnan(mine)
            # TA-Lib has the directional indicators some bars before the index; ours wait for it.
            if name != "adx" and not np.array_equal(known, ~np.isnan(other)):
                return f"{output} is known on other bars"
            if not known.any():
                return f"{output} is known on no bar"
            error = np.abs(mine - other)[known] / np.maximum(np.abs(other[known]), scale)
            # Not "error > ...": a NaN of the peer must not pass.
            if not float(error.max()) <= _RELATIVE:
                return (
                    f"{output} differs by {error.max():.1e} of its scale, on bar {error.argmax()}"
                )
        return None

    return difference
