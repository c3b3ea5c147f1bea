"""One file, one decorator: how an indicator is defined.

::

    @indicator(
        Category.MOMENTUM,
        inputs="close",
        parameters={"period": length(10, low=1)},
        warm_up=lambda p: p["period"],
        scale=Scale.RATIO,
        reference="...",
        oracle="TA-Lib ROCP",
    )
    def roc(bars, first, parameters, state, out):
        \"\"\"Rate of change: close / close ``period`` bars ago - 1.\"\"\"
        period = int(parameters[0])
        for t in range(first, len(bars.close)):
            out[0, t] = bars.close[t] / bars.close[t - period] - 1.0

The function is a numba kernel. ``bars`` has the columns that ``inputs`` names; ``out`` has a row
per output and a column per bar, and the kernel writes the columns from ``first`` on. What stands
before ``first`` are older bars to look back on. The frame around it writes NaN for the warm-up.

An indicator of a **finite window** is a pure function of ``warm_up + 1`` bars: it is called only
with ``first >= warm_up``, and must give the same bits whatever else is in the arrays. A
**recursive** one declares ``n_states`` and carries what it knows in ``state[1:]``, all zero at the
first bar; ``state[0]`` counts the bars before ``first``, and at least ``min(lookback, state[0])``
older bars are in the arrays. Either way the same kernel serves a whole history, a chunk and one bar
(``stream``), and the tests prove that the bits are the same.
"""

from collections.abc import Callable, Mapping
from inspect import cleandoc
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.indicators._compiling import kernel
from trading_pipeline.indicators.bars import COLUMNS, Bars, bars_of
from trading_pipeline.indicators.specs import (
    Category,
    IndicatorSpec,
    Parameter,
    Parameters,
    Scale,
)

_REGISTRY: dict[str, "Indicator"] = {}


class Indicator:
    """An indicator as a function of arrays, such as ``rsi(close, period=14)``.

    Parameters
    ----------
    spec : IndicatorSpec
        Its entry in the catalogue.
    """

    def __init__(self, spec: IndicatorSpec) -> None:
        self.spec = spec
        self.__name__ = spec.name
        self.__doc__ = f"{spec.summary}\n\n{spec.description}".strip()

    def __call__(self, *arguments: Any, **parameters: int | float) -> Any:  # noqa: ANN401
        """Compute the indicator of its input columns, then its parameters.

        Returns
        -------
        ndarray of shape (n_bars,), or a tuple of them
            One array per output, NaN during the warm-up.

        Raises
        ------
        ConfigError
            If a parameter is unknown or out of range, or there are too few or many arguments.
        DataError
            If the inputs are not one-dimensional series of numbers of one length.
        """
        inputs, names = self.spec.inputs, list(self.spec.settings)
        more = arguments[len(inputs) :]
        if len(arguments) < len(inputs) or len(more) > len(names):
            raise ConfigError(
                f"{self.spec.name} takes {', '.join([*inputs, *names])}; "
                f"{len(arguments)} values were given without a name"
            )
        bars = bars_of(**dict(zip(inputs, arguments, strict=False)))
        chosen = dict(zip(names, more, strict=False)) | parameters
        out = compute_bars(self.spec, bars, self.spec.resolve(chosen))
        return tuple(out) if len(out) > 1 else out[0]

    def __repr__(self) -> str:
        return f"<indicator {self.spec.name}>"


def _nothing(_: Parameters) -> int:
    return 0


def _no_objection(_: Parameters) -> None:
    return None


def indicator(
    category: Category,
    *,
    inputs: str,
    warm_up: Callable[[Parameters], int],
    scale: Scale,
    reference: str,
    oracle: str,
    parameters: Mapping[str, Parameter] = MappingProxyType({}),
    outputs: str = "",
    n_states: Callable[[Parameters], int] | None = None,
    lookback: Callable[[Parameters], int] = _nothing,
    memory: Callable[[Parameters], int | None] | None = None,
    natural_scale: float | None = None,
    refuse: Callable[[Parameters], None] = _no_objection,
) -> Callable[[Callable[..., None]], Indicator]:
    """Register the decorated kernel in the catalogue, under its own name.

    ``n_states`` makes it recursive, ``memory`` then says for how long it remembers its start;
    the other arguments are those of :class:`IndicatorSpec`, ``inputs`` and ``outputs`` as words.

    Raises
    ------
    ConfigError
        When applied, if the name is taken or an input is no column of candles.
    """

    def register(function: Callable[..., None]) -> Indicator:
        name, columns = function.__name__, tuple(inputs.split())
        if name in _REGISTRY:
            raise ConfigError(f"an indicator {name} exists already; give this one another name")
        unknown = [column for column in columns if column not in COLUMNS]
        if unknown:
            raise ConfigError.unknown_name("candle column", unknown[0], list(COLUMNS))
        if n_states is not None and memory is None:
            raise ConfigError(f"{name} is recursive; say with memory= how long it remembers")
        summary, _, description = cleandoc(function.__doc__ or "").partition("\n\n")
        made = Indicator(
            IndicatorSpec(
                name=name,
                category=category,
                settings=MappingProxyType(dict(parameters)),
                inputs=columns,
                outputs=tuple(outputs.split()) or (name,),
                warm_up=warm_up,
                is_recursive=n_states is not None,
                lookback=lookback if n_states is not None else warm_up,
                n_states=n_states or _nothing,
                memory=memory or (lambda p: warm_up(p) + 1),
                refuse=refuse,
                scale=scale,
                natural_scale=natural_scale or (100.0 if scale is Scale.PERCENT else 1.0),
                reference=reference,
                oracle=oracle,
                summary=" ".join(summary.split()),
                description=description,
                kernel=kernel(function),
            )
        )
        _REGISTRY[name] = made
        return made

    return register


def registered() -> Mapping[str, Indicator]:
    """Return every indicator that was defined so far, by name."""
    return MappingProxyType(_REGISTRY)


def withdraw(name: str) -> None:
    """Take an indicator out of the catalogue again, such as one of a plugin.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if name not in _REGISTRY:
        raise ConfigError.unknown_name("indicator", name, list(_REGISTRY))
    del _REGISTRY[name]


def parameter_array(parameters: Parameters) -> FloatArray:
    """Return resolved parameters as a kernel takes them."""
    return np.array(list(parameters.values()), dtype=np.float64)


def empty_state(spec: IndicatorSpec, parameters: Parameters) -> FloatArray:
    """Return the state before the first bar."""
    return np.zeros(1 + spec.n_states(parameters))


def compute_bars(spec: IndicatorSpec, bars: Bars, parameters: Parameters) -> npt.NDArray[Any]:
    """Compute an indicator over a whole history; a row per output, NaN during the warm-up.

    ``parameters`` must be resolved and ``bars`` have the indicator's inputs.
    """
    n_bars = len(getattr(bars, spec.inputs[0]))
    out = np.empty((len(spec.outputs), n_bars))
    advance(spec, bars, 0, parameters, empty_state(spec, parameters), out)
    return out


def advance(
    spec: IndicatorSpec,
    bars: Bars,
    first: int,
    parameters: Parameters,
    state: FloatArray,
    out: FloatArray,
) -> None:
    """Compute the bars from ``first`` on into ``out``, and take ``state`` behind the last one.

    ``first`` is how many of the bars were seen before, at least ``min(lookback, state[0])``.
    """
    n_new = out.shape[1] - first
    unknown = min(max(spec.warm_up(parameters) - int(state[0]), 0), n_new)
    begin = first if spec.is_recursive else first + unknown
    if n_new > 0 and begin < out.shape[1]:
        spec.kernel(bars, begin, parameter_array(parameters), state, out)
    out[:, first : first + unknown] = np.nan
    state[0] += n_new
