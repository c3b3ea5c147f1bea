"""Where a writer of the lake may die: named points, so that tests can kill it at each."""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias


class LakePoint(StrEnum):
    """Steps of a commit, in the order in which they are passed.

    An object store has no half-written objects: there only the points before and after a request
    are passed.
    """

    LOCKED = "locked"
    PART_OPENED = "part_opened"
    PART_HALF_WRITTEN = "part_half_written"
    PART_WRITTEN = "part_written"
    PART_FLUSHED = "part_flushed"
    PART_RENAMED = "part_renamed"
    PART_DURABLE = "part_durable"
    MANIFEST_OPENED = "manifest_opened"
    MANIFEST_HALF_WRITTEN = "manifest_half_written"
    MANIFEST_WRITTEN = "manifest_written"
    MANIFEST_FLUSHED = "manifest_flushed"
    MANIFEST_RENAMED = "manifest_renamed"
    MANIFEST_DURABLE = "manifest_durable"
    OLD_PART_DELETED = "old_part_deleted"
    COMMITTED = "committed"


LakeHook: TypeAlias = Callable[[LakePoint], None]


def survive(point: LakePoint) -> None:
    """Pass ``point`` alive: the hook of every process that is not a crash test."""
