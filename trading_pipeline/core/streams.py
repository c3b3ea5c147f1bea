"""Named streams of events, such as ``candles``: the port, and what its users share.

A stream is an ordered, durable list. Whoever reads it does so under a name of its own and says
with an acknowledgement up to where it has finished; what was read but not acknowledged is read
again after a crash, what was acknowledged never is.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from trading_pipeline.core.errors import ConfigError, DataError

CANDLES = "candles"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,127}")
_LONGEST_KEY = 512


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event of a stream.

    Parameters
    ----------
    event_id : str
        Where it stands: unique in its stream, later events have later ones. Its form is the
        adapter's.
    key : str
        What the publisher called it; no two events of a stream have the same one.
    payload : Mapping of str to JSON values
    """

    event_id: str
    key: str
    payload: Mapping[str, Any]


class EventStream(Protocol):
    """A store of named streams; its adapters pass one contract suite.

    Publishers and readers may be any number of processes. Every method raises
    ``StoreUnavailableError`` while the store cannot be reached: nothing was lost, try again later.
    """

    def publish(self, stream: str, key: str, payload: Mapping[str, Any]) -> str:
        """Append an event durably and return its id; of a key that is known, the id it has.

        A key is known while its event is stored, and for a week at least.

        Raises
        ------
        DataError
            If ``payload`` is not JSON (NaN is not), or ``key`` is empty or too long.
        """
        ...

    def read(
        self, stream: str, consumer: str, *, limit: int = 100, wait_s: float = 0.0
    ) -> Sequence[StreamEvent]:
        """Return the oldest events that ``consumer`` has not acknowledged, oldest first.

        Reading changes nothing: without an acknowledgement the same events come again. A consumer
        that is new begins with the oldest event that is stored.

        Parameters
        ----------
        limit : int
            Most events returned; at least 1.
        wait_s : float
            Seconds to wait for an event if there is none; 0 returns at once.
        """
        ...

    def acknowledge(self, stream: str, consumer: str, event_id: str) -> None:
        """Say that ``consumer`` has finished with every event up to ``event_id``.

        A position never moves back: an older id changes nothing.

        Raises
        ------
        DataError
            If ``event_id`` is not an id of this store's form.
        """
        ...

    def newest(self, stream: str, *, limit: int = 100) -> Sequence[StreamEvent]:
        """Return the last ``limit`` events, newest first, whoever has read them."""
        ...

    def trim(
        self, stream: str, *, max_length: int | None = None, max_age: timedelta | None = None
    ) -> int:
        """Drop the oldest events, read or not; return how many.

        Parameters
        ----------
        max_length : int, optional
            Events kept at most; not negative.
        max_age : timedelta, optional
            Events that were published longer ago are dropped.
        """
        ...

    def close(self) -> None:
        """Close connections; the next call opens new ones."""
        ...


def checked_name(kind: str, name: str) -> str:
    """Return ``name`` if it can name a stream, a consumer or a topic.

    Raises
    ------
    ConfigError
        If it is not 1 to 128 of ``A-Z a-z 0-9 _ . : / @ -``, beginning with a letter or digit.
    """
    if _NAME.fullmatch(name) is None:
        raise ConfigError(
            f"a {kind} is named by 1 to 128 of A-Z a-z 0-9 _ . : / @ -, was {name!r}", name=name
        )
    return name


def checked_key(key: str) -> str:
    """Return ``key`` if it can be the key of an event.

    Raises
    ------
    DataError
        If it is empty or longer than 512 characters.
    """
    if not 0 < len(key) <= _LONGEST_KEY:
        raise DataError(f"an event needs a key of 1 to {_LONGEST_KEY} characters, had {len(key)}")
    return key


def checked_limit(limit: int) -> int:
    """Return ``limit`` if that many events can be read.

    Raises
    ------
    ConfigError
        If it is below 1.
    """
    if limit < 1:
        raise ConfigError(f"limit must be at least 1 event, was {limit}")
    return limit


def payload_text(payload: Mapping[str, Any]) -> str:
    """Return a payload as JSON.

    Raises
    ------
    DataError
        If it holds what JSON has not: NaN, infinity, dates, Decimals, objects.
    """
    try:
        return json.dumps(dict(payload), allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise DataError(f"the payload of an event must be JSON ({error}); convert it") from error


def payload_of(text: str | bytes) -> Mapping[str, Any]:
    """Return the payload that :func:`payload_text` wrote.

    Raises
    ------
    DataError
        If the text was not written by it.
    """
    try:
        payload = json.loads(text)
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        raise DataError(f"a stored event is damaged: {text[:80]!r}")
    return payload
