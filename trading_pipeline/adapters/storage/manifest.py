"""The manifest of a partition: its commit point, and the only list of its parts."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from trading_pipeline.adapters.storage.durable_files import sha256_of


@dataclass(frozen=True, slots=True)
class Part:
    """One immutable Parquet file.

    ``decimals`` names the float64 columns that the file holds as whole numbers, with the decimal
    places of each; the others are stored as they are.
    """

    name: str
    sha256: str
    n_rows: int
    n_bytes: int
    decimals: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a partition holds, and which inputs it was made from.

    ``fingerprint`` is of the inputs, ``content`` of the rows; ``notes`` is what a reader of the
    partition wants to know beside the rows (gaps, dropped rows, a refusal). ``rows_sha256`` is
    that of all rows as one part, however many parts hold them. ``retired`` are parts of the
    last generation with other parts, kept for readers that looked it up just before.
    """

    generation: int
    fingerprint: str
    parts: tuple[Part, ...]
    n_rows: int
    first: str | None
    last: str | None
    columns: Mapping[str, str]
    notes: Mapping[str, Any] = field(default_factory=dict)
    rows_sha256: str = ""
    retired: tuple[str, ...] = ()

    @property
    def whole_sha256(self) -> str:
        """SHA-256 of all rows as one part."""
        # Manifests of older versions have one part and do not repeat its SHA-256.
        return self.rows_sha256 or self.parts[0].sha256

    @property
    def content(self) -> str:
        """Fingerprint of rows and notes; it does not tell into how many parts the rows are cut."""
        text = json.dumps([[self.whole_sha256], self.notes], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def to_json(manifest: Manifest) -> bytes:
    """Return a manifest as JSON, sealed by the SHA-256 of its content."""
    values = asdict(manifest)
    return json.dumps({**values, "sha256": _seal(values)}, indent=1).encode()


def from_json(text: bytes) -> Manifest:
    """Return the manifest that :func:`to_json` wrote.

    Raises
    ------
    ValueError, TypeError, KeyError, AttributeError
        If ``text`` is anything else; the caller knows the address to name.
    """
    values = json.loads(text)
    if values.pop("sha256") != _seal(values):
        raise ValueError("its SHA-256 is not that of its content")
    values["parts"] = tuple(Part(**part) for part in values["parts"])
    values["retired"] = tuple(values.get("retired", ()))
    return Manifest(**values)


def successor(
    before: Manifest | None,
    rows: pl.DataFrame,
    *,
    parts: tuple[Part, ...],
    rows_sha256: str,
    fingerprint: str,
    notes: Mapping[str, Any],
) -> Manifest:
    """Return the manifest of the generation after ``before`` that holds ``rows`` in ``parts``."""
    first, last = _range(rows)
    names = {part.name for part in parts}
    old = before.parts if before else ()
    gone = tuple(part.name for part in old if part.name not in names)
    # A generation of new notes alone leaves its readers the time that they were promised.
    retired = before.retired if before and parts == old else gone
    return Manifest(
        generation=1 if before is None else before.generation + 1,
        fingerprint=fingerprint,
        parts=parts,
        n_rows=rows.height,
        first=first,
        last=last,
        columns={name: str(kind) for name, kind in rows.schema.items()},
        # Through JSON, so that what is compared is what will be read.
        notes=json.loads(json.dumps(dict(notes))),
        rows_sha256=rows_sha256,
        retired=retired,
    )


def _range(rows: pl.DataFrame) -> tuple[str | None, str | None]:
    if "open_time" not in rows.columns or rows.is_empty():
        return None, None
    first, last = rows["open_time"].min(), rows["open_time"].max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    return first.isoformat(), last.isoformat()


def _seal(values: Mapping[str, Any]) -> str:
    return sha256_of(json.dumps(values, sort_keys=True).encode())
