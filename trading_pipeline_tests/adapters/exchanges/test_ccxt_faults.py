"""What the ccxt source does when the exchange misbehaves: one clear error, never wrong data."""

import json
import pickle
import socket
import time
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from starlette.applications import Starlette
from starlette.responses import RedirectResponse
from starlette.routing import Route

from trading_pipeline.adapters.exchanges.ccxt_rest import CcxtCandleSource
from trading_pipeline.adapters.exchanges.request_gate import RequestGate
from trading_pipeline.adapters.exchanges.simulated.faults import (
    Fault,
    cut_off,
    failing,
    hanging,
    html,
    rate_limited,
    text,
    truncated,
)
from trading_pipeline.core.errors import (
    MalformedReplyError,
    SymbolNotListedError,
    VenueError,
    VenueUnavailableError,
)
from trading_pipeline_tests.adapters.exchanges.exchange_cases import (
    BTC,
    END,
    H1,
    N_HOURS,
    START,
    TrialExchange,
    trial_exchange,
)
from trading_pipeline_tests.builders import make_candles

TRUTH = make_candles(N_HOURS, start=START)
START_MS = round(START.timestamp() * 1000)
HOUR_MS = 3_600_000
GARBAGE = {
    "a web page": html(),
    "an empty object": text("{}"),
    "null": text("null"),
    "nothing": text(""),
    "a number": text("42"),
    "a text": text('"ok"'),
    "not JSON": text("NaN,"),
    "half an answer": truncated(),
    "a web page with 404": html(404),
}
SUBJECTS = {
    "time": lambda trial: trial.source.now(),
    "exchangeInfo": lambda trial: trial.source.instrument(BTC),
    "klines": lambda trial: trial.read(),
    "ticker/24hr": lambda trial: trial.source.quote(BTC),
}


@pytest.fixture(scope="module")
def shared_trial():
    with trial_exchange(attempts=1) as exchange:
        yield exchange


@pytest.fixture
def trial(shared_trial):
    """A source of its own, which tries three times, at the shared exchange."""
    shared_trial.plan.clear()
    pauses: list[float] = []
    url, impatient = shared_trial.source.base_url, RequestGate("binance", longest_wait_s=0.0)
    with CcxtCandleSource("binance", url, sleep=pauses.append, gate=impatient) as source:
        yield TrialExchange(source, shared_trial.plan, pauses)


def row(open_ms: object = START_MS, *values: object) -> list[object]:
    numbers = list(values) or ["100.0", "101.0", "99.0", "100.5", "7.0"]
    return [open_ms, *numbers, START_MS + HOUR_MS - 1, "1", 1, "1", "1", "0"]


@pytest.mark.parametrize("path", SUBJECTS)
@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_refused_and_never_taken_for_an_answer(shared_trial, path, kind):
    shared_trial.plan.clear()
    shared_trial.source._has_markets = False
    shared_trial.plan.always(path, GARBAGE[kind])
    with pytest.raises(MalformedReplyError, match="binance"):
        SUBJECTS[path](shared_trial)


@pytest.mark.parametrize("path", ["time", "exchangeInfo", "ticker/24hr"])
def test_an_empty_list_is_no_answer_where_something_must_exist(shared_trial, path):
    shared_trial.plan.clear()
    shared_trial.source._has_markets = False
    shared_trial.plan.always(path, text("[]"))
    with pytest.raises(MalformedReplyError, match="binance"):
        SUBJECTS[path](shared_trial)


def test_an_empty_list_of_candles_is_believed_when_it_is_said_twice(trial):
    trial.plan.always("klines", text("[]"))
    assert trial.read().is_empty()
    assert trial.plan.requests["klines"] == 2


def test_a_single_empty_list_of_candles_is_not_believed(trial):
    trial.plan.script("klines", [text("[]")])
    assert_frame_equal(trial.read(), TRUTH)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([[START_MS]], "not six numbers"),
        ([row(START_MS, "x", "1", "1", "1", "1")], "not six numbers"),
        ([row(START_MS, None, "1", "1", "1", "1")], "not six numbers"),
        ([row(START_MS, "NaN", "1", "1", "1", "1")], "not six numbers"),
        ([row(START_MS, "1", "Infinity", "1", "1", "1")], "not six numbers"),
        ([row("soon")], "not six numbers"),
        (["abc"], "not six numbers"),
        ([{"open": 1}], "not six numbers"),
        ([row(START_MS + 1)], "off the grid of 1h"),
        ([row(START_MS + HOUR_MS // 2)], "off the grid of 1h"),
        ([row(START_MS * 1000)], "of the future"),
        ([row(START_MS + 500 * HOUR_MS)], "of the future"),
        ([row(), row(START_MS, "1", "2", "1", "1", "7")], "two different candles"),
        ({"rows": [row()]}, "cannot read|not six numbers"),
    ],
)
def test_rows_that_cannot_be_candles_are_refused(shared_trial, rows, reason):
    shared_trial.plan.clear()
    shared_trial.plan.always("klines", text(json.dumps(rows)))
    with pytest.raises(MalformedReplyError, match=reason):
        shared_trial.read()


def test_equal_repetitions_of_a_candle_are_one_candle(trial):
    def twice(body: bytes) -> bytes:
        return json.dumps([entry for entry in json.loads(body) for _ in range(2)]).encode()

    trial.plan.always("klines", Fault(rewrite=twice))
    assert_frame_equal(trial.read(), TRUTH)


def test_rows_out_of_order_are_put_in_order(trial):
    trial.plan.always(
        "klines", Fault(rewrite=lambda body: json.dumps(json.loads(body)[::-1]).encode())
    )
    assert_frame_equal(trial.read(), TRUTH)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("path", ["time", "exchangeInfo", "ticker/24hr"])
@given(answer=json_values)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_arbitrary_json_only_ever_raises_our_own_error(shared_trial, path, answer):
    shared_trial.plan.clear()
    shared_trial.source._has_markets = False
    shared_trial.plan.always(path, text(json.dumps(answer)))
    with pytest.raises(VenueError):
        SUBJECTS[path](shared_trial)


candle_like = st.lists(
    st.lists(
        st.sampled_from([START_MS, START_MS + HOUR_MS, START_MS + 7, "1.5", "-3", "", None, "NaN"])
        | json_values,
        max_size=8,
    ),
    max_size=4,
)


@given(answer=candle_like)
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_arbitrary_candles_are_refused_or_keep_the_contract(shared_trial, answer):
    shared_trial.plan.clear()
    shared_trial.plan.always("klines", text(json.dumps(answer)))
    try:
        candles = shared_trial.read(START, START + timedelta(hours=2))
    except VenueError:
        return
    assert candles["open_time"].is_between(START, START + timedelta(hours=1)).all()
    assert all(candles[name].is_finite().all() for name in candles.columns[1:])


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
def test_a_failing_venue_is_unavailable(trial, status):
    trial.plan.always("klines", failing(status))
    with pytest.raises(VenueUnavailableError, match=f"HTTP {status}.*try again") as caught:
        trial.read()
    assert caught.value.facts == {"venue": "binance", "status": status, "symbol": "BTC-USDT"}


def test_a_gateway_page_with_502_is_unavailable_and_not_malformed(trial):
    trial.plan.always("time", html(502))
    with pytest.raises(VenueUnavailableError, match="HTTP 502"):
        trial.source.now()


@pytest.mark.parametrize("status", [403, 451])
def test_a_blocked_network_is_named(trial, status):
    trial.plan.always("exchangeInfo", html(status))
    with pytest.raises(VenueUnavailableError, match="block this network or country"):
        trial.source.instrument(BTC)


def test_reads_are_tried_again_with_growing_pauses_and_then_given_up(trial):
    trial.plan.always("klines", failing())
    with pytest.raises(VenueUnavailableError):
        trial.read()
    assert trial.plan.requests["klines"] == 3
    assert trial.pauses == [0.25, 0.5]


@pytest.mark.parametrize("fault", [failing(), html(), truncated(), text("null")])
def test_a_passing_fault_leaves_no_trace(trial, fault):
    for path in ("exchangeInfo", "time", "klines"):
        trial.plan.script(path, [fault, fault])
    assert_frame_equal(trial.read(), TRUTH)
    assert trial.pauses == [0.25, 0.5] * 3


def test_a_list_of_markets_that_was_garbage_is_asked_for_again(trial):
    trial.plan.script("exchangeInfo", [text('{"symbols":[]}')] * 3)
    with pytest.raises(MalformedReplyError, match="empty list of spot markets"):
        trial.source.instrument(BTC)
    assert trial.source.instrument(BTC).symbol == BTC


def test_an_exchange_that_is_down_is_named_with_its_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pauses: list[float] = []
    source = CcxtCandleSource("binance", f"http://127.0.0.1:{port}", sleep=pauses.append)
    with pytest.raises(VenueUnavailableError, match=f"cannot be reached.*127.0.0.1:{port}.*check"):
        source.candles(BTC, H1, START, END)
    assert pauses == [0.25, 0.5]


def test_an_exchange_that_hangs_is_given_up_after_the_timeout():
    with trial_exchange(attempts=1, timeout_s=0.2) as trial:
        trial.plan.always("time", hanging(1.0))
        began = time.monotonic()
        with pytest.raises(VenueUnavailableError, match=r"no answer within 0\.2 s"):
            trial.source.now()
        assert time.monotonic() - began < 0.9


def test_a_connection_that_closes_without_an_answer_is_unavailable():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        source = CcxtCandleSource("binance", f"http://127.0.0.1:{port}", 0.2, attempts=1)
        with pytest.raises(VenueUnavailableError, match=r"try again|check the network"):
            source.now()


def test_a_redirect_is_not_followed():
    elsewhere = Starlette(
        routes=[Route("/{path:path}", lambda request: RedirectResponse("http://127.0.0.1:1/"))]
    )
    with (
        trial_exchange(elsewhere, attempts=1) as trial,
        pytest.raises(MalformedReplyError, match=r"a redirect .* to http://127\.0\.0\.1:1/"),
    ):
        trial.source.now()


def test_a_page_that_is_cut_off_in_the_middle_is_asked_for_again(trial):
    trial.plan.script("klines", [cut_off(), cut_off()])
    assert_frame_equal(trial.read(), TRUTH)
    trial.plan.always("klines", cut_off())
    with pytest.raises(VenueUnavailableError, match="binance"):
        trial.read()


@pytest.mark.parametrize("place", [1, 2, 3, 4, 5])
def test_a_candle_with_a_null_is_refused(trial, place):
    def spoil(body: bytes) -> bytes:
        rows = json.loads(body)
        rows[7][place] = None
        return json.dumps(rows).encode()

    trial.plan.always("klines", Fault(rewrite=spoil))
    with pytest.raises(MalformedReplyError, match="not six numbers"):
        trial.read()


def test_a_quote_of_another_symbol_is_refused(trial):
    trial.plan.always(
        "ticker/24hr", Fault(rewrite=lambda body: body.replace(b"BTCUSDT", b"ETHUSDT"))
    )
    with pytest.raises(MalformedReplyError, match="not the quote of BTC/USDT"):
        trial.source.quote(BTC)


@pytest.mark.parametrize("price", ["0.00", "-5", "NaN", "Infinity", "x", ""])
def test_a_quote_without_a_positive_price_is_refused(trial, price):
    answer = {"symbol": "BTCUSDT", "lastPrice": price, "closeTime": START_MS}
    trial.plan.always("ticker/24hr", text(json.dumps(answer)))
    with pytest.raises(MalformedReplyError, match="the last price"):
        trial.source.quote(BTC)


def test_an_error_of_the_venue_is_told_in_its_words(trial):
    trial.plan.always("klines", text('{"code":-1100,"msg":"Illegal characters found."}', 400))
    with pytest.raises(
        VenueError, match=r"refused the request.*Illegal characters found"
    ) as caught:
        trial.read()
    assert type(caught.value) is VenueError
    assert trial.plan.requests["klines"] == 1


def test_a_symbol_that_vanished_is_not_listed(trial):
    trial.plan.always("klines", text('{"code":-1121,"msg":"Invalid symbol."}', 400))
    with pytest.raises(SymbolNotListedError, match="Invalid symbol"):
        trial.read()


@pytest.mark.parametrize("fault", [html(), failing(), rate_limited(), truncated()])
def test_every_message_is_one_short_line_and_survives_a_process_border(trial, fault):
    trial.plan.always("klines", fault)
    with pytest.raises(VenueError) as caught:
        trial.read()
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 400
    # How Dagster carries errors between processes, not how anything is stored.
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), copy.message, copy.facts) == (
        type(caught.value),
        caught.value.message,
        caught.value.facts,
    )
