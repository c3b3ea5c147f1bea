"""The simulated exchange's websocket, as a plain client sees it; fields as Binance documents."""

import json
from datetime import UTC, datetime
from typing import Any

from websockets.sync.client import ClientConnection, connect

from trading_pipeline.adapters.exchanges.simulated.websocket import SocketFaults
from trading_pipeline_tests.live_markets import BTC, NOW, OPENS, LiveExchange, live_exchange

BTC_1M = "btcusdt@kline_1m"


def open_socket(exchange: LiveExchange, path: str = "/ws/0") -> ClientConnection:
    return connect("ws" + exchange.base_url.removeprefix("http") + path, proxy=None)


def ask(socket: ClientConnection, method: str, *streams: str, number: int = 1) -> Any:
    socket.send(json.dumps({"method": method, "params": list(streams), "id": number}))
    while "id" not in (answer := json.loads(socket.recv(5))):
        pass
    return answer


def events(socket: ClientConnection, n: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < n:
        message = json.loads(socket.recv(5))
        if message.get("e") == "kline":
            found.append(message)
    return found


def test_a_subscription_is_confirmed_and_listed_and_ended():
    with live_exchange(1) as exchange, open_socket(exchange) as socket:
        assert ask(socket, "SUBSCRIBE", BTC_1M, number=7) == {"result": None, "id": 7}
        listing = ask(socket, "LIST_SUBSCRIPTIONS", number=8)
        assert listing == {"result": [BTC_1M], "id": 8}
        ask(socket, "UNSUBSCRIBE", BTC_1M, number=9)
        assert ask(socket, "LIST_SUBSCRIPTIONS", number=10)["result"] == []


def test_the_forming_candle_comes_again_and_again_and_its_last_event_is_marked():
    with live_exchange(480) as exchange, open_socket(exchange) as socket:
        ask(socket, "SUBSCRIBE", BTC_1M)
        found = events(socket, 30)
        closing = next(event["k"] for event in found if event["k"]["x"])
        last = datetime.fromtimestamp(closing["t"] / 1000, UTC)
        truth = exchange.truth(BTC, OPENS, last).row(-1)
    assert set(found[0]) == {"e", "E", "s", "k"}
    assert set(closing) == {*"tTsifLochlvnxqVQB"}
    assert (closing["s"], closing["i"], closing["T"] - closing["t"]) == ("BTCUSDT", "1m", 59_999)
    values = [float(closing[name]) for name in "ohlcv"]
    assert [last, *values] == list(truth)
    opens = [event["k"]["t"] for event in found]
    assert opens == sorted(opens)
    assert opens.count(opens[0]) > 1


def test_a_combined_stream_names_the_stream():
    with live_exchange(1) as exchange, open_socket(exchange, "/stream") as socket:
        ask(socket, "SUBSCRIBE", BTC_1M)
        message = json.loads(socket.recv(5))
    assert message["stream"] == BTC_1M
    assert message["data"]["k"]["t"] == int(NOW.replace(second=0).timestamp() * 1000)


def test_what_is_not_listed_is_confirmed_and_never_sent():
    with live_exchange(1) as exchange, open_socket(exchange) as socket:
        assert ask(socket, "SUBSCRIBE", "nosuch@kline_1m", "btcusdt@trade")["result"] is None
        assert ask(socket, "LIST_SUBSCRIPTIONS")["result"] == []
        socket.send("no json")
        assert json.loads(socket.recv(5))["error"]["code"] == 3


def test_connections_and_events_are_counted():
    faults = SocketFaults()
    with live_exchange(1, faults) as exchange, open_socket(exchange) as socket:
        ask(socket, "SUBSCRIBE", BTC_1M)
        events(socket, 2)
    assert faults.counts["connections"] == 1
    assert faults.counts["events"] >= 3
