"""Query parameters, checked as Binance checks them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from trading_pipeline.adapters.exchanges.simulated.api_errors import ApiError
from trading_pipeline.core.instrument import Instrument

_INTEGER = r"^[0-9]{1,20}$"
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one request.

    Parameters
    ----------
    query : Mapping of str to str
    listed : Mapping of str to Instrument
        By the venue's spelling, ``BTCUSDT``.
    """

    query: Mapping[str, str]
    listed: Mapping[str, Instrument]

    def instrument(self) -> Instrument:
        """Return the instrument of the mandatory ``symbol``; -1102 or -1121 otherwise."""
        return self._instrument(self.text("symbol"))

    def instruments(self) -> tuple[Instrument, ...]:
        """Return the instruments of ``symbol`` or ``symbols``; all of them without either."""
        if "symbol" in self.query and "symbols" in self.query:
            raise ApiError.conflicting()
        if "symbol" in self.query:
            return (self.instrument(),)
        if "symbols" not in self.query:
            return tuple(self.listed.values())
        try:
            names = json.loads(self.query["symbols"])
        except ValueError:
            names = None
        if not isinstance(names, list) or not names:
            raise ApiError.illegal(
                "symbols", r"^\[(\"[A-Z0-9-_.]{1,20}\"(,\"[A-Z0-9-_.]{1,20}\"){0,}){0,1}\]$"
            )
        return tuple(self._instrument(str(name)) for name in names)

    def text(self, name: str) -> str:
        """Return the mandatory parameter ``name``; -1102 without it."""
        value = self.query.get(name, "")
        if not value:
            raise ApiError.missing(name)
        return value

    def integer(self, name: str) -> int | None:
        """Return the parameter ``name``, None without it; -1100 if it is no natural number."""
        value = self.query.get(name)
        if value is None:
            return None
        if re.fullmatch(_INTEGER, value) is None:
            raise ApiError.illegal(name, _INTEGER)
        return min(int(value), _LARGEST)

    def limit(self, default: int, largest: int) -> int:
        """Return ``limit``: at least 1 (-1130 otherwise) and cut to ``largest``."""
        value = self.integer("limit")
        if value is None:
            return default
        if value < 1:
            raise ApiError.not_valid("limit")
        return min(value, largest)

    def _instrument(self, name: str) -> Instrument:
        instrument = self.listed.get(name)
        if instrument is None:
            raise ApiError.invalid_symbol()
        return instrument
