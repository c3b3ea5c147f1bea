"""Files of the archive: downloaded, proved by their checksum, unpacked, cleaned."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from trading_pipeline.adapters.exchanges.archive.paths import ArchiveFile
from trading_pipeline.adapters.exchanges.archive.table import read_archive_table
from trading_pipeline.adapters.exchanges.files.payload import sha256_of
from trading_pipeline.adapters.exchanges.web import WebReader
from trading_pipeline.core.errors import CandleFileError, MalformedReplyError
from trading_pipeline.market_data.cleaning import clean_candles

_LARGEST_CHECKSUM = 4_096


@dataclass(frozen=True, slots=True)
class ArchiveRows:
    """The candles of one file, and how many of its rows were none, by reason."""

    candles: pl.DataFrame
    dropped: Mapping[str, int]


class ArchiveReader:
    """Reads files of a public archive over HTTP; nothing is parsed before its SHA-256 is right.

    Parameters
    ----------
    web : WebReader
        At the archive's base address.
    """

    def __init__(self, web: WebReader) -> None:
        self._web = web

    @property
    def base_url(self) -> str:
        """The archive's address."""
        return self._web.base_url

    def read(self, file: ArchiveFile, now: datetime) -> ArchiveRows | None:
        """Return the candles of ``file``; None if the archive does not publish it (yet).

        Parameters
        ----------
        file : ArchiveFile
        now : datetime
            The venue's clock; rows that close after it are dropped.

        Raises
        ------
        VenueUnavailableError, RateLimitedError
            If the archive cannot answer now.
        MalformedReplyError
            If the file does not have its SHA-256 after two downloads, or is not the ZIP with the
            table that its name promises.
        """
        content = self._proved(file)
        if content is None:
            return None
        try:
            rows = read_archive_table(file, content, now)
            cleaned = clean_candles(rows, file.timeframe, now=now)
        except CandleFileError as error:
            raise MalformedReplyError(
                f"{self._web.base_url}{file.path} has the right SHA-256 but is no table of "
                f"{file.timeframe} candles: {error.message}",
                venue=self._web.name,
                symbol=file.symbol.key,
            ) from error
        return ArchiveRows(cleaned.candles, cleaned.counts)

    def close(self) -> None:
        """Close the connections."""
        self._web.close()

    def _proved(self, file: ArchiveFile) -> bytes | None:
        wanted = got = ""
        # The archive replaces files; between the two requests the pair may be torn once.
        for _ in range(2):
            stated = self._fetched(file.checksum_path, _LARGEST_CHECKSUM)
            if stated is None:
                return None
            content = self._fetched(file.path, file.largest)
            if content is None:
                return None
            wanted, got = self._stated_sum(file, stated), sha256_of(content)
            if wanted == got:
                return content
        raise MalformedReplyError(
            f"{self._web.base_url}{file.path} was damaged on the way, twice: its SHA-256 must be "
            f"{wanted}, was {got}; try again later, or set market.archive to false",
            venue=self._web.name,
            symbol=file.symbol.key,
            wanted=wanted,
            got=got,
        )

    def _fetched(self, path: str, largest: int) -> bytes | None:
        reply = self._web.get(path, largest=largest)
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise MalformedReplyError(
                f"{self._web.base_url}{path} must answer with 200 or 404, was {reply.status}; "
                "check market.archive_url",
                venue=self._web.name,
                status=reply.status,
            )
        return reply.content

    def _stated_sum(self, file: ArchiveFile, content: bytes) -> str:
        text = content.decode("ascii", "replace").strip()
        match = re.fullmatch(r"([0-9a-fA-F]{64})[ *]+(\S+)", text)
        if match is None or match[2] != f"{file.stem}.zip":
            raise MalformedReplyError(
                f"{self._web.base_url}{file.checksum_path} must hold '<sha256>  {file.stem}.zip', "
                f"was {text[:120]!r}; check market.archive_url",
                venue=self._web.name,
                symbol=file.symbol.key,
            )
        return match[1].lower()
