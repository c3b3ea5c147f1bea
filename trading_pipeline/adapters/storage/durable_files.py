"""Files that are either wholly there or not there at all, also after a kill."""

import hashlib
import os
import secrets
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, TypeAlias

from trading_pipeline.core.errors import StorageError


class WriteStep(StrEnum):
    """Steps of a durable write, in order."""

    OPENED = "opened"
    HALF_WRITTEN = "half_written"
    WRITTEN = "written"
    FLUSHED = "flushed"
    RENAMED = "renamed"
    DURABLE = "durable"


WriteHook: TypeAlias = Callable[[WriteStep], None]


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of ``content`` as 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def write_durably(path: Path, content: bytes, hook: WriteHook | None = None) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file or the new one, never half.

    The bytes go to a temporary name beside it, are flushed to the disk, and are renamed. The
    temporary name never ends in ``.parquet`` or ``.json``, so no reader picks it up. ``hook`` is
    told each step, for tests that kill the writer there.

    Raises
    ------
    StorageError
        If the disk is full or refuses; what was there before is untouched.
    """
    try:
        _write(path, content, hook)
    except OSError as error:
        raise StorageError(
            f"{path} could not be written ({error.strerror or error}); what was there is "
            "untouched. Free space or fix the permissions, then run again",
            path=str(path),
        ) from error


def _write(path: Path, content: bytes, hook: WriteHook | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with temporary.open("xb") as handle:
            if hook is None:
                handle.write(content)
            else:
                _write_in_halves(handle, content, hook)
            handle.flush()
            os.fsync(handle.fileno())
        _tell(hook, WriteStep.FLUSHED)
        temporary.replace(path)
        _tell(hook, WriteStep.RENAMED)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    _tell(hook, WriteStep.DURABLE)


def _write_in_halves(handle: BinaryIO, content: bytes, hook: WriteHook) -> None:
    middle = len(content) // 2
    hook(WriteStep.OPENED)
    handle.write(content[:middle])
    handle.flush()
    hook(WriteStep.HALF_WRITTEN)
    handle.write(content[middle:])
    handle.flush()
    hook(WriteStep.WRITTEN)


def _tell(hook: WriteHook | None, step: WriteStep) -> None:
    if hook is not None:
        hook(step)


def _sync_folder(folder: Path) -> None:
    # A rename is durable only after its folder is flushed.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
