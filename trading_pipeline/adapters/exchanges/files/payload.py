"""The bytes of a candle file: read, hashed, unpacked."""

import gzip
import hashlib
import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trading_pipeline.core.errors import CandleFileError

MAX_UNPACKED_BYTES = 4 * 1024**3
"""More than this from one archive is refused: ten years of 1m candles take 1 GB as text."""

_IGNORED_SUFFIXES = (".checksum", ".md5", ".sha256", ".md")


@dataclass(frozen=True, slots=True)
class Payload:
    """One table's bytes; ``name`` is the file's name or that of the archive's member."""

    name: str
    content: bytes


def read_bytes(path: Path) -> bytes:
    """Return the bytes of ``path``.

    Raises
    ------
    CandleFileError
        If it is missing, not a file, not readable, or empty.
    """
    if not path.exists():
        raise CandleFileError(f"candle file {path} does not exist; check the path", path=str(path))
    if not path.is_file():
        raise CandleFileError(f"{path} is not a regular file; name a candle file", path=str(path))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CandleFileError(
            f"candle file {path} cannot be read: {error.strerror}; check its permissions",
            path=str(path),
        ) from error
    if not content:
        raise CandleFileError(f"candle file {path} is empty; download it again", path=str(path))
    return content


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def unpack(name: str, content: bytes, *, largest: int = MAX_UNPACKED_BYTES) -> tuple[Payload, ...]:
    """Return the tables inside ``content``: itself, or the members of a gz, zip or tar.gz.

    Recognised by the first bytes, not by the name. Folders, hidden members, checksums and
    read-me files are left out.

    Parameters
    ----------
    name : str
    content : bytes
    largest : int
        Bytes to which it may unpack; what claims more is not unpacked at all.

    Raises
    ------
    CandleFileError
        If the archive is damaged, encrypted, empty or larger than ``largest``.
    """
    try:
        if content.startswith(b"\x1f\x8b"):
            content = _gunzip(content, largest)
            name = name.removesuffix(".gz")
            if content[257:262] != b"ustar":
                return (Payload(name, content),)
            members = tuple(_tar_members(content))
        elif content.startswith(b"PK\x03\x04"):
            members = tuple(_zip_members(content, largest))
        else:
            return (Payload(name, content),)
    # zipfile raises RuntimeError for encrypted and NotImplementedError for exotic members.
    except (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile) as error:
        raise CandleFileError(f"the archive is damaged ({error}); download it again") from error
    except (RuntimeError, ValueError) as error:
        raise CandleFileError(
            f"the archive cannot be unpacked ({error}); unpack it first"
        ) from error
    if not members:
        raise CandleFileError("the archive holds no table")
    return members


def _gunzip(content: bytes, largest: int) -> bytes:
    with gzip.open(io.BytesIO(content)) as stream:
        unpacked = stream.read(largest + 1)
    _check_size(len(unpacked), largest)
    return unpacked


def _tar_members(content: bytes) -> Iterator[Payload]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None and _is_table(member.name):
                yield Payload(member.name, stream.read())


def _zip_members(content: bytes, largest: int) -> Iterator[Payload]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
        _check_size(sum(info.file_size for info in members), largest)
        for info in sorted(members, key=lambda info: info.filename):
            if _is_table(info.filename):
                yield Payload(info.filename, archive.read(info))


def _is_table(member: str) -> bool:
    path = PurePosixPath(member)
    is_hidden = any(part.startswith((".", "__")) for part in path.parts)
    return not is_hidden and path.suffix.lower() not in _IGNORED_SUFFIXES


def _check_size(n_bytes: int, largest: int) -> None:
    if n_bytes > largest:
        raise CandleFileError(
            f"the archive unpacks to more than {largest / 1024**3:.3g} GiB; split it"
        )
