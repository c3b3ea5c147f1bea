"""The websocket client against a real server: refused, unlisted, unreadable, unknown."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TypeVar

import pytest
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from trading_pipeline.adapters.clock import SystemClock
from trading_pipeline.adapters.exchanges.ccxt_websocket import CcxtCandleFeed, FeedTimes
from trading_pipeline.adapters.exchanges.request_gate import RequestGate
from trading_pipeline.adapters.exchanges.simulated.faults import rate_limited
from trading_pipeline.adapters.exchanges.simulated.server import exchange_app
from trading_pipeline.adapters.exchanges.simulated.serving import serve_in_background
from trading_pipeline.adapters.exchanges.simulated.websocket import SocketFaults
from trading_pipeline.core.errors import ConfigError, RateLimitedError, SymbolNotListedError
from trading_pipeline.core.instrument import Symbol
from trading_pipeline.core.timeframe import Timeframe
from trading_pipeline.market_data.live import BarMessage, Connected, Disconnected, FeedMessage
from trading_pipeline_tests.live_markets import BTC, ETH, MINUTE, live_exchange

T = TypeVar("T", bound=FeedMessage)
QUICK = FeedTimes(silence_s=5, first_backoff_s=0.02, longest_backoff_s=0.1)


def open_feed(
    base_url: str, *symbols: Symbol, gate: RequestGate | None = None, times: FeedTimes = QUICK
) -> closing[CcxtCandleFeed]:
    return closing(
        CcxtCandleFeed(
            "binance",
            symbols or (BTC, ETH),
            MINUTE,
            clock=SystemClock(),
            gate=gate or RequestGate("binance", longest_wait_s=0.0),
            base_url=base_url,
            times=times,
        )
    )


def first(feed: CcxtCandleFeed, kind: type[T], accepts: Callable[[T], bool] = lambda _: True) -> T:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        message = feed.next(0.2)
        if isinstance(message, kind) and accepts(message):
            return message
    raise AssertionError(f"no {kind.__name__} within 15 s")


def test_every_symbol_is_sent_with_its_own_candles():
    with live_exchange(1) as exchange, open_feed(exchange.base_url) as feed:
        assert isinstance(first(feed, Connected), Connected)
        bitcoin = first(feed, BarMessage, lambda message: message.symbol == BTC)
        ether = first(feed, BarMessage, lambda message: message.symbol == ETH)
    assert bitcoin.bar.open > 50_000 > 3_000 > ether.bar.open > 2_000
    assert MINUTE.floor(bitcoin.bar.open_time) == bitcoin.bar.open_time


@pytest.mark.parametrize("status", [429, 418])
def test_after_a_refusal_nobody_connects_until_the_pause_is_over(status: int):
    faults = SocketFaults(refuses=1, refusal_status=status)
    gate = RequestGate("binance", longest_wait_s=0.0)
    with live_exchange(1, faults) as exchange, open_feed(exchange.base_url, gate=gate) as feed:
        refused = first(feed, Disconnected)
        assert f"HTTP {status}" in refused.reason
        with pytest.raises(RateLimitedError):
            gate.pass_through()
        time.sleep(0.5)
        assert faults.counts["connections"] == 0


def test_a_ban_on_rest_keeps_the_websocket_away_too():
    with live_exchange(1) as exchange:
        exchange.rest.script("exchangeInfo", [rate_limited("1", status=418)])
        with open_feed(exchange.base_url) as feed:
            assert "banned" in first(feed, Disconnected).reason
            began = time.monotonic()
            first(feed, Connected)
        assert time.monotonic() - began > 0.8
        assert exchange.sockets.counts["connections"] == 1


def test_a_symbol_that_is_not_listed_is_named_with_near_ones():
    unlisted = Symbol("BTC", "USDX")
    with (
        live_exchange(1) as exchange,
        open_feed(exchange.base_url, unlisted) as feed,
        pytest.raises(SymbolNotListedError, match="did you mean BTC/USDT"),
    ):
        first(feed, BarMessage)


def test_an_exchange_that_comes_up_late_is_found():
    with live_exchange(1) as exchange:
        exchange.sockets.refuses, exchange.sockets.refusal_status = 3, 503
        with open_feed(exchange.base_url) as feed:
            first(feed, Disconnected)
            first(feed, Connected)
        assert exchange.sockets.counts["refusals"] == 3


@pytest.fixture
def odd_exchange() -> Iterator[tuple[str, list[str]]]:
    """Serve true markets over REST, and whatever a test puts into the list over the websocket."""
    texts: list[str] = []

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        try:
            await socket.receive_text()
            for text in texts:
                await socket.send_text(text)
            await socket.receive_text()
        except WebSocketDisconnect:
            return

    with live_exchange(1) as exchange:
        routes = [WebSocketRoute("/ws/{rest:path}", talk)]
        app = exchange_app(exchange.market, exchange.clock, more_routes=routes)
        with serve_in_background(app, websockets=True) as base_url:
            yield base_url, texts


@pytest.mark.parametrize(
    ("candle", "expected"),
    [
        ('"t":1709251200000,"o":null,"h":"1","l":"1","c":"1","v":"1"', "not six numbers"),
        ('"t":1709251200000,"o":"1","h":"1","l":"1","c":"NaN","v":"1"', "not six numbers"),
        ('"t":1709251201000,"o":"1","h":"1","l":"1","c":"1","v":"1"', "off the grid of 1m"),
    ],
)
def test_a_candle_that_is_none_ends_the_connection_and_is_never_handed_over(
    candle: str, expected: str, odd_exchange: tuple[str, list[str]]
):
    base_url, texts = odd_exchange
    texts.append(f'{{"e":"kline","E":1,"s":"BTCUSDT","k":{{"s":"BTCUSDT","i":"1m",{candle}}}}}')
    with open_feed(base_url, BTC) as feed:
        assert expected in first(feed, Disconnected).reason


def test_a_venue_that_nobody_knows_is_refused_with_near_names():
    with pytest.raises(ConfigError, match="did you mean binance"):
        CcxtCandleFeed(
            "binanse", [BTC], Timeframe("1m"), clock=SystemClock(), gate=RequestGate("binanse")
        )
