"""What the catalogue records about an indicator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from numbers import Integral, Real
from typing import TypeAlias

from trading_pipeline.core.candles import FloatArray
from trading_pipeline.core.errors import ConfigError

Parameters: TypeAlias = Mapping[str, int | float]


class Category(StrEnum):
    """What an indicator says; the file that holds it has the same name."""

    OVERLAP = "overlap"
    MOMENTUM = "momentum"
    TREND = "trend"
    VOLATILITY = "volatility"
    VOLUME = "volume"
    STATISTICAL = "statistical"


class Scale(StrEnum):
    """Unit of an indicator's outputs."""

    PRICE = "price"
    PERCENT = "percent 0-100"
    RATIO = "ratio"
    VOLUME = "volume"
    UNBOUNDED = "unbounded"


@dataclass(frozen=True, slots=True)
class IndicatorSpec:
    """What the catalogue knows about one indicator.

    Attributes
    ----------
    name : str
        Key in the catalogue.
    category : Category
        What it says.
    parameters : mapping of str to int or float
        Every parameter with its default; an int stands for whole bars.
    ranges : mapping of str to (lowest, highest)
        Values that are accepted, both ends included.
    inputs : tuple of str
        Candle columns in the order of the function's arguments.
    outputs : tuple of str
        Names of what the function returns. One that equals ``name`` gets no suffix as a column.
    warm_up : callable
        Parameters to the number of leading NaN, the same for every output.
    is_recursive : bool
        Whether a value depends on every bar before it. If not, it depends on ``window`` bars,
        bit for bit.
    memory : callable
        Parameters to the bars after which a start at another bar changes a value by less than
        1e-9 of its natural scale; None: for ever.
    scale : Scale
        Unit of the outputs.
    natural_scale : float
        How large values usually are, what an error is measured against: in closes for a price,
        in what was traded so far for a volume, else as it stands.
    reference : str
        The implementation that it equals.
    function : callable
        The public function.
    """

    name: str
    category: Category
    parameters: Parameters
    ranges: Mapping[str, tuple[float, float]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    warm_up: Callable[[Parameters], int]
    is_recursive: bool
    memory: Callable[[Parameters], int | None]
    scale: Scale
    natural_scale: float
    reference: str
    function: Callable[..., FloatArray | tuple[FloatArray, ...]]

    def window(self, parameters: Parameters) -> int:
        """Return the bars that one value reads, its own included.

        For a recursive indicator the bars behind its first value: its nominal length. Beyond
        that it forgets gradually; see ``memory``.
        """
        return self.warm_up(parameters) + 1

    def resolve(self, parameters: Parameters) -> dict[str, int | float]:
        """Return the defaults updated by ``parameters``, in the catalogue's order.

        Raises
        ------
        ConfigError
            If a parameter is unknown, not a number, not whole where bars are meant, or out of
            range.
        """
        for key in parameters:
            if key not in self.parameters:
                known = list(self.parameters)
                raise ConfigError.unknown_name(f"parameter of {self.name}", key, known)
        resolved = {**self.parameters, **parameters}
        for key, value in resolved.items():
            lowest, highest = self.ranges[key]
            whole = isinstance(self.parameters[key], int)
            if isinstance(value, bool) or not isinstance(value, Integral if whole else Real):
                wanted = "a whole number" if whole else "a number"
                raise ConfigError(f"{key} of {self.name} must be {wanted}, was {value!r}")
            if not lowest <= value <= highest:
                raise ConfigError(
                    f"{key} of {self.name} must be between {lowest:g} and {highest:g}, was {value}"
                )
        return resolved
