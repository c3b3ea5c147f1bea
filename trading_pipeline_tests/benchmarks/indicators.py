"""Indicators against TA-Lib: each, and all that TA-Lib also has, one call after another.

Both sides get the same whole ticks and use one thread. Where TA-Lib has no function, the peer is
put together from its functions and NumPy; those stay out of the whole set.
"""

import math
from collections.abc import Callable, Generator
from functools import partial

import numpy as np

from trading_pipeline.core.candles import CandleArrays, FloatArray
from trading_pipeline.indicators.catalog import (
    CATALOG,
    Category,
    IndicatorRequest,
    Scale,
    compute,
)
from trading_pipeline.indicators.stream import IndicatorStream
from trading_pipeline_tests.benchmarks.inputs import tick_arrays
from trading_pipeline_tests.benchmarks.measure import Bench, Comparison, Side

Outputs = tuple[FloatArray, ...]

# From the performance goals; without a row of its own an indicator must not be slower.
GOALS = {"adx": 8.0, "cci": 4.0, "supertrend": 3.0}
GOALS |= dict.fromkeys(("sma", "ema", "rsi", "obv", "bollinger", "stochastic", "vwap"), 1.7)
GOALS |= dict.fromkeys(("williams_r", "ichimoku", "psar", "atr", "cmf"), 1.1)
WHOLE_SET_GOAL = 4.0
_NOT_WORSE = 1.0
_RELATIVE = 1e-9
# TA-Lib has some outputs some bars before the others; ours start together.
_STARTS_LATER = ("adx", "stoch_rsi", "tsi")
# Where TA-Lib is ahead: how the two differ, and what was tried. Not profiled further.
_JOINED = (
    "TA-Lib slides a sum, two operations per bar whatever the window; ours are joined pairwise, "
    "so that a value does not depend on where the history starts and does not drift"
)
_MEANS = f"{_JOINED}; tried: two levels in one pass, no copies between levels"
_CHAIN = (
    "a chain from bar to bar on both sides; ours in groups of four bars. Nothing else was tried"
)
_EAGER = "ours computes every condition of a bar, TA-Lib stops at the first that fails"
REASONS = dict.fromkeys(("ultimate", "vortex", "cmf", "twap"), _MEANS)
REASONS |= dict.fromkeys(("wma", "hma", "regression_slope", "bollinger"), _JOINED)
REASONS |= dict.fromkeys(("dema", "tema", "kama", "macd", "atr", "natr", "tsi"), _CHAIN)
REASONS |= dict.fromkeys(("doji", "inverted_hammer", "shooting_star"), _EAGER)
REASONS["accumulation_distribution"] = _CHAIN
REASONS["realised_volatility"] = "our logarithm takes one value at a time, NumPy's several"
REASONS["williams_r"] = "two extremes joined pairwise; tried: four windows in one pass"
_PARAMETERS = {"stoch_rsi": {"k_smooth": 1}}


def _talib(arrays: CandleArrays) -> dict[str, Callable[[], Outputs]]:
    import talib

    opened, volume = arrays.open, arrays.volume
    high, low, close = arrays.high, arrays.low, arrays.close
    simple = talib.MA_Type.SMA  # type: ignore[attr-defined]
    single: dict[str, Callable[[], FloatArray]] = {
        "sma": lambda: talib.SMA(close, 20),
        "ema": lambda: talib.EMA(close, 20),
        "wma": lambda: talib.WMA(close, 20),
        "dema": lambda: talib.DEMA(close, 20),
        "tema": lambda: talib.TEMA(close, 20),
        "kama": lambda: talib.KAMA(close, 30),
        "hma": lambda: talib.HMA(close, 16),
        "rsi": lambda: talib.RSI(close, 14),
        "roc": lambda: talib.ROCP(close, 10),
        "williams_r": lambda: talib.WILLR(high, low, close, 14),
        "cci": lambda: talib.CCI(high, low, close, 20),
        "ultimate": lambda: talib.ULTOSC(high, low, close, 7, 14, 28),
        "psar": lambda: talib.SAR(high, low, 0.02, 0.2),
        "true_range": lambda: talib.TRANGE(high, low, close),
        "atr": lambda: talib.ATR(high, low, close, 14),
        "obv": lambda: talib.OBV(close, volume),
        "mfi": lambda: talib.MFI(high, low, close, volume, 14),
        "vwma": lambda: talib.VWMA(close, volume, 20),
        "vwap_anchored": lambda: talib.VWAP(high, low, close, volume),
        "cmf": lambda: talib.CMF(high, low, close, volume, 20),
        "accumulation_distribution": lambda: talib.AD(high, low, close, volume),
        "force_index": lambda: talib.EFI(close, volume, 13),
        "regression_slope": lambda: talib.LINEARREG_SLOPE(close, 100),
        "percent_rank": lambda: talib.PERCENTRANK(close, 100),
    }
    several: dict[str, Callable[[], Outputs]] = {
        "bollinger": lambda: talib.BBANDS(close, 20, 2.0, 2.0),
        "donchian": lambda: talib.DONCHIAN(high, low, 20),
        "macd": lambda: talib.MACD(close, 12, 26, 9),
        "stochastic": lambda: talib.STOCH(high, low, close, 14, 3, simple, 3, simple),
        "stoch_rsi": lambda: talib.STOCHRSI(close, 14, 14, 3),
        "adx": lambda: (
            talib.ADX(high, low, close, 14),
            talib.PLUS_DI(high, low, close, 14),
            talib.MINUS_DI(high, low, close, 14),
        ),
        "aroon": lambda: talib.AROON(high, low, 14)[::-1],
        "vortex": lambda: talib.VORTEX(high, low, close, 14),
        "supertrend": lambda: talib.SUPERTREND(high, low, close, 10, 3.0),
    }
    patterns = {
        name: partial(_one, getattr(talib, spec.oracle.split()[1]), opened, high, low, close)
        for name, spec in CATALOG.items()
        if spec.category is Category.PATTERNS
    }
    one = {name: partial(_one, function) for name, function in single.items()}
    return one | several | patterns


def _one(function: Callable[..., FloatArray], *arguments: FloatArray) -> Outputs:
    return (function(*arguments),)


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

    def keltner() -> Outputs:
        middle, breadth = talib.EMA(close, 20), talib.ATR(high, low, close, 10)
        return middle + 2.0 * breadth, middle, middle - 2.0 * breadth

    def tsi() -> Outputs:
        index = talib.TSI(close, 25, 13)
        return index, talib.EMA(index, 7)

    return {
        "zscore": lambda: ((close - talib.SMA(close, 20)) / talib.STDDEV(close, 20),),
        "volume_zscore": lambda: ((volume - talib.SMA(volume, 24)) / talib.STDDEV(volume, 24),),
        "natr": lambda: (talib.NATR(high, low, close, 14) / 100.0,),
        "twap": lambda: (talib.SMA(talib.AVGPRICE(arrays.open, high, low, close), 24),),
        "realised_volatility": realised,
        "vwap": vwap,
        "keltner": keltner,
        "tsi": tsi,
    }


def comparisons(bench: Bench) -> Generator[Comparison, None, None]:
    """Yield a comparison per indicator of the catalogue, and one of the whole set."""
    import talib

    arrays = tick_arrays(bench.sizes.n_bars)
    native, composed = _talib(arrays), _composed(arrays)
    bars = f"{bench.sizes.n_bars:,} bars"
    peer = f"TA-Lib {talib.__version__}"
    for name in native | composed:
        is_native = name in native
        yield Comparison(
            f"indicators/{name}",
            Side(f"catalogue {name}", _ours(name, arrays)),
            Side(peer if is_native else f"{peer} + NumPy", (native | composed)[name]),
            _difference_of(name, arrays),
            GOALS.get(name, _NOT_WORSE),
            _note(name, bars if is_native else f"{bars}; TA-Lib lacks it: its functions and NumPy"),
        )

    def every(functions: dict[str, Callable[[], object]]) -> Callable[[], int]:
        # Each result is dropped before the next call, as a user does who stores it.
        return lambda: sum(function() is not None for function in functions.values())

    def difference(ours: int, theirs: int) -> str | None:
        found = (
            _difference_of(name, arrays)(_ours(name, arrays)(), native[name]()) for name in native
        )
        wrong = next((text for text in found if text is not None), None)
        return wrong if ours == theirs == len(native) else f"{ours} and {theirs} results; {wrong}"

    yield Comparison(
        "indicators/whole-set",
        Side(f"catalogue, {len(native)} indicators", every({n: _ours(n, arrays) for n in native})),
        Side(peer, every(native)),
        difference,
        WHOLE_SET_GOAL,
        f"{bars}; the indicators that TA-Lib has itself, one call after another, one thread each",
    )
    yield _streaming(arrays)


def _note(name: str, bars: str) -> str:
    return f"{bars}; where ours is slower: {REASONS[name]}" if name in REASONS else bars


def _streaming(arrays: CandleArrays) -> Comparison:
    """Return the whole catalogue for one bar, against the 100 microseconds of the goal."""
    requests = [IndicatorRequest.of(name) for name in CATALOG]
    stream = IndicatorStream(requests)
    names = ("open_time", "open", "high", "low", "close", "volume")
    rows = list(zip(*(getattr(arrays, n)[:1_500].tolist() for n in names), strict=True))
    for row in rows[:500]:
        stream.update(*row)
    later = iter(rows[500:])
    small = CandleArrays(*(getattr(arrays, n)[:500] for n in names))

    def recomputed() -> int:
        return sum(len(compute(r.indicator, small, r.parameters)) for r in requests)

    return Comparison(
        "indicators/streaming",
        Side(f"{len(requests)} entries, one bar", lambda: len(stream.update(*next(later)))),
        Side("the catalogue over the last 500 bars", recomputed),
        lambda ours, theirs: None if ours == theirs else f"{ours} and {theirs} columns",
        1.0,
        "one update of every entry of the catalogue; the goal is 0.1 ms",
    )


def _ours(name: str, arrays: CandleArrays) -> Callable[[], dict[str, FloatArray]]:
    return lambda: compute(name, arrays, _PARAMETERS.get(name))


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
            if spec.scale is Scale.FLAG and spec.category is Category.PATTERNS:
                # TA-Lib answers 0 on the bars before its own warm-up.
                if not np.array_equal(mine[20:] * 100.0, other[20:]):
                    return f"{output} marks other bars"
                continue
            if (
                name not in _STARTS_LATER
                and output != "direction"
                and not np.array_equal(known, ~np.isnan(other))
            ):
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
