"""Files that are either wholly there or not there at all, also after a kill."""

import hashlib
import os
import secrets
from pathlib import Path

from trading_pipeline.core.errors import StorageError


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of ``content`` as 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def write_durably(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file or the new one, never half.

    The bytes go to a temporary name beside it, are flushed to the disk, and are renamed. The
    temporary name never ends in ``.parquet`` or ``.json``, so no reader picks it up.

    Raises
    ------
    StorageError
        If the disk is full or refuses; what was there before is untouched.
    """
    try:
        _write(path, content)
    except OSError as error:
        raise StorageError(
            f"{path} could not be written ({error.strerror or error}); what was there is "
            "untouched. Free space or fix the permissions, then run again",
            path=str(path),
        ) from error


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with temporary.open("xb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # A rename is durable only after its folder is flushed.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
