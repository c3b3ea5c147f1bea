"""What the catalogue records about an indicator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from numbers import Integral, Real
from typing import Any, TypeAlias

from trading_pipeline.core.errors import ConfigError

Parameters: TypeAlias = Mapping[str, int | float]

LONGEST = 100_000


class Category(StrEnum):
    """What an indicator says."""

    OVERLAP = "overlap"
    MOMENTUM = "momentum"
    TREND = "trend"
    VOLATILITY = "volatility"
    VOLUME = "volume"
    STATISTICAL = "statistical"
    PATTERNS = "patterns"
    SESSIONS = "sessions"


class Scale(StrEnum):
    """Unit of an indicator's outputs."""

    PRICE = "price"
    PERCENT = "percent 0-100"
    RATIO = "ratio"
    VOLUME = "volume"
    UNBOUNDED = "unbounded"
    FLAG = "flag -1, 0, 1"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a user may set.

    Attributes
    ----------
    default : int or float
        An int accepts whole numbers only.
    low, high : float
        What is accepted, both ends included.
    meaning : str
        What it is, with its unit.
    """

    default: int | float
    low: float
    high: float
    meaning: str


def length(default: int, meaning: str = "window in bars", *, low: int = 2) -> Parameter:
    """Return a parameter that counts bars."""
    return Parameter(default, low, LONGEST, meaning)


@dataclass(frozen=True, slots=True)
class IndicatorSpec:
    """What the catalogue knows about one indicator.

    Attributes
    ----------
    name : str
        Key in the catalogue.
    category : Category
        What it says.
    settings : mapping of str to Parameter
        Every parameter, in the order of the function's arguments.
    inputs : tuple of str
        Candle columns in the order of the function's arguments.
    outputs : tuple of str
        Names of what the function returns. One that equals ``name`` gets no suffix as a column.
    warm_up : callable
        Parameters to the number of leading NaN, the same for every output.
    is_recursive : bool
        Whether a value depends on every bar before it. If not, it depends on ``window`` bars,
        bit for bit.
    lookback : callable
        Parameters to the bars before a new one that the kernel reads again.
    n_states : callable
        Parameters to the numbers that a recursive kernel carries from bar to bar.
    memory : callable
        Parameters to the bars after which a start at another bar changes a value by less than
        1e-9 of its natural scale; None: for ever.
    refuse : callable
        Raises ConfigError where parameters do not go together.
    scale : Scale
        Unit of the outputs.
    natural_scale : float
        How large values usually are, what an error is measured against: in closes for a price,
        in what was traded so far for a volume, else as it stands.
    reference : str
        Who defined it.
    oracle : str
        The implementation that it equals.
    summary : str
        The first line of its description.
    description : str
        What it computes, its variant and its special cases.
    kernel : callable
        Computes it; see ``definition.indicator``.
    """

    name: str
    category: Category
    settings: Mapping[str, Parameter]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    warm_up: Callable[[Parameters], int]
    is_recursive: bool
    lookback: Callable[[Parameters], int]
    n_states: Callable[[Parameters], int]
    memory: Callable[[Parameters], int | None]
    refuse: Callable[[Parameters], None]
    scale: Scale
    natural_scale: float
    reference: str
    oracle: str
    summary: str
    description: str
    kernel: Callable[..., Any]

    @property
    def parameters(self) -> dict[str, int | float]:
        """Every parameter with its default."""
        return {name: setting.default for name, setting in self.settings.items()}

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
            If a parameter is unknown, not a number, not whole where bars are meant, out of
            range, or does not go with another.
        """
        for key in parameters:
            if key not in self.settings:
                known = list(self.settings)
                raise ConfigError.unknown_name(f"parameter of {self.name}", key, known)
        resolved = {**self.parameters, **parameters}
        for key, value in resolved.items():
            setting = self.settings[key]
            is_whole = isinstance(setting.default, int)
            if isinstance(value, bool) or not isinstance(value, Integral if is_whole else Real):
                wanted = "a whole number" if is_whole else "a number"
                raise ConfigError(f"{key} of {self.name} must be {wanted}, was {value!r}")
            if not setting.low <= value <= setting.high:
                raise ConfigError(
                    f"{key} of {self.name} must be between {setting.low:g} and "
                    f"{setting.high:g}, was {value}"
                )
        self.refuse(resolved)
        return resolved
