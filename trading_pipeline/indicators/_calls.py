"""One new bar for many indicators in one compiled call.

Kernels have one signature, so a table of their addresses replaces a Python loop: the whole
catalogue costs microseconds per bar.
"""

from typing import Any, TypeAlias

import numpy as np
from numba import types
from numba.extending import intrinsic

from trading_pipeline.core.candles import FloatArray, IntArray
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators.bars import Bars

# Types, values and builders of numba, which has no annotations.
_Numba: TypeAlias = Any

_TIMES = types.Array(types.int64, 1, "C", readonly=True)
_VALUES = types.Array(types.float64, 1, "C", readonly=True)
_STATE = types.Array(types.float64, 1, "C")
_OUT = types.Array(types.float64, 2, "C")
_BARS: _Numba = types.NamedTuple([_TIMES] + [_VALUES] * 5, Bars)  # type: ignore[no-untyped-call]
SIGNATURE = types.void(_BARS, types.int64, _STATE, _STATE, _OUT)

# Columns of the table of calls.
(
    ADDRESS,
    LOOKBACK,
    WARM_UP,
    IS_RECURSIVE,
    PARAMETERS,
    N_PARAMETERS,
    STATE,
    OUT,
    N_OUTPUTS,
    N_FIELDS,
) = range(10)


def address_of(compiled: _Numba) -> int:
    """Compile a kernel for :data:`SIGNATURE` and return where its machine code starts."""
    compiled.compile(SIGNATURE)
    found = compiled.overloads[SIGNATURE.args]
    return int(found.library.get_pointer_to_function(found.fndesc.llvm_func_name))


def _generate_call(
    typing: _Numba,
    address: _Numba,
    bars: _Numba,
    first: _Numba,
    parameters: _Numba,
    state: _Numba,
    out: _Numba,
) -> _Numba:
    """Call the kernel at an address."""
    del typing
    given = (bars, first, parameters, state, out)

    def generate(context: _Numba, builder: _Numba, signature: _Numba, values: _Numba) -> _Numba:
        convention, wanted = context.call_conv, signature.args[1:]
        function = convention.get_function_type(types.none, wanted)
        pointer = builder.inttoptr(values[0], function.as_pointer())
        status, _ = convention.call_function(builder, pointer, types.none, wanted, values[1:])
        with builder.if_then(status.is_error):
            convention.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.none(address, *given), generate


def _generate_read_only(typing: _Numba, array: _Numba) -> _Numba:
    """Return the array as the read-only one that kernels are compiled for."""
    del typing

    def generate(context: _Numba, builder: _Numba, signature: _Numba, values: _Numba) -> _Numba:
        context.nrt.incref(builder, signature.return_type, values[0])
        return values[0]

    return array.copy(readonly=True)(array), generate


# Untyped: numba fills in the first argument.
_call: _Numba = intrinsic(_generate_call)
_read_only: _Numba = intrinsic(_generate_read_only)


@kernel
def push_bar(
    calls: IntArray,
    times: IntArray,
    columns: FloatArray,
    stop: int,
    parameters: FloatArray,
    states: FloatArray,
    scratch: FloatArray,
    out: FloatArray,
) -> None:
    """Compute bar ``stop - 1`` of the history for every row of the table of calls."""
    opened, high, low = columns[0], columns[1], columns[2]
    close, volume = columns[3], columns[4]
    for i in range(len(calls)):
        call = calls[i]
        state = states[call[STATE] : calls[i + 1, STATE] if i + 1 < len(calls) else len(states)]
        seen, n_out = int(state[0]), call[N_OUTPUTS]
        chosen = parameters[call[PARAMETERS] : call[PARAMETERS] + call[N_PARAMETERS]]
        row = out[call[OUT] : call[OUT] + n_out]
        if seen >= call[WARM_UP] or call[IS_RECURSIVE]:
            first = min(seen, call[LOOKBACK])
            begin, n_bars = stop - first - 1, first + 1
            bars = Bars(
                _read_only(times[begin:stop]),
                _read_only(opened[begin:stop]),
                _read_only(high[begin:stop]),
                _read_only(low[begin:stop]),
                _read_only(close[begin:stop]),
                _read_only(volume[begin:stop]),
            )
            lines = scratch[: n_out * n_bars].reshape((n_out, n_bars))
            _call(call[ADDRESS], bars, first, chosen, state, lines)
            row[:] = lines[:, first]
        if seen < call[WARM_UP]:
            row[:] = np.nan
        state[0] += 1.0
