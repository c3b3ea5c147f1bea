import pytest

from trading_pipeline.adapters.exchanges.files.names import symbol_of, timeframe_of


@pytest.mark.parametrize(
    ("name", "pair", "timeframe"),
    [
        ("BTC_USDT-1h.feather", "BTC/USDT", "1h"),
        ("ETH_USDT-5m.json", "ETH/USDT", "5m"),
        ("BTCUSDT-1h-2024-11.csv", "BTC/USDT", "1h"),
        ("BTCUSDT-1h-2024-11.zip", "BTC/USDT", "1h"),
        ("Binance_BTCUSDT_1h.csv", "BTC/USDT", "1h"),
        ("Binance_BTCUSDT_d.csv", "BTC/USDT", "1d"),
        ("Bitstamp_BTCUSD_2017_minute.csv", "BTC/USD", "1m"),
        ("BTC_USD-Hourly.csv", "BTC/USD", "1h"),
        ("BTCUSD-1m-2019-01-03.tar.gz", "BTC/USD", "1m"),
        ("EURUSD_15M.csv", "EUR/USD", "15m"),
        ("EURUSD_H4.csv", "EUR/USD", "4h"),
        ("candles_binance_btc_usdt_60m.parquet", "BTC/USDT", "1h"),
        ("btc-usdt.csv", "BTC/USDT", None),
        ("XBTUSD_60.csv", "XBT/USD", None),
        ("ETHBTC-4h.csv", "ETH/BTC", "4h"),
        ("1000PEPEUSDT-1h.csv", "1000PEPE/USDT", "1h"),
        ("1INCH_USDT-1h.feather", "1INCH/USDT", "1h"),
        ("prices.csv", None, None),
        ("fear_greed_index.csv", None, None),
        ("BTC_USDT_USDT-1h-futures.feather", None, "1h"),
        ("BTC_USDT_USDT-8h-funding_rate.feather", None, "8h"),
    ],
)
def test_names_as_venues_and_tools_write_them(name: str, pair: str | None, timeframe: str | None):
    symbol, length = symbol_of(name), timeframe_of(name)
    assert (symbol and symbol.pair) == pair
    assert (length and length.name) == timeframe


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("DOTUSD", "DOT/USD"),
        ("BTCTUSD", "BTC/TUSD"),
        ("BNBUSD", "BNB/USD"),
        ("BTCBUSD", "BTC/BUSD"),
        ("USDTUSD", "USDT/USD"),
        ("USDCUSDT", "USDC/USDT"),
        ("BTC/USDT", "BTC/USDT"),
    ],
)
def test_joined_names_are_cut_where_a_known_currency_ends(name: str, pair: str):
    symbol = symbol_of(name)
    assert symbol is not None
    assert symbol.pair == pair


def test_a_joined_name_with_two_readings_and_no_known_base_says_nothing():
    assert symbol_of("ZZBUSD") is None
    assert symbol_of("WXYTUSD") is None


def test_a_capital_month_is_not_a_minute():
    assert timeframe_of("BTCUSDT-1M-2024.csv") is None


def test_an_unknown_length_says_nothing():
    assert timeframe_of("BTCUSDT-7m.csv") is None
