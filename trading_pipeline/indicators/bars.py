"""What a kernel reads: the columns of candles, and how arrays get in."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trading_pipeline.core.candles import CandleArrays, FloatArray, IntArray
from trading_pipeline.core.errors import DataError

COLUMNS = ("time", "open", "high", "low", "close", "volume")


class Bars(NamedTuple):
    """Columns of shape (n_bars,), oldest first; those that an indicator did not ask for are empty.

    ``time`` is the open time in int64 microseconds since 1970 (UTC), the others are float64.
    """

    time: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray


def _read_only(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    # Always: numba compiles a kernel once more for every mixture of read-only and writable
    # arrays, and the columns of a frame are read-only.
    view = array.view()
    view.flags.writeable = False
    return view


_NO_TIMES: IntArray = _read_only(np.empty(0, dtype=np.int64))  # type: ignore[assignment]
_NO_VALUES: FloatArray = _read_only(np.empty(0))  # type: ignore[assignment]
NO_BARS = Bars(_NO_TIMES, *[_NO_VALUES] * 5)


def bars_of(**columns: npt.ArrayLike) -> Bars:
    """Return the columns as read-only contiguous arrays, after checking their shapes.

    Raises
    ------
    DataError
        If an input is not one-dimensional, not numeric, or their lengths differ.
    """
    arrays: dict[str, Any] = {name: _column(name, values) for name, values in columns.items()}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(f"inputs must have one length, were {listed} bars", lengths=lengths)
    return NO_BARS._replace(**arrays)


def bars_of_candles(candles: CandleArrays) -> Bars:
    """Return candles as bars; arrays of the right type are not copied."""
    return bars_of(
        time=candles.open_time,
        open=candles.open,
        high=candles.high,
        low=candles.low,
        close=candles.close,
        volume=candles.volume,
    )


def _column(name: str, values: npt.ArrayLike) -> npt.NDArray[np.generic]:
    wanted = np.int64 if name == "time" else np.float64
    try:
        given = np.asarray(values)
        if given.dtype.kind == "c" or (name == "time" and given.dtype.kind not in "iu"):
            raise TypeError(f"{given.dtype} values")
        array = np.ascontiguousarray(given, dtype=wanted)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must be numbers, was {type(values).__name__}: {error}") from error
    if given.ndim != 1:
        raise DataError(f"{name} must have the shape (n_bars,), was {given.shape}")
    return _read_only(array)
