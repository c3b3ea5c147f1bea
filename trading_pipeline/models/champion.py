"""The champion of a symbol: a history of which model decides from when on.

The history only grows. A promotion names a model version from an instant on; a rollback goes back
to the champion before. What was effective at a past instant never changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from trading_pipeline.core.errors import ModelError, ModelNotFoundError


class ChampionChange(StrEnum):
    """How an entry came about."""

    PROMOTION = "promotion"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class ChampionEntry:
    """One line of the history.

    Parameters
    ----------
    model_key : tuple of str
        Where the model store keeps the model.
    model_version : str
        Version on its card.
    effective_from : datetime
        Candles that close at or after it are decided by this model; timezone-aware.
    reason : str
        Why, for people.
    recorded_at : datetime
        When the line was written; timezone-aware.
    change : ChampionChange
        Promotion or rollback.
    """

    model_key: tuple[str, ...]
    model_version: str
    effective_from: datetime
    reason: str
    recorded_at: datetime
    change: ChampionChange = ChampionChange.PROMOTION


def effective_entry(history: Sequence[ChampionEntry], instant: datetime) -> ChampionEntry | None:
    """Return the entry that is effective at ``instant``; None before the first promotion.

    Of entries that are effective from the same instant the last one counts.
    """
    effective = [entry for entry in history if entry.effective_from <= instant]
    return effective[-1] if effective else None


def with_promotion(
    history: Sequence[ChampionEntry], entry: ChampionEntry
) -> tuple[ChampionEntry, ...]:
    """Return the history with a promotion; the same history if that version is champion already.

    Raises
    ------
    ModelError
        If the entry would take effect before the newest one: that would rewrite the past.
    """
    if history and history[-1].model_version == entry.model_version:
        return tuple(history)
    _refuse_rewriting(history, entry.effective_from)
    return (*history, entry)


def with_rollback(
    history: Sequence[ChampionEntry],
    *,
    effective_from: datetime,
    reason: str,
    recorded_at: datetime,
) -> tuple[ChampionEntry, ...]:
    """Return the history with a rollback to the champion before the present one.

    Rollbacks undo promotions one by one: after A, B, C the first leads to B and the second to A.

    Raises
    ------
    ModelNotFoundError
        If there is no champion before.
    ModelError
        If it would take effect before the newest entry.
    """
    standing = _standing(history)
    if len(standing) < 2:
        raise ModelNotFoundError(
            f"a rollback needs an earlier champion; the history has {len(standing)} that stand. "
            "Promote another model instead"
        )
    _refuse_rewriting(history, effective_from)
    target = standing[-2]
    entry = ChampionEntry(
        target.model_key,
        target.model_version,
        effective_from,
        reason,
        recorded_at,
        ChampionChange.ROLLBACK,
    )
    return (*history, entry)


def _standing(history: Sequence[ChampionEntry]) -> list[ChampionEntry]:
    """Return the promotions that no rollback has undone."""
    standing: list[ChampionEntry] = []
    for entry in history:
        if entry.change is ChampionChange.ROLLBACK:
            standing.pop()
        else:
            standing.append(entry)
    return standing


def _refuse_rewriting(history: Sequence[ChampionEntry], effective_from: datetime) -> None:
    if history and effective_from < history[-1].effective_from:
        raise ModelError(
            f"a champion takes effect at or after the newest entry "
            f"({history[-1].effective_from.isoformat()}), was {effective_from.isoformat()}: what "
            "decided in the past stays",
            effective_from=effective_from,
        )
