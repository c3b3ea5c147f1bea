"""The HTTP interface, read without ccxt; forms and codes from Binance's documentation."""

import http.client
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode, urlsplit

import pytest

from trading_pipeline.adapters.exchanges.simulated.market import ReplayMarket
from trading_pipeline.adapters.exchanges.simulated.server import exchange_app
from trading_pipeline.adapters.exchanges.simulated.serving import serve_in_background
from trading_pipeline.core.clock import FrozenClock
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Instrument, Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline_tests.builders import make_candles

START = datetime(2024, 1, 1, tzinfo=UTC)
START_MS = 1_704_067_200_000
HOUR_MS = 3_600_000
N_HOURS = 1_200
NOW = START + timedelta(hours=N_HOURS - 1, minutes=30)
BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
CANDLES = {BTC: make_candles(N_HOURS, start=START), ETH: make_candles(N_HOURS, seed=2, start=START)}


def instrument(symbol: Symbol) -> Instrument:
    return Instrument(symbol, Decimal("0.01"), Decimal("0.001"), Decimal("0.001"), Decimal(5))


def market() -> ReplayMarket:
    frames = {(symbol, Timeframe("1h")): frame for symbol, frame in CANDLES.items()}
    return ReplayMarket(frames, [instrument(BTC), instrument(ETH)], NOW)


def get(base_url: str, path: str, method: str = "GET", **query: object):
    """Return status, headers and JSON of one request."""
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=10)
    try:
        connection.request(method, f"/api/v3/{path}?{urlencode(query)}")
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def url():
    with serve_in_background(exchange_app(market(), FrozenClock(NOW))) as base_url:
        yield base_url


def refused(url: str, path: str, **query: object) -> tuple[int, int, str]:
    status, _, body = get(url, path, **query)
    return status, body["code"], body["msg"]


def test_ping_answers_an_empty_object(url):
    assert get(url, "ping")[2] == {}


def test_time_is_that_of_the_clock(url):
    assert get(url, "time")[2] == {"serverTime": START_MS + (N_HOURS - 1) * HOUR_MS + 1_800_000}


def test_exchange_info_states_the_rules_of_each_symbol(url):
    body = get(url, "exchangeInfo")[2]
    assert [entry["symbol"] for entry in body["symbols"]] == ["BTCUSDT", "ETHUSDT"]
    entry = body["symbols"][0]
    assert (entry["status"], entry["baseAsset"], entry["quoteAsset"]) == ("TRADING", "BTC", "USDT")
    filters = {item["filterType"]: item for item in entry["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00100000"
    assert filters["NOTIONAL"]["minNotional"] == "5.00000000"
    assert "MARKET_LOT_SIZE" in filters


@pytest.mark.parametrize("query", [{"symbol": "ETHUSDT"}, {"symbols": '["ETHUSDT"]'}])
def test_exchange_info_can_be_asked_for_one_symbol(url, query):
    assert [entry["symbol"] for entry in get(url, "exchangeInfo", **query)[2]["symbols"]] == [
        "ETHUSDT"
    ]


def test_a_kline_has_twelve_fields_in_the_documented_form(url):
    rows = get(url, "klines", symbol="BTCUSDT", interval="1h", startTime=START_MS, limit=1)[2]
    (row,) = rows
    _, open_, high, low, close, volume = CANDLES[BTC].row(0)
    assert len(row) == 12
    assert row[0] == START_MS
    assert row[6] == START_MS + HOUR_MS - 1
    assert [float(text) for text in row[1:6]] == [open_, high, low, close, volume]
    assert all(isinstance(text, str) and len(text.split(".")[1]) == 8 for text in row[1:6])
    assert float(row[7]) == pytest.approx(volume * (high + low + close) / 3, abs=1e-6)
    assert isinstance(row[8], int)
    assert float(row[9]) <= volume


def test_klines_are_the_newest_500_by_default_the_open_one_included(url):
    rows = get(url, "klines", symbol="BTCUSDT", interval="1h")[2]
    assert len(rows) == 500
    assert rows[-1][0] == START_MS + (N_HOURS - 1) * HOUR_MS
    assert rows[-1][1:6] == [rows[-1][1]] * 4 + ["0.00000000"]


def test_klines_are_at_most_1000(url):
    rows = get(url, "klines", symbol="BTCUSDT", interval="1h", startTime=START_MS, limit=5000)[2]
    assert [rows[0][0], len(rows)] == [START_MS, 1000]


def test_kline_bounds_are_inclusive_and_a_start_inside_a_candle_means_the_next(url):
    rows = get(
        url, "klines", symbol="BTCUSDT", interval="1h",
        startTime=START_MS + 1, endTime=START_MS + 3 * HOUR_MS,
    )[2]  # fmt: skip
    assert [row[0] for row in rows] == [START_MS + i * HOUR_MS for i in (1, 2, 3)]


def test_klines_of_the_future_are_an_empty_list(url):
    start = START_MS + (N_HOURS + 5) * HOUR_MS
    assert get(url, "klines", symbol="BTCUSDT", interval="1h", startTime=start)[2] == []


def test_four_hours_have_the_extremes_of_their_hours(url):
    four = get(url, "klines", symbol="BTCUSDT", interval="4h", startTime=START_MS, limit=1)[2][0]
    inside = CANDLES[BTC].head(4)
    assert float(four[2]) == inside["high"].max()
    assert float(four[3]) == inside["low"].min()


@pytest.mark.parametrize("path", ["klines", "ticker/price", "ticker/24hr", "depth", "exchangeInfo"])
def test_an_unlisted_symbol_is_1121(url, path):
    assert refused(url, path, symbol="NOSUCH", interval="1h") == (400, -1121, "Invalid symbol.")


@pytest.mark.parametrize("interval", ["1s", "5m", "7h", "1M", "1H"])
def test_an_interval_that_is_not_served_is_1120(url, interval):
    answer = refused(url, "klines", symbol="BTCUSDT", interval=interval)
    assert answer == (400, -1120, "Invalid interval.")


@pytest.mark.parametrize(
    ("query", "code", "names"),
    [
        ({"interval": "1h"}, -1102, "symbol"),
        ({"symbol": "BTCUSDT"}, -1102, "interval"),
        ({"symbol": "", "interval": "1h"}, -1102, "symbol"),
        ({"symbol": "BTCUSDT", "interval": "1h", "limit": "many"}, -1100, "limit"),
        ({"symbol": "BTCUSDT", "interval": "1h", "limit": "-5"}, -1100, "limit"),
        ({"symbol": "BTCUSDT", "interval": "1h", "limit": "0"}, -1130, "limit"),
        ({"symbol": "BTCUSDT", "interval": "1h", "startTime": "today"}, -1100, "startTime"),
    ],
)
def test_bad_parameters_are_refused_by_name(url, query, code, names):
    status, received, message = refused(url, "klines", **query)
    assert (status, received) == (400, code)
    assert f"'{names}'" in message


@pytest.mark.parametrize("symbols", ["BTCUSDT", "[]", "{", '"BTCUSDT"', "null"])
def test_a_list_of_symbols_that_is_none_is_1100(url, symbols):
    assert refused(url, "ticker/price", symbols=symbols)[:2] == (400, -1100)


def test_symbol_and_symbols_together_are_1128(url):
    answer = refused(url, "ticker/price", symbol="BTCUSDT", symbols='["BTCUSDT"]')
    assert answer[:2] == (400, -1128)


def test_a_path_that_does_not_exist_says_so_in_json(url):
    assert refused(url, "account") == (404, -5000, "Path /api/v3/account, Method GET is invalid")
    status, _, body = get(url, "klines", method="POST")
    assert (status, body["code"]) == (404, -5000)


def test_the_price_is_the_open_of_the_candle_that_has_just_begun(url):
    expected = f"{CANDLES[BTC]['open'][-1]:.8f}"
    assert get(url, "ticker/price", symbol="BTCUSDT")[2] == {"symbol": "BTCUSDT", "price": expected}
    assert [entry["symbol"] for entry in get(url, "ticker/price")[2]] == ["BTCUSDT", "ETHUSDT"]


def test_the_book_stands_around_the_last_price(url):
    last = float(get(url, "ticker/price", symbol="BTCUSDT")[2]["price"])
    book = get(url, "depth", symbol="BTCUSDT", limit=20)[2]
    bids = [float(level[0]) for level in book["bids"]]
    asks = [float(level[0]) for level in book["asks"]]
    assert (len(bids), len(asks)) == (20, 20)
    assert asks == sorted(asks)
    assert bids == sorted(bids, reverse=True)
    assert asks[0] == last
    assert asks[0] - bids[0] == pytest.approx(0.01)
    best = get(url, "ticker/bookTicker", symbol="BTCUSDT")[2]
    assert [best["bidPrice"], best["askPrice"]] == [book["bids"][0][0], book["asks"][0][0]]


def test_the_day_is_the_last_24_hours(url):
    day = get(url, "ticker/24hr", symbol="BTCUSDT")[2]
    # The hours that opened within the last day: 23 closed ones and the one that is open.
    inside = CANDLES[BTC].slice(N_HOURS - 24, 23)
    last = CANDLES[BTC]["open"][-1]
    assert float(day["openPrice"]) == inside["open"][0]
    assert float(day["lastPrice"]) == last
    assert float(day["highPrice"]) == max(inside["high"].max(), last)
    assert float(day["lowPrice"]) == min(inside["low"].min(), last)
    assert float(day["volume"]) == pytest.approx(inside["volume"].sum(), abs=1e-7)
    change = (last / inside["open"][0] - 1) * 100
    assert float(day["priceChangePercent"]) == pytest.approx(change, abs=5e-4)


def test_before_the_first_trade_tickers_are_zero_and_candles_empty():
    early = FrozenClock(START - timedelta(days=3))
    with serve_in_background(exchange_app(market(), early)) as url:
        assert get(url, "klines", symbol="BTCUSDT", interval="1h")[2] == []
        assert float(get(url, "ticker/price", symbol="BTCUSDT")[2]["price"]) == 0
        assert get(url, "ticker/24hr", symbol="BTCUSDT")[2]["count"] == 0


def test_every_answer_states_the_used_weight():
    with serve_in_background(exchange_app(market(), FrozenClock(NOW))) as url:
        weights = [
            int(get(url, path, **query)[1]["X-MBX-USED-WEIGHT-1M"])
            for path, query in [
                ("ping", {}),
                ("time", {}),
                ("exchangeInfo", {}),
                ("klines", {"symbol": "BTCUSDT", "interval": "1h"}),
                ("ticker/24hr", {}),
                ("depth", {"symbol": "BTCUSDT", "limit": 500}),
            ]
        ]
    assert weights == [1, 2, 22, 24, 104, 129]


def test_above_the_weight_limit_it_answers_429_and_how_long_to_wait():
    with serve_in_background(exchange_app(market(), FrozenClock(NOW), weight_limit=3)) as url:
        assert [get(url, "ping")[0] for _ in range(4)] == [200, 200, 200, 429]
        status, headers, body = get(url, "ping")
    assert (status, body["code"]) == (429, -1003)
    assert 1 <= int(headers["Retry-After"]) <= 61


def test_two_symbols_with_one_spelling_are_refused():
    twins = (Symbol("AB", "CDE"), Symbol("ABC", "DE"))
    frames = {(symbol, Timeframe("1h")): make_candles(3) for symbol in twins}
    with pytest.raises(ConfigError, match="one spelling"):
        exchange_app(
            ReplayMarket(frames, [instrument(symbol) for symbol in twins], NOW), FrozenClock(NOW)
        )
