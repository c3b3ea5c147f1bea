"""What must hold for every indicator, whatever it computes: run it on one of your own.

The tests of this project run the same over the whole catalogue.
"""

from collections.abc import Callable, Iterator

import numpy as np

from trading_pipeline.core.candles import CandleArrays, FloatArray
from trading_pipeline.indicators.catalog import IndicatorRequest, compute
from trading_pipeline.indicators.stream import IndicatorStream

_COLUMNS = ("open_time", "open", "high", "low", "close", "volume")


def faults(request: IndicatorRequest, candles: CandleArrays) -> list[str]:
    """Return what an indicator does wrong on these candles, in words; empty if nothing.

    Parameters
    ----------
    request : IndicatorRequest
        The indicator and its parameters.
    candles : CandleArrays
        Some hundred candles without missing values, several times the warm-up.

    Notes
    -----
    Checked, all bit for bit: no value changes when later candles are added or replaced by noise;
    bar by bar and in chunks it says the same as over the whole history; the declared warm-up is
    exact; an indicator of a finite window does not depend on where the history starts; a missing
    price makes values missing and never different.
    """
    return [text for check in _CHECKS for text in check(request, candles)]


def _lines(request: IndicatorRequest, candles: CandleArrays) -> dict[str, FloatArray]:
    return compute(request.indicator, candles, request.parameters)


def _part(candles: CandleArrays, start: int, stop: int | None = None) -> CandleArrays:
    return CandleArrays(*(getattr(candles, name)[start:stop] for name in _COLUMNS))


def _differs(left: FloatArray, right: FloatArray) -> bool:
    return left.tobytes() != np.ascontiguousarray(right).tobytes()


def _prefixes(request: IndicatorRequest, candles: CandleArrays) -> Iterator[str]:
    whole, n_bars = _lines(request, candles), len(candles)
    for stop in range(1, n_bars, max(1, n_bars // 60)):
        for output, values in _lines(request, _part(candles, 0, stop)).items():
            if _differs(values, whole[output][:stop]):
                yield f"{output} changes when candles after {stop} are added: it looks ahead"
                return


def _noise(request: IndicatorRequest, candles: CandleArrays) -> Iterator[str]:
    half, n_bars = len(candles) // 2, len(candles)
    noise = np.random.default_rng(1).uniform(1.0, 1e6, n_bars - half)
    changed = [np.r_[getattr(candles, name)[:half], noise] for name in _COLUMNS[1:]]
    whole = _lines(request, candles)
    for output, values in _lines(request, CandleArrays(candles.open_time, *changed)).items():
        if _differs(values[:half], whole[output][:half]):
            yield f"{output} changes when later candles become noise: it looks ahead"


def _streams(request: IndicatorRequest, candles: CandleArrays) -> Iterator[str]:
    whole = list(_lines(request, candles).values())
    rows = zip(*(getattr(candles, name).tolist() for name in _COLUMNS), strict=True)
    stream = IndicatorStream([request])
    one_by_one = np.array([stream.update(*row).copy() for row in rows]).T
    stream, parts, at = IndicatorStream([request]), [], 0
    for n_bars in (1, 2, 3, 5, 1, 7, 50, 1, len(candles)):
        parts.append(stream.extend(_part(candles, at, at + n_bars)))
        at += n_bars
    for how, streamed in (("bar by bar", one_by_one), ("in chunks", np.concatenate(parts, axis=1))):
        wrong = [
            name
            for name, left, right in zip(stream.columns, whole, streamed, strict=True)
            if _differs(left, right)
        ]
        if wrong:
            yield f"{', '.join(wrong)} differ {how} from all at once: check state and lookback"


def _warm_up(request: IndicatorRequest, candles: CandleArrays) -> Iterator[str]:
    for output, values in _lines(request, candles).items():
        known = np.flatnonzero(~np.isnan(values))
        first = int(known[0]) if len(known) else len(values)
        if first != min(request.warm_up, len(values)):
            yield f"{output} is known from bar {first} on, declared are {request.warm_up}"
        if np.isinf(values).any() or np.isnan(values[first:]).any():
            yield f"{output} is not finite on a bar after its warm-up"


def _starts(request: IndicatorRequest, candles: CandleArrays) -> Iterator[str]:
    if request.spec.is_recursive:
        return
    whole = _lines(request, candles)
    for start in (1, 2, 3, len(candles) // 3):
        for output, values in _lines(request, _part(candles, start)).items():
            if _differs(values[request.warm_up :], whole[output][start + request.warm_up :]):
                yield (
                    f"{output} depends on bars before its window of {request.window}; declare "
                    "n_states if it is recursive"
                )
                return


def _missing(request: IndicatorRequest, candles: CandleArrays) -> Iterator[str]:
    clean, at = _lines(request, candles), len(candles) // 2
    for name in set(request.spec.inputs) - {"time"}:
        columns = {column: getattr(candles, column) for column in _COLUMNS}
        columns[name] = columns[name].copy()
        columns[name][at] = np.nan
        for output, values in _lines(request, CandleArrays(**columns)).items():
            known = ~np.isnan(values)
            if _differs(values[known], clean[output][known]):
                yield f"{output} gives another number where {name} is missing, instead of NaN"


_CHECKS: tuple[Callable[[IndicatorRequest, CandleArrays], Iterator[str]], ...] = (
    _prefixes,
    _noise,
    _streams,
    _warm_up,
    _starts,
    _missing,
)
