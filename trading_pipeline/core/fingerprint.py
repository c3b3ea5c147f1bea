"""Fingerprints of inputs: equal inputs, equal text; anything changed, another text."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

Fingerprintable: TypeAlias = (
    "str | int | float | bool | Decimal | datetime"
    " | Mapping[str, Fingerprintable] | Sequence[Fingerprintable] | None"
)


def fingerprint(*parts: Fingerprintable) -> str:
    """Return the SHA-256 (64 hex digits) of ``parts`` in canonical JSON.

    Mappings are sorted by key, floats are written with their shortest exact text, decimals and
    instants as text, so that the result does not depend on insertion order or process.

    Examples
    --------
    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"cannot fingerprint a {type(value).__name__}")
