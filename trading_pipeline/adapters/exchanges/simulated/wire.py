"""Candles and trading rules in the JSON of Binance's spot REST interface.

Reference: binance-spot-api-docs, rest-api.md and filters.md. Numbers are text with 8 decimals.
"""

from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from trading_pipeline.adapters.exchanges.simulated.generator import decimals_of
from trading_pipeline.core.instrument import Instrument
from trading_pipeline.core.timeframe import Timeframe

_TYPICAL_TRADE = 800.0
_ASSET_PRECISION = 8
_MAX_QUANTITY = Decimal(9_000)
_MAX_PRICE = Decimal(1_000_000)
_MAX_NOTIONAL = Decimal(9_000_000)


def venue_symbol(instrument: Instrument) -> str:
    """Return the venue's spelling, ``BTCUSDT``."""
    return instrument.symbol.base + instrument.symbol.quote


def number(value: float | Decimal) -> str:
    """Return ``value`` with 8 decimals."""
    return f"{value:.8f}"


def klines(candles: pl.DataFrame, timeframe: Timeframe) -> list[list[int | str]]:
    """Return candles as arrays of 12: open time, OHLCV, close time, quote volume, trades, ...

    What a candle does not tell is derived: quote volume at the typical price, one trade for about
    800 units of quote volume, half of the volume bought by takers.
    """
    opens = candles["open_time"].dt.epoch("ms").to_list()
    prices = candles.select("open", "high", "low", "close", "volume").iter_rows()
    length = timeframe.milliseconds
    return [
        _kline(open_ms, open_ms + length - 1, row)
        for open_ms, row in zip(opens, prices, strict=True)
    ]


def _kline(open_ms: int, close_ms: int, row: Sequence[float]) -> list[int | str]:
    volume = row[4]
    quote = quote_volume(row)
    return [
        open_ms,
        *(number(value) for value in row),
        close_ms,
        number(quote),
        trade_count(quote),
        number(volume / 2),
        number(quote / 2),
        "0",
    ]


def quote_volume(row: Sequence[float]) -> float:
    """Return the quote volume of one (open, high, low, close, volume), at the typical price."""
    _, high, low, close, volume = row
    return volume * (high + low + close) / 3


def trade_count(quote: float) -> int:
    """Return about how many trades make ``quote`` units of quote volume."""
    return round(quote / _TYPICAL_TRADE) or int(quote > 0)


def symbol_rules(instrument: Instrument) -> dict[str, object]:
    """Return the entry of ``instrument`` in ``exchangeInfo``."""
    return {
        "symbol": venue_symbol(instrument),
        "status": "TRADING",
        "baseAsset": instrument.symbol.base,
        "baseAssetPrecision": _ASSET_PRECISION,
        "quoteAsset": instrument.symbol.quote,
        "quotePrecision": _ASSET_PRECISION,
        "quoteAssetPrecision": _ASSET_PRECISION,
        "baseCommissionPrecision": _ASSET_PRECISION,
        "quoteCommissionPrecision": _ASSET_PRECISION,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(instrument),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def _filters(instrument: Instrument) -> list[dict[str, object]]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": number(instrument.tick_size),
            "maxPrice": number(_MAX_PRICE),
            "tickSize": number(instrument.tick_size),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": number(instrument.min_quantity),
            "maxQty": number(_MAX_QUANTITY),
            "stepSize": number(instrument.lot_size),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": number(Decimal(0)),
            "maxQty": number(_MAX_QUANTITY),
            "stepSize": number(Decimal(0)),
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": number(instrument.min_notional),
            "applyMinToMarket": True,
            "maxNotional": number(_MAX_NOTIONAL),
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
    ]


def order_book(
    instrument: Instrument, last_price: float, levels: int
) -> tuple[list[list[str]], list[list[str]]]:
    """Return bids and asks around ``last_price``: one tick apart, deeper further out.

    The best bid lies one tick below the best ask, which is the last price. Level ``i`` (from 1)
    offers ``i`` times 1 000 units of quote currency, at least one lot. Bids end above zero; before
    the first trade (a last price of 0) the book is empty.
    """
    last = instrument.to_ticks(last_price)
    if last < 1:
        return [], []
    bids = [_level(instrument, last - i, i) for i in range(1, levels + 1) if last - i >= 1]
    asks = [_level(instrument, last + i - 1, i) for i in range(1, levels + 1)]
    return bids, asks


def _level(instrument: Instrument, ticks: int, depth: int) -> list[str]:
    price = instrument.price(ticks)
    quantity = instrument.floor_quantity(depth * Decimal(1_000) / price)
    return [number(price), number(max(quantity, instrument.lot_size))]


def price_text(instrument: Instrument, price: float) -> str:
    """Return a last price as the venue prints it."""
    return number(Decimal(f"{price:.{decimals_of(instrument.tick_size)}f}"))
