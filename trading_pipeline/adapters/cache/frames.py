"""Frames as bytes: Arrow's file format, never a pickle."""

import io

import polars as pl

from trading_pipeline.core.errors import DataError


def frame_bytes(frame: pl.DataFrame) -> bytes:
    """Return ``frame`` as an Arrow file."""
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="zstd")
    return buffer.getvalue()


def frame_of(content: bytes) -> pl.DataFrame:
    """Return the frame that :func:`frame_bytes` wrote.

    Raises
    ------
    DataError
        If the bytes are no Arrow file.
    """
    try:
        return pl.read_ipc(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"a cached frame cannot be read ({error}); delete it") from error
