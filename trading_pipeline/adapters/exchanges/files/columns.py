"""Column names of candle tables, as venues and tools spell them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trading_pipeline.adapters.exchanges.files.names import QUOTES
from trading_pipeline.core.errors import CandleFileError

# Earlier spellings win: a number says the instant exactly, a text may lack the zone.
_TIME = (
    "opentime",
    "open_time",
    "time_open",
    "unix",
    "unixtime",
    "unix_timestamp",
    "timestamp",
    "ts",
    "start",
    "time_period_start",
    "datetime",
    "date_time",
    "date",
    "time",
    "gmt_time",
    "utc_time",
    "index",
    "index_level_0",
)
_PRICES = {
    "open": ("open", "o", "open_price", "price_open"),
    "high": ("high", "h", "high_price", "price_high", "max"),
    "low": ("low", "l", "low_price", "price_low", "min"),
    "close": ("close", "c", "close_price", "price_close"),
}
_VOLUME = ("volume", "vol", "v", "base_volume", "volume_base", "volume_traded", "basevolume")
_SYMBOL = ("symbol", "pair", "ticker", "instrument", "market")


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which column holds what; ``time_of_day`` is set where date and time are two columns."""

    time: str
    time_of_day: str | None
    values: Mapping[str, str]
    symbol: str | None


def tidy(header: str) -> str:
    """Return a header in lower case with single underscores: `` <Volume BTC> `` is volume_btc."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", header.strip())
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def map_columns(headers: Sequence[str]) -> ColumnMap:
    """Return which column is the open time, each price, the base volume and the symbol.

    Raises
    ------
    CandleFileError
        If one is missing; the message lists what was found.
    """
    by_name = {tidy(header): header for header in reversed(headers)}
    time = _first(by_name, _TIME)
    values = {field: _first(by_name, spellings) for field, spellings in _PRICES.items()}
    values["volume"] = _first(by_name, _VOLUME) or _volume_of_base(by_name)
    missing = [field for field, header in (("open time", time), *values.items()) if header is None]
    if missing or time is None:
        hint = " (a close time alone is not enough)" if "close_time" in by_name and not time else ""
        raise CandleFileError(
            f"no column for {', '.join(missing)}{hint}; its columns are {', '.join(headers)}. "
            "Candles need open time, open, high, low, close and volume",
            columns=list(headers),
        )
    has_two = tidy(time) == "date" and "time" in by_name
    return ColumnMap(
        time=time,
        time_of_day=by_name["time"] if has_two else None,
        values={field: header for field, header in values.items() if header is not None},
        symbol=_first(by_name, _SYMBOL),
    )


def is_header(cells: Sequence[str]) -> bool:
    """Tell whether a line of cells names at least the four prices."""
    names = {tidy(cell) for cell in cells}
    return all(names.intersection(spellings) for spellings in _PRICES.values())


def _first(by_name: Mapping[str, str], spellings: Sequence[str]) -> str | None:
    return next((by_name[name] for name in spellings if name in by_name), None)


def _volume_of_base(by_name: Mapping[str, str]) -> str | None:
    # "Volume BTC" beside "Volume USDT": the base volume is the one that is not in a quote currency.
    named = {
        match[1].upper(): header
        for name, header in by_name.items()
        if (match := re.fullmatch(r"volume_([a-z0-9]{2,12})", name))
    }
    bases = [header for currency, header in named.items() if currency not in _MONEY]
    return bases[0] if len(bases) == 1 else None


# A pair such as ETH/BTC is quoted in a coin, but a coin in "Volume BTC" is the base of BTC/USDT.
_MONEY = (QUOTES - {"BTC", "ETH", "BNB"}) | {"QUOTE", "CURRENCY", "WEIGHTED", "MA", "CHANGE"}
