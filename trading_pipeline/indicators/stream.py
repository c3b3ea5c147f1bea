"""Indicators of one new bar at a time, with the bits that a whole history gives."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np

from trading_pipeline.core.candles import CandleArrays, FloatArray, IntArray
from trading_pipeline.core.errors import DataError
from trading_pipeline.indicators.bars import Bars, bars_of_candles
from trading_pipeline.indicators.catalog import IndicatorRequest, indicator_columns
from trading_pipeline.indicators.definition import advance, empty_state, parameter_array

_ROOM = 1024


class IndicatorStream:
    """Requested indicators, bar by bar or chunk by chunk.

    Bar by bar, in chunks of any length, or all at once: the numbers are the same, bit for bit.
    A stream can be pickled and goes on where it was.

    Parameters
    ----------
    requests : sequence of IndicatorRequest
        What to compute; every column name only once.

    Raises
    ------
    ConfigError
        If two requests make a column of one name.

    Examples
    --------
    >>> stream = IndicatorStream.of("sma", period=2)
    >>> [stream.update(t, p, p, p, p, 1.0).tolist() for t, p in enumerate([1.0, 2.0, 4.0])]
    [[nan], [1.5], [3.0]]
    """

    def __init__(self, requests: Sequence[IndicatorRequest]) -> None:
        self.requests = tuple(requests)
        self.columns = indicator_columns(requests)
        self.n_bars = 0
        specs = [request.spec for request in self.requests]
        states = [
            empty_state(spec, request.parameters)
            for spec, request in zip(specs, self.requests, strict=True)
        ]
        self._state_starts = np.cumsum([0, *(len(state) for state in states)])
        self._states = np.concatenate([np.empty(0), *states])
        lookbacks = [s.lookback(r.parameters) for s, r in zip(specs, self.requests, strict=True)]
        self._n_kept = max(lookbacks, default=0)
        self._times = np.empty(self._n_kept + _ROOM, dtype=np.int64)
        self._values = np.empty((5, self._n_kept + _ROOM))
        self._stop = 0

    @classmethod
    def of(cls, indicator: str, **parameters: int | float) -> Self:
        """Return the stream of one indicator of the catalogue."""
        return cls([IndicatorRequest.of(indicator, **parameters)])

    def __getstate__(self) -> dict[str, Any]:
        # Addresses of machine code mean nothing in another process.
        return {key: value for key, value in self.__dict__.items() if key != "_call"}

    def update(
        self,
        time: int,
        open: float,  # noqa: A002  the names of the columns
        high: float,
        low: float,
        close: float,
        volume: float,
    ) -> FloatArray:
        """Take in a closed bar and return one value per column, NaN during the warm-up.

        ``time`` is the open time in microseconds since 1970 (UTC). The array is overwritten by
        the next call.

        Raises
        ------
        DataError
            If the bar is not later than the one before it.
        """
        stop = self._stop
        if stop and time <= self._times[stop - 1]:
            raise DataError(
                f"bars must come in order, was {time} after {self._times[stop - 1]}; "
                "a stream never goes back"
            )
        if stop == len(self._times):
            stop = self._make_room()
        self._times[stop] = time
        self._values[:, stop] = (open, high, low, close, volume)
        self._stop, self.n_bars = stop + 1, self.n_bars + 1
        call = self._call
        push_bar, calls, parameters, scratch, out = call
        push_bar(calls, self._times, self._values, stop + 1, parameters, self._states, scratch, out)
        return out

    def extend(self, candles: CandleArrays) -> FloatArray:
        """Take in closed bars and return an array of shape (n_columns, n_bars).

        Raises
        ------
        DataError
            If the bars are not in order, or not later than the last one.
        """
        bars = bars_of_candles(candles)
        n_new = len(bars.time)
        out = np.empty((len(self.columns), n_new))
        if n_new == 0:
            return out
        last = self._times[self._stop - 1] if self._stop else None
        if np.any(np.diff(bars.time) <= 0) or (last is not None and bars.time[0] <= last):
            raise DataError("bars must come in order, each later than the one before it")
        joined, n_old = self._joined(bars)
        row = 0
        for i, request in enumerate(self.requests):
            spec, parameters = request.spec, request.parameters
            state = self._states[self._state_starts[i] : self._state_starts[i + 1]]
            first = min(spec.lookback(parameters), n_old, int(state[0]))
            reach = Bars._make(column[n_old - first :] for column in joined)
            lines = np.empty((len(spec.outputs), first + n_new))
            advance(spec, reach, first, parameters, state, lines)
            out[row : row + len(lines)] = lines[:, first:]
            row += len(lines)
        self._keep(joined)
        self.n_bars += n_new
        return out

    def _joined(self, bars: Bars) -> tuple[Bars, int]:
        n_old = min(self._stop, self._n_kept)
        older = slice(self._stop - n_old, self._stop)
        columns: list[IntArray | FloatArray] = [np.concatenate([self._times[older], bars.time])]
        for kept, new in zip(self._values, bars[1:], strict=True):
            columns.append(np.concatenate([kept[older], new]))
        for column in columns:
            column.flags.writeable = False
        return Bars(*columns), n_old  # type: ignore[arg-type]

    def _keep(self, bars: Bars) -> None:
        n_kept = min(max(self._n_kept, 1), len(bars.time))
        self._times[:n_kept] = bars.time[-n_kept:]
        for kept, column in zip(self._values, bars[1:], strict=True):
            kept[:n_kept] = column[-n_kept:]
        self._stop = n_kept

    def _make_room(self) -> int:
        n_kept = max(self._n_kept, 1)
        older = slice(self._stop - n_kept, self._stop)
        self._times[:n_kept] = self._times[older].copy()
        self._values[:, :n_kept] = self._values[:, older].copy()
        self._stop = n_kept
        return n_kept

    @cached_property
    def _call(self) -> tuple[Any, IntArray, FloatArray, FloatArray, FloatArray]:
        """What one compiled call needs; the kernels are compiled here."""
        from trading_pipeline.indicators import _calls

        calls = np.zeros((len(self.requests), _calls.N_FIELDS), dtype=np.int64)
        parameters: list[float] = []
        n_outputs, widest = 0, 0
        for call, start, request in zip(calls, self._state_starts, self.requests, strict=False):
            spec, chosen = request.spec, request.parameters
            call[_calls.ADDRESS] = _calls.address_of(spec.kernel)
            call[_calls.LOOKBACK] = spec.lookback(chosen)
            call[_calls.WARM_UP] = spec.warm_up(chosen)
            call[_calls.IS_RECURSIVE] = spec.is_recursive
            call[_calls.PARAMETERS] = len(parameters)
            call[_calls.N_PARAMETERS] = len(chosen)
            call[_calls.STATE] = start
            call[_calls.OUT] = n_outputs
            call[_calls.N_OUTPUTS] = len(spec.outputs)
            parameters.extend(parameter_array(chosen))
            n_outputs += len(spec.outputs)
            widest = max(widest, len(spec.outputs) * (spec.lookback(chosen) + 1))
        return (
            _calls.push_bar,
            calls,
            np.array(parameters, dtype=np.float64),
            np.empty(widest),
            np.empty(n_outputs),
        )
