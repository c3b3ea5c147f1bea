"""Metadata that a person reads in the Dagster UI."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from trading_pipeline.adapters.storage.lake import Manifest

_DECIMALS = 6


def standard_metadata(manifest: Manifest, *, is_current: bool) -> Mapping[str, Any]:
    """Return what every partition shows: rows, range, schema, where it came from."""
    metadata: dict[str, Any] = {
        "dagster/row_count": manifest.n_rows,
        "dagster/column_schema": dg.TableSchema(
            columns=[dg.TableColumn(name, kind) for name, kind in manifest.columns.items()]
        ),
        "status": "unchanged, not made again" if is_current else "made in this run",
        "generation": manifest.generation,
        "input_fingerprint": manifest.fingerprint[:16],
        "bytes": sum(part.n_bytes for part in manifest.parts),
    }
    if manifest.first is not None and manifest.last is not None:
        metadata["first"] = manifest.first
        metadata["last"] = manifest.last
    return metadata


def row_metadata(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table's row as metadata: without nulls, instants as text, numbers as read."""
    return {name: _readable(value) for name, value in row.items() if value is not None}


def _readable(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return round(value, _DECIMALS) if isinstance(value, float) else value


def picture(png: bytes) -> dg.MetadataValue[Any]:
    """Return a PNG as metadata that the UI shows in place."""
    return dg.MetadataValue.md(f"![](data:image/png;base64,{base64.b64encode(png).decode()})")
