"""Names and places of the files in Binance's public archive of spot candles.

::

    /data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01.zip     and .zip.CHECKSUM
    /data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01-31.zip    and .zip.CHECKSUM

Reference: https://github.com/binance/binance-public-data
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.month import Month
from trading_pipeline.core.timeframe import Timeframe

_DAY = timedelta(days=1)
# A row of 12 columns takes about 130 bytes as text, and deflates to a third or less.
_BYTES_PER_ROW = 400
_SLACK = 65_536


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One file of the archive: the candles of a symbol in a month, or on a day (UTC)."""

    symbol: Symbol
    timeframe: Timeframe
    period: Month | date

    @property
    def start(self) -> datetime:
        """First instant of its period."""
        if isinstance(self.period, Month):
            return self.period.start
        return datetime(self.period.year, self.period.month, self.period.day, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """First instant after its period."""
        return self.period.end if isinstance(self.period, Month) else self.start + _DAY

    @property
    def stem(self) -> str:
        """Name without its ending, ``BTCUSDT-1m-2024-01``."""
        return f"{self.symbol.base}{self.symbol.quote}-{self.timeframe}-{self._period_text}"

    @property
    def path(self) -> str:
        """Place of the ZIP below the archive's base address, with a leading slash."""
        grain = "monthly" if isinstance(self.period, Month) else "daily"
        pair = f"{self.symbol.base}{self.symbol.quote}"
        return f"/data/spot/{grain}/klines/{pair}/{self.timeframe}/{self.stem}.zip"

    @property
    def checksum_path(self) -> str:
        """Place of the file with its SHA-256."""
        return f"{self.path}.CHECKSUM"

    @property
    def largest(self) -> int:
        """Bytes that neither the ZIP nor what is in it can exceed, if it is what it claims."""
        return (self.end - self.start) // self.timeframe.duration * _BYTES_PER_ROW + _SLACK

    @property
    def _period_text(self) -> str:
        return self.period.key if isinstance(self.period, Month) else self.period.isoformat()
