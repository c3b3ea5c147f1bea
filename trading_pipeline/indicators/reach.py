"""How far back an indicator reads, and when it has forgotten where it started."""

from math import ceil, log

from trading_pipeline.indicators.specs import Parameters


def fading(decay: float) -> int:
    """Return the bars until a start has lost its weight, with room for a start far off."""
    return ceil(log(1e-13) / log(decay)) if decay > 0.0 else 1


def exponential(length: float) -> int:
    """Return the memory of an exponential average of ``length`` bars, its seed included."""
    return int(length) + fading(1.0 - 2.0 / (length + 1))


def wilder(length: float) -> int:
    """Return the memory of Wilder's average of ``length`` bars, its seed included."""
    return int(length) + fading(1.0 - 1.0 / length)


def window(parameters: Parameters) -> int:
    """Return the bars before the last one of a window of ``period`` bars."""
    return int(parameters["period"]) - 1


def period(parameters: Parameters) -> int:
    """Return ``period``: the bars before the last one of as many changes."""
    return int(parameters["period"])


def for_ever(_: Parameters) -> None:
    """Return None: the start matters for ever."""
