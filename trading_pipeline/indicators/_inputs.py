"""What every indicator accepts: one-dimensional float64 series of equal length, whole periods."""

from operator import index

import numpy as np
import numpy.typing as npt

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.core.errors import ConfigError, DataError


def series(**inputs: npt.ArrayLike) -> tuple[FloatArray, ...]:
    """Return the inputs as read-only contiguous float64 arrays, after checking their shapes.

    Read-only always, because numba compiles a kernel once more for every mixture of read-only
    and writable inputs, and the columns of a frame are read-only.

    Raises
    ------
    DataError
        If an input is not one-dimensional, not numeric, or their lengths differ.
    """
    arrays = {name: _series(name, values) for name, values in inputs.items()}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(f"inputs must have one length, were {listed} bars", lengths=lengths)
    return tuple(arrays.values())


def _series(name: str, values: npt.ArrayLike) -> FloatArray:
    try:
        array = np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must be numbers, was {type(values).__name__}: {error}") from error
    if np.ndim(values) != 1:
        raise DataError(f"{name} must have the shape (n_bars,), was {np.shape(values)}")
    view = array.view()
    view.flags.writeable = False
    return view


def bars(name: str, value: int, *, at_least: int) -> int:
    """Return ``value`` as a whole number of bars.

    Raises
    ------
    ConfigError
        If it is not whole, or below ``at_least``.
    """
    try:
        count = index(value)
    except TypeError as error:
        raise ConfigError(f"{name} must be a whole number of bars, was {value!r}") from error
    if count < at_least:
        unit = "bar" if at_least == 1 else "bars"
        raise ConfigError(
            f"{name} must be at least {at_least} {unit}, was {count}", **{name: count}
        )
    return count


def unknown(n_bars: int, warm_up: int) -> FloatArray:
    """Return an array whose first ``warm_up`` values are NaN; the rest is for a kernel to write.

    The rest is **not** set, since writing it twice would cost as much as many a kernel.
    """
    out = np.empty(n_bars)
    out[:warm_up] = np.nan
    return out
