"""Symbol and timeframe from the name of a candle file, as tools and venues write them.

``BTC_USDT-1h.feather``, ``BTCUSDT-1h-2024-11.csv``, ``Binance_BTCUSDT_1h.csv``,
``BTC_USD-Hourly.csv``, ``Bitstamp_BTCUSD_minute.csv``, ``EURUSD_15M.csv``, ``EURUSD_H1.csv``.
"""

import re

from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe, known_timeframes

_QUOTE_LIST = "USDT USDC FDUSD TUSD BUSD USD EUR GBP JPY CHF AUD CAD TRY BRL KRW BTC ETH BNB DAI"
QUOTES = frozenset(_QUOTE_LIST.split())
"""Currencies that pairs are quoted in."""

_BASE_LIST = (
    "BTC XBT ETH BNB SOL XRP ADA DOGE DOT LTC LINK TRX SHIB AVAX BCH EUR GBP USDT USDC ARB "
    "MATIC ATOM UNI FIL ETC XLM NEAR APT SUI TON PEPE BNT GRT QNT CKB MANA"
)
_KNOWN_BASES = frozenset(_BASE_LIST.split())
_VENUE_LIST = (
    "binance binanceus bitfinex bitget bitmex bitstamp bybit coinbase cryptocom deribit gate "
    "gateio gemini huobi htx kraken kucoin mexc okex okx poloniex upbit"
)
_VENUES = frozenset(_VENUE_LIST.split())
_WORDS = {
    "minute": "1m",
    "minutes": "1m",
    "minutely": "1m",
    "hour": "1h",
    "hourly": "1h",
    "daily": "1d",
    "day": "1d",
    "d": "1d",
}
_MINUTES = {60: "1h", 120: "2h", 240: "4h", 360: "6h", 480: "8h", 720: "12h", 1440: "1d"}
_OTHER_MARKETS = frozenset({"futures", "mark", "funding", "premiumindex", "indexprice"})


def symbol_of(name: str) -> Symbol | None:
    """Return the symbol that a file name, or a cell such as ``BTC/USDT``, says; None if none.

    Names of futures, mark price and funding files say none: their candles are of another market.
    A joined name that can be cut in two ways (``BTCTUSD``) is decided by known base currencies,
    and says none where these do not decide.
    """
    tokens = _tokens(name)
    if any(token.lower() in _OTHER_MARKETS for token in tokens):
        return None
    for here, token in enumerate(tokens):
        following = tokens[here + 1].upper() if here + 1 < len(tokens) else ""
        after = tokens[here + 2].upper() if here + 2 < len(tokens) else ""
        # A word before the pair is no currency: old_BTC_USDT is BTC/USDT, not OLD/BTC.
        is_before_pair = after in QUOTES and _is_currency(following)
        if following in QUOTES and _is_currency(token) and not is_before_pair:
            return Symbol(token.upper(), following)
        joined = _split_joined(token.upper())
        if joined is not None:
            return joined
    return None


def timeframe_of(name: str) -> Timeframe | None:
    """Return the timeframe that a file name says; None if none or one that is not known."""
    for token in _tokens(name):
        spelled = _timeframe_name(token)
        if spelled in known_timeframes():
            return Timeframe(spelled)
    return None


def _tokens(name: str) -> list[str]:
    return [token for token in re.split(r"[^A-Za-z0-9]+", name) if token]


def _is_currency(token: str) -> bool:
    if token.lower() in _VENUES or _timeframe_name(token):
        return False
    return 2 <= len(token) <= 12 and any(letter.isalpha() for letter in token)


def _split_joined(token: str) -> Symbol | None:
    readings = [
        Symbol(token[: -len(quote)], quote)
        for quote in QUOTES
        if token.endswith(quote) and len(token) - len(quote) >= 2
    ]
    known = [symbol for symbol in readings if symbol.base in _KNOWN_BASES]
    if len(known) == 1:
        return known[0]
    return readings[0] if len(readings) == 1 and len(readings[0].base) >= 3 else None


def _timeframe_name(token: str) -> str:
    lowered = token.lower()
    if lowered in _WORDS:
        return _WORDS[lowered]
    match = re.fullmatch(r"(\d{1,4})(m|mins?|minutes?|h|hrs?|hours?|d|days?)", lowered)
    # MetaTrader writes M15, H1, D1.
    swapped = re.fullmatch(r"([MHD])(\d{1,4})", token)
    if match is None and swapped is None:
        return ""
    number, unit = (
        (int(match[1]), match[2][0]) if match else (int(swapped[2]), swapped[1].lower())  # type: ignore[index]
    )
    if unit == "m":
        if token == "1M":  # a month at every venue that has it
            return ""
        return _MINUTES.get(number, f"{number}m")
    return "1d" if (number, unit) == (24, "h") else f"{number}{unit}"
