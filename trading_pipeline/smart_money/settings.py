"""What can be chosen about smart money."""

from dataclasses import dataclass

from trading_pipeline.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Session:
    """A daily trading session in UTC.

    Parameters
    ----------
    name : str
        Part of its column names.
    opens, closes : int
        Minutes of the UTC day; it ends before ``closes``, on the next day if that is not later.
    """

    name: str
    opens: int
    closes: int


# Hours of smartmoneyconcepts 0.0.27 for Tokyo, London and New York.
SESSIONS = (
    Session("asia", 0, 9 * 60),
    Session("london", 7 * 60, 16 * 60),
    Session("new_york", 13 * 60, 22 * 60),
)


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar period whose high and low stay known after it: ``offset`` moves its start."""

    name: str
    length_days: int
    offset_days: int


# 1970-01-01 was a Thursday, a week begins on Monday.
PERIODS = (Period("previous_day", 1, 0), Period("previous_week", 7, 3))


@dataclass(frozen=True, slots=True)
class SmartMoneySettings:
    """Parameters of the smart-money concepts.

    Parameters
    ----------
    swing_length : int
        Bars after a swing until it is known, 2 to 200; the bars before it are one fewer.
    atr_period : int
        Bars of Wilder's average true range that distances are measured in, 2 to 500.
    pool_tolerance : float
        How far swings of one liquidity pool may lie apart, in average true ranges, 0.01 to 5.

    Raises
    ------
    ConfigError
        If one is out of its range.
    """

    swing_length: int = 5
    atr_period: int = 14
    pool_tolerance: float = 0.25

    def __post_init__(self) -> None:
        ranges = {
            "swing_length": (2, 200),
            "atr_period": (2, 500),
            "pool_tolerance": (0.01, 5.0),
        }
        for name, (lowest, highest) in ranges.items():
            value = getattr(self, name)
            if not lowest <= value <= highest or (
                name != "pool_tolerance" and not isinstance(value, int)
            ):
                kind = "a number" if name == "pool_tolerance" else "a whole number"
                raise ConfigError(
                    f"{name} of smart money must be {kind} from {lowest} to {highest}, was {value}"
                )
