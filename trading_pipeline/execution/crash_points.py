"""Where a process may die: named points, so that tests can kill it at each."""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias


class CrashPoint(StrEnum):
    """Steps of the order path, in the order in which they are passed."""

    SIGNAL_HALF_WRITTEN = "signal_half_written"
    SIGNAL_WRITTEN = "signal_written"
    BEFORE_INTENT = "before_intent"
    AFTER_INTENT = "after_intent"
    CHECKED_NOT_SENDING = "checked_not_sending"
    AFTER_SENDING = "after_sending"
    AFTER_ANSWER = "after_answer"
    FILL_HALF_BOOKED = "fill_half_booked"
    AFTER_APPLY = "after_apply"
    AFTER_UNKNOWN = "after_unknown"
    RESOLVER_FOUND = "resolver_found"
    BETWEEN_MISSES = "between_misses"
    AFTER_NOT_PLACED = "after_not_placed"
    BEFORE_DENIAL = "before_denial"
    AFTER_DENIAL = "after_denial"
    BEFORE_SNAPSHOT = "before_snapshot"
    AFTER_SNAPSHOT = "after_snapshot"


CrashHook: TypeAlias = Callable[[CrashPoint], None]


def survive(point: CrashPoint) -> None:
    """Pass ``point`` alive: the hook of every process that is not a crash test."""
